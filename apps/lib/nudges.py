"""Nudges: best-effort hints that a loop has work. Losing one costs a second, never a fact."""

import logging
from itertools import count

from celery import current_app
from django.db import transaction

log = logging.getLogger(__name__)

_failures = count(1)
failures_total = 0

TASKS = {
    "process": "apps.sources.tasks.process",
    "plan": "apps.channels.tasks.plan",
    "publish": "apps.channels.tasks.publish",
}


def nudge(loop: str) -> None:
    """Ask a worker to run `loop` (a key of TASKS) once this transaction has committed.

    Errors are counted and swallowed: the rows are committed, and beat or the dispatch loop finds them.
    """
    transaction.on_commit(lambda: _send(TASKS[loop]), robust=True)


def _send(task: str) -> None:
    global failures_total
    try:
        current_app.send_task(task, retry=False, expires=60, ignore_result=True)
    except Exception as error:  # whatever the broker does, the committed work stands
        failures_total = next(_failures)
        log.warning("nudge_failed", extra={"task": task, "error": repr(error)})
