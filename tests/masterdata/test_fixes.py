"""Map, create, ignore and conversion, as the exception console applies them."""

from collections.abc import Callable
from typing import Any

import pytest

from apps.exceptions.fixes import fixes_of, suggestions_of
from apps.exceptions.models import BlockedRecord, Cause
from apps.exceptions.triage import BlockRequest, block
from apps.lib.errors import Block, Problem
from apps.masterdata.models import CrossReference, Item, ItemUnit, System, Unit, UnitConversion, Warehouse
from apps.masterdata.resolving import Codes, Ignored, conversions

pytestmark = pytest.mark.django_db


@pytest.fixture
def erp() -> System:
    return System.objects.create(code="erp", name="ERP")


@pytest.fixture
def each() -> Unit:
    return Unit.objects.create(code="EA", name="Each")


@pytest.fixture
def waiting(erp: System) -> Callable[[Block], Cause]:
    """Put one record of the ERP into the queue; its cause."""

    def wait(blocked: Block) -> Cause:
        block([BlockRequest("inbox", 1, blocked, source="erp")])
        return Cause.objects.get(reason=blocked.reason, value=blocked.value)

    return wait


def unknown(kind: str, code: str, **context: str) -> Block:
    field = {"item": "sku", "unit": "uom"}.get(kind, kind)
    return Block(f"UNKNOWN_{kind.upper()}", kind, field, code, f"no {kind} {code}", context=context)


def apply(cause: Cause, fix: str, **fields: Any) -> Any:
    return fixes_of(cause.reason)[fix].apply(cause, fields, "alex")


def test_a_code_is_mapped_for_its_source_and_the_record_is_replayed(
    waiting: Callable[[Block], Cause], erp: System
) -> None:
    warehouse = Warehouse.objects.create(code="DC-9", name="Nine")
    cause = waiting(unknown("warehouse", "DC9"))
    result = apply(cause, "map", target="DC-9")
    assert result.outcome == "replay"
    row = CrossReference.objects.get()
    assert (row.system, row.code, row.target, row.origin, row.created_by) == (erp, "DC9", "DC-9", "person", "alex")
    codes = Codes(erp.pk)
    codes.load(warehouses=["DC9"])
    assert codes.warehouse("DC9").id == warehouse.pk  # type: ignore[union-attr]
    assert BlockedRecord.objects.get().state == "replaying"


@pytest.mark.parametrize(
    "fields", [{}, {"target": "NOWHERE"}, {"target": 5}, {"target": "a\tb"}, {"target": "x", "y": 1}]
)
def test_a_target_that_is_none_of_ours_is_refused(waiting: Callable[[Block], Cause], fields: dict[str, Any]) -> None:
    cause = waiting(unknown("warehouse", "DC9"))
    with pytest.raises(Problem) as refused:
        apply(cause, "map", **fields)
    assert refused.value.status == 400
    assert not CrossReference.objects.exists()
    assert BlockedRecord.objects.get().state == "open"


def test_the_missing_record_is_created_under_the_causes_code(waiting: Callable[[Block], Cause], each: Unit) -> None:
    cause = waiting(unknown("item", "NEW-1"))
    apply(cause, "create", name="New one", base_uom="EA", family="F", units=[{"uom": "EA", "sellable": False}])
    item = Item.objects.get()
    assert (item.sku, item.name, item.base_unit, item.family) == ("NEW-1", "New one", each, "F")
    assert not CrossReference.objects.exists()
    assert BlockedRecord.objects.get().state == "replaying"


def test_a_record_created_under_another_code_is_mapped(waiting: Callable[[Block], Cause]) -> None:
    cause = waiting(unknown("warehouse", "9"))
    apply(cause, "create", code="DC-9", name="Nine", timezone="Europe/London")
    assert Warehouse.objects.get().time_zone == "Europe/London"
    assert list(CrossReference.objects.values_list("code", "target")) == [("9", "DC-9")]


@pytest.mark.parametrize(
    ("kind", "fields", "pointer"),
    [
        ("item", {"name": "x"}, "/base_uom"),
        ("item", {"name": "x", "base_uom": "NO"}, "/uom"),
        ("item", {"name": "x", "base_uom": "EA", "colour": "red"}, "/colour"),
        ("item", {"name": "x", "base_uom": "EA", "units": [{"uom": "EA", "numerator": 1.5}]}, "/units/0/numerator"),
        ("item", {"name": 5, "base_uom": "EA"}, "/name"),
        ("warehouse", {"name": "x", "timezone": "Mars/North"}, "/timezone"),
        ("warehouse", {"name": "x", "cutoff": "late"}, "/cutoff"),
        ("account", {"name": "x", "ship_tos": [{"name": "no code"}]}, "/ship_tos/0/code"),
        ("unit", {"name": "x", "decimals": 9}, "/decimals"),
        ("branch", {}, "/name"),
    ],
)
def test_data_that_makes_no_record_is_refused_with_its_place(
    waiting: Callable[[Block], Cause], each: Unit, kind: str, fields: dict[str, Any], pointer: str
) -> None:
    cause = waiting(unknown(kind, "N-1"))
    with pytest.raises(Problem) as refused:
        apply(cause, "create", **fields)
    assert refused.value.status == 400
    assert refused.value.errors[0].pointer == pointer
    assert not Item.objects.exists()
    assert not Warehouse.objects.exists()


def test_what_exists_is_not_created_again(waiting: Callable[[Block], Cause]) -> None:
    Warehouse.objects.create(code="W", name="W")
    with pytest.raises(Problem, match="exists already"):
        apply(waiting(unknown("warehouse", "w1")), "create", code="W", name="Other")
    assert Warehouse.objects.get().name == "W"


def test_a_code_is_ignored_with_a_reason(waiting: Callable[[Block], Cause], erp: System) -> None:
    cause = waiting(unknown("item", "TEST"))
    assert apply(cause, "ignore", reason="a test item").outcome == "ignore"
    codes = Codes(erp.pk)
    codes.load(items=["TEST"])
    assert codes.item("TEST") == Ignored("item", "TEST", "a test item")


def test_the_contracts_bare_ignore_needs_no_reason(waiting: Callable[[Block], Cause]) -> None:
    apply(waiting(unknown("item", "TEST")), "ignore")
    assert CrossReference.objects.get().reason == "ignored by alex"


def no_factor(uom: str = "CS", base: str = "EA") -> Block:
    context = {"sku": "BOLT", "uom": uom, "base_uom": base}
    return Block("INVALID_CONVERSION", "item_unit", "uom", f"{uom} → {base}", "no factor", context=context)


def test_a_general_conversion_mends_every_item(waiting: Callable[[Block], Cause], each: Unit) -> None:
    Unit.objects.create(code="CS", name="Case")
    items = [Item.objects.create(sku=sku, name=sku, base_unit=each) for sku in ("BOLT", "NUT")]
    cause = waiting(no_factor())
    apply(cause, "conversion", uom="CS", numerator=24, denominator=1)
    graphs = conversions([item.pk for item in items])
    assert [graphs[item.pk].factor("CS") for item in items] == [24, 24]
    assert BlockedRecord.objects.get().state == "replaying"


def test_a_conversion_of_one_item_leaves_the_others_alone(waiting: Callable[[Block], Cause], each: Unit) -> None:
    case = Unit.objects.create(code="CS", name="Case")
    bolt = Item.objects.create(sku="BOLT", name="Bolt", base_unit=each)
    pallet = Unit.objects.create(code="PAL", name="Pallet")
    ItemUnit.objects.create(item=bolt, unit=pallet, numerator=960)
    apply(waiting(no_factor()), "conversion", sku="BOLT", uom="CS", numerator="24", denominator="1")
    assert not UnitConversion.objects.exists()
    assert sorted(ItemUnit.objects.values_list("unit__code", "numerator")) == [("CS", 24), ("PAL", 960)]
    assert case.code == "CS"


def test_a_conversion_for_an_unknown_unit_creates_the_unit(waiting: Callable[[Block], Cause], each: Unit) -> None:
    Item.objects.create(sku="BOLT", name="Bolt", base_unit=each)
    cause = waiting(unknown("unit", "DZ", sku="BOLT"))
    apply(cause, "conversion", uom="DZ", numerator=12, denominator=1)
    conversion = UnitConversion.objects.get()
    assert (conversion.unit.code, conversion.to_unit.code, conversion.numerator) == ("DZ", "EA", 12)
    assert not CrossReference.objects.exists()
    assert BlockedRecord.objects.get().state == "replaying"


def test_a_conversion_may_say_that_their_unit_is_one_of_ours(waiting: Callable[[Block], Cause], each: Unit) -> None:
    Unit.objects.create(code="DZ", name="Dozen")
    Item.objects.create(sku="BOLT", name="Bolt", base_unit=each)
    apply(waiting(unknown("unit", "dozen", sku="BOLT")), "conversion", uom="DZ", numerator=12, denominator=1)
    assert list(CrossReference.objects.values_list("code", "target")) == [("dozen", "DZ")]


@pytest.mark.parametrize(
    "fields",
    [
        {"uom": "CS", "numerator": 0, "denominator": 1},
        {"uom": "CS", "numerator": "1.5"},
        {"uom": "CS", "numerator": True},
        {"uom": "CS"},
        {"uom": "EA", "numerator": 2},
        {"uom": "NO", "numerator": 2},
        {"uom": "CS", "numerator": 2, "sku": "NOBODY"},
        {"uom": "CS", "numerator": 2**63},
    ],
)
def test_a_conversion_that_means_nothing_is_refused(
    waiting: Callable[[Block], Cause], each: Unit, fields: dict[str, Any]
) -> None:
    Unit.objects.create(code="CS", name="Case")
    with pytest.raises(Problem) as refused:
        apply(waiting(no_factor()), "conversion", **fields)
    assert refused.value.status == 400
    assert not UnitConversion.objects.exists()
    assert not ItemUnit.objects.exists()


def test_suggestions_are_what_others_mean_by_it_and_the_nearest_of_ours(
    waiting: Callable[[Block], Cause], each: Unit
) -> None:
    Warehouse.objects.create(code="DC-9", name="Nine")
    Warehouse.objects.create(code="LONDON", name="London")
    wms = System.objects.create(code="wms", name="WMS")
    CrossReference.objects.create(system=wms, kind="warehouse", code="DC9", target="LONDON")
    cause = waiting(unknown("warehouse", "DC9"))
    found = suggestions_of([cause])[cause.pk]
    assert [(each.fix, each.target) for each in found] == [("map", "DC-9"), ("map", "LONDON")] or [
        (each.fix, each.target) for each in found
    ] == [("map", "LONDON"), ("map", "DC-9")]
    assert all(0 <= each.score <= 1 for each in found)


def test_the_factor_most_items_have_is_suggested(waiting: Callable[[Block], Cause], each: Unit) -> None:
    case = Unit.objects.create(code="CS", name="Case")
    for number, factor in enumerate((24, 24, 12)):
        item = Item.objects.create(sku=f"I{number}", name="i", base_unit=each)
        ItemUnit.objects.create(item=item, unit=case, numerator=factor)
    cause = waiting(no_factor())
    found = fixes_of(cause.reason)["conversion"].suggest(cause)
    assert [(each.target, each.score) for each in found] == [("24/1", 0.6667), ("12/1", 0.3333)]
