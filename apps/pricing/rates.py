"""Exchange rates by instant; a new one replays what waited for it and marks the books that convert."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction

from apps.exceptions import triage
from apps.lib.quantity import plain
from apps.pricing import subjects
from apps.pricing.dates import instant_of
from apps.pricing.models import ExchangeRate, PriceBook


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRate:
    """One `rate.set`: 1 `from_currency` = `rate` `to_currency` from then on; a plain date is midnight UTC."""

    from_currency: str
    to_currency: str
    rate: Decimal
    effective_from: datetime | date
    message: int | None = None

    @property
    def pair(self) -> str:
        """How MISSING_RATE names it."""
        return pair(self.from_currency, self.to_currency)


def pair(from_currency: str, to_currency: str) -> str:
    return f"{from_currency} → {to_currency}"


def set_rates(rates: Sequence[NewRate], *, by: str = "rates") -> list[dict[str, object]]:
    """Upsert rates; of several with one key the last counts. An effect for each, in order."""
    rows = {
        (r.from_currency, r.to_currency, instant_of(r.effective_from, "UTC")): ExchangeRate(
            from_currency=r.from_currency,
            to_currency=r.to_currency,
            rate=r.rate,
            effective_from=instant_of(r.effective_from, "UTC"),
            message=r.message,
        )
        for r in rates
    }
    with transaction.atomic():
        ExchangeRate.objects.bulk_create(
            [rows[key] for key in sorted(rows)],
            batch_size=5_000,
            update_conflicts=True,
            unique_fields=["from_currency", "to_currency", "effective_from"],
            update_fields=["rate", "message"],
        )
        triage.heal(
            "MISSING_RATE", [name for r in rates for name in (r.pair, pair(r.to_currency, r.from_currency))], by=by
        )
        subjects.touch_books(list(PriceBook.objects.filter(convert=True).values_list("pk", flat=True)))
    return [{"kind": "rate", "subject": r.pair, "change": plain(r.rate)} for r in rates]
