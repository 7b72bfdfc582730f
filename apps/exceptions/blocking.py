"""Blocking records: many blocks become few causes, by fingerprint, in a constant number of statements."""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection, transaction

from apps.exceptions.reasons import SLA, reason_of, sentence_for
from apps.lib.errors import Block

VALUE_LENGTH = 500
SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class BlockRequest:
    """One block of one row of an origin (a key of ORIGINS); `source` or `channel` is the code it came through."""

    origin: str
    origin_id: int
    block: Block
    source: str = ""
    channel: str = ""


def normalised(value: str) -> str:
    """Values that mean the same are one cause: trimmed, NFC, inner white space as one space; case counts."""
    return " ".join(unicodedata.normalize("NFC", value).split())


def fingerprint(block: Block, source: str = "", channel: str = "") -> bytes:
    """The 32 bytes a cause is known by: what is wrong, not how a message words it."""
    scope = ["", ""]
    if block.scoped:
        scope = ["source", source] if source else ["channel", channel]
    parts = [block.reason, block.entity_type, block.field, normalised(block.value), *scope]
    return hashlib.sha256(orjson.dumps(parts)).digest()


def block(requests: Sequence[BlockRequest]) -> None:
    """Put records into the queue, inside the caller's transaction (call it once per transaction, after `settle`).

    A record that already waits for the same cause goes back to open; it is not doubled. A closed cause that
    comes back is regressed. Locks the causes in the order of their fingerprints.
    """
    if not requests:
        return
    marks = [fingerprint(request.block, request.source, request.channel) for request in requests]
    firsts: dict[bytes, BlockRequest] = {}
    for mark, request in zip(marks, requests, strict=True):
        firsts.setdefault(mark, request)
    with transaction.atomic():
        created = _create_causes(firsts)
        locked = lock_causes(fingerprints=list(firsts))
        cause_ids = {mark: cause_id for cause_id, mark, _ in locked}
        records = {
            (request.origin, request.origin_id, request.block.line, cause_ids[mark]): request
            for mark, request in zip(marks, requests, strict=True)
        }
        _count(_create_records(records))
        _tell(created, [cause_id for cause_id, _, state in locked if state in ("resolved", "dismissed")])


def lock_causes(*, fingerprints: Sequence[bytes] = (), ids: Sequence[int] = ()) -> list[tuple[int, bytes, str]]:
    """Lock causes in fingerprint order until the transaction ends: (id, fingerprint, state) each."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, fingerprint, state FROM exceptions_cause WHERE fingerprint = ANY(%s) OR id = ANY(%s) "
            "ORDER BY fingerprint FOR NO KEY UPDATE",
            [list(fingerprints), list(ids)],
        )
        return [(row[0], bytes(row[1]), row[2]) for row in cursor.fetchall()]


_CAUSE_COLUMNS = "mark, reason, entity_type, field, value, source, channel, sentence, detail, severity, sla_s, team"

_CREATE_CAUSES = f"""
    INSERT INTO exceptions_cause
        (fingerprint, reason, entity_type, field, value, source, channel, sentence, detail, severity, state,
         open_records, total_records, team_id, sla_due_at, closed_by)
    SELECT n.mark, n.reason, n.entity_type, n.field, n.value, n.source, n.channel, n.sentence, n.detail, n.severity,
           'new', 0, 0, t.id, sync_now() + n.sla_s * interval '1 second', ''
    FROM unnest(%s::bytea[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                %s::text[], %s::text[], %s::int[], %s::text[]) AS n({_CAUSE_COLUMNS})
    LEFT JOIN access_team t ON t.code = n.team
    WHERE NOT EXISTS (SELECT 1 FROM exceptions_cause c WHERE c.fingerprint = n.mark)
    ORDER BY n.mark
    ON CONFLICT (fingerprint) DO NOTHING
    RETURNING id
"""


def _create_causes(firsts: dict[bytes, BlockRequest]) -> list[int]:
    rows = [_cause_row(mark, firsts[mark]) for mark in sorted(firsts)]
    with connection.cursor() as cursor:
        cursor.execute(_CREATE_CAUSES, _columns(rows))
        return [row[0] for row in cursor.fetchall()]


def _cause_row(mark: bytes, request: BlockRequest) -> tuple[Any, ...]:
    block = request.block
    reason = reason_of(block.reason)
    source, channel = (request.source, request.channel) if block.scoped else ("", "")
    value = normalised(block.value)[:VALUE_LENGTH]
    sentence = sentence_for(
        reason,
        entity=block.entity_type,
        field=block.field,
        value=value,
        source=source,
        channel=channel,
        context=block.context,
    )
    sla_s = int(SLA[reason.severity].total_seconds())
    return (
        *(mark, reason.code, block.entity_type[:40], block.field[:100], value, source, channel),
        *(sentence, block.detail, reason.severity, sla_s, reason.team),
    )


# A record that was to be replayed and blocks again is open again and keeps its replay, which counts it as such.
# Looked at again after 3 s, half a minute and ten minutes: what it misses may have been committed meanwhile, unseen.
_CREATE_RECORDS = """
    INSERT INTO exceptions_blockedrecord AS r
        (origin, origin_id, line, cause_id, subject, source, channel, field, value, detail, context, state,
         recheck_at, rechecks, closed_by)
    SELECT n.origin, n.origin_id, n.line, n.cause_id, n.subject, n.source, n.channel, n.field, n.value, n.detail,
           n.context::jsonb, 'open', CASE WHEN n.heals THEN sync_now() + interval '3 seconds' END, 0, ''
    FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[],
                %s::text[], %s::text[], %s::text[], %s::bool[])
        AS n(origin, origin_id, line, cause_id, subject, source, channel, field, value, detail, context, heals)
    ON CONFLICT (origin, origin_id, line, cause_id) WHERE state IN ('open', 'replaying') DO UPDATE
    SET state = 'open', detail = excluded.detail, context = excluded.context, subject = excluded.subject,
        recheck_at = excluded.recheck_at + CASE r.rechecks WHEN 0 THEN interval '27 seconds'
                                                      WHEN 1 THEN interval '597 seconds' END,
        rechecks = least(r.rechecks + 1, 100)
    RETURNING cause_id, (xmax = 0)
"""


def _create_records(records: dict[tuple[str, int, str, int], BlockRequest]) -> dict[int, int]:
    """Insert or reopen; how many records are new, per cause (0 where all had been waiting)."""
    rows = [_record_row(key, records[key]) for key in sorted(records)]
    with connection.cursor() as cursor:
        cursor.execute(_CREATE_RECORDS, _columns(rows))
        added: dict[int, int] = {}
        for cause_id, is_new in cursor.fetchall():
            added[cause_id] = added.get(cause_id, 0) + is_new
    return added


def _record_row(key: tuple[str, int, str, int], request: BlockRequest) -> tuple[Any, ...]:
    block = request.block
    origin, origin_id, line, cause_id = key
    return (
        *(origin, origin_id, line, cause_id, block.subject[:200], request.source, request.channel),
        *(block.field[:200], block.value[:VALUE_LENGTH], block.detail, orjson.dumps(block.context).decode()),
        reason_of(block.reason).heals,
    )


_COUNT = """
    UPDATE exceptions_cause c
    SET open_records = c.open_records + n.added, total_records = c.total_records + n.added,
        revision = c.revision + 1, last_seen_at = sync_now(),
        sla_due_at = CASE WHEN c.closed_at IS NULL THEN c.sla_due_at
                          ELSE sync_now() + s.sla_s * interval '1 second' END,
        state = CASE WHEN c.closed_at IS NOT NULL THEN 'regressed'
                     WHEN c.state = 'snoozed' AND c.snoozed_until > sync_now() THEN 'snoozed'
                     WHEN n.added > 0 AND c.sla_due_at < sync_now() THEN 'escalating'
                     WHEN c.state = 'snoozed' THEN 'ongoing' ELSE c.state END,
        snoozed_until = CASE WHEN c.snoozed_until > sync_now() THEN c.snoozed_until END,
        closed_at = NULL, closed_by = ''
    FROM unnest(%s::bigint[], %s::int[]) AS n(cause_id, added), unnest(%s::text[], %s::int[]) AS s(severity, sla_s)
    WHERE c.id = n.cause_id AND s.severity = c.severity
"""


def _count(added: dict[int, int]) -> None:
    severities = [int(span.total_seconds()) for span in SLA.values()]
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [list(added), list(added.values()), list(SLA), severities])


def _tell(created: Iterable[int], regressed: Iterable[int]) -> None:
    tell([(cause_id, "created", {}) for cause_id in created] + [(cause_id, "regressed", {}) for cause_id in regressed])


def tell(entries: Sequence[tuple[int, str, dict[str, Any]]], actor: str = SYSTEM) -> None:
    """Append to the causes' history: (cause id, action, detail) each."""
    if not entries:
        return
    rows = [(cause_id, action, orjson.dumps(detail).decode()) for cause_id, action, detail in entries]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO exceptions_activity (cause_id, actor, action, detail) SELECT n.cause_id, %s, n.action, "
            "n.detail::jsonb FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS n(cause_id, action, detail)",
            [actor[:200], *_columns(rows)],
        )


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
