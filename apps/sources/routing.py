"""Every event type of the contract on one screen: its schema, who handles it, and when within a batch.

Handlers are named by dotted path, so that the inbox can take an event without loading what will process it.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Stage(IntEnum):
    """Within one batch, what others refer to goes first."""

    UNITS = 0
    PLACES = 1
    ITEMS = 2
    REFERENCES = 3
    BOOKS = 4
    PRICES = 5
    STOCKING = 6
    STOCK = 7


@dataclass(frozen=True, slots=True)
class Route:
    """Where an event type goes: `handler` takes the messages of one batch in bulk (see received.py)."""

    handler: str
    stage: Stage


_HANDLERS: Final = "apps.sources.handlers"

ROUTES: Final[dict[str, Route]] = {
    "unit.upserted": Route(f"{_HANDLERS}.masterdata.units", Stage.UNITS),
    "branch.upserted": Route(f"{_HANDLERS}.masterdata.branches", Stage.UNITS),
    "warehouse.upserted": Route(f"{_HANDLERS}.masterdata.warehouses", Stage.PLACES),
    "account.upserted": Route(f"{_HANDLERS}.masterdata.accounts", Stage.PLACES),
    "item.upserted": Route(f"{_HANDLERS}.masterdata.items", Stage.ITEMS),
    "cross_reference.upserted": Route(f"{_HANDLERS}.masterdata.cross_references", Stage.REFERENCES),
    "price_book.upserted": Route(f"{_HANDLERS}.prices.books", Stage.BOOKS),
    "rate.set": Route(f"{_HANDLERS}.costs.rates", Stage.BOOKS),
    "cost.set": Route(f"{_HANDLERS}.costs.costs", Stage.PRICES),
    "price.set": Route(f"{_HANDLERS}.prices.prices", Stage.PRICES),
    "price_list.counted": Route(f"{_HANDLERS}.prices.lists", Stage.PRICES),
    "stocking.upserted": Route(f"{_HANDLERS}.stocking.rules", Stage.STOCKING),
    "stock.moved": Route(f"{_HANDLERS}.stock.movements", Stage.STOCK),
    "shipment.confirmed": Route(f"{_HANDLERS}.stock.movements", Stage.STOCK),
    "return.received": Route(f"{_HANDLERS}.stock.movements", Stage.STOCK),
    "stock.counted": Route(f"{_HANDLERS}.counts.counted", Stage.STOCK),
}

# Part of the contract, documented by their schemas, not taken yet.
ANNOUNCED: Final = frozenset(
    {
        "contract.upserted",
        "promotion.upserted",
        "quote.accepted",
        "rebate.upserted",
        "lot.upserted",
        "allocation.set",
        "receipt.expected",
        "transfer.planned",
        "transfer.shipped",
        "order.placed",
        "order.changed",
        "order.cancelled",
        "pool.set",
    }
)
