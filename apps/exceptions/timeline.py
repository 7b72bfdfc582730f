"""What happened to a cause: what people and the system did, and what people said, newest first."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.exceptions.models import Activity, Cause, Comment

LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One line; `text` is set on a comment, `detail` on an action."""

    at: datetime
    actor: str
    action: str
    text: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def timeline(cause: Cause, limit: int = LENGTH_MAX) -> list[Entry]:
    """Activities and comments merged, in two queries."""
    comments = Comment.objects.filter(cause=cause).order_by("-at", "-pk")[:limit]
    activities = Activity.objects.filter(cause=cause).order_by("-at", "-pk")[:limit]
    entries = [Entry(c.at, c.by, "commented", text=c.text) for c in comments]
    entries += [Entry(a.at, a.actor, a.action, detail=a.detail) for a in activities]
    return sorted(entries, key=lambda entry: entry.at, reverse=True)[:limit]
