"""The stock each listing should show: inventory's ATP through the channel's policy."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from apps.channels.planned import Desired, Input, ListingRow
from apps.channels.sellable import WarehouseStock, sellable
from apps.inventory.availability import ChannelInput, channel_inputs
from apps.lib.errors import Block
from apps.masterdata.conversion import ConversionError, UnitGraph

Inputs = Mapping[tuple[int, int], ChannelInput]


def read_inputs(listings: Collection[ListingRow]) -> Inputs:
    """ATP of every item and warehouse of these listings, in a constant number of queries."""
    items = {listing.item_id for listing in listings if listing.item_kind != "non_stock"}
    warehouses = {place.warehouse_id for listing in listings for place in listing.places}
    return channel_inputs(sorted(items), sorted(warehouses)) if items and warehouses else {}


def stock_plans(listing: ListingRow, inputs: Inputs, units: Mapping[int, UnitGraph]) -> list[Desired]:
    """One number per location of the channel; items without stock have none."""
    if listing.item_kind == "non_stock":
        return []
    locations = list(dict.fromkeys(place.location for place in listing.places)) or [""]
    return [_plan(listing, location, inputs, units[listing.item_id]) for location in locations]


def _plan(listing: ListingRow, location: str, inputs: Inputs, units: UnitGraph) -> Desired:
    places = [place for place in listing.places if place.location == location]
    known = [(place, inputs.get((listing.item_id, place.warehouse_id))) for place in places]
    read = tuple(
        Input("stock", position, generation)
        for _, found in known
        if found is not None
        for position, generation in found.inputs
    )
    try:
        sell_unit = units.factor(listing.uom)
    except ConversionError as error:
        return Desired(listing, "stock", location, None, inputs=read, block=_no_unit(listing, error))
    number = sellable(
        listing.channel,
        [WarehouseStock(place.warehouse, found.atp) for place, found in known if found is not None],
        sell_unit=sell_unit,
        policy=listing.policy,
        status=_status(listing),
    )
    changes = [found.next_change_at for _, found in known if found is not None and found.next_change_at]
    return Desired(
        listing,
        "stock",
        location,
        {"quantity": str(number.quantity)},
        trace={"uom": listing.uom, "steps": [[step.rule, step.value, step.warehouse or ""] for step in number.steps]},
        recheck_at=min(changes, default=None),
        inputs=read,
    )


def gone(listing: ListingRow, planned: Sequence[Desired], locations: Collection[str]) -> list[Desired]:
    """0 for locations that were published once and are the channel's no more."""
    kept = {plan.location for plan in planned if plan.kind == "stock"}
    left = [location for location in locations if location not in kept]
    trace = {"uom": listing.uom, "steps": [["no warehouse of the channel", "0", ""]]}
    return [Desired(listing, "stock", location, {"quantity": "0"}, trace=trace) for location in left]


def _status(listing: ListingRow) -> Literal["active", "restricted", "retired"]:
    if listing.item_status == "blocked":
        return "restricted"
    return "active" if listing.sellable else "retired"


def _no_unit(listing: ListingRow, error: ConversionError) -> Block:
    return Block(
        "INVALID_CONVERSION",
        "item_unit",
        "uom",
        f"{listing.uom} → {listing.base_uom}",
        f"Listing {listing.external_id} on {listing.channel} sells by the {listing.uom}: {error.detail}",
        subject=listing.external_id,
        scoped=False,
        context={"sku": listing.sku, "uom": listing.uom, "base_uom": listing.base_uom},
    )
