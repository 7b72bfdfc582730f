"""MARKET, grade B: batches in its own codes and in cases, paced by a token bucket, readable."""

from __future__ import annotations

from typing import Any

from .calls import Call, Row
from .channels import Channel, no_such_path, object_body, only_fields, page_of
from .listings import Listing, Listings
from .money import from_minor, read_currency, to_minor
from .rates import TokenBucket
from .wire import Answer, Request, error_answer, json_answer, refuse

BATCH_LIMIT = 50
CODES_LIMIT = 200
CASES_LIMIT = 10**9
MINOR_LIMIT = 10**14


class Market(Channel):
    """`/feed/stock` and `/feed/prices` take batches, `/listings` shows what came of them."""

    code = "MARKET"

    def __init__(self, token: str, bucket: TokenBucket) -> None:
        super().__init__(token)
        self.bucket = bucket

    def understand(self, request: Request) -> Call:
        match request.method, request.segments:
            case "POST", ("feed", "stock"):
                return SetStock(self.listings, _updates(request))
            case "POST", ("feed", "prices"):
                return SetPrices(self.listings, _updates(request))
            case "GET", ("listings",):
                return self._read(request)
        return no_such_path(request)

    def limit(self) -> Answer | None:
        wait_s = self.bucket.take()
        if wait_s is None:
            return None
        answer = error_answer(429, None, "rate_limited", f"Too fast: come back in {wait_s} s.")
        return answer.with_headers(("Retry-After", str(wait_s)))

    def extra_headers(self) -> tuple[tuple[str, str], ...]:
        return self.bucket.headers()

    def _read(self, request: Request) -> Call:
        codes = _codes(request)
        if codes is None:
            page, after = self.listings.page(*page_of(request))
            return ReadListings(self.listings, page, after)
        if len(codes) > CODES_LIMIT:
            refuse(413, "codes", "too_many", f"{len(codes)} codes: at most {CODES_LIMIT} in one call.")
        named = [self.listings.get(code) for code in codes]
        return ReadListings(self.listings, [listing for listing in named if listing], None)


class ReadListings(Call):
    """GET /listings"""

    identity = "listing"
    value = "cases"

    def __init__(self, listings: Listings, page: list[Listing], after: str | None) -> None:
        super().__init__(listings, tuple(listing.code for listing in page))
        self._page = page
        self._after = after

    def act(self, index: int, *, apply: bool) -> Row:
        listing = self._page[index]
        return {
            "listing": listing.code,
            "title": listing.title,
            "cases": listing.quantity,
            "case_size": listing.case_size,
            "price_minor": to_minor(listing.price, listing.currency),
            "currency": listing.currency,
            "updated_at": listing.updated_at,
        }

    def render(self, rows: list[Row]) -> Answer:
        return json_answer(200, {"listings": rows, "next": self._after})


class _Rejected(ValueError):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Batch(Call):
    """Updates with an outcome each; a bad one does not hold up the others."""

    identity = "listing"
    writes = True
    fields: frozenset[str]

    def __init__(self, listings: Listings, updates: list[Any]) -> None:
        super().__init__(listings, tuple(_named(update) for update in updates))
        self._updates = updates

    def act(self, index: int, *, apply: bool) -> Row:
        code = self.touched[index]
        try:
            listing = self._listing(code, self._updates[index])
            held = self.set(listing, self._updates[index], apply=apply)
        except _Rejected as rejected:
            return {
                "listing": code or None,
                "status": "rejected",
                "code": rejected.code,
                "message": str(rejected),
            }
        return {"listing": code, "status": "applied", **held}

    def set(self, listing: Listing, update: dict[str, Any], *, apply: bool) -> Row:
        """Set the value of one listing; _Rejected where it cannot be."""
        raise NotImplementedError

    def render(self, rows: list[Row]) -> Answer:
        return json_answer(200, {"results": rows})

    def _listing(self, code: str, update: object) -> Listing:
        if not isinstance(update, dict) or not code:
            raise _Rejected("INVALID_UPDATE", f"An update has {', '.join(sorted(self.fields))}.")
        unknown = sorted(set(update) - self.fields)
        if unknown:
            raise _Rejected("UNKNOWN_FIELD", f"{unknown[0]}: an update has {', '.join(sorted(self.fields))}.")
        listing = self.listings.get(code)
        if listing is None:
            raise _Rejected("UNKNOWN_LISTING", f"There is no listing {code}.")
        return listing


class SetStock(_Batch):
    """POST /feed/stock"""

    value = "cases"
    fields = frozenset({"listing", "cases"})

    def set(self, listing: Listing, update: dict[str, Any], *, apply: bool) -> Row:
        cases = update.get("cases")
        if not _whole(cases, CASES_LIMIT):
            raise _Rejected("INVALID_CASES", f"cases is {cases!r}: a whole number from 0 to {CASES_LIMIT}.")
        if apply:
            self.listings.set_quantity(listing.code, cases, "api")
        return {"cases": cases}


class SetPrices(_Batch):
    """POST /feed/prices"""

    value = "price_minor"
    fields = frozenset({"listing", "price_minor", "currency"})

    def set(self, listing: Listing, update: dict[str, Any], *, apply: bool) -> Row:
        minor = update.get("price_minor")
        if not _whole(minor, MINOR_LIMIT):
            raise _Rejected("INVALID_PRICE", f"price_minor is {minor!r}: a whole number from 0 to {MINOR_LIMIT}.")
        try:
            currency = read_currency(update.get("currency"))
        except ValueError as error:
            raise _Rejected("INVALID_CURRENCY", f"currency: {error}.") from error
        if listing.currency not in (None, currency):
            raise _Rejected("CURRENCY_MISMATCH", f"currency is {currency}, the listing sells in {listing.currency}.")
        if apply:
            self.listings.set_price(listing.code, from_minor(minor or 0, currency), currency, "api")
        return {"price_minor": minor, "currency": currency}


def _updates(request: Request) -> list[Any]:
    body = object_body(request)
    only_fields(body, {"updates"})
    updates = body.get("updates")
    if not isinstance(updates, list) or not updates:
        refuse(422, "updates", "invalid", "updates is a list of 1 to 50 updates.")
    if len(updates) > BATCH_LIMIT:
        refuse(413, "updates", "too_many", f"{len(updates)} updates: at most {BATCH_LIMIT} in one call.")
    return updates


def _codes(request: Request) -> list[str] | None:
    """`?codes=a,b`, repeatable; None where no codes are asked for."""
    arguments = request.arguments("codes")
    if not arguments:
        return None
    return [code for argument in arguments for code in argument.split(",") if code]


def _named(update: object) -> str:
    code = update.get("listing") if isinstance(update, dict) else None
    return code if isinstance(code, str) else ""


def _whole(value: object, limit: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= limit
