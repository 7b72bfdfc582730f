"""Why each candidate won or lost, in the order of the ladder."""

from collections.abc import Iterable, Sequence

from apps.lib.quantity import plain

from .eligibility import meets, standing
from .ladder import SCOPES, Candidate, PriceContext, PriceLine, TraceLine


def explain(
    line: PriceLine, candidates: Iterable[Candidate], context: PriceContext, winners: Sequence[Candidate]
) -> tuple[TraceLine, ...]:
    """Every candidate with its outcome; the order does not depend on the order they came in."""
    return tuple(_explained(line, candidate, context, winners) for candidate in _in_order(candidates, context))


def _in_order(candidates: Iterable[Candidate], context: PriceContext) -> list[Candidate]:
    ladder = context.ladder
    return sorted(
        candidates,
        key=lambda c: (
            ladder.index(c.level),
            SCOPES.index(c.scope),
            c.reach,
            c.priority,
            c.book,
            c.uom,
            c.min_quantity,
            c.effective_from,
            c.entry_id,
            c.version,
        ),
    )


def _explained(line: PriceLine, candidate: Candidate, context: PriceContext, winners: Sequence[Candidate]) -> TraceLine:
    if candidate in winners:
        if len(winners) == 1:
            return TraceLine(candidate, "won", "won", "It is the most specific price for this quantity.")
        return TraceLine(candidate, "tied", "ambiguous", "Another price is as specific and differs.")
    reason, detail = standing(line, candidate, context) or _lost(line, candidate, context, winners)
    return TraceLine(candidate, "lost", reason, detail)


def _lost(
    line: PriceLine, candidate: Candidate, context: PriceContext, winners: Sequence[Candidate]
) -> tuple[str, str]:
    if not meets(line, abs(line.quantity), candidate, context):
        start = f"{plain(candidate.min_quantity)} {candidate.uom}"
        return "break_not_met", f"It starts at {start}; {plain(line.quantity)} {line.uom} does not reach that."
    if not winners:
        return "hidden_by_book", "A book of smaller priority that is not merged hides it."
    return _beaten(line, candidate, context, winners[0])


def _beaten(line: PriceLine, candidate: Candidate, context: PriceContext, winner: Candidate) -> tuple[str, str]:
    ladder = context.ladder
    if ladder.index(candidate.level) > ladder.index(winner.level):
        return "less_specific_level", f"Level {winner.level} has a price and comes before {candidate.level}."
    if candidate.level != winner.level:
        return "hidden_by_book", "A book of its level that is not merged hides it."
    if (SCOPES.index(candidate.scope), candidate.reach) != (SCOPES.index(winner.scope), winner.reach):
        return "less_specific_scope", f"A price of scope {winner.scope} is more specific than {candidate.scope}."
    if candidate.uom != winner.uom:
        return "other_unit", f"The entry in {winner.uom} comes before one in {candidate.uom}."
    if candidate.min_quantity != winner.min_quantity:
        return "other_break", f"The break from {plain(winner.min_quantity)} {winner.uom} counts."
    if candidate.priority != winner.priority:
        return "lower_priority", f"Book {winner.book} comes first in this level."
    if candidate.effective_from != winner.effective_from:
        return "started_earlier", f"The entry that started at {winner.effective_from.isoformat()} counts."
    return "same_price", f"Book {winner.book} says the same price."
