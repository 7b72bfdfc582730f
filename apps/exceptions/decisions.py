"""What people decide about a cause: assign, snooze, dismiss, comment, and mend it for good."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Case, F, Value, When

from apps.access.audit import record as audit
from apps.access.models import Team, User
from apps.exceptions.blocking import lock_causes, tell
from apps.exceptions.errors import busy_is_refused
from apps.exceptions.mending import apply_fix, check_token, lock_live, shown_fields, with_reason
from apps.exceptions.models import BlockedRecord, Cause, Comment, Replay
from apps.exceptions.replaying import put_back, request_replay
from apps.lib.clock import Now, now
from apps.lib.errors import FieldError, Problem


@dataclass(frozen=True, slots=True)
class Resolution:
    """What resolve did: the fix's sentence, and the replay (None where none was asked for)."""

    summary: str
    replay: Replay | None


def resolve(
    cause_id: int,
    fix_name: str,
    fields: Mapping[str, Any],
    *,
    by: str,
    reason: str,
    replay: bool = True,
    preview_token: str | None = None,
) -> Resolution:
    """Apply a fix for good, close the cause and have its records processed again; all or nothing.

    The cause is closed at once, so a second resolve is refused with who and when; if a record blocks for the
    same cause after all, the cause is regressed. Without `replay` the cause stays open until it is replayed.
    Raises CauseClosed, PreviewStale, or Problem for an unknown fix and whatever the fix refuses.
    """
    with busy_is_refused(), transaction.atomic():
        cause = lock_live(cause_id)
        check_token(cause, fix_name, fields, preview_token)
        before = cause.replays.order_by("-pk").values_list("pk", flat=True).first() or 0
        result = apply_fix(cause, fix_name, with_reason(cause, fix_name, fields, reason), by)
        batch = None
        if replay:
            batch = request_replay(cause.pk, by=by, reason=reason, adopt=True)
            # What the fix itself set going is in this batch now.
            cause.replays.filter(pk__gt=before, pk__lt=batch.pk).delete()
            _close(cause.pk, Cause.State.RESOLVED, by)
        else:
            put_back(cause.pk, after_replay=before)
            _seen(cause.pk)
        action = "resolved" if replay else "fixed"
        shown = shown_fields(cause, fix_name, fields)
        _remember(cause, action, by, fix=fix_name, fields=shown, reason=reason, summary=result.summary)
    return Resolution(result.summary, batch)


def replay(cause_id: int, *, by: str, reason: str = "", record_ids: Sequence[int] | None = None) -> Replay:
    """Have a cause's open records processed again without a fix, because it was mended elsewhere."""
    with busy_is_refused(), transaction.atomic():
        cause = _locked(cause_id)
        if cause.closed_at is not None and not cause.open_records:
            lock_live(cause_id)
        batch = request_replay(cause.pk, by=by, reason=reason, record_ids=record_ids)
        audit(by, "exceptions.replayed", f"cause:{cause.pk}", reason=reason, records=batch.records)
    return batch


def dismiss(cause_id: int, *, by: str, reason: str) -> None:
    """Take the cause out of the queue: nothing will be done. Its records stay; a new one brings the cause back."""
    with busy_is_refused(), transaction.atomic():
        cause = lock_live(cause_id)
        _close(cause.pk, Cause.State.DISMISSED, by)
        _remember(cause, "dismissed", by, reason=reason)


def snooze(cause_id: int, *, by: str, until: datetime, reason: str = "") -> None:
    """Hide the cause until an instant of the database clock; it comes back by itself."""
    if until <= now():
        detail = f"until is {until.isoformat()}, which is past; name a later instant."
        raise Problem(400, "invalid", detail, [FieldError("invalid", "past", "/until")])
    with busy_is_refused(), transaction.atomic():
        cause = lock_live(cause_id)
        Cause.objects.filter(pk=cause.pk).update(
            state=Cause.State.SNOOZED, snoozed_until=until, revision=F("revision") + 1
        )
        _remember(cause, "snoozed", by, until=until.isoformat(), reason=reason)


def assign(cause_id: int, *, by: str, changes: Mapping[str, str | None]) -> None:
    """Set the owners that `changes` names: "user" (a user name) and "team" (its code), null to take off."""
    values: dict[str, Any] = {}
    if "user" in changes:
        values["owner"] = _person(changes["user"]) if changes["user"] else None
    if "team" in changes:
        values["team"] = _team(changes["team"]) if changes["team"] else None
    if not values:
        raise Problem(400, "invalid", "Name a user or a team to assign the cause to, or null to take it off.")
    with busy_is_refused(), transaction.atomic():
        cause = lock_live(cause_id)
        Cause.objects.filter(pk=cause.pk).update(**values)
        _seen(cause.pk)
        _remember(cause, "assigned", by, **changes)


def comment(cause_id: int, *, text: str, author: User | None = None, by: str = "") -> Comment:
    """Say something about the cause, open or closed: a person as `author`, a system as `by`."""
    with transaction.atomic():
        cause = _locked(cause_id)
        _seen(cause.pk)
        return Comment.objects.create(
            cause=cause, author=author, by=(author.get_username() if author else by)[:200], text=text
        )


def ignore(cause_id: int, record_ids: Sequence[int], *, by: str, reason: str) -> int:
    """Close these waiting records as ignored; for fixes of the origin's own app, which mark their rows themselves."""
    with transaction.atomic():
        cause = _locked(cause_id)
        records = BlockedRecord.objects.filter(cause=cause, pk__in=record_ids, state__in=BlockedRecord.WAITING)
        closed = records.update(state=BlockedRecord.State.IGNORED, closed_at=Now(), closed_by=by[:200], recheck_at=None)
        Cause.objects.filter(pk=cause.pk).update(open_records=F("open_records") - closed, revision=F("revision") + 1)
        if closed and closed == cause.open_records and cause.closed_at is None:
            _close(cause.pk, Cause.State.RESOLVED, by)
        _remember(cause, "ignored", by, records=closed, reason=reason)
    return closed


def _locked(cause_id: int) -> Cause:
    if not lock_causes(ids=[cause_id]):
        raise Problem(404, "not_found", f"No cause has the id {cause_id}.")
    return Cause.objects.get(pk=cause_id)


def _close(cause_id: int, state: str, by: str) -> None:
    Cause.objects.filter(pk=cause_id).update(
        state=state, closed_at=Now(), closed_by=by[:200], snoozed_until=None, revision=F("revision") + 1
    )


def _seen(cause_id: int) -> None:
    """Somebody works on it: new, regressed and snoozed become ongoing; a closed cause stays closed."""
    touched = When(state__in=["new", "regressed", "snoozed"], then=Value("ongoing"))
    Cause.objects.filter(pk=cause_id, closed_at__isnull=True).update(
        state=Case(touched, default=F("state")), snoozed_until=None
    )


def _remember(cause: Cause, action: str, by: str, **detail: Any) -> None:
    tell([(cause.pk, action, detail)], actor=by)
    audit(by, f"exceptions.{action}", f"cause:{cause.pk}", sentence=cause.sentence, **detail)


def _person(name: str | None) -> User:
    person = User.objects.filter(username=name, is_active=True).first()
    if person is None:
        raise Problem(
            400, "invalid", f"No active user is called {name!r}.", [FieldError("invalid", "unknown user", "/user")]
        )
    return person


def _team(code: str | None) -> Team:
    team = Team.objects.filter(code=code).first()
    if team is None:
        known = ", ".join(Team.objects.order_by("code").values_list("code", flat=True)) or "none yet"
        raise Problem(
            400, "invalid", f"No team has the code {code!r}; known: {known}.", [FieldError("invalid", "", "/team")]
        )
    return team
