"""What one simulated channel shows: its listings, the orders it took, and how each value came about."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from .money import show_amount

HISTORY_LIMIT = 20_000


@dataclass(frozen=True)
class Listing:
    """One listing; `quantity` is in the channel's own units, None after a forget.

    `version` counts changes of the quantity (a price does not move it)."""

    code: str
    title: str = ""
    quantity: int | None = None
    price: Decimal | None = None
    currency: str | None = None
    case_size: int | None = None
    version: int = 0
    updated_at: str = ""


@dataclass(frozen=True)
class OrderLine:
    """A sold quantity, in the channel's own units."""

    listing: str
    quantity: int


@dataclass(frozen=True)
class Order:
    """An order as the channel keeps it."""

    order: str
    lines: tuple[OrderLine, ...]
    placed_at: str


@dataclass(frozen=True)
class Change:
    """One value that a listing came to hold, and by whose hand."""

    number: int
    at: str
    by: str
    listing: str
    quantity: int | None
    price: str | None


class OrderRefused(ValueError):
    """The channel does not take this order; the text says why."""


def utc_now() -> str:
    """The present instant as the sandbox writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Listings:
    """The listings of one channel. Not locked: the channel holds its lock around every use."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._by_code: dict[str, Listing] = {}
        self._codes: list[str] = []
        self._history: deque[Change] = deque(maxlen=HISTORY_LIMIT)
        self._changes = 0
        self.orders: dict[str, Order] = {}

    def get(self, code: str) -> Listing | None:
        """The listing of this code."""
        return self._by_code.get(code)

    def all(self) -> Iterable[Listing]:
        """Every listing, by code."""
        return (self._by_code[code] for code in self._codes)

    def page(self, after: str, limit: int) -> tuple[list[Listing], str | None]:
        """Up to `limit` listings after a code, and the code to go on from (None at the end)."""
        start = bisect_right(self._codes, after) if after else 0
        codes = self._codes[start : start + limit]
        more = start + limit < len(self._codes)
        return [self._by_code[code] for code in codes], codes[-1] if more else None

    def other_than(self, code: str) -> str:
        """The code of another listing: the next one, or an invented one where there is none."""
        if len(self._codes) < 2:
            return f"{code}-OTHER"
        return self._codes[bisect_right(self._codes, code) % len(self._codes)]

    def seed(self, listing: Listing, given: Mapping[str, Any]) -> None:
        """Create the listing, or change what is given and differs."""
        known = self._by_code.get(listing.code)
        if known is None:
            insort(self._codes, listing.code)
            self._put(replace(listing, version=1), "seed")
            return
        wanted = replace(known, **given)
        if wanted != known:
            moved = wanted.quantity != known.quantity
            self._put(replace(wanted, version=known.version + moved), "seed")

    def set_quantity(self, code: str, quantity: int | None, by: str) -> Listing:
        """Show this quantity from now on."""
        known = self._by_code[code]
        return self._put(replace(known, quantity=quantity, version=known.version + 1), by)

    def set_price(self, code: str, price: Decimal | None, currency: str | None, by: str) -> Listing:
        """Show this price from now on."""
        return self._put(replace(self._by_code[code], price=price, currency=currency), by)

    def forget(self, codes: Iterable[str]) -> None:
        """Lose quantity and price of these listings; they stay listed."""
        for code in codes:
            known = self._by_code[code]
            self._put(replace(known, quantity=None, price=None, version=known.version + 1), "forget")

    def place_order(self, order: str, lines: tuple[OrderLine, ...]) -> tuple[Order, bool]:
        """Sell: all lines or none. Returns the order and whether it is new."""
        known = self.orders.get(order)
        if known is not None:
            if known.lines != lines:
                raise OrderRefused(f"order {order} exists with other lines: use another order number")
            return known, False
        for code, wanted in _totals(lines).items():
            shown = self._by_code[code].quantity
            if shown is None or shown < wanted:
                raise OrderRefused(
                    f"order {order} wants {wanted} of {code}, the channel shows {shown}: nothing was sold"
                )
        for code, wanted in _totals(lines).items():
            self.set_quantity(code, (self._by_code[code].quantity or 0) - wanted, "order")
        self.orders[order] = Order(order, lines, utc_now())
        self._changed()
        return self.orders[order], True

    def history(self, listing: str | None, limit: int) -> list[Change]:
        """The last changes, oldest first."""
        matching = [change for change in self._history if listing in (None, change.listing)]
        return matching[-limit:]

    def snapshot(self) -> dict[str, Any]:
        """Everything that survives a restart, as JSON."""
        return {
            "listings": [{**vars(one), "price": show_amount(one.price)} for one in self.all()],
            "orders": [asdict(order) for order in self.orders.values()],
        }

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Take over what `snapshot` gave."""
        for row in stored.get("listings", []):
            price = None if row["price"] is None else Decimal(row["price"])
            self._by_code[row["code"]] = Listing(**{**row, "price": price})
        self._codes = sorted(self._by_code)
        for row in stored.get("orders", []):
            lines = tuple(OrderLine(**line) for line in row["lines"])
            self.orders[row["order"]] = Order(row["order"], lines, row["placed_at"])

    def _put(self, listing: Listing, by: str) -> Listing:
        listing = replace(listing, updated_at=utc_now())
        self._by_code[listing.code] = listing
        self._changes += 1
        self._history.append(
            Change(self._changes, listing.updated_at, by, listing.code, listing.quantity, show_amount(listing.price))
        )
        self._changed()
        return listing


def _totals(lines: Iterable[OrderLine]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for line in lines:
        totals[line.listing] = totals.get(line.listing, 0) + line.quantity
    return totals
