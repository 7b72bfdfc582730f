"""Contract §3: whose code it is, what an unknown one does, and units that convert exactly or not at all."""

from __future__ import annotations

import pytest

from tests.contract.world import World


def test_an_unknown_code_blocks_with_a_suggestion_and_changes_nothing(world: World) -> None:
    sku, warehouse = world.found()
    event = world.move(sku, warehouse + "X", "receipt", "5")
    world.send(event)
    blocked = world.becomes(event, "blocked")["blocked_by"]
    assert [row["reason"] for row in blocked] == ["UNKNOWN_WAREHOUSE"]
    cause = world.cause("UNKNOWN_WAREHOUSE")
    assert (cause["id"], cause["state"], cause["records"]) == (blocked[0]["cause_id"], "new", 1)
    best = cause["suggestions"][0]
    assert (best["fix"], best["target"]) == ("map", warehouse)
    assert 0 < best["score"] <= 1
    assert world.position(sku, warehouse) == ("0", "0")


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"sku": "NO"}, "UNKNOWN_ITEM"), ({"warehouse": "NO"}, "UNKNOWN_WAREHOUSE"), ({"uom": "NO"}, "UNKNOWN_UNIT")],
)
def test_each_kind_of_unknown_code_is_its_own_reason(world: World, change: dict[str, str], reason: str) -> None:
    sku, warehouse = world.found()
    event = world.move(sku, warehouse, "receipt", "5")
    event["data"] |= {name: world.code(value) for name, value in change.items()}
    world.send(event)
    assert [row["reason"] for row in world.becomes(event, "blocked")["blocked_by"]] == [reason]
    assert world.cause(reason)["records"] == 1


def test_many_records_of_one_code_are_one_cause(world: World) -> None:
    sku, _ = world.found()
    nowhere = world.code("NOWHERE")
    events = [world.move(sku, nowhere, "receipt", "1") for _ in range(25)]
    world.send(*events)
    causes = {world.becomes(event, "blocked")["blocked_by"][0]["cause_id"] for event in events}
    assert len(causes) == 1
    assert world.cause("UNKNOWN_WAREHOUSE")["records"] == 25


def test_a_cross_reference_wins_over_our_own_code(world: World) -> None:
    sku, warehouse = world.found()
    other = world.code("OTHER-WH")
    world.apply(
        world.event("warehouse.upserted", {"code": other, "name": "Other"}),
        world.event("cross_reference.upserted", {"kind": "warehouse", "code": warehouse, "target": other}),
    )
    world.apply(world.move(sku, warehouse, "receipt", "5"))
    world.position_becomes(sku, other, "5", "5")
    assert world.position(sku, warehouse) == ("0", "0")


def test_a_cross_reference_counts_for_its_own_source_only(world: World) -> None:
    sku, warehouse = world.found()
    world.do("cross_reference.upserted", {"kind": "warehouse", "code": "77", "target": warehouse})
    foreign = world.move(sku, "77", "receipt", "5", source=world.code("foreign"))
    world.send(foreign)
    assert world.becomes(foreign, "blocked")["blocked_by"][0]["reason"] == "UNKNOWN_WAREHOUSE"
    world.apply(world.move(sku, "77", "receipt", "3"))
    world.position_becomes(sku, warehouse, "3", "3")


@pytest.mark.parametrize("kind", ["item", "warehouse", "unit"])
def test_cross_references_resolve_each_kind(world: World, kind: str) -> None:
    sku, warehouse = world.found()
    target, field = {"item": (sku, "sku"), "warehouse": (warehouse, "warehouse"), "unit": (world.each, "uom")}[kind]
    world.do("cross_reference.upserted", {"kind": kind, "code": "C", "target": target})
    event = world.move(sku, warehouse, "receipt", "4")
    event["data"][field] = "C"
    world.apply(event)
    world.position_becomes(sku, warehouse, "4", "4")


def test_an_alias_of_an_item_is_understood(world: World) -> None:
    alias = world.code("OLD")
    sku, warehouse = world.found(aliases=[alias])
    world.apply(world.move(alias, warehouse, "receipt", "4"))
    world.position_becomes(sku, warehouse, "4", "4")
    assert alias in str(world.api.read(f"/items/{sku}")["aliases"])


def test_leading_zeros_are_part_of_a_code(world: World) -> None:
    sku, warehouse = world.found()
    world.do("cross_reference.upserted", {"kind": "warehouse", "code": "007", "target": warehouse})
    event = world.move(sku, "7", "receipt", "5")
    world.send(event)
    world.becomes(event, "blocked")


@pytest.mark.parametrize("missing", ["item", "warehouse", "unit"])
def test_the_missing_record_heals_what_it_blocked_without_a_person(world: World, missing: str) -> None:
    sku, warehouse = world.code("SKU"), world.code("WH")
    masters = {
        "unit": world.event("unit.upserted", {"code": world.each, "name": "Each"}),
        "warehouse": world.event("warehouse.upserted", {"code": warehouse, "name": "Warehouse"}),
        "item": world.event("item.upserted", {"sku": sku, "name": "Thing", "base_uom": world.each}),
    }
    if missing == "unit":
        other = world.code("PACK")
        world.do("unit.upserted", {"code": other, "name": "Pack"})
        masters["item"]["data"] |= {"base_uom": other, "units": []}
    world.apply(*(event for name, event in masters.items() if name != missing))
    event = world.move(sku, warehouse, "receipt", "20")
    world.send(event)
    cause_id = world.becomes(event, "blocked")["blocked_by"][0]["cause_id"]
    if missing == "unit":
        # The unit alone does not say how many of the base unit it is.
        world.apply(masters["unit"])
        world.do("item.upserted", {"sku": sku, "units": [{"uom": world.each, "numerator": 1, "denominator": 1}]})
    else:
        world.apply(masters[missing])
    world.becomes(event, "processed")
    world.position_becomes(sku, warehouse, "20", "20")
    assert world.cause_state(cause_id) == "resolved"


def test_the_order_of_arrival_does_not_matter(world: World) -> None:
    sku, warehouse, case, book = (world.code(name) for name in ("SKU", "WH", "CASE", "BOOK"))
    price = {
        "book": book,
        "sku": sku,
        "uom": case,
        "amount": "20.00",
        "currency": "USD",
        "effective_from": "2026-01-01",
    }
    events = [
        world.move(sku, warehouse, "receipt", "2", uom=case),
        world.event("price.set", price),
        world.event("price_book.upserted", {"code": book, "level": "list", "currency": "USD"}),
        world.event(
            "item.upserted",
            {
                "sku": sku,
                "name": "Thing",
                "base_uom": world.each,
                "units": [{"uom": case, "numerator": 12, "denominator": 1}],
            },
        ),
        world.event("warehouse.upserted", {"code": warehouse, "name": "Warehouse"}),
        world.event("unit.upserted", {"code": world.each, "name": "Each"}),
        world.event("unit.upserted", {"code": case, "name": "Case"}),
    ]
    for event in events:
        world.send(event)
        world.fate(event)
    for event in events:
        world.becomes(event, "processed")
    world.position_becomes(sku, warehouse, "24", "24")
    for reason in ("UNKNOWN_ITEM", "UNKNOWN_UNIT", "UNKNOWN_WAREHOUSE", "UNKNOWN_PRICE_BOOK"):
        rows = world.api.read("/exceptions/causes", search=world.mark, reason=reason)["results"]
        assert [row["state"] for row in rows if row["state"] != "resolved"] == []


def test_a_reference_to_something_unknown_blocks_and_heals(world: World) -> None:
    sku, warehouse = world.found()
    missing = world.code("LATE-WH")
    reference = world.event("cross_reference.upserted", {"kind": "warehouse", "code": "L1", "target": missing})
    movement = world.move(sku, "L1", "receipt", "6")
    world.send(reference, movement)
    world.becomes(reference, "blocked")
    world.becomes(movement, "blocked")
    world.do("warehouse.upserted", {"code": missing, "name": "Late"})
    world.becomes(reference, "processed")
    world.becomes(movement, "processed")
    world.position_becomes(sku, missing, "6", "6")
    assert world.position(sku, warehouse) == ("0", "0")


@pytest.mark.parametrize(
    ("numerator", "denominator", "decimals", "quantity", "on_hand"),
    [
        (12, 1, 0, "2", "24"),
        (1, 4, 2, "3", "0.75"),
        (5, 2, 1, "1", "2.5"),
        (1000, 1, 0, "7", "7000"),
        (1, 8, 3, "1", "0.125"),
    ],
)
def test_a_unit_converts_exactly(
    world: World, numerator: int, denominator: int, decimals: int, quantity: str, on_hand: str
) -> None:
    pack = world.code("PACK")
    world.do("unit.upserted", {"code": pack, "name": "Pack"})
    sku, warehouse = world.found(
        units=[{"uom": pack, "numerator": numerator, "denominator": denominator}], decimals=decimals
    )
    world.apply(world.move(sku, warehouse, "receipt", quantity, uom=pack))
    world.position_becomes(sku, warehouse, on_hand, on_hand)


def test_a_third_of_a_unit_is_no_exact_quantity(world: World) -> None:
    pack = world.code("PACK")
    world.do("unit.upserted", {"code": pack, "name": "Pack"})
    sku, warehouse = world.found(units=[{"uom": pack, "numerator": 1, "denominator": 3}], decimals=6)
    event = world.move(sku, warehouse, "receipt", "1", uom=pack)
    world.send(event)
    assert world.becomes(event, "blocked")["blocked_by"][0]["reason"] == "INVALID_CONVERSION"
    assert world.position(sku, warehouse) == ("0", "0")
    world.apply(world.move(sku, warehouse, "receipt", "6", uom=pack))
    world.position_becomes(sku, warehouse, "2", "2")


def test_a_known_unit_without_a_factor_is_an_invalid_conversion(world: World) -> None:
    pack = world.code("PACK")
    world.do("unit.upserted", {"code": pack, "name": "Pack"})
    sku, warehouse = world.found()
    event = world.move(sku, warehouse, "receipt", "1", uom=pack)
    world.send(event)
    assert world.becomes(event, "blocked")["blocked_by"][0]["reason"] == "INVALID_CONVERSION"
    world.do("item.upserted", {"sku": sku, "units": [{"uom": pack, "numerator": 10, "denominator": 1}]})
    world.becomes(event, "processed")
    world.position_becomes(sku, warehouse, "10", "10")


@pytest.mark.parametrize("factor", [(0, 1), (1, 0), (-1, 1), (1.5, 1), ("12", 1)])
def test_a_factor_that_is_no_positive_integer_ratio_is_blocked(world: World, factor: tuple[object, object]) -> None:
    pack = world.code("PACK")
    world.do("unit.upserted", {"code": pack, "name": "Pack"})
    world.found()
    unit = {"uom": pack, "numerator": factor[0], "denominator": factor[1]}
    found = world.try_("item.upserted", {"sku": world.code("SKU"), "units": [unit]})
    assert found["status"] == "blocked"
    assert found["blocked_by"][0]["reason"] in ("SCHEMA_VIOLATION", "INVALID_CONVERSION")


def test_a_fraction_where_the_unit_forbids_it_is_blocked(world: World) -> None:
    sku, warehouse = world.found()
    event = world.move(sku, warehouse, "receipt", "1.5")
    world.send(event)
    assert world.becomes(event, "blocked")["blocked_by"][0]["reason"] in ("SCHEMA_VIOLATION", "FRACTION_NOT_ALLOWED")
    assert world.position(sku, warehouse) == ("0", "0")


def test_a_new_pack_size_counts_from_then_on(world: World) -> None:
    pack = world.code("PACK")
    world.do("unit.upserted", {"code": pack, "name": "Pack"})
    sku, warehouse = world.found(units=[{"uom": pack, "numerator": 10, "denominator": 1}])
    world.apply(world.move(sku, warehouse, "receipt", "1", uom=pack))
    world.do("item.upserted", {"sku": sku, "units": [{"uom": pack, "numerator": 12, "denominator": 1}]})
    world.apply(world.move(sku, warehouse, "receipt", "1", uom=pack))
    world.position_becomes(sku, warehouse, "22", "22")


def test_a_new_base_unit_for_an_item_with_stock_is_blocked(world: World) -> None:
    pack = world.code("PACK")
    world.do("unit.upserted", {"code": pack, "name": "Pack"})
    sku, warehouse = world.found()
    world.apply(world.move(sku, warehouse, "receipt", "5"))
    found = world.try_("item.upserted", {"sku": sku, "base_uom": pack})
    assert found["status"] == "blocked"
    assert world.api.read(f"/items/{sku}")["base_uom"] == world.each
    assert world.position(sku, warehouse) == ("5", "5")


def test_a_wrong_check_digit_is_an_invalid_identifier(world: World) -> None:
    sku, _ = world.found()
    bad = world.try_("item.upserted", {"sku": sku, "identifiers": [{"scheme": "gtin", "value": "4006381333932"}]})
    assert (bad["status"], bad["blocked_by"][0]["reason"]) == ("blocked", "INVALID_IDENTIFIER")


def test_nothing_but_an_upsert_creates(world: World) -> None:
    sku, warehouse = world.found()
    book = world.code("NOBOOK")
    found = world.try_("price.set", {"book": book, "sku": sku, "uom": world.each, "amount": "1", "currency": "USD"})
    assert [row["reason"] for row in found["blocked_by"]] == ["UNKNOWN_PRICE_BOOK"]
    stocking = world.try_(
        "stocking.upserted",
        {"sku": world.code("GHOST"), "warehouse": warehouse, "safety_stock": "1", "uom": world.each},
    )
    assert [row["reason"] for row in stocking["blocked_by"]] == ["UNKNOWN_ITEM"]
    assert world.api.get(f"/items/{world.code('GHOST')}").status_code == 404


def test_masters_and_what_needs_them_may_share_one_batch_many_times_over(world: World) -> None:
    sent = []
    for n in range(30):
        unit, sku, warehouse = (world.code(f"{name}{n}") for name in ("U", "SKU", "WH"))
        batch = [
            world.event("unit.upserted", {"code": unit, "name": "Unit"}),
            world.event("item.upserted", {"sku": sku, "name": "Thing", "base_uom": unit}),
            world.event("warehouse.upserted", {"code": warehouse, "name": "Warehouse"}),
            world.move(sku, warehouse, "receipt", "1", uom=unit),
        ]
        world.send(*(batch if n % 2 else reversed(batch)))
        sent += batch
    for event in sent:
        world.becomes(event, "processed")
