"""FEED, grade C: takes a whole document and says how many items it took, nothing else, ever."""

from __future__ import annotations

import uuid
from typing import Any

from .calls import Call, Row
from .channels import Channel, no_such_path, object_body, only_fields
from .listings import Listing, Listings
from .money import read_amount
from .wire import Answer, Request, json_answer, refuse

ITEM_LIMIT = 50_000
QUANTITY_LIMIT = 10**9
ITEM_FIELDS = frozenset({"id", "qty", "amount"})


class Feed(Channel):
    """`POST /upload` is all there is."""

    code = "FEED"

    def understand(self, request: Request) -> Call:
        if (request.method, request.segments) != ("POST", ("upload",)):
            no_such_path(request)
        body = object_body(request)
        only_fields(body, {"items"})
        items = body.get("items")
        if not isinstance(items, list):
            refuse(422, "items", "invalid", "items is a list of {id, qty, amount?}.")
        if len(items) > ITEM_LIMIT:
            refuse(413, "items", "too_many", f"{len(items)} items: at most {ITEM_LIMIT} in one upload.")
        return Upload(self.listings, items)


class Upload(Call):
    """POST /upload; items that are not named keep what they show."""

    identity = "id"
    value = "qty"
    writes = True

    def __init__(self, listings: Listings, items: list[Any]) -> None:
        super().__init__(listings, tuple(_named(item) for item in items))
        self._items = items
        self._feed_id = f"feed-{uuid.uuid4().hex}"
        self._miscounted = 0

    def act(self, index: int, *, apply: bool) -> Row:
        code, item = self.touched[index], self._items[index]
        listing = self.listings.get(code)
        wrong = _wrong_with(item, listing)
        if wrong is not None:
            return {"id": code or None, "code": wrong[0], "message": wrong[1]}
        if apply and listing is not None:
            self.listings.set_quantity(code, item["qty"], "api")
            if item.get("amount") is not None:
                amount = read_amount(item["amount"], listing.currency)
                self.listings.set_price(code, amount, listing.currency, "api")
        return {"id": code}

    def render(self, rows: list[Row]) -> Answer:
        rejected = [row for row in rows if "code" in row]
        accepted = len(rows) - len(rejected) + self._miscounted
        return json_answer(202, {"accepted": accepted, "feed_id": self._feed_id, "rejected": rejected})

    def misname(self, row: Row) -> Row:
        """The answer names no item: the lie is the number of another upload."""
        self._feed_id = f"feed-{uuid.UUID(int=0).hex}"
        return row

    def misstate(self, row: Row) -> Row:
        """The answer holds no value: the lie is the count."""
        self._miscounted = 1
        return row


def _wrong_with(item: object, listing: Listing | None) -> tuple[str, str] | None:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str) or set(item) - ITEM_FIELDS:
        return "INVALID_ITEM", "An item has id, qty and perhaps amount."
    if listing is None:
        return "UNKNOWN_ID", f"There is no item {item['id']}."
    quantity = item.get("qty")
    if not isinstance(quantity, int) or isinstance(quantity, bool) or not 0 <= quantity <= QUANTITY_LIMIT:
        return "INVALID_QTY", f"qty is {quantity!r}: a whole number from 0 to {QUANTITY_LIMIT}."
    if item.get("amount") is None:
        return None
    try:
        read_amount(item["amount"], listing.currency)
    except ValueError as error:
        return "INVALID_AMOUNT", f"amount: {error}."
    return None


def _named(item: object) -> str:
    code = item.get("id") if isinstance(item, dict) else None
    return code if isinstance(code, str) else ""
