"""Claiming due publications: each claim is committed, with its attempt, before anything leaves."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection, transaction

from apps.channels.connectors import PushItem, Value
from apps.lib.postgres_text import plain_array, text_array

# A worker that died in the middle says nothing: the row is verified once the old request must be dead.
# Its fence moves on, so that an answer that comes after all acknowledges nothing.
_REAP = """
WITH dead AS (
    SELECT id FROM channels_publication
    WHERE channel_id = %(channel)s AND leased_until < sync_now()
    ORDER BY id LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED),
freed AS (
    UPDATE channels_publication p SET
        leased_until = NULL, fence = p.fence + 1,
        must_verify = p.must_verify OR p.sent_version > p.acked_version,
        next_attempt_at = greatest(p.next_attempt_at, p.leased_until + CASE WHEN p.kind = ANY(%(settled)s)
            THEN interval '0' ELSE make_interval(secs => %(settles)s) END),
        last_error = 'The worker that sent this was lost; nobody knows whether it was applied.'
    FROM dead WHERE p.id = dead.id
    RETURNING p.id, p.fence - 1 AS fence)
UPDATE channels_publicationattempt a SET outcome = 'unknown', finished_at = sync_now(), detail = 'The worker was lost.'
FROM freed WHERE a.publication_id = freed.id AND a.fence = freed.fence AND a.outcome = 'started'
"""
_DUE = """
    p.channel_id = %(channel)s AND (p.desired_version > p.acked_version OR p.must_verify) AND p.blocked_at IS NULL
    AND p.leased_until IS NULL AND p.next_attempt_at <= sync_now() AND p.kind = ANY(%(kinds)s)
"""
# With compare-and-set, what is there must be known before the first send; what is uncertain is read back first.
_READ_FIRST = """
    (p.must_verify AND p.kind = ANY(%(readable)s)
     OR p.kind = ANY(%(conditional)s) AND p.acked_version = 0 AND p.observed_at IS NULL)
"""
_COUNT = f"""
SELECT count(*) FILTER (WHERE read_first), count(*) FILTER (WHERE NOT read_first)
FROM (SELECT {_READ_FIRST} AS read_first FROM channels_publication p WHERE {_DUE}
      ORDER BY p.decreases DESC, p.next_attempt_at LIMIT %(limit)s) due
"""
_CLAIM = """
WITH due AS (
    SELECT p.id FROM channels_publication p
    WHERE {due} AND {which}
    ORDER BY p.decreases DESC, p.next_attempt_at LIMIT %(limit)s
    FOR NO KEY UPDATE SKIP LOCKED)
UPDATE channels_publication p SET
    fence = p.fence + 1, leased_until = sync_now() + make_interval(secs => %(lease)s), {changes}
FROM due, channels_listing l
WHERE p.id = due.id AND l.id = p.listing_id
RETURNING p.id, p.kind, l.external_id, p.location, p.desired::text, p.desired_version, p.fence, p.attempts,
    (CASE WHEN p.observed_at > p.acked_at OR p.acked_at IS NULL THEN p.observed ELSE p.acked END)::text,
    p.token, md5(concat_ws(':', p.id, p.desired_version, extract(epoch FROM p.desired_at))), p.decreases
"""
_SEND_CHANGES = """
    sent_version = p.desired_version + (p.must_verify AND p.sent_version = p.desired_version)::int,
    desired_version = p.desired_version + (p.must_verify AND p.sent_version = p.desired_version)::int,
    must_verify = false, attempts = p.attempts + 1
"""
_CLAIM_SEND = _CLAIM.format(due=_DUE, which=f"NOT {_READ_FIRST}", changes=_SEND_CHANGES)
_CLAIM_READ = _CLAIM.format(due=_DUE, which=_READ_FIRST, changes="attempts = p.attempts + 1")
_ATTEMPTS = """
INSERT INTO channels_publicationattempt
    (publication_id, fence, version, value, idempotency_key, batch, trace_id, started_at, outcome, detail)
SELECT a.id, a.fence, a.version, a.value::jsonb, a.key, a.batch, replace(a.batch::text, '-', ''), sync_now(),
       'started', ''
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::uuid[])
    AS a (id, fence, version, value, key, batch)
"""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the connector can do, as the claims need it: kinds it handles, reads back, sets conditionally."""

    kinds: tuple[str, ...]
    readable: tuple[str, ...]
    conditional: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Claimed:
    """One leased publication; `fence` is what its answer must still carry."""

    item: PushItem
    fence: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes out in one request; `id` is also the trace id the channel is told."""

    id: uuid.UUID
    claimed: tuple[Claimed, ...]

    @property
    def kind(self) -> str:
        return self.claimed[0].item.kind

    @property
    def items(self) -> list[PushItem]:
        return [one.item for one in self.claimed]


def reap(channel_id: int, abilities: Abilities, settles_after_s: float) -> None:
    """Take back the leases of workers that did not come back; one transaction."""
    with connection.cursor() as cursor:
        settled = list(abilities.conditional)
        cursor.execute(_REAP, {"channel": channel_id, "settled": settled, "settles": settles_after_s})


def due(channel_id: int, abilities: Abilities, limit: int) -> tuple[int, int]:
    """Of the first `limit` due publications: how many must be read first, how many are to be sent."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, _arguments(channel_id, abilities, limit))
        row = cursor.fetchone()
    assert row is not None
    return row[0], row[1]


def claim_reads(channel_id: int, abilities: Abilities, limit: int, lease_s: float) -> list[Claimed]:
    """Lease publications whose state on the channel must be read before anything is sent."""
    return _claim(_CLAIM_READ, channel_id, abilities, limit, lease_s)


def claim_sends(
    channel_id: int, abilities: Abilities, limit: int, lease_s: float, sizes: dict[str, int]
) -> list[Batch]:
    """Lease due publications, decreases first, then the longest waiting, with an attempt row each.

    `sizes`: items per request of each kind. Committed on return, so a crash after it is an unknown outcome.
    """
    with transaction.atomic():
        claimed = _claim(_CLAIM_SEND, channel_id, abilities, limit, lease_s)
        batches = [
            Batch(uuid.uuid4(), tuple(rows[start : start + size]))
            for kind, size in sizes.items()
            for rows in [_apart([one for one in claimed if one.item.kind == kind])]
            for start in range(0, len(rows), size)
        ]
        _log_attempts(batches)
    return batches


def batches_of(claimed: Sequence[Claimed], sizes: dict[str, int]) -> list[Batch]:
    """Claimed reads grouped into requests."""
    return [
        Batch(uuid.uuid4(), tuple(rows[start : start + size]))
        for kind, size in sizes.items()
        for rows in [[one for one in claimed if one.item.kind == kind]]
        for start in range(0, len(rows), size)
    ]


def _apart(rows: list[Claimed]) -> list[Claimed]:
    """Two locations of one listing far from each other, so that an answer by listing names only one of them."""
    seen: dict[str, int] = {}
    turn = {}
    for row in rows:
        turn[row.item.publication_id] = seen.get(row.item.external_id, 0)
        seen[row.item.external_id] = turn[row.item.publication_id] + 1
    return sorted(rows, key=lambda row: turn[row.item.publication_id])


def _claim(sql: str, channel_id: int, abilities: Abilities, limit: int, lease_s: float) -> list[Claimed]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {**_arguments(channel_id, abilities, limit), "lease": lease_s})
        rows = cursor.fetchall()
    rows.sort(key=lambda row: (not row[11], row[0]))
    return [
        Claimed(
            PushItem(
                publication_id=row[0],
                kind=row[1],
                external_id=row[2],
                location=row[3],
                value=_value(row[4]) or {},
                version=row[5],
                idempotency_key=row[10],
                expected=_value(row[8]),
                token=row[9],
            ),
            fence=row[6],
            attempts=row[7],
        )
        for row in rows
    ]


def _log_attempts(batches: Sequence[Batch]) -> None:
    rows = [(one, batch.id) for batch in batches for one in batch.claimed]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _ATTEMPTS,
            [
                plain_array([one.item.publication_id for one, _ in rows]),
                plain_array([one.fence for one, _ in rows]),
                plain_array([one.item.version for one, _ in rows]),
                text_array([orjson.dumps(dict(one.item.value)).decode() for one, _ in rows]),
                text_array([one.item.idempotency_key for one, _ in rows]),
                text_array([str(batch) for _, batch in rows]),
            ],
        )


def _arguments(channel_id: int, abilities: Abilities, limit: int) -> dict[str, Any]:
    return {
        "channel": channel_id,
        "limit": limit,
        "kinds": list(abilities.kinds),
        "readable": list(abilities.readable),
        "conditional": list(abilities.conditional),
    }


def _value(text: str | None) -> Value | None:
    found: Value | None = None if text is None else orjson.loads(text)
    return found
