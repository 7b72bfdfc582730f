"""Counted snapshots: each part's lines are resolved here; inventory judges and books the whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from apps.inventory.reconciliation import CountLine, CountPart, CountResult, UnreadLine, apply_count, load_part
from apps.lib.errors import Block, Blocked
from apps.masterdata.resolving import ItemRef, WarehouseRef
from apps.sources import batch
from apps.sources.handlers.resolution import IgnoredCode, Resolution, instant_in
from apps.sources.received import Effect, Line, Outcome, Received


@dataclass(slots=True)
class _Part:
    """One part read: its good lines, and what is wrong with the others."""

    message: Received
    lines: list[CountLine] = field(default_factory=list)
    unread: list[UnreadLine] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)


def counted(messages: Sequence[Received]) -> list[Outcome]:
    """`stock.counted`: a snapshot is booked as soon as its last part is there. One snapshot at a time."""
    return [_counted(message) for message in messages]


def _counted(message: Received) -> Outcome:
    data = message.data
    resolution = Resolution(message.source)
    resolution.load(warehouses={*data.get("warehouses", ()), *(line["warehouse"] for line in _given(data))})
    try:
        covered = [resolution.warehouse(code) for code in data.get("warehouses", ())]
    except Blocked as blocked:
        return Outcome(message.id, "blocked", blocked.blocks)
    except IgnoredCode as ignored:
        return Outcome(message.id, "ignored", (), [ignored.effect])
    own = _read(resolution, message)
    loaded = load_part(_part(message, resolution, covered))
    if loaded.duplicate:
        change = f"part {data.get('part', 1)} of snapshot {data['snapshot']} came in another message"
        return Outcome(message.id, "superseded", (), [_effect("superseded", data["snapshot"], change)])
    if loaded.messages is None:
        change = f"part {data.get('part', 1)} of {data['parts']} is kept until the others are there"
        return _outcome(own, [_effect("snapshot", data["snapshot"], change)])
    others = batch.peek([each for each in loaded.messages if each != message.id])
    parts = [own, *(_read(Resolution(message.source), found) for found in _shaped(others))]
    lines = [line for part in sorted(parts, key=lambda part: part.message.id) for line in part.lines]
    unread = {line for part in parts for line in part.unread}
    result = apply_count(loaded.count_id, lines, measure=data.get("measure", "on_hand"), unread=unread)
    return _booked(own, result)


def _booked(own: _Part, result: CountResult) -> Outcome:
    snapshot = own.message.data["snapshot"]
    if result.block is not None:
        own.blocks.append(result.block)
    change = f"{result.state}: {result.positions} positions counted, {result.corrected} corrected"
    if result.missing:
        change += f", {result.missing} not named are 0"
    if result.evidence:
        change += f", {result.evidence} lines kept as evidence"
    if not own.blocks and result.state in ("superseded", "rejected"):
        return Outcome(own.message.id, "superseded", (), [*own.effects, _effect("snapshot", snapshot, change)])
    return _outcome(own, [_effect("snapshot", snapshot, change)])


def _outcome(part: _Part, effects: list[Effect]) -> Outcome:
    if part.blocks:
        return Outcome(part.message.id, "blocked", part.blocks, [*part.effects, *effects])
    return Outcome(part.message.id, "processed", (), [*part.effects, *effects])


def _part(message: Received, resolution: Resolution, covered: Sequence[WarehouseRef]) -> CountPart:
    data = message.data
    zones = [ref.time_zone for ref in covered]
    if not zones:
        found = (resolution.codes.warehouse(line["warehouse"]) for line in _given(data)[:1])
        zones = [ref.time_zone for ref in found if isinstance(ref, WarehouseRef)]
    return CountPart(
        source_id=message.source.system_id,
        snapshot=data["snapshot"],
        as_of=instant_in(data["as_of"], zones[0] if zones else "UTC"),
        complete=data["complete"],
        message=message.id,
        recorded_at=message.received_at,
        part=data.get("part", 1),
        parts=data.get("parts", 1),
        watermarks={source: int(mark) for source, mark in data.get("watermarks", {}).items()},
        warehouse_ids=[ref.id for ref in covered],
    )


def _read(resolution: Resolution, message: Received) -> _Part:
    part = _Part(message)
    lines = list(message.lines())
    bad = [line if isinstance(line, dict) else {} for line in map(message.data["lines"].__getitem__, message.bad_lines)]
    resolution.load(
        items={*(line.data["sku"] for line in lines), *_texts(bad, "sku")},
        warehouses={*(line.data["warehouse"] for line in lines), *_texts(bad, "warehouse")},
        units=(line.data["uom"] for line in lines),
    )
    part.unread = [_unread(resolution, line) for line in bad]
    for line in lines:
        try:
            part.lines.append(_line(resolution, message, line))
        except Blocked as blocked:
            part.blocks += blocked.blocks
            part.unread.append(_unread(resolution, line.data))
        except IgnoredCode as ignored:
            part.effects.append(ignored.effect)
    return part


def _line(resolution: Resolution, message: Received, line: Line) -> CountLine:
    data = line.data
    found = resolution.stock_line(data["sku"], data["warehouse"], data["quantity"], data["uom"], line.label)
    item, warehouse, quantity = found.item, found.warehouse, found.quantity
    held = data.get("held")
    return CountLine(
        message=message.id,
        line=line.label,
        recorded_at=message.received_at,
        item_id=item.id,
        warehouse_id=warehouse.id,
        quantity=quantity.entered,
        unit_id=quantity.unit.id,
        base_quantity=quantity.base,
        held=None if held is None else resolution.quantity(item, held, data["uom"], line.label).base,
    )


def _unread(resolution: Resolution, data: Mapping[str, object]) -> UnreadLine:
    """What is known of a line that is blocked, by its codes or by its shape."""
    sku, place = data.get("sku"), data.get("warehouse")
    item = resolution.codes.item(sku) if isinstance(sku, str) else None
    warehouse = resolution.codes.warehouse(place) if isinstance(place, str) else None
    return UnreadLine(
        item.id if isinstance(item, ItemRef) else None,
        warehouse.id if isinstance(warehouse, WarehouseRef) else None,
    )


def _texts(lines: Sequence[Mapping[str, object]], name: str) -> set[str]:
    return {value for line in lines if isinstance(value := line.get(name), str)}


def _shaped(messages: Sequence[Received]) -> list[Received]:
    checked = [batch.check(message) for message in messages]
    return [found.message for found in checked if not found.whole]


def _given(data: dict[str, object]) -> list[dict[str, str]]:
    lines = data["lines"]
    assert isinstance(lines, list)
    return [line for line in lines if isinstance(line, dict) and isinstance(line.get("warehouse"), str)]


def _effect(kind: str, subject: str, change: str) -> Effect:
    return {"kind": kind, "subject": subject, "change": change, "generation": None}
