"""Price books, prices and price lists from events: resolved here, applied by pricing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.lib.errors import Block, Blocked
from apps.lib.quantity import parse_decimal
from apps.masterdata.resolving import Ignored, ItemRef
from apps.pricing.entries import NewPrice, PriceOutcome, count_prices, set_prices
from apps.pricing.price_books import BookRef, BookUpsert, find_books, unknown_book, upsert_books
from apps.sources.handlers.resolution import IgnoredCode, Resolution, by_source, instant_in, moment
from apps.sources.price_lists import PriceList, list_of, whole_list
from apps.sources.received import Effect, Outcome, Received


def books(messages: Sequence[Received]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for source, group in by_source(messages).items():
        results = upsert_books([_book(message) for message in group], source)
        for message, result in zip(group, results, strict=True):
            effects = [{**effect, "generation": None} for effect in result.effects]
            status = {"blocked": "blocked", "ignored": "ignored"}.get(result.status, "processed")
            outcomes.append(Outcome(message.id, status, result.blocks, effects))  # type: ignore[arg-type]
    return outcomes


def prices(messages: Sequence[Received]) -> list[Outcome]:
    """`price.set`: all of a batch in one call, in the order given."""
    read: list[_Read] = []
    for source, group in by_source(messages).items():
        lines = [_Line(message, "", message.data["book"], message.data) for message in group]
        read += _resolved(Resolution(source), lines)
    order = {message.id: place for place, message in enumerate(messages)}
    read.sort(key=lambda one: order[one.line.message.id])
    applied = {outcome.message: outcome for outcome in set_prices([one.price for one in read if one.price is not None])}
    return [_outcome(one, applied.get(one.line.message.id)) for one in read]


def lists(messages: Sequence[Received]) -> list[Outcome]:
    """`price_list.counted`: where the list is complete, and all its parts are there, what it does not name ends."""
    seen: dict[tuple[int, str, int], PriceList] = {}
    outcomes: list[Outcome] = []
    for message in messages:
        own = list_of(message)
        seen[message.source.system_id, own.book, own.part] = own
        outcomes.append(_counted(message, own, whole_list(message, own, seen)))
    return outcomes


@dataclass(frozen=True, slots=True)
class _Line:
    """One price as sent; its book is the message's, where the line is one of a list."""

    message: Received
    label: str
    book: str
    data: Mapping[str, Any]


@dataclass(slots=True)
class _Read:
    """One price read: ready to set, or blocked, or of a code that is ignored."""

    line: _Line
    price: NewPrice | None = None
    item_id: int | None = None
    blocks: Sequence[Block] = ()
    ignored: Effect | None = None


def _resolved(resolution: Resolution, lines: Sequence[_Line]) -> list[_Read]:
    resolution.load(
        items=(line.data["sku"] for line in lines if "sku" in line.data),
        units=(line.data["uom"] for line in lines),
        price_books=(line.book for line in lines),
        graphs=False,
    )
    ours = {resolution.codes.price_book(line.book) for line in lines}
    found = find_books([code for code in ours if isinstance(code, str)])
    return [_read(resolution, line, found) for line in lines]


def _read(resolution: Resolution, line: _Line, found: Mapping[str, BookRef]) -> _Read:
    read = _Read(line)
    try:
        book = _book_of(resolution, line, found)
        item = resolution.item(line.data["sku"], line.label) if "sku" in line.data else None
        read.item_id = item.id if item is not None else None
        read.price = _price(resolution, line, book, item)
    except Blocked as blocked:
        read.blocks = blocked.blocks
    except IgnoredCode as ignored:
        read.ignored = ignored.effect
    return read


def _book_of(resolution: Resolution, line: _Line, found: Mapping[str, BookRef]) -> BookRef:
    code = resolution.codes.price_book(line.book)
    if isinstance(code, Ignored):
        raise IgnoredCode(code)
    book = found.get(code) if code is not None else None
    if book is None:
        subject = str(line.data.get("sku") or "")
        raise Blocked(unknown_book(line.book, resolution.source.code, line.label, subject=subject))
    return book


def _price(resolution: Resolution, line: _Line, book: BookRef, item: ItemRef | None) -> NewPrice:
    data, message = line.data, line.message
    unit = resolution.unit(data["uom"], line.label, sku=item.sku if item is not None else "")
    happened_at = message.happened_at
    if message.type == "price_list.counted":
        happened_at = instant_in(message.data["as_of"], book.time_zone)
    return NewPrice(
        book_id=book.id,
        unit_id=unit.id,
        currency=data["currency"],
        amount=None if data["amount"] is None else parse_decimal(data["amount"]),
        happened_at=happened_at,
        item_id=item.id if item is not None else None,
        family=data.get("family") or "",
        category=data.get("category") or "",
        per=parse_decimal(data.get("per", 1)),
        min_quantity=parse_decimal(data.get("min_quantity", 0)),
        method=data.get("method", "fixed"),
        base=data.get("base") or "",
        zero_ok=bool(data.get("zero_ok", False)),
        effective_from=moment(data["effective_from"]) if data.get("effective_from") else None,
        effective_to=moment(data["effective_to"]) if data.get("effective_to") else None,
        message=message.id,
        line=line.label,
        system_id=message.source.system_id,
        event=message.event_id,
    )


def _counted(message: Received, own: PriceList, whole: Sequence[PriceList] | None) -> Outcome:
    """Set the lines of this part; once the last part is there, count the whole list as one."""
    resolution = Resolution(message.source)
    parts = whole if whole is not None else [own]
    lines = [_Line(part.message, line.label, own.book, line.data) for part in parts for line in part.message.lines()]
    read = _resolved(resolution, lines)
    good = [one.price for one in read if one.price is not None]
    mine = [one for one in read if one.line.message.id == message.id]
    blocks = [block for one in mine for block in one.blocks]
    effects = [one.ignored for one in mine if one.ignored is not None]
    if whole is not None and own.complete and good:
        unread = any(one.blocks for one in read) or any(part.message.bad_lines for part in parts)
        spared = [one.item_id for one in read if one.blocks and one.item_id is not None]
        outcomes = count_prices(
            good[0].book_id,
            good,
            good[0].happened_at,
            complete=not unread,
            message=message.id,
            spared_items=spared,
        )
    else:
        outcomes = set_prices(good)
    blocks += [one.block for one in outcomes if one.block is not None and one.message == message.id]
    effects += [_effect(one.effect) for one in outcomes if one.effect is not None and one.message == message.id]
    return Outcome(message.id, "blocked" if blocks else "processed", blocks, effects)


def _outcome(read: _Read, applied: PriceOutcome | None) -> Outcome:
    message_id = read.line.message.id
    if read.blocks:
        return Outcome(message_id, "blocked", read.blocks)
    if read.ignored is not None:
        return Outcome(message_id, "ignored", (), [read.ignored])
    assert applied is not None
    effects = [_effect(applied.effect)] if applied.effect is not None else []
    if applied.block is not None:
        return Outcome(message_id, "blocked", [applied.block], effects)
    return Outcome(message_id, "ignored" if applied.status == "ignored" else "processed", (), effects)


def _effect(effect: Mapping[str, object]) -> Effect:
    return {"generation": None, **effect}


def _book(message: Received) -> BookUpsert:
    decimals = ("spike_percent", "floor_margin_percent")
    fields: dict[str, Any] = {
        name: parse_decimal(value) if name in decimals and value is not None else value
        for name, value in message.data.items()
    }
    return BookUpsert(event=message.event_id, **fields)
