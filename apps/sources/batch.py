"""A batch on its way: rows read and locked, bodies parsed, and what became of each written back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from django.db import connection

from apps.exceptions import triage
from apps.lib import strict_json
from apps.lib.errors import Block
from apps.lib.postgres_text import plain_array, text_array
from apps.sources import shapes
from apps.sources.claims import ORIGIN, SETTLED_BY
from apps.sources.received import Outcome, Received, SourceRef, Status, line_labels

_LOAD = """
SELECT m.id, m.attempts, m.event_id, m.type, m.subject, m.sequence, m.stream, m.happened_at, m.received_at,
       coalesce(r.corrected, r.body), m.source_id, y.code, s.accepts_our_codes, s.folds_case, s.stock_facts,
       s.on_hand_falls_at
FROM sources_inboxmessage m
JOIN sources_source s ON s.system_id = m.source_id JOIN masterdata_system y ON y.id = s.system_id
LEFT JOIN sources_rawmessage r ON r.message_id = m.id
WHERE m.id = ANY(%s::int8[]) AND m.state = ANY(%s) ORDER BY m.id
"""
_FINISH = """
UPDATE sources_inboxmessage m SET state = g.state, effects = g.effects, due_at = NULL, error = '',
       finished_at = CASE WHEN g.state IN ('processed', 'superseded', 'ignored') THEN (SELECT sync_now()) END
FROM unnest(%s::int8[], %s::text[], %s::jsonb[]) AS g (id, state, effects) WHERE m.id = g.id
"""
_SETTLED: Final[Mapping[Status, Any]] = {
    "processed": "resolved",
    "blocked": "resolved",
    "ignored": "ignored",
    "superseded": "superseded",
}
WAITING: Final = ("pending", "blocked", "quarantined")
ANY: Final = (*WAITING, "processed", "superseded", "ignored")


@dataclass(frozen=True, slots=True)
class Checked:
    """A message read from its row, with what is wrong with its shape."""

    message: Received
    violations: Sequence[Block] = ()
    whole: bool = False


def load(ids: Sequence[int], *, states: Sequence[str] = ("pending",)) -> list[Received]:
    """Lock the rows (in id order, until the transaction ends) and read them; others' and finished ones are left out."""
    return _loaded(f"{_LOAD} FOR NO KEY UPDATE OF m", ids, states)


def peek(ids: Sequence[int]) -> list[Received]:
    """The same without a lock, whatever became of them."""
    return _loaded(_LOAD, ids, ANY)


def _loaded(sql: str, ids: Sequence[int], states: Sequence[str]) -> list[Received]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [plain_array(ids), list(states)])
        rows = cursor.fetchall()
    sources: dict[int, SourceRef] = {}
    messages = []
    for message_id, attempts, event_id, type_, subject, sequence, stream, at, received_at, body, *source in rows:
        ref = sources.setdefault(source[0], SourceRef(*source))
        messages.append(
            Received(
                message_id,
                ref,
                event_id,
                type_,
                subject,
                sequence,
                stream,
                at,
                received_at,
                _data(body),
                attempts=attempts,
            )
        )
    return messages


def check(message: Received) -> Checked:
    """Judge the shape of `data`: documents whole, facts by line."""
    found = shapes.violations(message.type, message.data)
    if not found:
        return Checked(message)
    by_line = message.type in shapes.BY_LINE
    labels = line_labels(message.data["lines"]) if by_line and isinstance(message.data.get("lines"), list) else []
    blocks = [
        shapes.block_of(
            violation,
            message.type,
            message.record,
            line=labels[violation.line] if by_line and violation.line is not None else "",
        )
        for violation in found
    ]
    if not by_line or any(violation.line is None for violation in found):
        return Checked(message, blocks, whole=True)
    bad = frozenset(violation.line for violation in found if violation.line is not None)
    return Checked(replace(message, bad_lines=bad), blocks)


def finish(messages: Mapping[int, Received], outcomes: Sequence[Outcome]) -> None:
    """Write what became of the messages, settle what they waited for and block what blocks, in one go each."""
    if not outcomes:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _FINISH,
            [
                plain_array([outcome.message_id for outcome in outcomes]),
                text_array([outcome.status for outcome in outcomes]),
                text_array(
                    [
                        json.dumps(list(outcome.effects), default=str) if outcome.effects else None
                        for outcome in outcomes
                    ]
                ),
            ],
        )
    requests = [_request(messages[outcome.message_id], block) for outcome in outcomes for block in outcome.blocks]
    settle(outcomes, requests)
    triage.block(requests)


def _request(message: Received, block: Block) -> triage.BlockRequest:
    """The block with what people search for: the order and SKU the message names."""
    named = message.data if isinstance(message.data, dict) else {}
    names = {name: named[name][:200] for name in ("order", "sku") if isinstance(named.get(name), str)}
    found = replace(block, context={**names, **block.context})
    return triage.BlockRequest(ORIGIN, message.id, found, source=message.source.code)


def settle(outcomes: Sequence[Outcome], requests: Sequence[triage.BlockRequest]) -> None:
    """Close the records of what is finished, but those that block again for the same cause."""
    waiting = _with_records([outcome.message_id for outcome in outcomes])
    kept = [
        (request.origin_id, request.block.line, triage.fingerprint(request.block, request.source).hex())
        for request in requests
        if request.origin_id in waiting
    ]
    for as_what in ("resolved", "ignored", "superseded"):
        ids = [
            outcome.message_id
            for outcome in outcomes
            if _SETTLED[outcome.status] == as_what and outcome.message_id in waiting
        ]
        if ids:
            triage.settle(ORIGIN, ids, by=SETTLED_BY, kept=kept, outcome=as_what)


def _with_records(ids: Sequence[int]) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT origin_id FROM exceptions_blockedrecord"
            " WHERE origin = %s AND origin_id = ANY(%s::int8[]) AND state IN ('open', 'replaying')",
            [ORIGIN, plain_array(ids)],
        )
        return {origin_id for (origin_id,) in cursor.fetchall()}


def _data(body: Any) -> Any:
    """The event's `data`; what was stored is JSON already, so the quick parser serves (a float stays a float)."""
    raw = bytes(body) if body is not None else b"{}"
    try:
        event = orjson.loads(raw)
    except orjson.JSONDecodeError:  # integers beyond 64 bits
        event = strict_json.parse(raw)
    return event.get("data") if isinstance(event, dict) else None
