"""What could price a set of items for somebody: the books open to them and their entries, in three queries."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Context, Decimal
from typing import Any, Final, cast

from django.db import connection

from apps.pricing.dates import instant_of
from apps.pricing.ladder import Candidate, Level
from apps.pricing.parties import Parties
from apps.pricing.rates import pair


@dataclass(frozen=True, slots=True)
class Book:
    id: int
    code: str
    level: Level
    reach: int
    priority: int
    merge_allowed: bool
    convert: bool
    tax_included: bool
    time_zone: str


@dataclass(frozen=True, slots=True)
class PricedItem:
    """An item as far as prices look at it."""

    id: int
    sku: str
    family: str
    category: str


@dataclass(frozen=True, slots=True)
class Priceless:
    """Why an entry that may win has no price: (reason, sentence)."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Field:
    """The candidates of one item; `priceless` says of which no price can be made. Zones are those of their books.

    `rate_changes` says when the rate of a converted entry changes next, where that is known already.
    """

    candidates: tuple[Candidate, ...]
    priceless: dict[int, Priceless]
    zones: dict[int, str]
    rate_changes: dict[int, datetime] = field(default_factory=dict)

    def until(self, instant: datetime | None, winner: int | None = None) -> datetime | None:
        """`instant`, or the earlier one at which a rate changes: the winner's own, or else any."""
        changes = self.rate_changes
        known = list(changes.values()) if winner is None else [changes[winner]] if winner in changes else []
        return min([*known, *([instant] if instant is not None else [])], default=None)


EMPTY: Final = Field((), {}, {})

_BOOKS: Final = """
SELECT id, code, level, priority, merge_allowed, convert, tax_included, time_zone, branch_id, region, "group"
FROM pricing_pricebook
WHERE level = 'list'
   OR (level = 'channel' AND channel_id = %(channel)s)
   OR (level = 'branch' AND (branch_id = %(branch)s
        OR (branch_id IS NULL AND (region = '' OR (region = %(region)s AND %(region)s <> '')))))
   OR (level = 'type' AND type = %(type)s AND type <> '')
   OR (level = 'group' AND "group" = ANY(%(groups)s))
   OR (level = 'special' AND account_id = %(account)s)
"""
# The reference form: one statement for all lines, an index probe per item, family and category.
_ENTRIES: Final = """
SELECT asked.id, e.id, e.book_id, e.version, e.scope, u.code, e.amount, e.per, e.min_quantity, e.method, e.currency,
       e.zero_ok, e.valid_from, e.valid_to
FROM unnest(%(items)s::bigint[], %(families)s::text[], %(categories)s::text[]) AS asked(id, family, category)
CROSS JOIN LATERAL ({probes}) e
JOIN masterdata_unit u ON u.id = e.unit_id
"""
_PROBES: Final = {
    "item": "e.item_id = asked.id AND e.book_id = ANY(%(books)s)",
    "family": "e.item_id IS NULL AND asked.family <> '' AND e.family = asked.family AND e.book_id = ANY(%(books)s)",
    "category": (
        "e.item_id IS NULL AND asked.category <> '' AND e.category = asked.category AND e.book_id = ANY(%(books)s)"
    ),
}
_CURRENT: Final = ("e.superseded_at IS NULL",)
_KNOWN_THEN: Final = (
    "e.superseded_at IS NULL AND e.recorded_at <= %(known_at)s",
    "e.superseded_at > %(known_at)s AND e.recorded_at <= %(known_at)s",
)
_LIVE: Final = (
    "(e.currency = %(currency)s OR e.book_id = ANY(%(converting)s)) AND (e.valid_to IS NULL OR e.valid_to > %(from)s)"
)
# Wide enough for the product of any amount (20 digits) and any rate (20 digits).
_EXACT: Final = Context(prec=60)


def books_for(parties: Parties) -> dict[int, Book]:
    """The books open to them, by id; a smaller reach is nearer to them."""
    with connection.cursor() as cursor:
        cursor.execute(
            _BOOKS,
            {
                "channel": parties.channel_id,
                "branch": parties.branch_id,
                "region": parties.region,
                "type": parties.type,
                "groups": list(parties.groups),
                "account": parties.account_id,
            },
        )
        rows = cursor.fetchall()
    found = {}
    for pk, code, level, priority, merge, convert, tax, zone, branch_id, region, group in rows:
        reach = 0
        if level == "branch":
            reach = 0 if branch_id is not None else 1 if region else 2
        elif level == "group":
            reach = parties.groups.index(group)
        found[pk] = Book(pk, code, cast(Level, level), reach, priority, merge, convert, tax, zone)
    return found


def load(
    items: Sequence[PricedItem],
    books: dict[int, Book],
    currency: str,
    at: datetime | date,
    *,
    known_at: datetime | None = None,
) -> dict[int, Field]:
    """item id → what could price it at `at` or later, as recorded now or as it was recorded at `known_at`.

    A plain date is midnight in each book's own zone. Entries of books that convert come in the asked currency.
    """
    if not items or not books:
        return {}
    parameters: dict[str, Any] = {
        "items": [item.id for item in items],
        "families": [item.family for item in items],
        "categories": [item.category for item in items],
        "books": list(books),
        "converting": [book.id for book in books.values() if book.convert],
        "currency": currency,
        "known_at": known_at,
        "from": min(instant_of(at, book.time_zone) for book in books.values()),
    }
    with connection.cursor() as cursor:
        cursor.execute(_ENTRIES.format(probes=_probes(known_at is not None)), parameters)
        rows = cursor.fetchall()
    foreign = {row[10] for row in rows if row[10] != currency}
    rates = _rates(foreign, currency, instant_of(at, "UTC")) if foreign else {}
    changes = _rate_changes(foreign, currency, instant_of(at, "UTC")) if foreign else {}
    fields: dict[int, Field] = defaultdict(lambda: Field((), {}, {}))
    for item_id, rows_of_item in _grouped(rows):
        fields[item_id] = _field(rows_of_item, books, currency, rates, changes)
    return fields


def _probes(past: bool) -> str:
    columns = (
        "e.id, e.book_id, e.version, '{scope}' AS scope, e.unit_id, e.amount, e.per, e.min_quantity, e.method, "
        "e.currency, e.zero_ok, e.valid_from, e.valid_to"
    )
    return " UNION ALL ".join(
        f"SELECT {columns.format(scope=scope)} FROM pricing_priceentry e WHERE {where} AND {when} AND {_LIVE}"
        for scope, where in _PROBES.items()
        for when in (_KNOWN_THEN if past else _CURRENT)
    )


def _grouped(rows: Iterable[tuple[Any, ...]]) -> Iterable[tuple[int, list[tuple[Any, ...]]]]:
    by_item: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        by_item[row[0]].append(row[1:])
    return by_item.items()


def _field(
    rows: list[tuple[Any, ...]],
    books: dict[int, Book],
    currency: str,
    rates: dict[str, Decimal],
    changes: dict[str, datetime],
) -> Field:
    candidates: list[Candidate] = []
    priceless: dict[int, Priceless] = {}
    zones: dict[int, str] = {}
    rate_changes: dict[int, datetime] = {}
    for (
        pk,
        book_id,
        version,
        scope,
        uom,
        amount,
        per,
        start,
        method,
        own_currency,
        zero_ok,
        valid_from,
        valid_to,
    ) in rows:
        book = books[book_id]
        zones[pk] = book.time_zone
        if own_currency != currency:
            if own_currency in changes:
                rate_changes[pk] = changes[own_currency]
            amount, per, lacking = _converted(amount, per, own_currency, currency, rates)
            if lacking:
                priceless[pk] = Priceless("MISSING_RATE", f"{lacking} Book {book.code} converts its prices.")
        if method != "fixed":
            detail = (
                f"The entry of book {book.code} is computed by {method}, which is not priced yet; set a fixed price."
            )
            priceless[pk] = Priceless("MISSING_PRICE", detail)
        candidates.append(
            Candidate(
                level=book.level,
                book=book.code,
                version=version,
                entry_id=pk,
                uom=uom,
                amount=amount,
                currency=currency,
                effective_from=valid_from,
                effective_to=valid_to,
                per=per,
                min_quantity=start,
                scope=scope,
                reach=book.reach,
                priority=book.priority,
                merge_allowed=book.merge_allowed,
                zero_ok=zero_ok or method != "fixed",
                tax_included=book.tax_included,
            )
        )
    return Field(tuple(candidates), priceless, zones, rate_changes)


def _converted(
    amount: Decimal, per: Decimal, own: str, currency: str, rates: dict[str, Decimal]
) -> tuple[Decimal, Decimal, str]:
    """Exactly the same price in the asked currency; the inverse rate where only that is known."""
    direct, inverse = rates.get(pair(own, currency)), rates.get(pair(currency, own))
    if direct is not None:
        return _EXACT.multiply(amount, direct), per, ""
    if inverse is not None:
        return amount, _EXACT.multiply(per, inverse), ""
    return amount, per, f"There is no rate {pair(own, currency)} for that date; send it."


def _rates(foreign: Iterable[str], currency: str, at: datetime) -> dict[str, Decimal]:
    others = sorted(foreign)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (from_currency, to_currency) from_currency, to_currency, rate "
            "FROM pricing_exchangerate WHERE effective_from <= %s "
            "AND ((from_currency = ANY(%s) AND to_currency = %s) OR (to_currency = ANY(%s) AND from_currency = %s)) "
            "ORDER BY from_currency, to_currency, effective_from DESC",
            [at, others, currency, others, currency],
        )
        return {pair(source, target): rate for source, target, rate in cursor.fetchall()}


def _rate_changes(foreign: Iterable[str], currency: str, at: datetime) -> dict[str, datetime]:
    """Currency → when its rate with ours changes next after `at`, of those that are known already."""
    others = sorted(foreign)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT CASE WHEN to_currency = %s THEN from_currency ELSE to_currency END, min(effective_from) "
            "FROM pricing_exchangerate WHERE effective_from > %s "
            "AND ((from_currency = ANY(%s) AND to_currency = %s) OR (to_currency = ANY(%s) AND from_currency = %s)) "
            "GROUP BY 1",
            [currency, at, others, currency, others, currency],
        )
        return dict(cursor.fetchall())
