"""The control side of a channel: ask what it shows, break it, edit it by hand, buy from it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from .channels import CONTROL_PREFIX, Channel
from .listings import Listing, OrderLine, OrderRefused
from .market import Market
from .money import read_amount, read_currency, show_amount
from .wire import Answer, Request, error_answer, json_answer, refuse

CODE_LENGTH = 100
QUANTITY_LIMIT = 10**9
SEED_FIELDS = {"code", "title", "quantity", "price", "currency", "case_size"}


class ChannelSite:
    """The API of a channel and, under `/_control`, its control side, on one port."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._routes: dict[tuple[str, str], Callable[[Request], Answer]] = {
            ("GET", "state"): self._state,
            ("GET", "requests"): self._requests,
            ("GET", "history"): self._history,
            ("GET", "faults"): self._faults,
            ("PUT", "faults"): self._set_faults,
            ("PUT", "rate"): self._set_rate,
            ("POST", "seed"): self._seed,
            ("POST", "edit"): self._edit,
            ("POST", "forget"): self._forget,
            ("POST", "orders"): self._order,
        }

    def __call__(self, request: Request) -> Answer:
        """Serve a request of either side."""
        if request.segments[:1] != (CONTROL_PREFIX,):
            return self._channel.serve(request)
        route = self._routes.get((request.method, "/".join(request.segments[1:])))
        if route is None:
            known = ", ".join(f"{method} /{path}" for method, path in self._routes)
            return error_answer(404, None, "not_found", f"The control side has {known}.")
        with self._channel.lock:
            return route(request)

    def _state(self, request: Request) -> Answer:
        named = request.arguments("listing")
        listings = (one for one in self._channel.listings.all() if not named or one.code in named)
        return json_answer(
            200,
            {
                "channel": self._channel.code,
                "listings": {one.code: _shown(one) for one in listings},
                "requests": self._channel.requests,
                "orders": [asdict(order) for order in self._channel.listings.orders.values()],
            },
        )

    def _requests(self, request: Request) -> Answer:
        served = list(self._channel.log)[-_limit(request) :]
        return json_answer(200, {"requests": [one.describe() for one in served]})

    def _history(self, request: Request) -> Answer:
        changes = self._channel.listings.history(request.argument("listing"), _limit(request))
        return json_answer(200, {"changes": [asdict(change) for change in changes]})

    def _faults(self, request: Request) -> Answer:
        return json_answer(200, {"faults": self._channel.faults.describe()})

    def _set_faults(self, request: Request) -> Answer:
        self._channel.faults.replace(request.document())
        return self._faults(request)

    def _set_rate(self, request: Request) -> Answer:
        if not isinstance(self._channel, Market):
            refuse(404, None, "not_found", f"{self._channel.code} has no rate limit; MARKET has.")
        body = _object(request, {"per_second", "burst"})
        per_second = body.get("per_second")
        if isinstance(per_second, bool) or not isinstance(per_second, int | Decimal) or per_second <= 0:
            refuse(400, "per_second", "invalid", f"per_second is {per_second!r}: a number above 0.")
        burst = _whole(body, "burst", least=1)
        self._channel.bucket.configure(float(per_second), burst or max(1, int(per_second)))
        return json_answer(200, {"per_second": float(per_second), "burst": self._channel.bucket.burst})

    def _seed(self, request: Request) -> Answer:
        rows = _object(request, {"listings"}).get("listings")
        if not isinstance(rows, list):
            refuse(400, "listings", "invalid", "listings is a list of {code, title, quantity?, price?, …}.")
        read = [self._seeded(row, f"listings[{index}]") for index, row in enumerate(rows)]
        for listing, given in read:
            self._channel.listings.seed(listing, given)
        return json_answer(200, {"seeded": len(read)})

    def _seeded(self, row: object, where: str) -> tuple[Listing, dict[str, Any]]:
        fields = _fields(row, SEED_FIELDS, f"{where}.")
        code = _code(fields.pop("code", None), f"{where}.code")
        known = self._channel.listings.get(code)
        given = {name: value for name, value in fields.items() if value is not None}
        if not isinstance(given.get("title", ""), str):
            refuse(400, f"{where}.title", "invalid", f"title is {given['title']!r}: a text.")
        try:
            currency = read_currency(given["currency"]) if "currency" in given else None
            if "price" in given:
                given["price"] = read_amount(given["price"], currency or (known.currency if known else None))
        except ValueError as error:
            refuse(400, where, "invalid", f"{where}: {error}.")
        for name, least in (("quantity", 0), ("case_size", 1)):
            _whole(given, name, least=least, where=f"{where}.")
        return Listing(code=code, **given), given

    def _edit(self, request: Request) -> Answer:
        body = _object(request, {"listing", "quantity", "price"})
        listing = self._listing(body.get("listing"), "listing")
        quantity, price = _whole(body, "quantity"), body.get("price")
        if quantity is None and price is None:
            refuse(400, None, "invalid", "Nothing to edit: give quantity, price or both.")
        if price is not None:
            try:
                price = read_amount(price, listing.currency)
            except ValueError as error:
                refuse(400, "price", "invalid", f"price: {error}.")
        if quantity is not None:
            self._channel.listings.set_quantity(listing.code, quantity, "edit")
        if price is not None:
            self._channel.listings.set_price(listing.code, price, listing.currency, "edit")
        return json_answer(200, _shown(self._listing(listing.code, "listing")))

    def _forget(self, request: Request) -> Answer:
        body = _object(request, {"listings"}) if request.body.strip() else {}
        codes = body.get("listings")
        if codes is None:
            codes = [listing.code for listing in self._channel.listings.all()]
        if not isinstance(codes, list):
            refuse(400, "listings", "invalid", "listings is a list of codes; leave it out for all.")
        named = [self._listing(code, f"listings[{index}]").code for index, code in enumerate(codes)]
        self._channel.listings.forget(named)
        return json_answer(200, {"forgotten": len(named)})

    def _order(self, request: Request) -> Answer:
        body = _object(request, {"order", "lines"})
        order = _code(body.get("order"), "order")
        rows = body.get("lines")
        if not isinstance(rows, list) or not rows:
            refuse(400, "lines", "invalid", "lines is a list of at least one {listing, quantity}.")
        lines = tuple(self._order_line(row, f"lines[{index}].") for index, row in enumerate(rows))
        try:
            placed, new = self._channel.listings.place_order(order, lines)
        except OrderRefused as refused:
            return error_answer(409, "lines", "order_refused", f"{refused}.")
        return json_answer(201 if new else 200, asdict(placed))

    def _order_line(self, row: object, where: str) -> OrderLine:
        fields = _fields(row, {"listing", "quantity"}, where)
        quantity = _whole(fields, "quantity", least=1, where=where)
        if quantity is None:
            refuse(400, f"{where}quantity", "invalid", f"{where}quantity is missing.")
        return OrderLine(self._listing(fields.get("listing"), f"{where}listing").code, quantity)

    def _listing(self, code: object, where: str) -> Listing:
        listing = self._channel.listings.get(code) if isinstance(code, str) else None
        if not isinstance(code, str):
            refuse(400, where, "invalid", f"{where} is {code!r}: the code of a listing.")
        if listing is None:
            refuse(404, where, "not_found", f"{self._channel.code} has no listing {code}: POST /seed makes one.")
        return listing


def _shown(listing: Listing) -> dict[str, Any]:
    return {
        "quantity": listing.quantity,
        "price": show_amount(listing.price),
        "currency": listing.currency,
        "updated_at": listing.updated_at,
        "title": listing.title,
        "case_size": listing.case_size,
        "version": listing.version,
    }


def _object(request: Request, allowed: set[str]) -> dict[str, Any]:
    return _fields(request.document(), allowed, "")


def _fields(document: object, allowed: set[str], where: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        refuse(400, where.rstrip(".") or None, "invalid", f"An object with {', '.join(sorted(allowed))} is wanted.")
    unknown = sorted(set(document) - allowed)
    if unknown:
        refuse(400, f"{where}{unknown[0]}", "unknown_field", f"Known fields: {', '.join(sorted(allowed))}.")
    return dict(document)


def _code(value: object, where: str) -> str:
    if (
        not isinstance(value, str)
        or not 1 <= len(value) <= CODE_LENGTH
        or value != value.strip()
        or any(unicodedata.category(character) == "Cc" for character in value)
    ):
        refuse(400, where, "invalid", f"{where} is {value!r}: 1 to {CODE_LENGTH} characters, trimmed.")
    return value


def _whole(fields: dict[str, Any], name: str, *, least: int = 0, where: str = "") -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= QUANTITY_LIMIT:
        message = f"{where}{name} is {value!r}: a whole number from {least} to {QUANTITY_LIMIT}."
        refuse(400, f"{where}{name}", "invalid", message)
    return value


def _limit(request: Request) -> int:
    raw = request.argument("limit") or "100"
    if not (raw.isascii() and raw.isdigit() and 1 <= int(raw[:9]) <= 20_000):
        refuse(400, "limit", "invalid", f"limit is {raw!r}: a whole number from 1 to 20000.")
    return int(raw)
