"""Everything a person needs to decide about one cause, gathered in a few queries."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from apps.exceptions.affected import AffectedPage, affected_by
from apps.exceptions.fixes import Fix, fixes_of, suggestions_of
from apps.exceptions.models import Activity, Cause, Comment, Replay
from apps.exceptions.reasons import Reason, reason_of
from apps.exceptions.replaying import Progress, progress_of

TIMELINE_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of the timeline: what happened, or what somebody said."""

    at: datetime
    who: str
    text: str
    is_comment: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """A suggestion as the page shows it: the fix it fills in, and with what."""

    fix: str
    target: str
    label: str
    score: float
    given: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Dossier:
    cause: Cause
    reason: Reason
    fixes: tuple[Fix, ...]
    offers: tuple[Offer, ...]
    affected: AffectedPage
    timeline: tuple[Moment, ...]
    replay: Replay | None
    progress: Progress | None

    @property
    def is_open(self) -> bool:
        return self.cause.closed_at is None


def dossier_of(cause: Cause) -> Dossier:
    """The cause with its fixes, suggestions, records, history and the progress of its newest replay."""
    reason = reason_of(cause.reason)
    fixes = fixes_of(cause.reason)
    replay = Replay.objects.filter(cause_id=cause.pk).order_by("-pk").first()
    return Dossier(
        cause=cause,
        reason=reason,
        fixes=tuple(fixes.values()),
        offers=_offers(cause, fixes),
        affected=affected_by(cause, closed=cause.open_records == 0),
        timeline=tuple(timeline_of(cause)),
        replay=replay,
        progress=progress_of(replay) if replay else None,
    )


def timeline_of(cause: Cause) -> list[Moment]:
    """Activities and comments together, newest first."""
    activities = Activity.objects.filter(cause_id=cause.pk).order_by("-at", "-pk")[:TIMELINE_MAX]
    comments = Comment.objects.filter(cause_id=cause.pk).order_by("-at")[:TIMELINE_MAX]
    moments = [Moment(a.at, a.actor, _said(a.action, a.detail)) for a in activities]
    moments += [Moment(c.at, c.by or "somebody", c.text, is_comment=True) for c in comments]
    return sorted(moments, key=lambda moment: moment.at, reverse=True)[:TIMELINE_MAX]


def _offers(cause: Cause, fixes: dict[str, Fix]) -> tuple[Offer, ...]:
    if cause.closed_at is not None:
        return ()
    found = [(s, fixes[s.fix]) for s in suggestions_of([cause])[cause.pk] if s.fix in fixes]
    return tuple(
        Offer(fix.name, s.target, s.label.removeprefix(s.target).lstrip(" ·"), s.score, given)
        for s, fix in found
        if (given := _filled(fix, s.target))
    )


def _filled(fix: Fix, target: str) -> tuple[tuple[str, str], ...]:
    """The fix's fields as the suggestion fills them: a code, or a factor written as 12/1."""
    names = {field.name for field in fix.fields}
    if "target" in names:
        return (("target", target),)
    if {"numerator", "denominator"} <= names:
        numerator, _, denominator = target.partition("/")
        return (("numerator", numerator), ("denominator", denominator or "1"))
    return ()


def _said(action: str, detail: dict[str, Any]) -> str:
    """An activity as a sentence without its actor."""
    texts = {
        "created": "opened the cause",
        "regressed": "saw the cause come back",
        "closed": "closed it: its last record left the queue",
        "healed": f"replays {detail.get('records', 0)} records, because what was missing has arrived",
        "replayed": f"asked for {detail.get('records', 0)} records to be replayed",
        "resolved": detail.get("summary") or "resolved it",
        "fixed": detail.get("summary") or "applied a fix, without a replay",
        "ignored": f"ignored {detail.get('records', 0)} records",
        "dismissed": "dismissed it",
        "snoozed": f"snoozed it until {str(detail.get('until', ''))[:16].replace('T', ' ')} UTC",
        "assigned": " and ".join(_assignments(detail)) or "changed its owner",
    }
    text = str(texts.get(action, action))
    reason = detail.get("reason")
    return f"{text} – {reason}" if reason and str(reason) not in text else text


def _assignments(detail: dict[str, Any]) -> Iterator[str]:
    for kind in ("user", "team"):
        if kind in detail:
            yield f"assigned it to {detail[kind]}" if detail[kind] else f"took its {kind} off"
