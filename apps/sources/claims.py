"""Which messages a loop works on: claimed by a lease, the attempt counted before the work begins."""

from collections.abc import Sequence
from typing import Any, Final

from django.db import connection, transaction

from apps.exceptions import triage

ATTEMPTS_MAX: Final = 5
LEASE_S: Final = 60
ORIGIN: Final = "inbox"
SETTLED_BY: Final = "inbox"

# MATERIALIZED: as a plain sub-select a planner with stale statistics runs it again for every row of the table.
_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT id FROM sources_inboxmessage
    WHERE state = 'pending' AND due_at <= (SELECT sync_now()) AND {which}
    ORDER BY due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
UPDATE sources_inboxmessage m
SET attempts = m.attempts + 1, due_at = (SELECT sync_now()) + %(lease_s)s * interval '1 second'
FROM due WHERE m.id = due.id RETURNING m.id, m.attempts
"""
_CLAIM_WAITING = """
WITH waiting AS MATERIALIZED (
    SELECT id FROM sources_inboxmessage
    WHERE id = ANY(%(ids)s) AND state IN ('blocked', 'quarantined') ORDER BY id FOR UPDATE SKIP LOCKED)
UPDATE sources_inboxmessage m
SET state = 'pending', finished_at = NULL, attempts = 1,
    due_at = (SELECT sync_now()) + %(lease_s)s * interval '1 second'
FROM waiting WHERE m.id = waiting.id RETURNING m.id, m.attempts
"""


def claim_fresh(limit: int) -> dict[int, int]:
    """Message id → attempt, of messages nobody has tried yet; committed before this returns."""
    return _claimed(_CLAIM.format(which="attempts = 0"), {"lease_s": LEASE_S, "limit": limit})


def claim_suspect() -> dict[int, int]:
    """One message that was tried before. Alone, so that what kills a worker counts against no other message."""
    return _claimed(_CLAIM.format(which="attempts > 0"), {"lease_s": LEASE_S, "limit": 1})


def claim_replays(limit: int) -> dict[int, int]:
    """Messages that wait in the queue and were asked for again: pending once more, with fresh attempts."""
    ids = triage.waiting(ORIGIN, limit)
    if not ids:
        return {}
    claimed = _claimed(_CLAIM_WAITING, {"lease_s": LEASE_S, "ids": ids})
    _settle_finished(ids)
    return claimed


def release(ids: Sequence[int], *, delay_s: int) -> None:
    """Give claimed messages back as if they had not been tried: the database failed, not they."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sources_inboxmessage SET attempts = greatest(attempts - 1, 0),"
            " due_at = (SELECT sync_now()) + %s * interval '1 second' WHERE id = ANY(%s) AND state = 'pending'",
            [delay_s, list(ids)],
        )


def _claimed(sql: str, parameters: dict[str, Any]) -> dict[int, int]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return dict(sorted(cursor.fetchall()))


def _settle_finished(ids: Sequence[int]) -> None:
    """A record whose message is finished, or gone, waits for nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM sources_inboxmessage WHERE id = ANY(%s) AND state IN ('pending', 'blocked', 'quarantined')",
            [list(ids)],
        )
        living = {message_id for (message_id,) in cursor.fetchall()}
    finished = [message_id for message_id in ids if message_id not in living]
    if finished:
        triage.settle(ORIGIN, finished, by=SETTLED_BY)
