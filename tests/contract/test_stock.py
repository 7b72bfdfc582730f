"""Contract §4 and DOMAIN §2: what movements, counts and stocking rules do to on hand and to what may be promised."""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.contract.world import Json, World


def test_the_golden_sequence_of_movements(world: World) -> None:
    sku, warehouse = world.found()
    steps: list[tuple[Json, str, str]] = [
        ({"kind": "receipt", "quantity": "20"}, "20", "20"),
        ({"kind": "pick", "quantity": "3"}, "20", "17"),
        ({"kind": "ship", "quantity": "3"}, "17", "17"),
        ({"kind": "adjustment", "quantity": "-2"}, "15", "15"),
        ({"kind": "hold", "quantity": "5"}, "15", "10"),
        ({"kind": "return", "quantity": "1", "condition": "damaged"}, "16", "10"),
    ]
    for data, on_hand, available in steps:
        world.apply(world.move(sku, warehouse, **data))
        world.position_becomes(sku, warehouse, on_hand, available)


@pytest.mark.parametrize(
    ("kind", "quantity", "on_hand", "available"),
    [
        ("receipt", "4", "24", "24"),
        ("pick", "4", "20", "16"),
        ("pack", "4", "20", "20"),
        ("ship", "4", "16", "16"),
        ("adjustment", "4", "24", "24"),
        ("adjustment", "-4", "16", "16"),
        ("scrap", "4", "16", "16"),
        ("return", "4", "24", "24"),
        ("transfer_out", "4", "16", "16"),
        ("transfer_in", "4", "24", "24"),
        ("hold", "4", "20", "16"),
    ],
)
def test_each_kind_has_its_effect(world: World, kind: str, quantity: str, on_hand: str, available: str) -> None:
    sku, warehouse = world.found()
    world.apply(world.move(sku, warehouse, "receipt", "20"))
    world.apply(world.move(sku, warehouse, kind, quantity))
    world.position_becomes(sku, warehouse, on_hand, available)


def test_unpick_and_release_take_back(world: World) -> None:
    sku, warehouse = world.found()
    for kind, quantity in (("receipt", "20"), ("pick", "5"), ("unpick", "2"), ("hold", "4"), ("release", "1")):
        world.apply(world.move(sku, warehouse, kind, quantity))
    world.position_becomes(sku, warehouse, "20", "14")


def test_an_adjustment_of_nothing_is_blocked(world: World) -> None:
    sku, warehouse = world.found()
    event = world.move(sku, warehouse, "adjustment", "0")
    world.send(event)
    assert world.becomes(event, "blocked")["blocked_by"][0]["reason"] == "SCHEMA_VIOLATION"


def test_stock_below_zero_is_one_cause_per_source_and_warehouse(world: World) -> None:
    sku, warehouse = world.found()
    other = world.code("SKU2")
    world.do("item.upserted", {"sku": other, "name": "Thing", "base_uom": world.each})
    world.apply(world.move(sku, warehouse, "receipt", "2"))
    for code in (sku, other):
        event = world.move(code, warehouse, "ship", "5")
        world.send(event)
        world.fate(event)
    cause = world.cause("NEGATIVE_STOCK")
    assert cause["records"] == 2
    assert world.api.read(f"/availability/{sku}")["available"] == "0"


def test_movements_of_one_batch_apply_in_any_order(world: World) -> None:
    wanted = []
    sku, warehouse = world.found()
    for n, order in enumerate(permutations(range(3))):
        item = world.code(f"P{n}")
        world.do("item.upserted", {"sku": item, "name": "Thing", "base_uom": world.each})
        moves = [
            world.move(item, warehouse, kind, quantity, sequence=str(100 * n + position))
            for position, (kind, quantity) in enumerate([("receipt", "20"), ("ship", "3"), ("adjustment", "-2")])
        ]
        for index in order:
            world.send(moves[index])
            world.fate(moves[index])
        wanted.append(item)
    for item in wanted:
        world.position_becomes(item, warehouse, "15", "15")
    assert world.position(sku, warehouse) == ("0", "0")


def count(world: World, warehouse: str, lines: list[tuple[str, str]], **more: object) -> Json:
    return world.event(
        "stock.counted",
        {
            "snapshot": world.code(f"S{world.number}"),
            "as_of": "2026-01-06T00:00:00Z",
            "complete": False,
            "lines": [
                {"sku": sku, "warehouse": warehouse, "quantity": quantity, "uom": world.each} for sku, quantity in lines
            ],
        }
        | more,
    )


def test_a_partial_count_sets_what_it_names_and_leaves_the_rest(world: World) -> None:
    sku, warehouse = world.found()
    other = world.code("SKU2")
    world.do("item.upserted", {"sku": other, "name": "Thing", "base_uom": world.each})
    world.apply(world.move(sku, warehouse, "receipt", "20"), world.move(other, warehouse, "receipt", "7"))
    world.apply(count(world, warehouse, [(sku, "18")]))
    world.position_becomes(sku, warehouse, "18", "18")
    assert world.position(other, warehouse) == ("7", "7")


def test_a_complete_count_makes_what_is_missing_zero(world: World) -> None:
    sku, warehouse = world.found()
    other = world.code("SKU2")
    world.do("item.upserted", {"sku": other, "name": "Thing", "base_uom": world.each})
    world.apply(world.move(sku, warehouse, "receipt", "20"), world.move(other, warehouse, "receipt", "7"))
    world.apply(count(world, warehouse, [(sku, "18")], complete=True))
    world.position_becomes(sku, warehouse, "18", "18")
    world.position_becomes(other, warehouse, "0", "0")


def test_a_complete_count_covers_only_the_warehouses_it_names(world: World) -> None:
    sku, warehouse = world.found()
    second = world.code("WH2")
    world.do("warehouse.upserted", {"code": second, "name": "Second"})
    world.apply(world.move(sku, warehouse, "receipt", "20"), world.move(sku, second, "receipt", "7"))
    world.apply(count(world, warehouse, [(sku, "18")], complete=True, warehouses=[warehouse]))
    world.position_becomes(sku, warehouse, "18", "18")
    assert world.position(sku, second) == ("7", "7")


def test_a_count_in_parts_is_complete_only_with_its_last_part(world: World) -> None:
    sku, warehouse = world.found()
    other, third = world.code("SKU2"), world.code("SKU3")
    for code in (other, third):
        world.do("item.upserted", {"sku": code, "name": "Thing", "base_uom": world.each})
    world.apply(*(world.move(code, warehouse, "receipt", "10") for code in (sku, other, third)))
    name = world.code("PARTS")
    world.send(count(world, warehouse, [(sku, "9")], complete=True, snapshot=name, part=1, parts=2))
    second = count(world, warehouse, [(other, "8")], complete=True, snapshot=name, part=2, parts=2)
    assert world.position(third, warehouse) == ("10", "10")
    world.apply(second)
    world.position_becomes(sku, warehouse, "9", "9")
    world.position_becomes(other, warehouse, "8", "8")
    world.position_becomes(third, warehouse, "0", "0")


def test_one_bad_line_of_a_count_blocks_alone(world: World) -> None:
    sku, warehouse = world.found()
    ghost = world.code("GHOST")
    event = count(world, warehouse, [(sku, "18"), (ghost, "5")])
    world.send(event)
    blocked = world.becomes(event, "blocked")["blocked_by"]
    assert [row["reason"] for row in blocked] == ["UNKNOWN_ITEM"]
    world.position_becomes(sku, warehouse, "18", "18")
    world.do("item.upserted", {"sku": ghost, "name": "Ghost", "base_uom": world.each})
    world.becomes(event, "processed")
    world.position_becomes(ghost, warehouse, "5", "5")
    assert world.position(sku, warehouse) == ("18", "18")


@pytest.mark.parametrize("snapshot_first", [True, False])
def test_a_watermark_is_compared_with_its_own_source_only(world: World, snapshot_first: bool) -> None:
    sku, warehouse = world.found()
    world.apply(world.move(sku, warehouse, "receipt", "100", sequence="50000"))
    erp = world.code("erp")
    moves = [
        world.move(sku, warehouse, "ship", quantity, sequence=sequence)
        for sequence, quantity in (("50001", "4"), ("50002", "3"), ("50003", "2"))
    ]
    counted = count(world, warehouse, [(sku, "93")], watermarks={erp: 900, world.source: 50002})
    for event in [counted, *moves] if snapshot_first else [*moves, counted]:
        world.apply(event)
    world.position_becomes(sku, warehouse, "91", "91")


def test_a_late_pick_inside_the_snapshot_is_not_subtracted_twice(world: World) -> None:
    sku, warehouse = world.found()
    world.apply(world.move(sku, warehouse, "receipt", "20", sequence="1"))
    world.apply(count(world, warehouse, [(sku, "17")], watermarks={world.source: 5}))
    world.apply(world.move(sku, warehouse, "ship", "3", sequence="4"))
    world.position_becomes(sku, warehouse, "17", "17")


def test_an_older_count_never_overwrites_a_newer_one(world: World) -> None:
    sku, warehouse = world.found()
    world.apply(count(world, warehouse, [(sku, "10")], as_of="2026-01-07T00:00:00Z"))
    older = count(world, warehouse, [(sku, "99")], as_of="2026-01-06T00:00:00Z")
    world.send(older)
    world.fate(older)
    world.position_becomes(sku, warehouse, "10", "10")


def test_an_empty_complete_count_where_stock_exists_is_held(world: World) -> None:
    sku, warehouse = world.found()
    world.apply(world.move(sku, warehouse, "receipt", "20"))
    event = count(world, warehouse, [], complete=True, warehouses=[warehouse])
    world.send(event)
    assert world.becomes(event, "blocked")["blocked_by"][0]["reason"] == "MASS_CHANGE_HELD"
    assert world.position(sku, warehouse) == ("20", "20")


def test_a_count_that_loses_more_than_half_of_the_units_is_held(world: World) -> None:
    sku, warehouse = world.found()
    world.apply(world.move(sku, warehouse, "receipt", "100"))
    event = count(world, warehouse, [(sku, "40")], complete=True)
    world.send(event)
    assert world.becomes(event, "blocked")["blocked_by"][0]["reason"] == "MASS_CHANGE_HELD"
    assert world.position(sku, warehouse) == ("100", "100")


def test_a_count_that_loses_half_is_applied(world: World) -> None:
    sku, warehouse = world.found()
    world.apply(world.move(sku, warehouse, "receipt", "100"))
    world.apply(count(world, warehouse, [(sku, "50")], complete=True))
    world.position_becomes(sku, warehouse, "50", "50")


def test_safety_stock_is_left_out_of_what_may_be_promised(world: World) -> None:
    sku, warehouse = world.found()
    world.apply(world.move(sku, warehouse, "receipt", "20"))
    world.do("stocking.upserted", {"sku": sku, "warehouse": warehouse, "safety_stock": "6", "uom": world.each})
    world.position_becomes(sku, warehouse, "20", "14")
    (row,) = world.api.read(f"/availability/{sku}")["by_warehouse"]
    assert row["safety_stock"] == "6"
    world.apply(world.move(sku, warehouse, "ship", "16"))
    world.position_becomes(sku, warehouse, "4", "0")


def test_safety_stock_in_another_unit_is_converted(world: World) -> None:
    case = world.code("CASE")
    world.do("unit.upserted", {"code": case, "name": "Case"})
    sku, warehouse = world.found(units=[{"uom": case, "numerator": 12, "denominator": 1}])
    world.apply(world.move(sku, warehouse, "receipt", "3", uom=case))
    world.do("stocking.upserted", {"sku": sku, "warehouse": warehouse, "safety_stock": "1", "uom": case})
    world.position_becomes(sku, warehouse, "36", "24")


@pytest.mark.parametrize(
    "rule",
    [
        {"backorder": "none"},
        {"backorder": "up_to", "backorder_limit": "50"},
        {"backorder": "unlimited", "lead_time_days": 7},
    ],
)
def test_a_backorder_rule_is_told_and_never_added(world: World, rule: Json) -> None:
    sku, warehouse = world.found()
    world.apply(world.move(sku, warehouse, "receipt", "5"))
    world.do("stocking.upserted", {"sku": sku, "warehouse": warehouse, "uom": world.each} | rule)
    found = world.api.read(f"/availability/{sku}")
    assert found["available"] == "5"
    assert found["backorder"]


def test_the_time_of_a_movement_is_not_its_order(world: World) -> None:
    sku, warehouse = world.found()
    world.apply(world.move(sku, warehouse, "receipt", "20", time="2026-01-09T10:00:00+02:00"))
    world.apply(world.move(sku, warehouse, "receipt", "1", time="2026-01-08T23:59:59.123456Z"))
    world.position_becomes(sku, warehouse, "21", "21")
    assert world.api.read(f"/availability/{sku}")["as_of"] == "2026-01-09T08:00:00Z"
