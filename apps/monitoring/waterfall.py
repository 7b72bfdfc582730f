"""Why an item's availability is what it is: each warehouse's terms, and the latest facts behind them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import connection

from apps.inventory.availability import ItemAvailability, Shelf, lookup
from apps.masterdata.models import ItemComponent

LATEST: Final = 20

# The ledger row's message is an inbox row, in a layer that stock does not know; here both are in sight.
_MOVEMENTS = """
SELECT place.id, moved.kind, moved.quantity, unit.code, moved.on_hand_delta, moved.held_delta, moved.unbacked_delta,
       moved.generation, moved.happened_at, moved."order", moved.reference, said.code, event.event_id
FROM unnest(%(warehouses)s::bigint[]) AS place (id)
CROSS JOIN LATERAL (
    SELECT * FROM inventory_stockmovement ledger
    WHERE ledger.item_id = %(item)s AND ledger.warehouse_id = place.id
    ORDER BY ledger.happened_at DESC, ledger.id DESC LIMIT %(latest)s
) moved
JOIN masterdata_unit unit ON unit.id = moved.unit_id
LEFT JOIN sources_inboxmessage event ON event.id = moved.message
LEFT JOIN masterdata_system said ON said.id = event.source_id
ORDER BY place.id, moved.happened_at DESC, moved.id DESC
"""


@dataclass(frozen=True, slots=True)
class Moved:
    """A ledger row and the event that caused it; `source` is None where that is not kept any more."""

    kind: str
    quantity: Decimal
    uom: str
    on_hand: Decimal
    held: Decimal
    unbacked: Decimal
    generation: int
    happened_at: datetime
    order: str
    reference: str
    source: str | None
    event_id: str | None


@dataclass(frozen=True, slots=True)
class Waterfall:
    """One warehouse: signed terms in base units that add up to `balance`, and why `available` may be less or more."""

    warehouse: str
    terms: tuple[tuple[str, Decimal], ...]
    balance: Decimal
    available: Decimal
    why: str
    movements: Sequence[Moved]


@dataclass(frozen=True, slots=True)
class Explanation:
    """`components` of a kit are (SKU, quantity, unit): a kit has no stock, and each of them its own explanation."""

    item: ItemAvailability
    places: tuple[Waterfall, ...]
    components: tuple[tuple[str, Decimal, str], ...]


def explain(sku: str, warehouses: Collection[str] | None = None) -> Explanation | None:
    """The item's explanation in these warehouses (all), or None for an unknown SKU; two statements, a kit more."""
    _, found = lookup([sku], warehouses=warehouses)
    item = found.get(sku)
    if item is None:
        return None
    if item.stock.kind == "kit":
        parts = ItemComponent.objects.filter(kit=item.stock.id).order_by("component__sku")
        components = tuple(parts.values_list("component__sku", "quantity", "unit__code"))
        return Explanation(item, tuple(_of_kit(item, shelf) for shelf in item.shelves), components)
    moved = _movements(item.stock.id, [shelf.warehouse_id for shelf in item.shelves])
    return Explanation(item, tuple(_of_stock(item, shelf, moved[shelf.warehouse_id]) for shelf in item.shelves), ())


def _of_stock(item: ItemAvailability, shelf: Shelf, movements: Sequence[Moved]) -> Waterfall:
    terms = (
        ("on_hand", shelf.on_hand),
        ("held", -shelf.held),
        ("allocated", -shelf.allocated),
        ("reserved", -shelf.reserved),
        ("unbacked", -shelf.unbacked),
        ("safety_stock", -shelf.safety_stock),
    )
    balance = sum((value for _, value in terms), Decimal(0))
    return Waterfall(shelf.warehouse, terms, balance, shelf.available, _why(item, shelf, balance), movements)


def _of_kit(item: ItemAvailability, shelf: Shelf) -> Waterfall:
    why = _why(item, shelf, shelf.available) or "the fewest whole kits that any component allows"
    return Waterfall(shelf.warehouse, (), shelf.available, shelf.available, why, ())


def _why(item: ItemAvailability, shelf: Shelf, balance: Decimal) -> str:
    if item.status != "ok":
        return f"nothing is promised: the item is {item.status}"
    if not shelf.sellable:
        return f"nothing is promised: warehouse {shelf.warehouse} is not sellable"
    return "below zero is shown as 0" if balance < 0 else ""


def _movements(item_id: int, warehouse_ids: Sequence[int]) -> Mapping[int, list[Moved]]:
    found: dict[int, list[Moved]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_MOVEMENTS, {"item": item_id, "warehouses": list(warehouse_ids), "latest": LATEST})
        for warehouse_id, *row in cursor.fetchall():
            found[warehouse_id].append(Moved(*row))
    return found
