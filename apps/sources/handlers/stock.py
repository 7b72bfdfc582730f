"""Movements of stock: one each, one per line of a shipment, one per line of a return."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from apps.inventory.movements import NewMovement, Recorded, record
from apps.lib.errors import Block, Blocked
from apps.sources.documents import DocumentKey, first_forms
from apps.sources.handlers.resolution import IgnoredCode, Resolution, by_source, instant_in
from apps.sources.received import Effect, Outcome, Received

# What a document of ours would say as well; other kinds have no document and always move stock.
DOCUMENTED = frozenset({"ship", "return", "transfer_out", "transfer_in"})
MOVEMENT, DOCUMENT = "movement", "document"


class _Fact(NamedTuple):
    """One movement as sent, codes not resolved yet."""

    message: Received
    label: str
    kind: str
    sku: str
    warehouse: str
    quantity: object
    uom: str
    order: str = ""
    order_line: str = ""
    lot: str = ""
    reference: str = ""
    condition: str = ""
    happened_at: str = ""


@dataclass(slots=True)
class _Result:
    """What became of one message's facts so far."""

    blocks: list[Block] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    movements: int = 0
    ignored: int = 0


def movements(messages: Sequence[Received]) -> list[Outcome]:
    """Book what the messages say in one call of the ledger; good lines are booked though others block."""
    outcomes: list[Outcome] = []
    speaking = _without_other_form(messages, outcomes)
    results: dict[int, _Result] = {message.id: _Result() for message in speaking}
    booked: list[NewMovement] = []
    for source, group in by_source(speaking).items():
        facts = [fact for message in group for fact in _facts(message)]
        resolution = Resolution(source)
        resolution.load(
            items=(fact.sku for fact in facts),
            warehouses=(fact.warehouse for fact in facts),
            units=(fact.uom for fact in facts),
        )
        for fact in facts:
            movement = _movement(fact, resolution, results[fact.message.id])
            if movement is not None:
                booked.append(movement)
    _tell_evidence(record(booked), results)
    return outcomes + [_outcome(message, results[message.id]) for message in speaking]


def _facts(message: Received) -> Iterator[_Fact]:
    data = message.data
    if message.type == "stock.moved":
        yield _Fact(
            message,
            "",
            data["kind"],
            data["sku"],
            data["warehouse"],
            data["quantity"],
            data["uom"],
            order=data.get("order") or "",
            order_line=_text(data.get("line")),
            lot=data.get("lot") or "",
            reference=data.get("reference") or "",
            condition=data.get("condition") or "",
        )
        return
    shipped = message.type == "shipment.confirmed"
    for line in message.lines():
        yield _Fact(
            message,
            line.label,
            "ship" if shipped else "return",
            line.data["sku"],
            data["warehouse"],
            line.data["quantity"],
            line.data["uom"],
            order=data.get("order") or "",
            order_line=_text(line.data.get("line")),
            lot=line.data.get("lot") or "",
            reference=data["shipment"] if shipped else data["reference"],
            condition=line.data.get("condition") or "",
            happened_at=data.get("shipped_at") or "",
        )


def _movement(fact: _Fact, resolution: Resolution, result: _Result) -> NewMovement | None:
    message = fact.message
    try:
        found = resolution.stock_line(fact.sku, fact.warehouse, fact.quantity, fact.uom, fact.label)
    except Blocked as blocked:
        result.blocks += blocked.blocks
        return None
    except IgnoredCode as ignored:
        result.ignored += 1
        result.effects.append(ignored.effect)
        return None
    item, warehouse, quantity = found.item, found.warehouse, found.quantity
    if item.kind == "non_stock":
        result.ignored += 1
        result.effects.append(_effect("ignored", f"item {item.sku}", "it is not kept in stock"))
        return None
    result.movements += 1
    happened_at = instant_in(fact.happened_at, warehouse.time_zone) if fact.happened_at else message.happened_at
    return NewMovement(
        message=message.id,
        line=fact.label,
        recorded_at=message.received_at,
        source_id=message.source.system_id,
        sequence=message.sequence,
        item_id=item.id,
        warehouse_id=warehouse.id,
        kind=fact.kind,
        quantity=quantity.entered,
        unit_id=quantity.unit.id,
        base_quantity=quantity.base,
        happened_at=happened_at,
        order=fact.order,
        order_line=fact.order_line,
        lot=fact.lot,
        reference=fact.reference,
        condition=fact.condition,
        falls_at=message.source.on_hand_falls_at,
    )


def _without_other_form(messages: Sequence[Received], outcomes: list[Outcome]) -> list[Received]:
    """Leave out what the source says does not move its stock, and the second form of a document booked already."""
    kept = []
    keys = [_document(message) for message in messages]
    forms = first_forms([(key, _form(message)) for message, key in zip(messages, keys, strict=True) if key is not None])
    for message, key in zip(messages, keys, strict=True):
        form = _form(message)
        documented = message.type != "stock.moved" or message.data["kind"] in DOCUMENTED
        facts = message.source.stock_facts
        if documented and facts != "both" and facts != f"{form}s":
            change = f"the {facts} of {message.source.code} move its stock; this is kept, not booked"
            outcomes.append(Outcome(message.id, "ignored", (), [_effect("ignored", message.record, change)]))
        elif key is not None and forms[key] != form:
            change = f"{key.number} was booked from its {forms[key]}"
            outcomes.append(Outcome(message.id, "superseded", (), [_effect("superseded", message.record, change)]))
        else:
            kept.append(message)
    return kept


def _form(message: Received) -> str:
    return MOVEMENT if message.type == "stock.moved" else DOCUMENT


def _document(message: Received) -> DocumentKey | None:
    """The document a message speaks of, where both forms of it could be sent."""
    data: Mapping[str, Any] = message.data
    if message.source.stock_facts != "both":
        return None
    if message.type == "shipment.confirmed":
        return DocumentKey(message.source.system_id, "ship", data["shipment"].strip())
    if message.type == "return.received":
        return DocumentKey(message.source.system_id, "return", data["reference"].strip())
    if data["kind"] in DOCUMENTED and data.get("reference"):
        return DocumentKey(message.source.system_id, data["kind"], data["reference"].strip())
    return None


def _tell_evidence(recorded: Sequence[Recorded], results: Mapping[int, _Result]) -> None:
    kept: dict[int, int] = defaultdict(int)
    for one in recorded:
        if one.status == "evidence":
            kept[one.message] += 1
    for message_id, number in kept.items():
        change = f"{number} kept as evidence: the warehouse follows another source's movements"
        results[message_id].effects.append(_effect("evidence", "stock", change))


def _outcome(message: Received, result: _Result) -> Outcome:
    if result.blocks:
        return Outcome(message.id, "blocked", result.blocks, result.effects)
    only_ignored = result.ignored and not result.movements and not message.bad_lines
    return Outcome(message.id, "ignored" if only_ignored else "processed", (), result.effects)


def _effect(kind: str, subject: str, change: str) -> Effect:
    return {"kind": kind, "subject": subject, "change": change, "generation": None}


def _text(value: object) -> str:
    return "" if value is None else str(value)
