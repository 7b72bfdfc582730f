"""Contract §5: what the availability reads answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.contract.world import Api, Json, World, problem

FIELDS = {
    "sku",
    "status",
    "uom",
    "available",
    "common",
    "by_warehouse",
    "as_of",
    "source_watermarks",
    "stale",
    "next_change_at",
    "backorder",
    "replaced_by",
    "explain_url",
}
ROW = {"warehouse", "available", "on_hand", "held", "allocated", "reserved", "safety_stock", "inbound"}


def two_warehouses(world: World) -> tuple[str, str, str]:
    """An item with 10 in the first warehouse and 7 promised away below zero in the second."""
    sku, first = world.found()
    second = world.code("WH2")
    world.do("warehouse.upserted", {"code": second, "name": "Second"})
    world.apply(world.move(sku, first, "receipt", "10"), world.move(sku, second, "receipt", "5"))
    world.apply(world.move(sku, second, "hold", "3"))
    world.do("stocking.upserted", {"sku": sku, "warehouse": second, "safety_stock": "9", "uom": world.each})
    return sku, first, second


def test_a_single_read_has_every_field_of_the_contract(world: World) -> None:
    sku, warehouse = world.found()
    world.apply(world.move(sku, warehouse, "receipt", "36", sequence="12"))
    world.position_becomes(sku, warehouse, "36", "36")
    found = world.api.read(f"/availability/{sku}")
    assert set(found) >= FIELDS
    (row,) = found["by_warehouse"]
    assert set(row) >= ROW
    assert (found["sku"], found["status"], found["uom"]) == (sku, "ok", world.each)
    assert (found["available"], found["common"], found["stale"]) == ("36", "36", False)
    assert {name: row[name] for name in ROW} == {
        "warehouse": warehouse,
        "available": "36",
        "on_hand": "36",
        "held": "0",
        "allocated": "0",
        "reserved": "0",
        "safety_stock": "0",
        "inbound": "0",
    }
    assert found["as_of"] == "2026-01-05T12:00:00Z"
    assert str(found["source_watermarks"][world.source]) == "12"


def test_the_sum_is_of_warehouses_each_floored_at_zero(world: World) -> None:
    sku, first, second = two_warehouses(world)
    found = world.api.read(f"/availability/{sku}")
    assert found["available"] == "10"
    assert {row["warehouse"]: row["available"] for row in found["by_warehouse"]} == {first: "10", second: "0"}


def test_warehouses_are_chosen_by_repeating_the_parameter(world: World) -> None:
    sku, first, second = two_warehouses(world)
    assert world.api.read(f"/availability/{sku}", warehouse=second)["available"] == "0"
    found = world.api.read(f"/availability/{sku}", warehouse=[first, second])
    assert (found["available"], len(found["by_warehouse"])) == ("10", 2)
    answer = world.api.get(f"/availability/{sku}", params={"warehouse": world.code("NO")})
    assert answer.status_code in (400, 404)


def test_a_warehouse_that_does_not_sell_is_in_no_channel(world: World) -> None:
    sku, _ = world.found()
    quarantine = world.code("QUARANTINE")
    world.do("warehouse.upserted", {"code": quarantine, "name": "Quarantine", "sellable": False})
    world.apply(world.move(sku, quarantine, "receipt", "50"))
    assert world.api.get(f"/availability/{sku}", params={"channel": world.code("NO-CHANNEL")}).status_code == 404
    assert world.position(sku, quarantine)[0] == "50"


def test_an_item_without_a_listing_is_404_in_a_channel(world: World) -> None:
    sku, _ = world.found()
    assert world.api.get(f"/availability/{sku}", params={"channel": "SHOP"}).status_code == 404
    (found,) = world.api.post("/availability/lookup", {"skus": [sku], "channel": "SHOP"}).json()["items"]
    assert (found["status"], found["available"]) == ("not_listed", "0")


def test_an_unknown_sku_is_404_alone_and_a_status_in_a_lookup(world: World) -> None:
    sku, warehouse = world.found()
    world.apply(world.move(sku, warehouse, "receipt", "5"))
    ghost = world.code("GHOST")
    problem(world.api.get(f"/availability/{ghost}"), 404, "not_found")
    items = world.api.post("/availability/lookup", {"skus": [ghost, sku, ghost, sku]}).json()["items"]
    assert [(row["sku"], row["status"], row["available"]) for row in items] == [
        (ghost, "unknown", "0"),
        (sku, "ok", "5"),
        (ghost, "unknown", "0"),
        (sku, "ok", "5"),
    ]


@pytest.mark.parametrize(
    ("change", "status"),
    [({"status": "retired"}, "retired"), ({"kind": "non_stock"}, "non_stock"), ({"status": "sell_down"}, "ok")],
)
def test_the_status_of_an_item_is_told(world: World, change: Json, status: str) -> None:
    sku, warehouse = world.found()
    world.apply(world.move(sku, warehouse, "receipt", "5"))
    successor = world.code("NEXT")
    world.do("item.upserted", {"sku": successor, "name": "Next", "base_uom": world.each})
    item = {"sku": sku, "replaced_by": successor} | change
    if "kind" in change:
        world.do("item.upserted", {"sku": world.code("SERVICE"), "name": "S", "base_uom": world.each} | change)
        found = world.api.read(f"/availability/{world.code('SERVICE')}")
        assert found["status"] == status
        return
    world.do("item.upserted", item)
    found = world.api.read(f"/availability/{sku}")
    assert (found["status"], found["replaced_by"]) == (status, successor)
    assert found["available"] == ("0" if status == "retired" else "5")


def test_a_kit_is_the_least_of_its_components(world: World) -> None:
    bolt, warehouse = world.found()
    nut, kit = world.code("NUT"), world.code("KIT")
    world.do("item.upserted", {"sku": nut, "name": "Nut", "base_uom": world.each})
    world.do(
        "item.upserted",
        {
            "sku": kit,
            "name": "Kit",
            "kind": "kit",
            "base_uom": world.each,
            "components": [
                {"sku": bolt, "quantity": "4", "uom": world.each},
                {"sku": nut, "quantity": "2", "uom": world.each},
            ],
        },
    )
    world.apply(world.move(bolt, warehouse, "receipt", "22"), world.move(nut, warehouse, "receipt", "7"))
    assert world.api.read(f"/availability/{kit}")["available"] == "3"
    second = world.code("WH2")
    world.do("warehouse.upserted", {"code": second, "name": "Second"})
    world.apply(world.move(nut, second, "receipt", "100"), world.move(bolt, second, "receipt", "3"))
    assert world.api.read(f"/availability/{kit}")["available"] == "3"
    world.apply(world.move(nut, warehouse, "ship", "4"))
    assert world.api.read(f"/availability/{kit}")["available"] == "1"


def test_a_lookup_by_lines_keeps_order_and_duplicates(world: World) -> None:
    sku, warehouse = world.found()
    world.apply(world.move(sku, warehouse, "receipt", "5"))
    lines = [{"sku": sku, "quantity": quantity, "uom": world.each} for quantity in ("5", "6", "5")]
    items = world.api.post("/availability/lookup", {"lines": lines}).json()["items"]
    assert [(row["sku"], row["available"]) for row in items] == [(sku, "5")] * 3


def test_a_lookup_of_a_thousand_is_answered_and_one_more_is_refused(world: World) -> None:
    sku, warehouse = world.found()
    world.apply(world.move(sku, warehouse, "receipt", "5"))
    answer = world.api.post("/availability/lookup", {"skus": [sku] * 1000})
    assert [row["available"] for row in answer.json()["items"]] == ["5"] * 1000
    assert world.api.post("/availability/lookup", {"skus": [sku] * 1001}).status_code in (400, 413)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"skus": "A"},
        {"skus": [1]},
        {"skus": [None]},
        {"skus": [""]},
        {"skus": ["x" * 101]},
        {"skus": ["a\tb"]},
        {"skus": ["A"], "lines": []},
        {"lines": [{"sku": "A"}]},
        {"lines": ["A"]},
        {"skus": ["A"], "on": "tomorrow"},
        {"skus": ["A"], "on": "2026-02-30"},
        {"skus": ["A"], "warehouses": "X"},
        {"skus": ["A"], "channel": 5},
        {"lines": [{"sku": "A", "quantity": 1.5, "uom": "EA"}]},
        {"lines": [{"sku": "A", "quantity": "-1", "uom": "EA"}]},
    ],
    ids=str,
)
def test_a_lookup_that_makes_no_sense_is_400(api: Api, body: Any) -> None:
    answer = api.post("/availability/lookup", body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] in ("invalid", "unknown_field")


@pytest.mark.parametrize("days", [-2, 366 * 3])
def test_a_day_outside_the_horizon_is_400(world: World, days: int) -> None:
    sku, _ = world.found()
    day = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
    problem(world.api.get(f"/availability/{sku}", params={"on": day}), 400, "invalid")


def test_a_quantity_is_answered_in_any_unit_of_the_item(world: World) -> None:
    case = world.code("CASE")
    world.do("unit.upserted", {"code": case, "name": "Case"})
    sku, warehouse = world.found(units=[{"uom": case, "numerator": 12, "denominator": 1}])
    world.apply(world.move(sku, warehouse, "receipt", "30"))
    found = world.api.read(f"/availability/{sku}", quantity="2", uom=case)
    assert (found["available"], found["uom"]) == ("30", world.each)
    today = datetime.now(UTC).date()
    assert found["earliest_on"] is not None
    assert abs(datetime.fromisoformat(found["earliest_on"][:10]).date() - today) <= timedelta(days=4)
    assert world.api.read(f"/availability/{sku}", quantity="3", uom=case)["earliest_on"] is None


@pytest.mark.parametrize(
    "params",
    [
        {"quantity": "abc"},
        {"quantity": "1.5e3"},
        {"quantity": "-1"},
        {"quantity": "1", "uom": "no-such-unit"},
        {"on": "x"},
    ],
    ids=str,
)
def test_a_parameter_that_makes_no_sense_is_400(world: World, params: Json) -> None:
    sku, _ = world.found()
    answer = world.api.get(f"/availability/{sku}", params=params)
    assert answer.status_code == 400, answer.text


def test_what_can_be_promised_needs_no_decimals_it_does_not_have(world: World) -> None:
    sku, warehouse = world.found(decimals=3)
    world.apply(world.move(sku, warehouse, "receipt", "10.500"))
    world.position_becomes(sku, warehouse, "10.5", "10.5")
    world.apply(world.move(sku, warehouse, "adjustment", "-0.5"))
    world.position_becomes(sku, warehouse, "10", "10")


def test_the_largest_quantity_is_kept_to_the_digit(world: World) -> None:
    sku, warehouse = world.found(decimals=6)
    world.apply(world.move(sku, warehouse, "receipt", "99999999999999.999999"))
    world.position_becomes(sku, warehouse, "99999999999999.999999", "99999999999999.999999")
    over = world.move(sku, warehouse, "receipt", "0.000001")
    world.send(over)
    assert world.fate(over)["status"] in ("blocked", "quarantined")
    assert world.position(sku, warehouse)[0] == "99999999999999.999999"


def test_the_explanation_that_is_linked_exists(world: World) -> None:
    sku, warehouse = world.found()
    world.apply(world.move(sku, warehouse, "receipt", "5"))
    found = world.api.read(f"/availability/{sku}")
    assert found["explain_url"] == f"/api/v1/explain/availability/{sku}"
    assert world.api.call("GET", world.api.demo["url"] + found["explain_url"]).status_code == 200
