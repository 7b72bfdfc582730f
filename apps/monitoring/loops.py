"""The heartbeat of every loop: when it last ran, who ran it and how it ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection

from apps.lib.clock import Now
from apps.monitoring.models import LoopRun


@contextmanager
def recorded(name: str, runner: str) -> Iterator[None]:
    """Write down that `runner` runs the loop `name`; a failure is kept as its error and raised again."""
    _started(name, runner)
    try:
        yield
    except Exception as error:
        LoopRun.objects.filter(pk=name).update(finished_at=Now(), error=f"{type(error).__name__}: {error}"[:2000])
        raise
    LoopRun.objects.filter(pk=name).update(finished_at=Now(), error="")


def ages_s() -> dict[str, float]:
    """Loop name → seconds since it last began; a loop that never ran is absent."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, extract(epoch FROM sync_now() - started_at) FROM monitoring_looprun")
        return {name: float(age) for name, age in cursor.fetchall()}


def last_runs() -> list[tuple[str, datetime, str, str]]:
    """Every loop's last run, for the overview: name, began, runner, error."""
    return list(LoopRun.objects.order_by("name").values_list("name", "started_at", "runner", "error"))


def _started(name: str, runner: str) -> None:
    LoopRun.objects.bulk_create(
        [LoopRun(name=name, started_at=Now(), runner=runner)],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["started_at", "runner"],
    )
