"""Which price a line gets and why: the ladder, the books of a level, units, breaks, one rounding.

The order of the candidates never matters, and nothing here reads a clock or a database.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import groupby, pairwise

from apps.lib.money import UNIT_PRICE_PLACES, round_line
from apps.lib.quantity import LIMIT, exact, half_up, plain
from apps.masterdata.conversion import FRACTION_NOT_ALLOWED, UNKNOWN_UNIT

from .eligibility import meets, standing
from .ladder import (
    LADDER_NOT_MONOTONE,
    MISSING_PRICE,
    NOT_A_WHOLE_PACK,
    PRICE_AMBIGUOUS,
    SCOPES,
    Candidate,
    LineResult,
    PriceContext,
    PriceLine,
    QuantityBreak,
    Status,
    TraceLine,
)
from .trace import explain

Slot = tuple[str, Decimal]
Book = dict[Slot, list[Candidate]]


def resolve_line(
    line: PriceLine, candidates: Sequence[Candidate], context: PriceContext, *, trace: bool = True
) -> LineResult:
    """The price of one line at `context.at` among all candidates given, of any level and date."""
    refused = _refused(line, context)
    if refused:
        return refused
    now = _choice(line, candidates, context)
    answer = _answered(line, now, context)
    valid_until, next_change_at = _changes(line, candidates, context, now)
    return replace(
        answer,
        breaks=now.breaks if answer.status == "ok" else (),
        warnings=_warnings(now.breaks),
        valid_until=valid_until if answer.status == "ok" else None,
        next_change_at=next_change_at,
        trace=explain(line, candidates, context, now.winners) if trace else (),
    )


def line_amount(line: PriceLine, candidate: Candidate) -> Fraction:
    """Exactly what the line costs: from the entry's own price, per-quantity and unit, never rounded here."""
    return line.units.convert(line.quantity, line.uom, candidate.uom) * candidate.price


def unit_amount(line: PriceLine, candidate: Candidate) -> Fraction:
    """Exactly what one of the unit asked for costs."""
    if candidate.uom == line.uom:
        return candidate.price
    return line.units.convert(Decimal(1), line.uom, candidate.uom) * candidate.price


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the ladder says at one instant: no winner, one, or several that nothing tells apart."""

    winners: tuple[Candidate, ...]
    breaks: tuple[QuantityBreak, ...]


def _refused(line: PriceLine, context: PriceContext) -> LineResult | None:
    """Lines that no price can help."""
    asked = f"{plain(line.quantity)} {line.uom} of {line.sku}"
    if not line.units.knows(line.uom):
        detail = f"Item {line.sku} is not sold by {line.uom}: it has no valid conversion to {line.units.base_uom}."
        return _unpriced(line, context, "unknown_unit", UNKNOWN_UNIT, detail)
    if line.quantity == 0 or (line.quantity < 0 and not context.credit):
        return _unpriced(line, context, "invalid_quantity", None, f"{asked}: ask for more than 0.")
    if not line.units.allows(line.quantity, line.uom):
        detail = f"{asked}: {line.uom} does not allow so many decimals; ask for a whole quantity of it."
        return _unpriced(line, context, "invalid_quantity", FRACTION_NOT_ALLOWED, detail)
    size = abs(line.quantity)
    if line.order_minimum is not None and size < line.order_minimum:
        detail = f"{asked}: the least that can be ordered is {plain(line.order_minimum)} {line.uom}."
        return _unpriced(line, context, "invalid_quantity", None, detail)
    if line.order_multiple and size % line.order_multiple:
        detail = f"{asked}: order a multiple of {plain(line.order_multiple)} {line.uom}."
        return _unpriced(line, context, "not_a_whole_pack", NOT_A_WHOLE_PACK, detail)
    return None


def _answered(line: PriceLine, choice: _Choice, context: PriceContext) -> LineResult:
    asked = f"{plain(line.quantity)} {line.uom} of {line.sku} in {context.currency}"
    if not choice.winners:
        detail = f"No book prices {asked} at {context.at.isoformat()}; enter a price or ask in another unit."
        return _unpriced(line, context, "no_price", MISSING_PRICE, detail)
    if len(choice.winners) > 1:
        said = ", ".join(f"{plain(c.amount)} per {plain(c.per)} {c.uom} in {c.book}" for c in choice.winners)
        detail = f"{asked}: {said} are equally specific; give one book a smaller priority or end one price."
        return _unpriced(line, context, "blocked", PRICE_AMBIGUOUS, detail)
    winner = choice.winners[0]
    amount = round_line(line_amount(line, winner), context.currency)
    if abs(amount) >= LIMIT:
        detail = f"{asked} costs more than 14 digits; split the line."
        return _unpriced(line, context, "invalid_quantity", None, detail)
    return LineResult(
        line.sku,
        "ok",
        line.uom,
        context.currency,
        unit_price=_shown(unit_amount(line, winner)),
        extended_price=amount,
        winner=winner,
    )


def _unpriced(line: PriceLine, context: PriceContext, status: Status, reason: str | None, detail: str) -> LineResult:
    return LineResult(line.sku, status, line.uom, context.currency, reason=reason, detail=detail)


def _shown(unit_price: Fraction) -> Decimal:
    return half_up(unit_price, UNIT_PRICE_PLACES)


# The ladder


def _choice(line: PriceLine, candidates: Iterable[Candidate], context: PriceContext) -> _Choice:
    competing = [candidate for candidate in candidates if standing(line, candidate, context) is None]
    winners = _winners(line, abs(line.quantity), competing, context)
    return _Choice(winners, tuple(_breaks(line, competing, context)))


def _winners(
    line: PriceLine, quantity: Decimal, competing: Sequence[Candidate], context: PriceContext
) -> tuple[Candidate, ...]:
    """Ask level by level, inside a level from the most specific scope outward; the first answer stands."""
    ladder = context.ladder

    def place(candidate: Candidate) -> tuple[int, int, int]:
        return ladder.index(candidate.level), SCOPES.index(candidate.scope), candidate.reach

    for _, group in groupby(sorted(competing, key=place), key=place):
        found = [candidate for book in _merged(list(group)) for candidate in _best_of(line, quantity, book, context)]
        if found:
            return _agreed(line, found)
    return ()


def _merged(candidates: Sequence[Candidate]) -> list[Book]:
    """The books of one level as one ladder: by priority, the first to fill a slot keeps it.

    A book that may not be merged is used alone, and only where no earlier one priced the item. Where
    such a book ties in priority with others, each way is returned, and they must agree on the price.
    """
    merged: Book = {}
    alone: list[Book] = []
    for _, tied in groupby(sorted(candidates, key=lambda c: c.priority), key=lambda c: c.priority):
        entries = list(tied)
        if not merged:
            alone = list(_books_alone(entry for entry in entries if not entry.merge_allowed))
        slots = _slots(entry for entry in entries if entry.merge_allowed)
        merged = {**slots, **merged}
        if alone and not merged:
            return alone
    return [*alone, merged] if merged else alone


def _books_alone(entries: Iterable[Candidate]) -> Iterator[Book]:
    by_book = sorted(entries, key=lambda c: c.book)
    for _, book in groupby(by_book, key=lambda c: c.book):
        yield _slots(book)


def _slots(entries: Iterable[Candidate]) -> Book:
    slots: Book = {}
    for entry in entries:
        slots.setdefault((entry.uom, entry.min_quantity), []).append(entry)
    return slots


def _best_of(line: PriceLine, quantity: Decimal, book: Book, context: PriceContext) -> list[Candidate]:
    """The requested unit's entries, else the base unit's, else any other; of each its greatest break met."""
    units = {uom for uom, _ in book}
    others = sorted(units - {line.uom, line.units.base_uom})
    for tier in ([line.uom], [line.units.base_uom], others):
        found = [entry for uom in tier for entry in _greatest_break(line, quantity, uom, book, context)]
        if found:
            return found
    return []


def _greatest_break(line: PriceLine, quantity: Decimal, uom: str, book: Book, context: PriceContext) -> list[Candidate]:
    met = [slot for slot, entries in book.items() if slot[0] == uom and meets(line, quantity, entries[0], context)]
    return book[max(met, key=lambda slot: slot[1])] if met else []


def _agreed(line: PriceLine, found: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The latest to start; if those still differ in price, all of them: never a random pick."""
    if len(found) == 1:
        return (found[0],)
    latest = max(candidate.effective_from for candidate in found)
    tied = sorted((c for c in found if c.effective_from == latest), key=lambda c: (c.book, c.entry_id, c.version))
    prices = {(unit_amount(line, candidate), candidate.tax_included) for candidate in tied}
    return tuple(tied[:1]) if len(prices) == 1 else tuple(tied)


# What else is shown


def _breaks(line: PriceLine, competing: Sequence[Candidate], context: PriceContext) -> Iterator[QuantityBreak]:
    """Each threshold in the unit asked for at which the price changes, priced by the same rules."""
    last: Fraction | None = None
    for threshold in sorted({_threshold(line, candidate, context) for candidate in competing}):
        winners = _winners(line, threshold, competing, context)
        if len(winners) != 1:
            continue
        price = unit_amount(line, winners[0])
        if price != last:
            yield QuantityBreak(threshold, line.uom, _shown(price))
        last = price


def _threshold(line: PriceLine, candidate: Candidate, context: PriceContext) -> Decimal:
    """From how many of the unit asked for an entry can count; one, where it has no threshold."""
    if candidate.uom == line.uom:
        return candidate.min_quantity or Decimal(1)
    if not context.convert_breaks or candidate.min_quantity == 0:
        return Decimal(1)
    converted = line.units.convert(candidate.min_quantity, candidate.uom, line.uom)
    return exact(converted) or _rounded_up(converted)


def _rounded_up(value: Fraction) -> Decimal:
    nearest = half_up(value, UNIT_PRICE_PLACES)
    return nearest if Fraction(nearest) >= value else nearest + Decimal(1).scaleb(-UNIT_PRICE_PLACES)


def _warnings(breaks: Sequence[QuantityBreak]) -> tuple[str, ...]:
    rises = any(later.unit_price > earlier.unit_price for earlier, later in pairwise(breaks))
    return (LADDER_NOT_MONOTONE,) if rises else ()


def _changes(
    line: PriceLine, candidates: Sequence[Candidate], context: PriceContext, now: _Choice
) -> tuple[datetime | None, datetime | None]:
    """The first instants at which another entry wins, and at which anything shown differs."""
    shown_changes: datetime | None = None
    for instant in _boundaries(candidates, context):
        then = _choice(line, candidates, replace(context, at=instant))
        if shown_changes is None and then != now:
            shown_changes = instant
        if then.winners != now.winners:
            return instant, shown_changes
    return None, shown_changes


def _boundaries(candidates: Iterable[Candidate], context: PriceContext) -> list[datetime]:
    instants = {
        instant
        for candidate in candidates
        if candidate.currency == context.currency
        for instant in (candidate.effective_from, candidate.effective_to)
        if instant is not None and instant > context.at
    }
    return sorted(instants)


__all__ = [
    "Candidate",
    "LineResult",
    "PriceContext",
    "PriceLine",
    "QuantityBreak",
    "TraceLine",
    "line_amount",
    "resolve_line",
    "unit_amount",
]
