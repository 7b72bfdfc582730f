"""Answers of the exceptions API, as plain values for the one JSON encoder."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from apps.exceptions.fixes import Suggestion, fixes_of, suggestions_of
from apps.exceptions.models import BlockedRecord, Cause, Replay
from apps.exceptions.preview import Preview
from apps.exceptions.reasons import reason_of
from apps.exceptions.replaying import progress_of
from apps.exceptions.timeline import timeline
from apps.lib.clock import now


def cause_bodies(causes: Sequence[Cause]) -> list[dict[str, Any]]:
    """Causes of `queue.causes`, with the suggestions of those that are live."""
    instant = now()
    suggested = suggestions_of([cause for cause in causes if cause.closed_at is None])
    return [
        {
            "id": cause.pk,
            "reason": cause.reason,
            "title": reason_of(cause.reason).title,
            "sentence": cause.sentence,
            "state": cause.shown_state,  # type: ignore[attr-defined]
            "severity": cause.severity,
            "value": cause.value,
            "source": cause.source,
            "channel": cause.channel,
            "records": cause.open_records,
            "affected": cause.total_records,
            "money_at_risk": None,
            "owner": cause.owner.get_username() if cause.owner else None,
            "team": cause.team.code if cause.team else None,
            "sla": {"due_at": cause.sla_due_at, "late": cause.closed_at is None and cause.sla_due_at < instant}
            if cause.sla_due_at
            else None,
            "snoozed_until": cause.snoozed_until,
            "first_seen_at": cause.first_seen_at,
            "last_seen_at": cause.last_seen_at,
            "closed_at": cause.closed_at,
            "closed_by": cause.closed_by,
            "suggestions": [_suggestion(found) for found in suggested.get(cause.pk, [])],
        }
        for cause in causes
    ]


def cause_detail_body(cause: Cause) -> dict[str, Any]:
    (body,) = cause_bodies([cause])
    fixes = [
        {"name": fix.name, "label": fix.label, "fields": [asdict(field) for field in fix.fields]}
        for fix in fixes_of(cause.reason).values()
    ]
    return {
        **body,
        "detail": cause.detail,
        "what_to_do": reason_of(cause.reason).what_to_do,
        "fixes": fixes,
        "timeline": [asdict(entry) for entry in timeline(cause)],
    }


def record_body(record: BlockedRecord, reason: str) -> dict[str, Any]:
    return {
        "id": record.pk,
        "cause": record.cause_id,
        "reason": reason,
        **{
            name: getattr(record, name)
            for name in (
                *("origin", "origin_id", "line", "subject", "source", "channel", "field", "value", "detail", "context"),
                *("state", "blocked_at", "closed_at", "closed_by"),
            )
        },
    }


def preview_body(preview: Preview) -> dict[str, Any]:
    return asdict(preview)


def replay_body(replay: Replay) -> dict[str, Any]:
    replay.refresh_from_db()
    progress = progress_of(replay)
    return {
        "id": replay.pk,
        "cause": replay.cause_id,
        "requested_by": replay.requested_by,
        "requested_at": replay.requested_at,
        "reason": replay.reason,
        **asdict(progress),
        "finished": progress.finished,
    }


def _suggestion(suggestion: Suggestion) -> dict[str, Any]:
    return {
        "fix": suggestion.fix,
        "target": suggestion.target,
        "label": suggestion.label,
        "score": round(suggestion.score, 4),
    }
