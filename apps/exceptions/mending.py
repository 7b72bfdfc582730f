"""Running a fix on a live cause: the one path of preview and resolve, and the token that ties them together."""

import hashlib
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

import orjson

from apps.exceptions.errors import CauseClosed, PreviewStale
from apps.exceptions.fixes import Fix, FixResult, fixes_of
from apps.exceptions.models import Cause
from apps.lib.errors import FieldError, Problem

REASON: Final = "reason"


def lock_live(cause_id: int) -> Cause:
    """The cause, locked until the transaction ends; CauseClosed where somebody was first, 404 where there is none."""
    cause = Cause.objects.select_for_update(no_key=True).filter(pk=cause_id).first()
    if cause is None:
        raise Problem(404, "not_found", f"No cause has the id {cause_id}.")
    if cause.closed_at is not None:
        raise CauseClosed(cause.closed_by, cause.closed_at, cause.state)
    return cause


def apply_fix(cause: Cause, fix_name: str, fields: Mapping[str, Any], by: str) -> FixResult:
    """Run the fix in the caller's transaction; Problem on an unknown fix, field, or what the fix refuses."""
    fix = _fix(cause, fix_name)
    _check_fields(fix, fields)
    return fix.apply(cause, dict(fields), by)


def with_reason(cause: Cause, fix_name: str, fields: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """The reason a person gives for resolving is also the fix's own, where it asks for one."""
    fix = _fix(cause, fix_name)
    asks = any(field.name == REASON for field in fix.fields) and not fields.get(REASON)
    return {**fields, REASON: reason} if asks else dict(fields)


def shown_fields(cause: Cause, fix_name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as histories may keep them: secrets are left out."""
    secret = {field.name for field in _fix(cause, fix_name).fields if field.secret}
    return {name: "(secret)" if name in secret else value for name, value in fields.items()}


def token_of(cause: Cause, fix_name: str, fields: Mapping[str, Any]) -> str:
    """What a preview promises: this revision of the cause, this fix, these fields (whatever the reason)."""
    meant = {name: value for name, value in fields.items() if name != REASON}
    asked = orjson.dumps([cause.pk, fix_name, meant], option=orjson.OPT_SORT_KEYS, default=str)
    return f"{cause.revision}-{hashlib.sha256(asked).hexdigest()[:32]}"


def check_token(cause: Cause, fix_name: str, fields: Mapping[str, Any], token: str | None) -> None:
    """PreviewStale where the locked cause changed since; 400 where the token is of another fix or other fields."""
    expected = token_of(cause, fix_name, fields)
    if token is None or token == expected:
        return
    if token.partition("-")[2] != expected.partition("-")[2]:
        raise Problem(
            400,
            "invalid",
            "preview_token belongs to another fix or other fields; preview what you mean to resolve.",
            [FieldError("invalid", "not the token of this fix and these fields", "/preview_token")],
        )
    newest = cause.activities.order_by("-at", "-pk").first()
    if newest is None or newest.at < cause.last_seen_at:
        raise PreviewStale(f"a new record of {cause.source or cause.channel or 'the queue'}", cause.last_seen_at)
    raise PreviewStale(newest.actor, newest.at)


def _fix(cause: Cause, name: str) -> Fix:
    fixes = fixes_of(cause.reason)
    if name not in fixes:
        known = f"it takes {', '.join(fixes)}" if fixes else "no fix mends it here: mend it outside, then replay it"
        raise Problem(
            400,
            "invalid",
            f"{name[:40]!r} is no fix for {cause.reason}; {known}.",
            [FieldError("invalid", "not a fix of this reason", "/fix")],
        )
    return fixes[name]


def _check_fields(fix: Fix, fields: Mapping[str, Any]) -> None:
    """Names only; values are the fix's. A fix with `open_fields` takes any name (an entity's data, an edit)."""
    known = [field.name for field in fix.fields]
    unknown = [] if getattr(fix, "open_fields", False) else [name for name in fields if name not in known]
    if unknown:
        errors = [FieldError("unknown_field", _unknown(fix, name, known), f"/{name[:100]}") for name in unknown]
        raise Problem(400, "unknown_field", errors[0].detail, errors)
    missing = [field for field in fix.fields if field.required and fields.get(field.name) in (None, "")]
    if missing:
        errors = [
            FieldError("required", f"{fix.name} needs {field.name} ({field.label}).", f"/{field.name}")
            for field in missing
        ]
        raise Problem(400, "invalid", errors[0].detail, errors)


def _unknown(fix: Fix, name: str, known: list[str]) -> str:
    nearest = get_close_matches(name, known, n=1)
    if nearest:
        return f"The fix {fix.name} has no field {name[:100]!r}. Did you mean {nearest[0]}?"
    return f"The fix {fix.name} has no field {name[:100]!r}; it takes {', '.join(known) or 'none'}."
