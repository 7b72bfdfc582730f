"""What a price looks like as JSON: one function for every way to ask."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from apps.lib.money import money_text
from apps.lib.quantity import plain
from apps.pricing.ladder import Candidate, QuantityBreak, TraceLine
from apps.pricing.quotes import LineResult

# An answer may change with any event, not only at next_change_at: nobody keeps it longer unasked.
FRESH_S: Final = 5

Body = dict[str, Any]


def line_body(result: LineResult, *, explain: bool = False) -> Body:
    """One line of the answer; with `explain` what became of each candidate."""
    body: Body = {
        "id": result.id,
        "sku": result.sku,
        "status": result.status,
        "reason": result.reason,
        "detail": result.detail,
        "unit_price": None if result.unit_price is None else plain(result.unit_price),
        "price_uom": result.price_uom,
        "extended_price": (
            None if result.extended_price is None else money_text(result.extended_price, result.currency)
        ),
        "currency": result.currency,
        "tax_class": result.tax_class,
        "tax_included": result.tax_included,
        "level": result.level,
        "book": result.book,
        "version": result.version,
        "breaks": [_break(each) for each in result.breaks],
        "adjustments": [],
        "warnings": list(result.warnings),
        "price_ref": result.price_ref,
        "valid_until": _instant(result.valid_until),
        "next_change_at": _instant(result.next_change_at),
    }
    if explain:
        body["trace"] = [_trace(each) for each in result.trace]
    return body


def etag(body: Mapping[str, Any]) -> str:
    return f'"{hashlib.blake2b(orjson.dumps(body), digest_size=16).hexdigest()}"'


def matches(header: str, tag: str) -> bool:
    """Whether If-None-Match names this tag (weak comparison) or anything."""
    return any(one.strip() in ("*", tag, f"W/{tag}") for one in header.split(","))


def cache_control(result: LineResult, at: datetime) -> str:
    """Fresh for a few seconds, and never beyond the next change that is known."""
    if result.next_change_at is None:
        return f"private, max-age={FRESH_S}"
    left = int((result.next_change_at - at).total_seconds())
    return f"private, max-age={max(0, min(FRESH_S, left))}"


def _break(each: QuantityBreak) -> Body:
    return {"min_quantity": plain(each.min_quantity), "uom": each.uom, "unit_price": plain(each.unit_price)}


def _trace(each: TraceLine) -> Body:
    return {**_candidate(each.candidate), "outcome": each.outcome, "reason": each.reason, "detail": each.detail}


def _candidate(candidate: Candidate) -> Body:
    return {
        "level": candidate.level,
        "scope": candidate.scope,
        "book": candidate.book,
        "version": candidate.version,
        "price_ref": f"{candidate.book}#{candidate.entry_id}.{candidate.version}",
        "uom": candidate.uom,
        "per": plain(candidate.per),
        "min_quantity": plain(candidate.min_quantity),
        "amount": plain(candidate.amount),
        "currency": candidate.currency,
        "effective_from": _instant(candidate.effective_from),
        "effective_to": _instant(candidate.effective_to),
    }


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")
