"""Stocking rules: safety stock and backorder terms. A change makes the item's positions due for planning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction

from apps.inventory.models import StockingRule

FIELDS: Final = (
    "safety_stock",
    "lead_time_days",
    "look_ahead",
    "backorder",
    "backorder_limit",
    "backorder_until",
)
Key = tuple[int, int | None, datetime | None]

# Locks the positions in id order, as every writer of stock does.
_TOUCH = """
WITH locked AS (
    SELECT DISTINCT stock.id FROM inventory_stockposition stock
    JOIN unnest(%s::bigint[], %s::bigint[]) AS rule (item, warehouse)
      ON rule.item = stock.item_id AND (rule.warehouse IS NULL OR rule.warehouse = stock.warehouse_id)
), ordered AS (
    SELECT stock.id FROM inventory_stockposition stock WHERE stock.id IN (SELECT id FROM locked)
    ORDER BY stock.id FOR NO KEY UPDATE
), touched AS (
    UPDATE inventory_stockposition stock SET generation = stock.generation + 1
    FROM ordered WHERE ordered.id = stock.id RETURNING stock.id, stock.generation
)
INSERT INTO inventory_stockdirty (position_id, generation, marked_at)
SELECT id, generation, sync_now() FROM touched
ON CONFLICT (position_id) DO UPDATE SET generation = excluded.generation
"""


@dataclass(frozen=True, slots=True)
class RuleUpsert:
    """What was said about one rule, in base units. `values` holds the FIELDS that were sent; the others stay.

    `warehouse_id` None is the item in every warehouse, `effective_from` None is always. A None in `values`
    clears a field back to its default.
    """

    item_id: int
    warehouse_id: int | None
    effective_from: datetime | None
    values: Mapping[str, Any]

    @property
    def key(self) -> Key:
        return self.item_id, self.warehouse_id, self.effective_from


def upsert_rules(upserts: Sequence[RuleUpsert]) -> int:
    """Create or change rules in the caller's transaction; returns how many changed. Constant number of statements.

    Positions of changed rules get a new generation and a dirty mark.
    """
    with transaction.atomic():
        known = {
            (rule.item_id, rule.warehouse_id, rule.effective_from): rule
            for rule in StockingRule.objects.select_for_update().filter(item__in={one.item_id for one in upserts})
        }
        changed: dict[Key, StockingRule] = {}
        for upsert in upserts:
            rule = known.get(upsert.key)
            before = None if rule is None else _values(rule)
            rule = known[upsert.key] = _merged(rule, upsert)
            if before != _values(rule):
                changed[upsert.key] = rule
        _write(list(changed.values()))
        touch(list(changed))
    return len(changed)


def touch(keys: Sequence[Key]) -> None:
    """New generation and dirty mark for the positions that these rules speak of."""
    if not keys:
        return
    with connection.cursor() as cursor:
        cursor.execute(_TOUCH, [[item for item, _, _ in keys], [warehouse for _, warehouse, _ in keys]])


def _write(rules: Sequence[StockingRule]) -> None:
    StockingRule.objects.bulk_update([rule for rule in rules if rule.pk is not None], FIELDS)
    StockingRule.objects.bulk_create(
        [rule for rule in rules if rule.pk is None],
        update_conflicts=True,
        unique_fields=["item", "warehouse", "effective_from"],
        update_fields=list(FIELDS),
    )


def _merged(rule: StockingRule | None, upsert: RuleUpsert) -> StockingRule:
    unknown = set(upsert.values) - set(FIELDS)
    if unknown:
        raise ValueError(f"A stocking rule has no {', '.join(sorted(unknown))}; known: {', '.join(FIELDS)}.")
    if rule is None:
        rule = StockingRule(
            item_id=upsert.item_id, warehouse_id=upsert.warehouse_id, effective_from=upsert.effective_from
        )
    for name, value in upsert.values.items():
        setattr(rule, name, getattr(StockingRule(), name) if value is None else value)
    return rule


def _values(rule: StockingRule) -> tuple[Any, ...]:
    return tuple(getattr(rule, name) for name in FIELDS)
