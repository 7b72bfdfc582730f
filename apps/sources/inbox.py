"""The inbox: takes events from outside and answers only once their rows are committed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction

from apps.lib import strict_json
from apps.lib.errors import Problem
from apps.lib.nudges import nudge
from apps.sources.envelope import (
    PAYLOAD_CONFLICT,
    UNKNOWN_SOURCE,
    Envelope,
    Refusal,
    claimed_identity,
    read_envelope,
)
from apps.sources.inbox_rows import NewMessage, insert_messages, known_bodies
from apps.sources.registration import Tally, count_received, known_sources
from apps.sources.rejections import Rejection, store_rejections
from apps.sources.routing import ANNOUNCED, ROUTES
from apps.sources.traces import log_received

BATCH_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of the events of one request; the three numbers add up to the events sent."""

    accepted: int
    duplicates: int
    rejected: Sequence[Rejection]


@dataclass(frozen=True, slots=True)
class _Arrived:
    """One event whose envelope is right, and the bytes it is remembered by."""

    index: int
    envelope: Envelope
    sha256: bytes
    body: bytes


def receive_json(raw: bytes, *, sources: frozenset[str] = frozenset(), trace_id: str = "") -> Receipt:
    """Parse and store one event or a batch; idempotent by (source, id).

    `sources` are the only ones the caller may send for (empty: all). Raises Problem 400 or 413 where nothing
    of the request can be taken, and nothing is stored then. Returns after commit.
    """
    try:
        parsed = strict_json.parse(raw)
    except strict_json.MalformedJSON as error:
        raise Problem(400, "malformed_json", error.detail) from error
    if isinstance(parsed, dict):
        return receive([parsed], sources=sources, trace_id=trace_id, raw=raw)
    if not isinstance(parsed, list):
        raise Problem(400, "invalid", "Send one event as a JSON object, or a batch as a JSON array of objects.")
    if len(parsed) > BATCH_MAX:
        raise Problem(413, "too_large", f"The batch has {len(parsed)} events; send at most {BATCH_MAX} at once.")
    return receive(parsed, sources=sources, trace_id=trace_id)


def receive(
    events: Sequence[object], *, sources: frozenset[str] = frozenset(), trace_id: str = "", raw: bytes | None = None
) -> Receipt:
    """Store parsed events in one transaction. `raw` is the body as sent, where it is one event."""
    arrived, rejected = _judge(events, sources, raw)
    sent = Counter(event.envelope.source for event in arrived)
    refused = Counter(rejection.source for rejection in rejected if not sources or rejection.source in sources)
    with transaction.atomic():
        ids = known_sources(set(sent), mentioned=set(refused))
        arrived = _refuse_unregistered(arrived, ids, rejected)
        unique = _first_of_each(arrived, rejected)
        inserted = insert_messages([_row(event, ids[event.envelope.source]) for event in unique], trace_id)
        _judge_known(unique, inserted, ids, rejected)
        rejected.sort(key=lambda rejection: rejection.index)
        store_rejections(rejected)
        accepted = Counter(event.envelope.source for event in unique if event.index in inserted)
        count_received(_tallies(ids, sent + refused, accepted, rejected))
        if inserted:
            nudge("process")
    receipt = Receipt(len(inserted), len(events) - len(inserted) - len(rejected), rejected)
    log_received(sent + refused, receipt.accepted, receipt.duplicates, len(rejected), trace_id)
    return receipt


def _judge(
    events: Sequence[object], allowed: frozenset[str], raw: bytes | None
) -> tuple[list[_Arrived], list[Rejection]]:
    arrived: list[_Arrived] = []
    rejected: list[Rejection] = []
    for index, event in enumerate(events):
        envelope = read_envelope(event, ROUTES, ANNOUNCED)
        if isinstance(envelope, Envelope) and allowed and envelope.source not in allowed:
            envelope = Refusal(
                UNKNOWN_SOURCE,
                f"This key may not send for the source {envelope.source}; use that source's key or widen this one.",
            )
        if isinstance(envelope, Refusal):
            source, event_id = claimed_identity(event)
            body = raw if raw is not None else strict_json.canonical(event)
            rejected.append(Rejection(index, source, event_id, envelope.code, envelope.detail, body))
            continue
        assert isinstance(event, dict)
        canonical = strict_json.canonical_event(event)
        body = raw if raw is not None else (strict_json.canonical(event) if "traceparent" in event else canonical)
        arrived.append(_Arrived(index, envelope, strict_json.sha256(canonical), body))
    return arrived, rejected


def _refuse_unregistered(arrived: list[_Arrived], ids: Mapping[str, int], rejected: list[Rejection]) -> list[_Arrived]:
    kept = []
    for event in arrived:
        if event.envelope.source in ids:
            kept.append(event)
            continue
        detail = (
            f"Nobody knows the source {event.envelope.source}; register it in the console under Sources, "
            "then send the event again."
        )
        rejected.append(_rejection(event, UNKNOWN_SOURCE, detail))
    return kept


def _first_of_each(arrived: list[_Arrived], rejected: list[Rejection]) -> list[_Arrived]:
    """One event per (source, id): the same body again is a duplicate, another body a conflict."""
    first: dict[tuple[str, str], _Arrived] = {}
    for event in arrived:
        kept = first.setdefault((event.envelope.source, event.envelope.id), event)
        if kept is not event and kept.sha256 != event.sha256:
            rejected.append(_conflict(event, f"event {kept.index} of this batch"))
    return list(first.values())


def _judge_known(unique: list[_Arrived], inserted: set[int], ids: Mapping[str, int], rejected: list[Rejection]) -> None:
    """What was not inserted is there already: with the same body it is a duplicate, otherwise refused."""
    if len(inserted) == len(unique):
        return
    present = [event for event in unique if event.index not in inserted]
    bodies = known_bodies([(ids[event.envelope.source], event.envelope.id) for event in present])
    for event in present:
        if bodies[ids[event.envelope.source], event.envelope.id] != event.sha256:
            rejected.append(_conflict(event, "an event received earlier"))


def _conflict(event: _Arrived, earlier: str) -> Rejection:
    detail = (
        f"The id {event.envelope.id} of {event.envelope.source} was used with another body by {earlier}, which stands; "
        "send a changed fact under a new id."
    )
    return _rejection(event, PAYLOAD_CONFLICT, detail)


def _rejection(event: _Arrived, code: str, detail: str) -> Rejection:
    envelope = event.envelope
    return Rejection(event.index, envelope.source, envelope.id, code, detail, event.body)


def _row(event: _Arrived, source_id: int) -> NewMessage:
    envelope = event.envelope
    return NewMessage(
        ordinal=event.index,
        source_id=source_id,
        event_id=envelope.id,
        type=envelope.type,
        subject=envelope.subject,
        stream=envelope.stream,
        sequence=envelope.sequence,
        happened_at=envelope.happened_at,
        body_sha256=event.sha256,
        body=event.body,
    )


def _tallies(
    ids: Mapping[str, int], sent: Counter[str], accepted: Counter[str], rejected: list[Rejection]
) -> dict[int, Tally]:
    """Per registered source: what was not accepted and not rejected is a duplicate."""
    refused = Counter(rejection.source for rejection in rejected)
    return {
        ids[source]: Tally(accepted[source], number - accepted[source] - refused[source], refused[source])
        for source, number in sent.items()
        if source in ids
    }
