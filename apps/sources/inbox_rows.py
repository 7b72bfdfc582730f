"""The inbox's rows as sets: one statement for a few events, COPY to a staging table for many."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

UNNEST_MAX = 500

_COLUMNS = "ordinal, source_id, event_id, type, subject, stream, sequence, happened_at, body_sha256, body"
_TYPES = ("int4", "int8", "text", "text", "text", "text", "int8", "timestamptz", "bytea", "bytea")

# Ids are given in the order sent; rows are inserted in key order, so that two batches never deadlock.
_INSERT = """
WITH numbered AS MATERIALIZED (
    SELECT nextval('sources_inboxmessage_id_seq') AS id, arrived.*
    FROM (SELECT {columns} FROM {origin} ORDER BY ordinal) arrived
), stored AS (
    INSERT INTO sources_inboxmessage (id, source_id, event_id, type, subject, stream, sequence, happened_at,
                                      received_at, due_at, body_sha256, trace_id)
    SELECT id, source_id, event_id, type, subject, stream, sequence, happened_at,
           (SELECT sync_now()), (SELECT sync_now()), body_sha256, %s
    FROM numbered ORDER BY source_id, event_id
    ON CONFLICT (source_id, event_id) DO NOTHING
    RETURNING id, received_at
), kept AS (
    INSERT INTO sources_rawmessage (message_id, received_at, body)
    SELECT stored.id, stored.received_at, numbered.body FROM stored JOIN numbered USING (id)
)
SELECT numbered.ordinal FROM stored JOIN numbered USING (id)
"""
_UNNEST = "unnest({types}) AS given ({columns})".format(
    types=", ".join(f"%s::{type_}[]" for type_ in _TYPES), columns=_COLUMNS
)
_STAGING = "CREATE TEMP TABLE inbox_staging ({columns}) ON COMMIT DROP".format(
    columns=", ".join(f"{name} {type_}" for name, type_ in zip(_COLUMNS.split(", "), _TYPES, strict=True))
)


@dataclass(frozen=True, slots=True)
class NewMessage:
    """One row to be; `ordinal` is its place in the request."""

    ordinal: int
    source_id: int
    event_id: str
    type: str
    subject: str
    stream: str
    sequence: int | None
    happened_at: datetime
    body_sha256: bytes
    body: bytes


def insert_messages(messages: Sequence[NewMessage], trace_id: str) -> set[int]:
    """Insert what is new, with its raw bytes; the ordinals of the rows that were. Runs in a transaction.

    A concurrent insert of the same key waits for the other transaction, so one of the two always counts it.
    """
    if not messages:
        return set()
    rows = [_values(message) for message in messages]
    with connection.cursor() as cursor:
        if len(rows) <= UNNEST_MAX:
            columns = [list(column) for column in zip(*rows, strict=True)]
            cursor.execute(_INSERT.format(columns=_COLUMNS, origin=_UNNEST), [*columns, trace_id])
        else:
            cursor.execute(_STAGING)
            with cursor.copy(f"COPY inbox_staging ({_COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(_TYPES)
                for row in rows:
                    copy.write_row(row)
            cursor.execute(_INSERT.format(columns=_COLUMNS, origin="inbox_staging"), [trace_id])
            inserted = {ordinal for (ordinal,) in cursor.fetchall()}
            cursor.execute("DROP TABLE inbox_staging")
            return inserted
        return {ordinal for (ordinal,) in cursor.fetchall()}


def known_bodies(keys: Sequence[tuple[int, str]]) -> dict[tuple[int, str], bytes]:
    """The remembered hash per (source, event id), of those that exist."""
    sources, event_ids = [key[0] for key in keys], [key[1] for key in keys]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.source_id, m.event_id, m.body_sha256 FROM sources_inboxmessage m"
            " JOIN unnest(%s::int8[], %s::text[]) AS k (source_id, event_id) USING (source_id, event_id)",
            [sources, event_ids],
        )
        return {(source, event_id): bytes(sha256) for source, event_id, sha256 in cursor.fetchall()}


def _values(message: NewMessage) -> tuple[object, ...]:
    return (
        message.ordinal,
        message.source_id,
        message.event_id,
        message.type,
        message.subject,
        message.stream,
        message.sequence,
        message.happened_at,
        message.body_sha256,
        message.body,
    )
