"""The broker-free runner of the loops: takes over whatever no Celery worker has run for a while."""

import logging
import threading
from collections.abc import Callable

from django.db import close_old_connections
from django.utils.module_loading import import_string

from apps.monitoring.loops import ages_s, recorded
from sync_console.schedule import LOOPS, Loop

log = logging.getLogger(__name__)

PATIENCE = 3  # periods without a run before the dispatch loop steps in
PATIENCE_MIN_S = 5.0


def overdue(loop: Loop, ages: dict[str, float]) -> bool:
    """True where nobody has begun `loop` for PATIENCE periods."""
    return ages.get(loop.name, float("inf")) > max(PATIENCE_MIN_S, loop.every_s * PATIENCE)


def run_overdue(loops: tuple[Loop, ...] = LOOPS) -> list[str]:
    """Run, here and now, each loop that is overdue; returns their names. One loop's failure stops no other."""
    ages = ages_s()
    ran = []
    for loop in loops:
        if overdue(loop, ages):
            _run(loop)
            ran.append(loop.name)
    return ran


def dispatch_forever(stop: threading.Event, every_s: float = 1.0) -> None:
    """Until `stop` is set; survives PostgreSQL going away."""
    while not stop.wait(every_s):
        try:
            run_overdue()
        except Exception:
            log.exception("dispatch_failed")
        finally:
            close_old_connections()


def _run(loop: Loop) -> None:
    work: Callable[[], object] = import_string(loop.inline or loop.task)
    try:
        with recorded(loop.name, "dispatch"):
            work()
    except Exception:
        log.exception("loop_failed", extra={"loop": loop.name})
