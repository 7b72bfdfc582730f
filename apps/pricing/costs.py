"""What items cost, by basis and instant; the same key again replaces the amount."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from apps.masterdata.models import Item
from apps.pricing.dates import instant_of
from apps.pricing.models import Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCost:
    """One `cost.set`, codes resolved. A plain date is midnight in `time_zone`, the warehouse's."""

    item_id: int
    basis: str
    unit_id: int
    amount: Decimal
    currency: str
    happened_at: datetime
    warehouse_id: int | None = None
    time_zone: str = "UTC"
    per: Decimal = Decimal(1)
    effective_from: datetime | date | None = None
    message: int | None = None

    @property
    def starts_at(self) -> datetime:
        return instant_of(self.effective_from or self.happened_at, self.time_zone)


def set_costs(costs: Sequence[NewCost]) -> list[dict[str, object]]:
    """Upsert costs in three statements; of several with one key the last counts. An effect for each, in order."""
    rows = {
        (c.item_id, c.basis, c.warehouse_id, c.currency, c.starts_at): Cost(
            item_id=c.item_id,
            basis=c.basis,
            warehouse_id=c.warehouse_id,
            unit_id=c.unit_id,
            per=c.per,
            amount=c.amount,
            currency=c.currency,
            effective_from=c.starts_at,
            message=c.message,
        )
        for c in costs
    }
    Cost.objects.bulk_create(
        [rows[key] for key in sorted(rows, key=lambda key: (key[0], key[1], key[2] or 0, key[3], key[4]))],
        batch_size=5_000,
        update_conflicts=True,
        unique_fields=["item", "basis", "warehouse", "currency", "effective_from"],
        update_fields=["unit", "per", "amount", "message"],
    )
    skus = dict(Item.objects.filter(pk__in={c.item_id for c in costs}).values_list("pk", "sku"))
    return [{"kind": "cost", "subject": skus[c.item_id], "change": f"{c.basis} {c.amount} {c.currency}"} for c in costs]
