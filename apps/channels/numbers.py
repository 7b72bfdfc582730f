"""The channel's number of an item, computed now: what inventory's answers show when a channel is asked for."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from apps.channels.planned import ListingRow, listings_of
from apps.channels.stock_plans import Inputs, read_inputs, stock_plans
from apps.inventory.availability import ChannelNumber
from apps.inventory.stock import ItemStock
from apps.masterdata.conversion import UnitGraph
from apps.masterdata.resolving import conversions


def channel_numbers(channel: str, items: Sequence[ItemStock], uom: str | None) -> Mapping[int, ChannelNumber]:
    """Per item that the channel lists (in `uom`, where given): its number over all locations, in the sell unit.

    Of several listings the active one counts, then the oldest. A constant number of queries.
    """
    chosen: dict[int, ListingRow] = {}
    for listing in listings_of([item.id for item in items], []):
        if listing.channel == channel and uom in (None, listing.uom):
            known = chosen.get(listing.item_id)
            if known is None or (listing.status == "active" and known.status != "active"):
                chosen[listing.item_id] = listing
    if not chosen:
        return {}
    inputs, units = read_inputs(chosen.values()), conversions(sorted(chosen))
    return {item_id: _number(listing, inputs, units) for item_id, listing in chosen.items()}


def _number(listing: ListingRow, inputs: Inputs, units: Mapping[int, UnitGraph]) -> ChannelNumber:
    plans = stock_plans(listing, inputs, units)
    total = sum((Decimal(plan.value["quantity"]) for plan in plans if plan.value is not None), Decimal(0))
    return ChannelNumber(total, listing.uom)
