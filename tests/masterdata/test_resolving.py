"""Codes of other systems: cross references, our own, ignored ones, case, and what is suggested for the rest."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.masterdata.models import (
    Account,
    Branch,
    CrossReference,
    Item,
    ItemUnit,
    System,
    Unit,
    UnitConversion,
    Warehouse,
)
from apps.masterdata.resolving import Codes, Ignored, ItemRef, UnitRef, WarehouseRef, conversions, unknown

pytestmark = pytest.mark.django_db


@pytest.fixture
def erp() -> System:
    return System.objects.create(code="erp", name="ERP")


@pytest.fixture
def each() -> Unit:
    return Unit.objects.create(code="EA", name="Each")


@pytest.fixture
def bolt(each: Unit) -> Item:
    return Item.objects.create(sku="BOLT-10", name="Bolt M10", base_unit=each)


def refer(system: System, kind: str, code: str, target: str = "", reason: str = "") -> None:
    CrossReference.objects.create(system=system, kind=kind, code=code, target=target, ignored=not target, reason=reason)


def test_our_own_code_is_resolved_and_an_unknown_one_is_not(erp: System, bolt: Item) -> None:
    codes = Codes(erp.pk)
    codes.load(items=["BOLT-10", " BOLT-10 ", "bolt-10", "NUT"])
    assert codes.item("BOLT-10") == ItemRef(bolt.pk, "BOLT-10", bolt.base_unit_id, "EA", "stock", "active")
    assert codes.item(" BOLT-10 ") == codes.item("BOLT-10")
    assert codes.item("bolt-10") is None
    assert codes.item("NUT") is None


def test_the_cross_reference_of_its_own_system_comes_before_our_code(erp: System, each: Unit, bolt: Item) -> None:
    Item.objects.create(sku="4711", name="Washer", base_unit=each)
    refer(erp, "item", "4711", "BOLT-10")
    other = System.objects.create(code="wms", name="WMS")
    for system, sku in ((erp, "BOLT-10"), (other, "4711")):
        codes = Codes(system.pk)
        codes.load(items=["4711"])
        found = codes.item("4711")
        assert isinstance(found, ItemRef)
        assert found.sku == sku


def test_an_ignored_code_says_why(erp: System) -> None:
    refer(erp, "warehouse", "VIRT", reason="virtual, never stocked")
    codes = Codes(erp.pk)
    codes.load(warehouses=["VIRT"])
    assert codes.warehouse("VIRT") == Ignored("warehouse", "VIRT", "virtual, never stocked")


def test_a_system_that_may_not_use_our_codes_needs_a_cross_reference(erp: System, bolt: Item) -> None:
    refer(erp, "item", "B10", "BOLT-10")
    codes = Codes(erp.pk, accepts_our_codes=False)
    codes.load(items=["BOLT-10", "B10"])
    assert codes.item("BOLT-10") is None
    assert codes.our_code("item", "BOLT-10") is None
    found = codes.item("B10")
    assert isinstance(found, ItemRef)
    assert found.id == bolt.pk


def test_case_is_folded_only_where_the_source_says_so(erp: System, each: Unit, bolt: Item) -> None:
    refer(erp, "unit", "Stk", "EA")
    codes = Codes(erp.pk, folds_case=True)
    codes.load(items=["bolt-10"], units=["STK", "ea"])
    assert isinstance(codes.item("bolt-10"), ItemRef)
    assert codes.unit("STK") == codes.unit("ea") == UnitRef(each.pk, "EA", 0)
    strict = Codes(erp.pk)
    strict.load(units=["STK", "ea"])
    assert strict.unit("STK") is None
    assert strict.unit("ea") is None


def test_folding_prefers_the_exact_code_and_never_guesses_between_two(erp: System, each: Unit) -> None:
    for sku in ("a1", "A1", "b2", "B2"):
        Item.objects.create(sku=sku, name=sku, base_unit=each)
    codes = Codes(erp.pk, folds_case=True)
    Item.objects.create(sku="Cc3", name="c", base_unit=each)
    Item.objects.create(sku="cC3", name="c", base_unit=each)
    codes.load(items=["a1", "CC3"])
    found = codes.item("a1")
    assert isinstance(found, ItemRef)
    assert found.sku == "a1"
    assert codes.item("CC3") is None


def test_a_code_that_can_be_nobodys_is_unknown_without_an_error(erp: System) -> None:
    codes = Codes(erp.pk)
    codes.load(items=["", "x" * 101, "a\tb"])
    assert codes.item("") is None
    assert codes.item("x" * 101) is None
    assert codes.unknown("item", "a\tb", "erp").value == "a\tb"


def test_asking_for_what_was_not_loaded_is_a_loud_error(erp: System) -> None:
    with pytest.raises(LookupError, match="was not loaded"):
        Codes(erp.pk).item("X")


def test_a_price_book_is_text_of_another_layer(erp: System) -> None:
    refer(erp, "price_book", "L1", "LIST")
    codes = Codes(erp.pk)
    codes.load(price_books=["L1", "WEB"])
    assert codes.price_book("L1") == "LIST"
    assert codes.price_book("WEB") == "WEB"
    strict = Codes(erp.pk, accepts_our_codes=False)
    strict.load(price_books=["WEB"])
    assert strict.price_book("WEB") is None


def test_the_block_of_an_unknown_code_names_the_nearest(erp: System, bolt: Item) -> None:
    Warehouse.objects.create(code="DC-9", name="Nine")
    codes = Codes(erp.pk)
    codes.load(items=["BOLT10"], warehouses=["dc9"])
    block = codes.unknown("warehouse", "dc9", "erp", line="2")
    assert (block.reason, block.entity_type, block.field, block.value, block.line) == (
        "UNKNOWN_WAREHOUSE",
        "warehouse",
        "warehouse",
        "dc9",
        "2",
    )
    assert "Nearest: DC-9" in block.detail
    assert "BOLT-10" in codes.unknown("item", "BOLT10", "erp").detail
    assert "BOLT-10" in unknown("item", "BOLT10", "erp").detail
    assert "Nearest" not in unknown("item", "ZZZZ", "erp").detail


def everything(codes: Codes, names: list[str]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        codes.load(items=names, warehouses=names, units=names, accounts=names, branches=names, price_books=names)
        for name in names:
            if codes.item(name) is None:
                codes.unknown("item", name, "erp")
            if codes.warehouse(name) is None:
                codes.unknown("warehouse", name, "erp")
    return len(queries)


def test_a_thousand_codes_cost_as_many_queries_as_one(erp: System, each: Unit) -> None:
    Item.objects.bulk_create(Item(sku=f"I-{n}", name="i", base_unit=each) for n in range(1000))
    Account.objects.create(code="A", name="A")
    Branch.objects.create(code="B", name="B")
    one = everything(Codes(erp.pk), ["nobody"])
    many = everything(Codes(erp.pk), [f"I-{n}" for n in range(995)] + [f"nobody-{n}" for n in range(5)])
    assert one == many == 8  # cross references, five kinds of ours, two searches for the nearest


def test_conversions_of_any_number_of_items_are_two_queries(each: Unit) -> None:
    case = Unit.objects.create(code="CS", name="Case")
    dozen = Unit.objects.create(code="DZ", name="Dozen")
    UnitConversion.objects.create(unit=dozen, to_unit=each, numerator=12)
    items = Item.objects.bulk_create(Item(sku=f"I-{n}", name="i", base_unit=each) for n in range(50))
    ItemUnit.objects.bulk_create(ItemUnit(item=item, unit=case, numerator=24) for item in items[:25])
    with CaptureQueriesContext(connection) as queries:
        graphs = conversions([item.pk for item in items])
    assert len(queries) == 2
    assert graphs[items[0].pk].factor("CS") == 24
    assert graphs[items[30].pk].factor("DZ") == 12
    assert not graphs[items[30].pk].knows("CS")


def test_a_warehouse_names_whose_facts_count(erp: System) -> None:
    row = Warehouse.objects.create(code="W", name="W", movements_source=erp, time_zone="Europe/London", sellable=False)
    codes = Codes(None)
    codes.load(warehouses=["W"])
    assert codes.warehouse("W") == WarehouseRef(row.pk, "W", erp.pk, None, "Europe/London", False)
