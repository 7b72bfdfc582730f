"""SHOP, grade A: an absolute quantity per item, with compare-and-set and idempotency keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .calls import Call, Row
from .channels import Channel, no_such_path, object_body, only_fields, page_of
from .listings import Listing, Listings
from .money import read_amount, read_currency, show_amount
from .wire import Answer, Request, json_answer, refuse

KEY_LIMIT = 5_000
QUANTITY_LIMIT = 10**9
_ABSENT = object()


@dataclass(frozen=True)
class Kept:
    """An answer kept for its idempotency key, and the change it was given for."""

    change: str
    row: Row


class Shop(Channel):
    """`/items`: read one or a page, set a quantity, set a price."""

    code = "SHOP"

    def __init__(self, token: str) -> None:
        super().__init__(token)
        self.kept: dict[str, Kept] = {}

    def understand(self, request: Request) -> Call:
        match request.method, request.segments:
            case "GET", ("items",):
                listings, after = self.listings.page(*page_of(request))
                return ReadPage(self.listings, listings, after)
            case "GET", ("items", code):
                return ReadItem(self.listings, self._item(code).code)
            case "PUT", ("items", code, "inventory"):
                self._item(code)
                return SetInventory(self, code, object_body(request), _key(request))
            case "PUT", ("items", code, "price"):
                self._item(code)
                return SetPrice(self, code, object_body(request), _key(request))
        return no_such_path(request)

    def keep(self, key: str, kept: Kept) -> None:
        """Remember the answer for its key; the oldest go first."""
        self.kept[key] = kept
        if len(self.kept) > KEY_LIMIT:
            del self.kept[next(iter(self.kept))]
        self.changed()

    def snapshot(self) -> dict[str, Any]:
        with self.lock:
            keys = {key: vars(kept) for key, kept in self.kept.items()}
            return {**super().snapshot(), "idempotency_keys": keys}

    def restore(self, stored: Mapping[str, Any]) -> None:
        super().restore(stored)
        keys = stored.get("idempotency_keys", {})
        self.kept = {key: Kept(**kept) for key, kept in keys.items()}

    def _item(self, code: str) -> Listing:
        item = self.listings.get(code)
        if item is None:
            refuse(404, "code", "not_found", f"There is no item {code} in this shop.")
        return item


class ReadItem(Call):
    """GET /items/{code}"""

    def __init__(self, listings: Listings, code: str) -> None:
        super().__init__(listings, (code,))

    def act(self, index: int, *, apply: bool) -> Row:
        return _shown(self.listings.get(self.touched[index]))

    def render(self, rows: list[Row]) -> Answer:
        return json_answer(200, rows[0] if rows else {})


class ReadPage(Call):
    """GET /items"""

    def __init__(self, listings: Listings, page: list[Listing], after: str | None) -> None:
        super().__init__(listings, tuple(item.code for item in page))
        self._after = after

    def act(self, index: int, *, apply: bool) -> Row:
        return _shown(self.listings.get(self.touched[index]))

    def render(self, rows: list[Row]) -> Answer:
        return json_answer(200, {"items": rows, "next": self._after})


class _Change(Call):
    """A change of one item, answered again for the same idempotency key."""

    writes = True

    def __init__(self, shop: Shop, code: str, body: dict[str, Any], key: str | None) -> None:
        super().__init__(shop.listings, (code,))
        self.code = code
        self.body = body
        self._shop = shop
        self._key = key
        self._replayed = False

    def act(self, index: int, *, apply: bool) -> Row:
        kept = self._shop.kept.get(self._key or "")
        if kept is not None:
            return self._again(kept)
        row = self.change(apply=apply)
        if apply and self._key:
            # Only a change that happened is kept: a refusal may turn out otherwise next time.
            self._shop.keep(self._key, Kept(self.wanted(), row))
        return row

    def change(self, *, apply: bool) -> Row:
        """Make the change and say what is then true."""
        raise NotImplementedError

    def wanted(self) -> str:
        """The change asked for, without its preconditions."""
        raise NotImplementedError

    def render(self, rows: list[Row]) -> Answer:
        answer = json_answer(200, rows[0] if rows else {})
        return answer.with_headers(("Idempotency-Replayed", "true")) if self._replayed else answer

    def _again(self, kept: Kept) -> Row:
        if kept.change != self.wanted():
            refuse(
                422,
                "Idempotency-Key",
                "idempotency_key_reused",
                f"Key {self._key} belongs to '{kept.change}', not to '{self.wanted()}': use a new key.",
            )
        self._replayed = True
        return kept.row


class SetInventory(_Change):
    """PUT /items/{code}/inventory"""

    def __init__(self, shop: Shop, code: str, body: dict[str, Any], key: str | None) -> None:
        super().__init__(shop, code, body, key)
        only_fields(body, {"quantity", "expected_version", "expected_quantity"})
        self._quantity = _whole("quantity", body.get("quantity"))
        self._version = _expected(body, "expected_version")
        self._expected = _expected(body, "expected_quantity")

    def change(self, *, apply: bool) -> Row:
        item = self.listings.get(self.code)
        if item is None:
            raise KeyError(self.code)
        self._compare("expected_version", self._version, item.version, item)
        self._compare("expected_quantity", self._expected, item.quantity, item)
        if apply:
            self.listings.set_quantity(self.code, self._quantity, "api")
        return {"code": self.code, "quantity": self._quantity, "version": item.version + 1}

    def wanted(self) -> str:
        return f"{quote(self.code)} quantity {self._quantity}"

    def _compare(self, field: str, expected: object, current: int | None, item: Listing) -> None:
        if expected is not _ABSENT and expected != current:
            message = f"{field} is {expected}, the item has {current}: read it and decide again."
            refuse(409, field, "conflict", message, item=item.code, quantity=item.quantity, version=item.version)


class SetPrice(_Change):
    """PUT /items/{code}/price"""

    value = "price"

    def __init__(self, shop: Shop, code: str, body: dict[str, Any], key: str | None) -> None:
        super().__init__(shop, code, body, key)
        only_fields(body, {"amount", "currency"})
        item = self.listings.get(code)
        self._currency = _currency(body.get("currency"), item.currency if item else None)
        try:
            self._amount = read_amount(body.get("amount"), self._currency)
        except ValueError as error:
            refuse(422, "amount", "invalid", f"amount: {error}.")

    def change(self, *, apply: bool) -> Row:
        item = self.listings.get(self.code)
        if apply:
            item = self.listings.set_price(self.code, self._amount, self._currency, "api")
        return {
            "code": self.code,
            "price": show_amount(self._amount),
            "currency": self._currency,
            "updated_at": item.updated_at if item else None,
        }

    def wanted(self) -> str:
        return f"{quote(self.code)} price {self._amount} {self._currency}"


def _shown(item: Listing | None) -> Row:
    if item is None:
        raise KeyError("an item cannot vanish under the channel's lock")
    return {
        "code": item.code,
        "title": item.title,
        "quantity": item.quantity,
        "price": show_amount(item.price),
        "currency": item.currency,
        "version": item.version,
        "updated_at": item.updated_at,
    }


def _key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 1 <= len(key) <= 255:
        refuse(422, "Idempotency-Key", "invalid", "Idempotency-Key has 1 to 255 characters.")
    return key


def _whole(field: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        refuse(422, field, "not_an_integer", f"{field} is {value!r}: a whole number is wanted.")
    if value < 0:
        refuse(422, field, "negative", f"{field} is {value}: it cannot be below 0.")
    if value > QUANTITY_LIMIT:
        refuse(422, field, "too_large", f"{field} is {value}: at most {QUANTITY_LIMIT}.")
    return value


def _expected(body: Mapping[str, Any], field: str) -> object:
    """Null is a value here: it expects an item that shows nothing."""
    value = body.get(field, _ABSENT)
    if value is None and field == "expected_quantity":
        return None
    return value if value is _ABSENT else _whole(field, value)


def _currency(value: object, listed: str | None) -> str:
    try:
        currency = read_currency(value)
    except ValueError as error:
        refuse(422, "currency", "invalid", f"currency: {error}.")
    if listed not in (None, currency):
        refuse(422, "currency", "currency_mismatch", f"currency is {currency}, the item sells in {listed}.")
    return currency
