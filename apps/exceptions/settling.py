"""Settling records: what was processed at last leaves the queue, and a cause whose last record left is closed."""

from collections.abc import Sequence
from typing import Literal

from django.db import connection, transaction

from apps.exceptions.blocking import lock_causes, tell

Settled = Literal["resolved", "ignored", "superseded"]


def settle(
    origin: str,
    origin_ids: Sequence[int],
    *,
    by: str,
    kept: Sequence[tuple[int, str, str]] = (),
    outcome: Settled = "resolved",
) -> int:
    """Close every waiting record of these origin rows but `kept`, in the caller's transaction; how many closed.

    `kept` is (origin_id, line, fingerprint in hex) of everything that blocks again: name all of it and call
    `settle` before `block`, so that both lock the same causes in one order and cannot deadlock.
    """
    if not origin_ids:
        return 0
    marks = sorted({bytes.fromhex(mark) for _, _, mark in kept})
    with transaction.atomic():
        cause_ids = _causes_of(origin, origin_ids)
        if not cause_ids:
            return 0
        lock_causes(ids=cause_ids, fingerprints=marks)
        closed = _close_records(origin, origin_ids, by, kept, outcome)
        _close_causes(closed, by)
    return sum(count for _, count, _ in closed)


def _causes_of(origin: str, origin_ids: Sequence[int]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT cause_id FROM exceptions_blockedrecord "
            "WHERE origin = %s AND origin_id = ANY(%s) AND state IN ('open', 'replaying')",
            [origin, list(origin_ids)],
        )
        return [row[0] for row in cursor.fetchall()]


_CLOSE_RECORDS = """
    WITH before AS (
        SELECT r.id, CASE WHEN r.state = 'replaying' THEN r.replay_id END AS replay_id
        FROM exceptions_blockedrecord r JOIN exceptions_cause c ON c.id = r.cause_id
        WHERE r.origin = %s AND r.origin_id = ANY(%s) AND r.state IN ('open', 'replaying')
          AND (r.origin_id, r.line, c.fingerprint) NOT IN (
              SELECT k.origin_id, k.line, k.mark
              FROM unnest(%s::bigint[], %s::text[], %s::bytea[]) AS k(origin_id, line, mark))),
    closed AS (
        UPDATE exceptions_blockedrecord r
        SET state = %s, closed_at = sync_now(), closed_by = %s, recheck_at = NULL
        FROM before WHERE before.id = r.id
        RETURNING r.cause_id, before.replay_id)
    SELECT cause_id, count(*), max(replay_id) FROM closed GROUP BY cause_id
"""


def _close_records(
    origin: str, origin_ids: Sequence[int], by: str, kept: Sequence[tuple[int, str, str]], outcome: Settled
) -> list[tuple[int, int, int | None]]:
    """Per cause: how many closed, and the newest replay that had asked for them."""
    ids = [origin_id for origin_id, _, _ in kept]
    lines = [line for _, line, _ in kept]
    marks = [bytes.fromhex(mark) for _, _, mark in kept]
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE_RECORDS, [origin, list(origin_ids), ids, lines, marks, outcome, by[:200]])
        return [(row[0], row[1], row[2]) for row in cursor.fetchall()]


# A cause whose records were asked for again, by a person or by an arrival, is closed in that name.
_CLOSE_CAUSES = """
    UPDATE exceptions_cause c
    SET open_records = c.open_records - n.closed, revision = c.revision + 1,
        state = CASE WHEN n.closes THEN 'resolved' ELSE c.state END,
        closed_by = CASE WHEN n.closes THEN n.closer ELSE c.closed_by END,
        snoozed_until = CASE WHEN n.closes THEN NULL ELSE c.snoozed_until END,
        closed_at = CASE WHEN n.closes THEN sync_now() ELSE c.closed_at END
    FROM (SELECT c.id, k.closed, c.open_records = k.closed AND c.closed_at IS NULL AS closes,
                 coalesce(p.requested_by, %s) AS closer
          FROM unnest(%s::bigint[], %s::int[], %s::bigint[]) AS k(cause_id, closed, replay_id)
          JOIN exceptions_cause c ON c.id = k.cause_id
          LEFT JOIN exceptions_replay p ON p.id = k.replay_id) n
    WHERE c.id = n.id
    RETURNING c.id, n.closer, n.closes
"""


def _close_causes(closed: Sequence[tuple[int, int, int | None]], by: str) -> None:
    if not closed:
        return
    columns = [list(column) for column in zip(*closed, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE_CAUSES, [by[:200], *columns])
        closers = [(cause_id, closer) for cause_id, closer, closes in cursor.fetchall() if closes]
    tell([(cause_id, "closed", {"by": closer}) for cause_id, closer in closers], actor=by)


def waiting(origin: str, limit: int) -> list[int]:
    """Distinct rows of `origin` to process again, oldest first: what is replaying, then what is due a second look.

    Takes no locks and claims nothing: the origin's loop does, on its own rows. Each row leaves this list by
    `settle` or `block`.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT origin_id FROM (
                (SELECT origin_id, id, 0 AS turn FROM exceptions_blockedrecord
                 WHERE origin = %(origin)s AND state = 'replaying' ORDER BY id LIMIT %(rows)s)
                UNION ALL
                (SELECT origin_id, id, 1 AS turn FROM exceptions_blockedrecord
                 WHERE origin = %(origin)s AND state = 'open' AND recheck_at <= (SELECT sync_now())
                 ORDER BY recheck_at LIMIT %(rows)s)) due
            GROUP BY origin_id ORDER BY min(turn), min(id) LIMIT %(limit)s
            """,
            {"origin": origin, "limit": limit, "rows": limit * 4},
        )
        return [row[0] for row in cursor.fetchall()]
