"""Kits: what their components allow. A kit has no stock of its own."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from apps.inventory.stock import Execute, ItemStock, Place, by_id
from apps.masterdata.conversion import ConversionError
from apps.masterdata.models import ItemComponent
from apps.masterdata.resolving import conversions


@dataclass(frozen=True, slots=True)
class Part:
    """One component: its stock, and how much of its base unit one kit takes (None: nobody can say)."""

    stock: ItemStock
    per_kit: Fraction | None


def parts_of(run: Execute, kit_ids: Collection[int], warehouses: Collection[str] | None) -> dict[int, list[Part]]:
    """The components of these kits with their stock, in a constant number of queries."""
    rows = list(
        ItemComponent.objects.filter(kit__in=kit_ids)
        .order_by("kit_id", "component__sku", "unit__code")
        .values_list("kit_id", "component_id", "quantity", "unit__code")
    )
    component_ids = {component_id for _, component_id, _, _ in rows}
    if not component_ids:
        return {}
    graphs = conversions(component_ids)
    stocks = {stock.id: stock for stock in by_id(run, component_ids, warehouses).items}
    parts: dict[int, list[Part]] = defaultdict(list)
    for kit_id, component_id, quantity, uom in rows:
        try:
            per_kit = graphs[component_id].convert(quantity, uom, graphs[component_id].base_uom)
        except ConversionError:
            per_kit = None  # one kit cannot be counted in the component's stock, so none is promised
        parts[kit_id].append(Part(stocks[component_id], per_kit))
    return parts


def whole_kits(available: Fraction, per_kit: Fraction | None) -> int:
    """floor(component ATP ÷ quantity)."""
    return 0 if per_kit is None else max(0, floor(available / per_kit))


def place_of(stock: ItemStock, warehouse_id: int) -> Place | None:
    return next((place for place in stock.places if place.warehouse_id == warehouse_id), None)
