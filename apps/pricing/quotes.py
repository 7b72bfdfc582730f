"""Prices for many lines at once: everything is loaded in a constant number of queries, then resolved line by line."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from django.db import connection

from apps.lib.errors import FieldError, Problem
from apps.masterdata.conversion import UnitGraph
from apps.masterdata.resolving import conversions
from apps.pricing import candidates as pool
from apps.pricing import ladder
from apps.pricing.candidates import Field, PricedItem
from apps.pricing.dates import FIRST_YEAR, LAST_YEAR, instant_of
from apps.pricing.ladder import Candidate, QuantityBreak, TraceLine
from apps.pricing.parties import find_parties
from apps.pricing.resolution import resolve_line

LINES_MAX: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceContext:
    """Who asks, where and when; codes are ours. Without `on` it is now; a plain date is midnight in each book's zone.

    `known_at` answers from what was recorded then; `channel_below_branch` and `convert_breaks` are the channel's.
    """

    currency: str
    account: str | None = None
    ship_to: str | None = None
    branch: str | None = None
    warehouse: str | None = None
    channel: str | None = None
    on: datetime | date | None = None
    known_at: datetime | None = None
    explain: bool = False
    channel_below_branch: bool = False
    convert_breaks: bool = False
    credit: bool = False


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One line as asked; `uom` None is the item's base unit."""

    sku: str
    quantity: Decimal
    uom: str | None = None
    id: str | int | None = None


@dataclass(frozen=True, slots=True)
class LineResult:
    """The answer for one line. Prices, and all that tells where they come from, are None unless status is ok."""

    id: str | int | None
    sku: str
    status: str
    price_uom: str | None
    currency: str
    reason: str | None = None
    detail: str | None = None
    unit_price: Decimal | None = None
    extended_price: Decimal | None = None
    tax_class: str | None = None
    winner: Candidate | None = None
    breaks: tuple[QuantityBreak, ...] = ()
    warnings: tuple[str, ...] = ()
    valid_until: datetime | None = None
    next_change_at: datetime | None = None
    trace: tuple[TraceLine, ...] = ()
    item_id: int | None = None

    @property
    def level(self) -> str | None:
        return self.winner.level if self.winner else None

    @property
    def book(self) -> str | None:
        return self.winner.book if self.winner else None

    @property
    def version(self) -> int | None:
        return self.winner.version if self.winner else None

    @property
    def tax_included(self) -> bool | None:
        return self.winner.tax_included if self.winner else None

    @property
    def price_ref(self) -> str | None:
        """Names the book, the entry's row and its version for ever: rows are never edited."""
        return f"{self.winner.book}#{self.winner.entry_id}.{self.winner.version}" if self.winner else None


def resolve(context: PriceContext, lines: Sequence[PriceLine]) -> list[LineResult]:
    """The price of each line, in the order asked; at most eight queries, however many lines.

    Raises Problem 400 for codes of the request itself (branch, warehouse, channel) and for a date out of range.
    """
    on = _checked(context.on)
    parties = find_parties(
        account=context.account,
        ship_to=context.ship_to,
        branch=context.branch,
        warehouse=context.warehouse,
        channel=context.channel,
    )
    if parties.refusal is not None:
        status, reason, detail = parties.refusal
        return [LineResult(x.id, x.sku, status, x.uom, context.currency, reason, detail) for x in lines]
    at = on if on is not None else parties.now
    items = _items({line.sku for line in lines})
    units = conversions([item.priced.id for item in items.values()]) if items else {}
    books = pool.books_for(parties)
    priced = [item.priced for item in items.values()]
    fields = pool.load(priced, books, context.currency, at, known_at=context.known_at)
    answer = _Answer(context, at, items, units, fields)
    return [answer.line(line) for line in lines]


def _checked(on: datetime | date | None) -> datetime | date | None:
    if on is not None and not FIRST_YEAR < on.year < LAST_YEAR:
        detail = f"on is {on.isoformat()}; prices are kept for the years {FIRST_YEAR + 1} to {LAST_YEAR - 1}."
        raise Problem(400, "invalid", detail, [FieldError("invalid", detail, "/on")])
    return on


@dataclass(frozen=True, slots=True)
class _Item:
    priced: PricedItem
    tax_class: str
    status: str
    # unit → (order minimum, order multiple)
    rules: Mapping[str, tuple[Decimal | None, Decimal | None]]


def _items(skus: Iterable[str]) -> dict[str, _Item]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.id, i.sku, i.family, i.category, i.tax_class, i.status, "
            "coalesce(jsonb_object_agg(u.code, jsonb_build_array(iu.order_minimum::text, iu.order_multiple::text)) "
            " FILTER (WHERE iu.order_minimum IS NOT NULL OR iu.order_multiple IS NOT NULL), '{}') "
            "FROM masterdata_item i LEFT JOIN masterdata_itemunit iu ON iu.item_id = i.id "
            "LEFT JOIN masterdata_unit u ON u.id = iu.unit_id WHERE i.sku = ANY(%s) GROUP BY i.id",
            [list(skus)],
        )
        rows = cursor.fetchall()
    return {
        sku: _Item(PricedItem(pk, sku, family, category), tax_class, status, _rules(rules))
        for pk, sku, family, category, tax_class, status, rules in rows
    }


def _rules(
    rules: Mapping[str, tuple[str | None, str | None]] | str,
) -> dict[str, tuple[Decimal | None, Decimal | None]]:
    if isinstance(rules, str):
        rules = json.loads(rules)
    assert not isinstance(rules, str)
    return {
        uom: (Decimal(least) if least else None, Decimal(multiple) if multiple else None)
        for uom, (least, multiple) in rules.items()
    }


@dataclass(frozen=True, slots=True)
class _Answer:
    """What all lines of a request share."""

    context: PriceContext
    at: datetime | date
    items: Mapping[str, _Item]
    units: Mapping[int, UnitGraph]
    fields: Mapping[int, Field]

    def line(self, asked: PriceLine) -> LineResult:
        item = self.items.get(asked.sku)
        if item is None:
            detail = f"No item is known as {asked.sku!r}; send one of our SKUs."
            return self._refused(asked, "unknown_item", "UNKNOWN_ITEM", detail)
        graph = self.units[item.priced.id]
        asked = replace(asked, uom=asked.uom or graph.base_uom)
        if item.status == "blocked":
            return self._refused(asked, "restricted", "RESTRICTED", f"Item {asked.sku} is blocked for sale.", item)
        least, multiple = item.rules.get(str(asked.uom), (None, None))
        line = ladder.PriceLine(asked.sku, asked.quantity, str(asked.uom), graph, least, multiple)
        field, at, back = _aligned(self.fields.get(item.priced.id, pool.EMPTY), self.at)
        found = self._resolved(line, field, at)
        return LineResult(
            asked.id,
            asked.sku,
            found.status,
            found.price_uom,
            found.currency,
            found.reason,
            found.detail,
            found.unit_price,
            found.extended_price,
            item.tax_class or None,
            found.winner,
            found.breaks,
            found.warnings,
            field.until(back.get(found.valid_until, found.valid_until), found.winner.entry_id)
            if found.winner
            else None,
            field.until(back.get(found.next_change_at, found.next_change_at)),
            found.trace,
            item.priced.id,
        )

    def _refused(
        self, asked: PriceLine, status: str, reason: str, detail: str, item: _Item | None = None
    ) -> LineResult:
        item_id = item.priced.id if item else None
        return LineResult(
            asked.id, asked.sku, status, asked.uom, self.context.currency, reason, detail, item_id=item_id
        )

    def _resolved(self, line: ladder.PriceLine, field: Field, at: datetime) -> ladder.LineResult:
        context = ladder.PriceContext(
            self.context.currency,
            at,
            convert_breaks=self.context.convert_breaks,
            channel_below_branch=self.context.channel_below_branch,
            credit=self.context.credit,
        )
        found = resolve_line(line, field.candidates, context, trace=self.context.explain)
        if not field.priceless:
            return found
        return _without_priceless(line, field, context, found)


def _without_priceless(
    line: ladder.PriceLine, field: Field, context: ladder.PriceContext, found: ladder.LineResult
) -> ladder.LineResult:
    """An entry without a price that would win blocks the line: never the next best by silence. Others just drop out."""
    usable = [candidate for candidate in field.candidates if candidate.entry_id not in field.priceless]
    again = resolve_line(line, usable, context, trace=False)
    missing = field.priceless.get(found.winner.entry_id) if found.winner else None
    if missing is None:
        return found if found.status == "blocked" else replace(found, breaks=again.breaks, warnings=again.warnings)
    return replace(
        found,
        status="blocked",
        reason=missing.reason,
        detail=missing.detail,
        unit_price=None,
        extended_price=None,
        winner=None,
        breaks=(),
        warnings=(),
        valid_until=None,
    )


def _aligned(field: Field, at: datetime | date) -> tuple[Field, datetime, dict[datetime | None, datetime]]:
    """The candidates on one clock, the instant asked for on it, and the way back from it.

    A plain date begins at another instant in each zone. Where the books of an item do not share one, each entry's
    times are moved by the difference of the midnights, so that "on the 5th" is the 5th of every book.
    """
    if isinstance(at, datetime):
        return field, at.astimezone(UTC), {}
    midnights = {zone: instant_of(at, zone) for zone in field.zones.values()}
    if len(set(midnights.values())) <= 1:
        return field, next(iter(midnights.values()), instant_of(at, "UTC")), {}
    reference = min(midnights.values())
    back: dict[datetime | None, datetime] = {}

    def moved(candidate: Candidate, instant: datetime | None) -> datetime | None:
        if instant is None:
            return None
        there = instant - (midnights[field.zones[candidate.entry_id]] - reference)
        back[there] = min(instant, back.get(there, instant))
        return there

    candidates = tuple(
        replace(c, effective_from=moved(c, c.effective_from) or c.effective_from, effective_to=moved(c, c.effective_to))
        for c in field.candidates
    )
    return replace(field, candidates=candidates), reference, back
