"""What a fix would do: the real fix and the real processing, in a transaction that is always rolled back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from apps.exceptions.errors import busy_is_refused
from apps.exceptions.fixes import load
from apps.exceptions.mending import apply_fix, lock_live, token_of
from apps.exceptions.models import BlockedRecord
from apps.exceptions.reasons import ORIGINS

RECORDS_MAX = 500
CHUNK = 100


@dataclass(frozen=True, slots=True)
class StillBlocked:
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Preview:
    """`clears` of `records` tried would leave the queue; `sampled` where `total` is more than were tried."""

    summary: str
    total: int
    records: int
    sampled: bool
    clears: int
    still_blocked: list[StillBlocked]
    preview_token: str
    deltas: list[dict[str, Any]] = field(default_factory=list)
    approvals: list[dict[str, Any]] = field(default_factory=list)


def preview(cause_id: int, fix_name: str, fields: Mapping[str, Any], *, by: str) -> Preview:
    """Try a fix on the first RECORDS_MAX waiting records of a cause; nothing is kept and nothing is sent.

    Refuses as resolve would (CauseClosed, Problem); waits a second at most for records that are in work.
    """
    with busy_is_refused(), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '1s'")
        try:
            return _tried(cause_id, fix_name, fields, by)
        finally:
            transaction.set_rollback(True)


def _tried(cause_id: int, fix_name: str, fields: Mapping[str, Any], by: str) -> Preview:
    cause = lock_live(cause_id)
    token = token_of(cause, fix_name, fields)
    waiting = BlockedRecord.objects.filter(cause=cause, state__in=BlockedRecord.WAITING)
    rows = list(waiting.order_by("pk").values_list("pk", "origin", "origin_id")[:RECORDS_MAX])
    result = apply_fix(cause, fix_name, fields, by)
    for origin in sorted({origin for _, origin, _ in rows}):
        _retry(origin, list(dict.fromkeys(row[2] for row in rows if row[1] == origin)))
    clears, still_blocked = _outcome([row[0] for row in rows])
    return Preview(
        summary=result.summary,
        total=cause.open_records,
        records=len(rows),
        sampled=cause.open_records > len(rows),
        clears=clears,
        still_blocked=still_blocked,
        preview_token=token,
    )


def _retry(origin: str, origin_ids: Sequence[int]) -> None:
    """An origin without a retry is looked after by people alone; the fix itself closes its records."""
    if origin not in ORIGINS:
        return
    retry = load(ORIGINS[origin])
    for start in range(0, len(origin_ids), CHUNK):
        retry(origin_ids[start : start + CHUNK])


# A record still waits where anything waits for its line, or for the message as a whole.
_OUTCOME = """
    SELECT cause.reason, count(DISTINCT tried.id)
    FROM exceptions_blockedrecord tried
    LEFT JOIN exceptions_blockedrecord now
        ON now.origin = tried.origin AND now.origin_id = tried.origin_id AND now.line IN (tried.line, '')
        AND now.state IN ('open', 'replaying')
    LEFT JOIN exceptions_cause cause ON cause.id = now.cause_id
    WHERE tried.id = ANY(%s)
    GROUP BY cause.reason ORDER BY count(DISTINCT tried.id) DESC, cause.reason
"""


def _outcome(record_ids: Sequence[int]) -> tuple[int, list[StillBlocked]]:
    with connection.cursor() as cursor:
        cursor.execute(_OUTCOME, [list(record_ids)])
        found = [(row[0], row[1]) for row in cursor.fetchall()]
    clears = sum(count for reason, count in found if reason is None)
    return clears, [StillBlocked(reason, count) for reason, count in found if reason is not None]
