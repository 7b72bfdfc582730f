"""The price each listing should show: resolved in the channel's context, for one sell unit, without an account."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import connection

from apps.channels.planned import Desired, Input, ListingRow
from apps.lib.errors import Block
from apps.lib.money import money_text, round_line
from apps.pricing.quotes import LineResult, PriceContext, PriceLine, resolve

Subjects = Mapping[tuple[int, int], tuple[Input, ...]]

# Which priced subjects a listing's price can come from; read before the prices, so never newer than they are.
_SUBJECTS = """
SELECT asked.channel, asked.item, s.id, s.generation
FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS asked (channel, item, currency)
JOIN pricing_pricesubject s ON s.item_id = asked.item OR s.item_id IS NULL
JOIN pricing_pricebook b ON b.id = s.book_id AND (b.currency = asked.currency OR b.convert)
 AND (b.level = 'list' OR b.channel_id = asked.channel
      OR (b.level = 'branch' AND b.branch_id IS NULL AND b.region = ''))
"""


def price_plans(listings: Collection[ListingRow]) -> list[Desired]:
    """A price or the reason why there is none, for every listing that may be sold on a channel that shows prices.

    A constant number of queries, and those of one resolution per channel.
    """
    priced = [listing for listing in listings if listing.prices and listing.sellable and listing.currency]
    if not priced:
        return []
    subjects = _subjects(priced)
    by_channel: dict[int, list[ListingRow]] = defaultdict(list)
    for listing in priced:
        by_channel[listing.channel_id].append(listing)
    return [plan for members in by_channel.values() for plan in _of_channel(members, subjects)]


def _of_channel(listings: Sequence[ListingRow], subjects: Subjects) -> list[Desired]:
    first = listings[0]
    context = PriceContext(currency=first.currency, channel=first.channel)
    lines = [PriceLine(listing.sku, _quantity(listing), listing.uom) for listing in listings]
    results = resolve(context, lines)
    return [
        _plan(listing, line.quantity, result, subjects.get((listing.channel_id, listing.item_id), ()))
        for listing, line, result in zip(listings, lines, results, strict=True)
    ]


def _plan(listing: ListingRow, quantity: Decimal, result: LineResult, inputs: tuple[Input, ...]) -> Desired:
    if result.status != "ok" or result.extended_price is None or result.unit_price is None:
        block = _no_price(listing, result)
        return Desired(listing, "price", "", None, recheck_at=result.next_change_at, inputs=inputs, block=block)
    # One unit is rounded once, exactly; only where less than a pack cannot be ordered is it the shown unit price.
    amount = result.extended_price if quantity == 1 else round_line(result.unit_price, listing.currency)
    trace: dict[str, Any] = {"book": result.book, "version": result.version, "level": result.level}
    return Desired(
        listing,
        "price",
        "",
        {"amount": money_text(amount, listing.currency), "currency": listing.currency},
        trace={**trace, "price_ref": result.price_ref, "uom": listing.uom},
        recheck_at=result.next_change_at,
        inputs=inputs,
    )


def _quantity(listing: ListingRow) -> Decimal:
    """One sell unit, or the least that may be ordered."""
    least = max(listing.order_minimum or Decimal(1), Decimal(1))
    step = listing.order_multiple
    if step is None:
        return least
    return step * -(-Fraction(least) // Fraction(step))


def _no_price(listing: ListingRow, result: LineResult) -> Block:
    reason = result.reason or "MISSING_PRICE"
    said = result.detail or f"no price for {listing.sku} in {listing.currency}"
    if reason in ("UNKNOWN_UNIT", "INVALID_CONVERSION"):
        reason, value = "INVALID_CONVERSION", f"{listing.uom} → {listing.base_uom}"
        entity, field, scoped = "item_unit", "uom", False
    else:
        entity, field, value, scoped = "item", "price", listing.sku, True
    return Block(
        reason,
        entity,
        field,
        value,
        f"Listing {listing.external_id} on {listing.channel} has no price per {listing.uom}: {said} "
        "The last price stays; add a price in the channel's book or the list, or end the listing.",
        subject=listing.external_id,
        scoped=scoped,
        context={"sku": listing.sku, "uom": listing.uom, "base_uom": listing.base_uom, "listing": listing.external_id},
    )


def _subjects(listings: Sequence[ListingRow]) -> Subjects:
    asked = sorted({(listing.channel_id, listing.item_id, listing.currency) for listing in listings})
    with connection.cursor() as cursor:
        cursor.execute(_SUBJECTS, [list(column) for column in zip(*asked, strict=True)])
        rows = cursor.fetchall()
    found: dict[tuple[int, int], tuple[Input, ...]] = defaultdict(tuple)
    for channel, item, subject, generation in rows:
        found[channel, item] += (Input("price", subject, generation),)
    return found
