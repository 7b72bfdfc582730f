"""Refusals of the queue that name who was first, and when."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from django.db import OperationalError

from apps.lib.errors import Problem

_BUSY = frozenset({"55P03", "40P01"})  # lock_not_available, deadlock_detected


class CauseClosed(Problem):
    """The cause was closed by somebody else first."""

    def __init__(self, who: str, when: datetime, state: str = "resolved") -> None:
        super().__init__(
            409,
            "expired",
            f"This cause was {state} by {who} at {_shown(when)}; reload it to see how.",
            extra={"who": who, "when": when.isoformat().replace("+00:00", "Z")},
        )
        self.who = who
        self.when = when


class PreviewStale(Problem):
    """The cause changed since it was previewed."""

    def __init__(self, who: str, when: datetime) -> None:
        super().__init__(
            409,
            "expired",
            f"This preview no longer holds: {who} changed the cause at {_shown(when)}. Preview it again.",
            extra={"who": who, "when": when.isoformat().replace("+00:00", "Z")},
        )
        self.who = who
        self.when = when


@contextmanager
def busy_is_refused() -> Iterator[None]:
    """A lock that is not had in time is a 409 to try again, not an error of ours."""
    try:
        yield
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) not in _BUSY:
            raise
        raise Problem(
            409,
            "in_progress",
            "Some of these records are being processed right now; try again in a moment.",
            headers={"Retry-After": "1"},
        ) from error


def _shown(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
