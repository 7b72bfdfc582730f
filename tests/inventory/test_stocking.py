"""Stocking rules: partial upserts, and positions that become due when a rule changes."""

from __future__ import annotations

from decimal import Decimal

from apps.inventory import dirty
from apps.inventory.availability import channel_inputs, lookup
from apps.inventory.models import StockingRule
from apps.inventory.stocking import RuleUpsert, upsert_rules
from tests.inventory.conftest import Distributor


def test_a_rule_lowers_what_is_available_and_makes_its_positions_due(shop: Distributor) -> None:
    shop.book("receipt", 10)
    shop.book("receipt", 10, warehouse_id=shop.north.pk)
    dirty.clear([(mark.position_id, mark.generation) for mark in dirty.take(10)])
    upserts = [
        RuleUpsert(shop.item.pk, None, None, {"safety_stock": Decimal(1)}),
        RuleUpsert(shop.item.pk, shop.north.pk, None, {"safety_stock": Decimal(4)}),
    ]
    assert upsert_rules(upserts) == 2
    assert [(mark.warehouse_id, mark.generation) for mark in dirty.take(10)] == [(shop.main.pk, 2), (shop.north.pk, 2)]
    assert lookup(["AB-1"])[1]["AB-1"].available == 15
    inputs = channel_inputs([shop.item.pk], [shop.main.pk, shop.north.pk])
    assert [inputs[shop.item.pk, key].atp for key in (shop.main.pk, shop.north.pk)] == [9, 6]
    assert upsert_rules(upserts) == 0
    assert shop.position().generation == 2


def test_a_warehouses_rule_touches_that_warehouse_only(shop: Distributor) -> None:
    shop.book("receipt", 10)
    shop.book("receipt", 10, warehouse_id=shop.north.pk)
    upsert_rules([RuleUpsert(shop.item.pk, shop.north.pk, None, {"safety_stock": Decimal(4)})])
    assert (shop.position().generation, shop.position(warehouse=shop.north).generation) == (1, 2)


def test_upserts_are_partial_and_null_clears(shop: Distributor) -> None:
    upsert_rules([RuleUpsert(shop.item.pk, None, None, {"safety_stock": Decimal(3), "lead_time_days": 5})])
    upsert_rules([RuleUpsert(shop.item.pk, None, None, {"backorder": "unlimited"})])
    rule = StockingRule.objects.get()
    assert (rule.safety_stock, rule.lead_time_days, rule.backorder) == (3, 5, "unlimited")
    upsert_rules([RuleUpsert(shop.item.pk, None, None, {"safety_stock": None, "lead_time_days": None})])
    rule.refresh_from_db()
    assert (rule.safety_stock, rule.lead_time_days, rule.backorder) == (0, None, "unlimited")
