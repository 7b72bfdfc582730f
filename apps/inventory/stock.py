"""The one read of stock behind every availability answer: items, positions and stocking rules in one statement."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import orjson
from django.db import connection

from apps.inventory.atp import available_now

ZERO = Decimal(0)
SELLABLE_STATUSES: Final = frozenset({"active", "sell_down"})

# Runs a statement and returns its rows: Django's connection here, a pool of its own in the fast lane.
Execute = Callable[[str, Mapping[str, Any]], Sequence[tuple[Any, ...]]]

_READ = """
WITH clock AS MATERIALIZED (
    SELECT sync_now() AS at,
           (SELECT count(*) FROM masterdata_warehouse WHERE code = ANY(%(warehouses)s)) AS known
), asked AS MATERIALIZED (
    SELECT item.id, item.sku, unit.code AS uom, item.kind, item.status, successor.sku AS replaced_by,
        (SELECT json_agg(json_build_array(rule.warehouse_id, rule.safety_stock::text, rule.lead_time_days,
                                          rule.backorder, rule.backorder_limit::text, rule.backorder_until,
                                          rule.effective_from))::text
         FROM inventory_stockingrule rule WHERE rule.item_id = item.id) AS rules
    FROM masterdata_item item
    JOIN masterdata_unit unit ON unit.id = item.base_unit_id
    LEFT JOIN masterdata_item successor ON successor.id = item.replaced_by_id
    WHERE item.{column} = ANY(%(items)s)
)
SELECT clock.at, clock.known, asked.*, place.*
FROM clock LEFT JOIN asked ON true LEFT JOIN LATERAL (
    SELECT stock.id, stock.generation, stock.warehouse_id, warehouse.code, warehouse.sellable, warehouse.time_zone,
           stock.on_hand, stock.held, stock.allocated, stock.reserved, stock.unbacked, stock.as_of,
           stock.watermarks::text, moves.code, counts.code
    FROM inventory_stockposition stock
    JOIN masterdata_warehouse warehouse ON warehouse.id = stock.warehouse_id
    LEFT JOIN masterdata_system moves ON moves.id = warehouse.movements_source_id
    LEFT JOIN masterdata_system counts ON counts.id = warehouse.counts_source_id
    WHERE stock.item_id = asked.id
      AND (%(warehouses)s::text[] IS NULL OR warehouse.code = ANY(%(warehouses)s))
    ORDER BY warehouse.priority, warehouse.code
) place ON true
"""
BY_SKU: Final = _READ.format(column="sku")
BY_ID: Final = _READ.format(column="id")


class Rule(NamedTuple):
    """A stocking rule, in base units; `warehouse_id` None: of the item in every warehouse."""

    warehouse_id: int | None
    safety_stock: Decimal
    lead_time_days: int | None
    backorder: str
    backorder_limit: Decimal | None
    backorder_until: date | None
    effective_from: datetime | None


NO_RULE: Final = Rule(None, ZERO, None, "none", None, None, None)


class Place(NamedTuple):
    """The item in one warehouse, as its position says now."""

    position_id: int
    generation: int
    warehouse_id: int
    warehouse: str
    sellable: bool
    time_zone: str
    on_hand: Decimal
    held: Decimal
    allocated: Decimal
    reserved: Decimal
    unbacked: Decimal
    as_of: datetime | None
    watermarks: dict[str, int | None]
    sources: frozenset[str]


@dataclass(frozen=True, slots=True)
class ItemStock:
    """An item, its rules, and its positions by warehouse priority."""

    id: int
    sku: str
    uom: str
    kind: str
    status: str
    replaced_by: str | None
    rules: tuple[Rule, ...] = ()
    places: list[Place] = field(default_factory=list)

    @property
    def sellable(self) -> bool:
        return self.status in SELLABLE_STATUSES and self.kind == "stock"

    def rule(self, warehouse_id: int | None, at: datetime) -> Rule:
        """The rule in force: the warehouse's own before the item's, then the latest start."""
        live = [
            rule
            for rule in self.rules
            if rule.warehouse_id in (None, warehouse_id) and (rule.effective_from is None or rule.effective_from <= at)
        ]
        return max(live, key=_precedence, default=NO_RULE)

    def atp(self, place: Place, at: datetime) -> Decimal:
        """What may be promised in one warehouse now, never negative, whatever the item's status."""
        safety_stock = self.rule(place.warehouse_id, at).safety_stock if self.rules else ZERO
        return available_now(place.on_hand, place.held, place.allocated, place.reserved, place.unbacked, safety_stock)

    def next_change_at(self, at: datetime) -> datetime | None:
        """When a rule that is known already begins to count."""
        return min((r.effective_from for r in self.rules if r.effective_from and r.effective_from > at), default=None)


@dataclass(frozen=True, slots=True)
class StockRead:
    """The database's instant, how many of the asked warehouses exist, and the items found."""

    at: datetime
    known_warehouses: int
    items: tuple[ItemStock, ...]


def execute(sql: str, parameters: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
    """Run a read on Django's connection."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def by_sku(run: Execute, skus: Iterable[str], warehouses: Iterable[str] | None = None) -> StockRead:
    """The stock of these SKUs, in one statement; `warehouses` (codes) narrows the places."""
    return _collect(run(BY_SKU, _parameters(sorted(set(skus)), warehouses)))


def by_id(run: Execute, item_ids: Iterable[int], warehouses: Iterable[str] | None = None) -> StockRead:
    """The stock of these items, in one statement."""
    return _collect(run(BY_ID, _parameters(sorted(set(item_ids)), warehouses)))


def _parameters(items: Sequence[str | int], warehouses: Iterable[str] | None) -> dict[str, Any]:
    return {"items": items, "warehouses": None if warehouses is None else sorted(set(warehouses))}


def _collect(rows: Sequence[tuple[Any, ...]]) -> StockRead:
    items: dict[int, ItemStock] = {}
    for row in rows:
        key = row[2]
        if key is None:
            continue
        stock = items.get(key)
        if stock is None:
            stock = items[key] = ItemStock(row[2], row[3], row[4], row[5], row[6], row[7], _rules(row[8]))
        if row[9] is not None:
            watermarks = orjson.loads(row[21])
            sources = frozenset({*watermarks, *(code for code in row[22:24] if code)})
            stock.places.append(Place._make((*row[9:21], watermarks, sources)))
    return StockRead(rows[0][0], rows[0][1], tuple(items.values()))


def _rules(text: str | None) -> tuple[Rule, ...]:
    if text is None:
        return ()
    return tuple(
        Rule(
            warehouse_id,
            Decimal(safety_stock),
            lead_time_days,
            backorder,
            None if limit is None else Decimal(limit),
            None if until is None else date.fromisoformat(until),
            None if start is None else datetime.fromisoformat(start),
        )
        for warehouse_id, safety_stock, lead_time_days, backorder, limit, until, start in orjson.loads(text)
    )


def _precedence(rule: Rule) -> tuple[bool, bool, float]:
    start = rule.effective_from
    return rule.warehouse_id is not None, start is not None, start.timestamp() if start else 0.0
