"""The Celery application: the clock and the runner of the loops in schedule.py."""

import os
from contextlib import AbstractContextManager, suppress
from typing import Any

from celery import Celery
from celery.signals import task_postrun, task_prerun

from sync_console.schedule import LOOPS

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sync_console.settings")

app = Celery("sync_console")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

_LOOP_OF_TASK = {loop.task: loop.name for loop in LOOPS}
_running: dict[str, AbstractContextManager[None]] = {}


@task_prerun.connect
def _heartbeat(task_id: str, task: Any, **_: Any) -> None:
    """Each loop leaves a heartbeat, by which readiness and the dispatch loop see that workers live."""
    from apps.monitoring.loops import recorded  # models load only once Django is set up

    name = _LOOP_OF_TASK.get(task.name)
    if name is not None:
        beat = recorded(name, "worker")
        beat.__enter__()
        _running[task_id] = beat


@task_postrun.connect
def _finished(task_id: str, state: str | None = None, retval: Any = None, **_: Any) -> None:
    beat = _running.pop(task_id, None)
    if beat is None:
        return
    if isinstance(retval, BaseException):
        with suppress(type(retval)):
            beat.__exit__(type(retval), retval, retval.__traceback__)
    else:
        beat.__exit__(None, None, None)
