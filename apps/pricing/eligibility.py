"""Whether an entry can price a line at all, and whether the quantity reaches its threshold."""

from decimal import Decimal

from apps.lib.quantity import plain

from .ladder import Candidate, PriceContext, PriceLine


def standing(line: PriceLine, candidate: Candidate, context: PriceContext) -> tuple[str, str] | None:
    """Why a candidate cannot compete at all (reason, sentence), or None when it can."""
    if candidate.currency != context.currency:
        return "other_currency", f"It is in {candidate.currency}, the line in {context.currency}."
    if context.at < candidate.effective_from:
        return "not_yet_effective", f"It starts at {candidate.effective_from.isoformat()}."
    if candidate.effective_to is not None and context.at >= candidate.effective_to:
        return "ended", f"It ended at {candidate.effective_to.isoformat()}."
    if candidate.amount == 0 and not candidate.zero_ok:
        return "zero_is_no_entry", "An amount of 0 that is not marked as meant is no price."
    if candidate.per <= 0:
        return "invalid_per", f"It is per {plain(candidate.per)}, which is not more than 0."
    if not line.units.knows(candidate.uom):
        return "unit_not_convertible", f"{candidate.uom} has no valid conversion to {line.uom} for {line.sku}."
    return None


def meets(line: PriceLine, quantity: Decimal, candidate: Candidate, context: PriceContext) -> bool:
    """Whether the quantity reaches the entry's threshold. A break counts in its own unit only."""
    if candidate.uom == line.uom:
        return quantity >= candidate.min_quantity
    if context.convert_breaks:
        return line.units.convert(quantity, line.uom, candidate.uom) >= candidate.min_quantity
    return candidate.opens_ladder
