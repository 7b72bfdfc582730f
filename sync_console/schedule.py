"""Every loop of the product on one screen: what runs, how often, and who may run it when no worker does."""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop is a Celery task that claims due rows; running it twice at once, or not at all, loses nothing."""

    name: str
    task: str
    every_s: float
    inline: str = ""  # what the dispatch loop calls instead of the task, where the task only fans out


LOOPS: Final = (
    Loop("process", "apps.sources.tasks.process", 1),
    Loop("plan", "apps.channels.tasks.plan", 1),
    Loop("publish", "apps.channels.tasks.publish", 1, inline="apps.channels.publisher.publish_all"),
    Loop("look again", "apps.inventory.tasks.look_again", 5),
    Loop("read back", "apps.channels.tasks.read_back", 5),
    Loop("tidy inbox", "apps.sources.tasks.tidy", 3600),
    Loop("tidy answers", "apps.access.tasks.tidy", 3600),
    Loop("invariants", "apps.monitoring.tasks.check_invariants", 300),
)


def beat_schedule() -> dict[str, dict[str, Any]]:
    """The loops as Celery beat wants them; a tick nobody took within its period (60 s at most) is void."""
    return {
        loop.name: {
            "task": loop.task,
            "schedule": loop.every_s,
            "options": {"expires": min(60.0, max(5.0, loop.every_s)), "ignore_result": True},
        }
        for loop in LOOPS
    }
