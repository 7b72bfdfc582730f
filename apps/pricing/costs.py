"""What items cost, by basis and instant; the same key again replaces the amount."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction

from apps.lib.quantity import plain
from apps.masterdata.authority import Owners
from apps.masterdata.models import Item, Unit, Warehouse
from apps.masterdata.systems import SystemSender
from apps.pricing.dates import instant_of
from apps.pricing.differences import SaidCost, keep
from apps.pricing.models import Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCost:
    """One `cost.set`, codes resolved. A plain date is midnight in `time_zone`, the warehouse's.

    `system_id` is who says it (None: a person), in the event `event`.
    """

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
    system_id: int | None = None
    event: str = ""

    @property
    def starts_at(self) -> datetime:
        return instant_of(self.effective_from or self.happened_at, self.time_zone)


@dataclass(frozen=True, slots=True)
class CostOutcome:
    """What became of one NewCost; not applied where its sender does not own costs (kept as a difference then)."""

    applied: bool
    effect: dict[str, object]


def set_costs(costs: Sequence[NewCost]) -> list[CostOutcome]:
    """Upsert costs in a few statements; of several with one key the last counts. An outcome for each, in order."""
    with transaction.atomic():
        owners = Owners("item")
        mine = [c.system_id is None or owners.allow("cost", SystemSender(c.system_id, "")) for c in costs]
        _upsert([c for c, owned in zip(costs, mine, strict=True) if owned])
        skus = dict(Item.objects.filter(pk__in={c.item_id for c in costs}).values_list("pk", "sku"))
        if owner := owners.owner("cost"):
            _keep_differences(costs, mine, skus)
    outcomes = []
    for cost, owned in zip(costs, mine, strict=True):
        said = f"{cost.basis} {plain(cost.amount)} {cost.currency}"
        change = said if owned else f"{said} is kept as a difference: the costs of items are owned by {owner}"
        outcomes.append(CostOutcome(owned, {"kind": "cost", "subject": skus[cost.item_id], "change": change}))
    return outcomes


def _upsert(costs: Sequence[NewCost]) -> None:
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


def _keep_differences(costs: Sequence[NewCost], mine: Sequence[bool], skus: Mapping[int, str]) -> None:
    """What others say beside what counts at that instant; gone where they agree."""
    units = dict(Unit.objects.filter(pk__in={c.unit_id for c in costs}).values_list("pk", "code"))
    places = dict(Warehouse.objects.filter(pk__in={c.warehouse_id for c in costs}).values_list("pk", "code"))
    known: dict[tuple[object, ...], list[Cost]] = defaultdict(list)
    rows = Cost.objects.filter(item__in=skus, basis__in={c.basis for c in costs}).select_related("unit")
    for row in rows.order_by("-effective_from"):
        known[row.item_id, row.basis, row.warehouse_id, row.currency].append(row)
    said = []
    for cost, owned in zip(costs, mine, strict=True):
        at = f" at {places[cost.warehouse_id]}" if cost.warehouse_id is not None else ""
        field = f"{cost.basis} cost{at} in {cost.currency}"
        theirs = _shown(cost.amount, cost.per, units[cost.unit_id])
        key = cost.item_id, cost.basis, cost.warehouse_id, cost.currency
        found = next((row for row in known[key] if row.effective_from <= cost.starts_at), None)
        ours = theirs if owned else _shown(found.amount, found.per, found.unit.code) if found is not None else None
        said.append(SaidCost(cost.system_id, skus[cost.item_id], field, theirs, ours, cost.event))
    keep(said)


def _shown(amount: Decimal, per: Decimal, uom: str) -> str:
    return f"{plain(amount)} per {uom}" if per == 1 else f"{plain(amount)} per {plain(per)} {uom}"
