"""What may be promised now: bulk reads for the API, the fast lane and the planner."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from apps.inventory.kits import Part, parts_of, place_of, whole_kits
from apps.inventory.stock import SELLABLE_STATUSES, Execute, ItemStock, Place, StockRead, by_id, by_sku, execute
from apps.masterdata.models import ItemComponent, Warehouse

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class ChannelNumber:
    """What a channel may show for an item, in the listing's sell unit."""

    available: Decimal
    uom: str


# Set by the wiring: channels and sources live in layers above.
# (channel code, items, asked unit or None) → the number of each item that is listed there.
channel_numbers: Callable[[str, Sequence[ItemStock], str | None], Mapping[int, ChannelNumber]] | None = None
# The codes of sources that have been silent for longer than they may be.
stale_sources: Callable[[], Collection[str]] | None = None


_stale_until = 0.0
_stale: Collection[str] = ()


def stale_now() -> Collection[str]:
    """The codes of silent sources, asked once a second and process: a read must not pay for it."""
    global _stale, _stale_until
    if stale_sources is not None and time.monotonic() >= _stale_until:
        _stale, _stale_until = stale_sources(), time.monotonic() + 1
    return _stale


@dataclass(frozen=True, slots=True)
class Shelf:
    """One warehouse in an answer: the numbers shown, and the ATP already floored at 0."""

    warehouse_id: int
    warehouse: str
    sellable: bool
    available: Decimal
    on_hand: Decimal = ZERO
    held: Decimal = ZERO
    allocated: Decimal = ZERO
    reserved: Decimal = ZERO
    unbacked: Decimal = ZERO
    safety_stock: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class ItemAvailability:
    """An item's answer before it is written: status as in the contract, shelves by warehouse priority."""

    stock: ItemStock
    at: datetime
    status: str
    shelves: tuple[Shelf, ...]
    as_of: datetime | None
    watermarks: Mapping[str, int | None]
    sources: frozenset[str]
    next_change_at: datetime | None

    @property
    def available(self) -> Decimal:
        return sum((shelf.available for shelf in self.shelves), ZERO)


def lookup(
    skus: Collection[str], *, warehouses: Collection[str] | None = None, run: Execute = execute
) -> tuple[StockRead, dict[str, ItemAvailability]]:
    """The availability of each known SKU; one statement, and four more where kits are among them."""
    read = by_sku(run, skus, warehouses)
    return read, {found.stock.sku: found for found in availabilities(read, run, warehouses)}


def availabilities(read: StockRead, run: Execute, warehouses: Collection[str] | None) -> list[ItemAvailability]:
    """The answers for what was read; kits from their components."""
    kits = [stock.id for stock in read.items if stock.kind == "kit"]
    parts = parts_of(run, kits, warehouses) if kits else {}
    return _answers(read, parts)


def _answers(read: StockRead, parts: Mapping[int, Sequence[Part]]) -> list[ItemAvailability]:
    return [
        _of_kit(stock, parts.get(stock.id, []), read.at) if stock.kind == "kit" else _of_stock(stock, read.at)
        for stock in read.items
    ]


def status_of(stock: ItemStock) -> str:
    """An item nobody may sell any more, may sell now, or of which no stock is kept."""
    if stock.status == "retired":
        return "retired"
    if stock.status not in SELLABLE_STATUSES:
        return "restricted"
    return "non_stock" if stock.kind == "non_stock" else "ok"


def _of_stock(stock: ItemStock, at: datetime) -> ItemAvailability:
    shelves = tuple(_shelf(stock, place, at) for place in stock.places)
    return _answer(stock, at, shelves, stock.places, stock.next_change_at(at))


def _shelf(stock: ItemStock, place: Place, at: datetime) -> Shelf:
    return Shelf(
        place.warehouse_id,
        place.warehouse,
        place.sellable,
        stock.atp(place, at) if place.sellable and stock.sellable else ZERO,
        place.on_hand,
        place.held,
        place.allocated,
        place.reserved,
        place.unbacked,
        stock.rule(place.warehouse_id, at).safety_stock,
    )


def _of_kit(stock: ItemStock, parts: Sequence[Part], at: datetime) -> ItemAvailability:
    places = [place for part in parts for place in part.stock.places]
    first: dict[int, Place] = {}
    for place in places:
        first.setdefault(place.warehouse_id, place)
    open_for_sale = stock.status in SELLABLE_STATUSES
    shelves = tuple(
        Shelf(
            warehouse_id,
            place.warehouse,
            place.sellable,
            Decimal(_kits_in(parts, warehouse_id, at)) if open_for_sale and place.sellable else ZERO,
        )
        for warehouse_id, place in first.items()
    )
    changes = [change for part in parts if (change := part.stock.next_change_at(at))]
    return _answer(stock, at, shelves, places, min(changes, default=None))


def _kits_in(parts: Sequence[Part], warehouse_id: int, at: datetime) -> int:
    """The least over the components that have stock at all; a component that may not be sold allows none."""
    counts = []
    for part in parts:
        if part.stock.kind == "non_stock" and part.stock.status in SELLABLE_STATUSES:
            continue
        place = place_of(part.stock, warehouse_id)
        if place is None or not part.stock.sellable:
            return 0
        counts.append(whole_kits(Fraction(part.stock.atp(place, at)), part.per_kit))
    return min(counts, default=0)


def _answer(
    stock: ItemStock, at: datetime, shelves: tuple[Shelf, ...], places: Sequence[Place], change: datetime | None
) -> ItemAvailability:
    watermarks: dict[str, int | None] = {}
    for place in places:
        for source, sequence in place.watermarks.items():
            watermarks[source] = max(watermarks.get(source) or 0, sequence or 0) or None
    return ItemAvailability(
        stock=stock,
        at=at,
        status=status_of(stock),
        shelves=shelves,
        as_of=max((place.as_of for place in places if place.as_of), default=None),
        watermarks=watermarks,
        sources=frozenset().union(*(place.sources for place in places)),
        next_change_at=change,
    )


# For the planner


@dataclass(frozen=True, slots=True)
class ChannelInput:
    """What a channel's number is computed from: ATP in base units, and the generations it was read at.

    `inputs` are (position id, generation) of every position inside: the components' for a kit. Without a
    position, `position_id` is None and ATP 0. An item that may not be sold has ATP 0 and `status` says why.
    """

    item_id: int
    warehouse_id: int
    atp: Decimal
    status: str
    kind: str
    uom: str
    inputs: tuple[tuple[int, int], ...]
    next_change_at: datetime | None
    as_of: datetime | None

    @property
    def position_id(self) -> int | None:
        return self.inputs[0][0] if self.kind == "stock" and self.inputs else None

    @property
    def generation(self) -> int:
        return self.inputs[0][1] if self.kind == "stock" and self.inputs else 0


def channel_inputs(item_ids: Collection[int], warehouse_ids: Collection[int]) -> dict[tuple[int, int], ChannelInput]:
    """Every (item, warehouse) asked for, in a constant number of queries; generations as of this read.

    The warehouse's `sellable` flag is honoured: elsewhere ATP is 0.
    """
    codes = dict(Warehouse.objects.filter(pk__in=warehouse_ids).values_list("pk", "code"))
    read = by_id(execute, item_ids, codes.values())
    kits = [stock.id for stock in read.items if stock.kind == "kit"]
    parts = parts_of(execute, kits, list(codes.values())) if kits else {}
    found: dict[tuple[int, int], ChannelInput] = {}
    for answer in _answers(read, parts):
        shelves = {shelf.warehouse_id: shelf for shelf in answer.shelves}
        stocks = [part.stock for part in parts.get(answer.stock.id, [])] or [answer.stock]
        for warehouse_id in warehouse_ids:
            shelf = shelves.get(warehouse_id)
            places = [place for stock in stocks if (place := place_of(stock, warehouse_id))]
            found[answer.stock.id, warehouse_id] = ChannelInput(
                answer.stock.id,
                warehouse_id,
                shelf.available if shelf else ZERO,
                answer.status,
                answer.stock.kind,
                answer.stock.uom,
                tuple((place.position_id, place.generation) for place in places),
                answer.next_change_at,
                max((place.as_of for place in places if place.as_of), default=None),
            )
    return found


def kits_with(item_ids: Collection[int]) -> set[int]:
    """The kits that contain one of these items: a component's change makes their listings due."""
    return set(ItemComponent.objects.filter(component__in=item_ids).values_list("kit_id", flat=True))
