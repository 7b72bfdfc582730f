"""Items as sources send them: partial, by our or their codes, whole or not at all."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.masterdata.changes import Person
from apps.masterdata.items import ComponentLine, IdentifierLine, ItemUpsert, UnitLine, upsert_items
from apps.masterdata.models import (
    Authority,
    CrossReference,
    FieldDifference,
    Identifier,
    Item,
    ItemComponent,
    ItemUnit,
    Unit,
)
from apps.masterdata.systems import SystemSender, ensure_system

pytestmark = pytest.mark.django_db

GTIN = "4006381333931"
OTHER_GTIN = "5901234123457"


@pytest.fixture
def erp() -> SystemSender:
    return SystemSender(ensure_system("erp", "ERP"), "erp")


@pytest.fixture(autouse=True)
def units(db: None) -> dict[str, Unit]:
    return {code: Unit.objects.create(code=code, name=code) for code in ("EA", "CS", "PAL")}


def bolt(**fields: object) -> ItemUpsert:
    return ItemUpsert(**{"sku": "BOLT", "name": "Bolt", "base_uom": "EA", **fields})  # type: ignore[arg-type]


def one(upsert: ItemUpsert, sender: SystemSender | Person, **options: object):  # type: ignore[no-untyped-def]
    (result,) = upsert_items([upsert], sender, **options)  # type: ignore[arg-type]
    return result


def test_a_new_item_is_created_with_its_lists_and_says_so(erp: SystemSender) -> None:
    result = one(
        bolt(
            units=[UnitLine(uom="CS", numerator=24, order_minimum=Decimal(2))],
            identifiers=[IdentifierLine(scheme="gtin", value="4006 3813 3393-1", uom="CS")],
            aliases=["4711"],
            attributes={"colour": "red"},
        ),
        erp,
    )
    assert result.status == "created"
    assert result.effects == ({"kind": "item", "subject": "BOLT", "change": "created"},)
    item = Item.objects.get(sku="BOLT")
    assert (item.name, item.base_unit.code, item.kind, item.status) == ("Bolt", "EA", "stock", "active")
    assert item.attributes == {"colour": "red"}
    unit = ItemUnit.objects.get(item=item)
    assert (unit.unit.code, unit.numerator, unit.denominator, unit.sellable, unit.order_minimum) == (
        "CS",
        24,
        1,
        True,
        Decimal(2),
    )
    identifier = Identifier.objects.get(item=item)
    assert (identifier.value, identifier.unit.code) == (GTIN, "CS")
    alias = CrossReference.objects.get()
    assert (alias.system_id, alias.kind, alias.code, alias.target, alias.origin) == (
        erp.system_id,
        "item",
        "4711",
        "BOLT",
        "alias",
    )


def test_absent_stays_null_clears_and_the_same_again_changes_nothing(erp: SystemSender) -> None:
    one(bolt(brand="Acme", family="F"), erp)
    result = one(ItemUpsert(sku="BOLT", brand=None), erp)
    assert result.effects == ({"kind": "item", "subject": "BOLT", "change": "changed brand"},)
    item = Item.objects.get(sku="BOLT")
    assert (item.brand, item.family, item.name) == ("", "F", "Bolt")
    before = item.updated_at
    assert one(bolt(family="F"), erp).status == "unchanged"
    assert Item.objects.get(sku="BOLT").updated_at == before


def test_a_new_item_needs_its_name_and_base_unit(erp: SystemSender) -> None:
    result = one(ItemUpsert(sku="X"), erp)
    assert result.status == "blocked"
    assert [(b.reason, b.entity_type, b.field, b.value) for b in result.blocks] == [
        ("SCHEMA_VIOLATION", "item.upserted", "/name", "required"),
        ("SCHEMA_VIOLATION", "item.upserted", "/base_uom", "required"),
    ]
    assert not Item.objects.exists()


def test_an_unknown_base_unit_blocks_and_nothing_is_created_by_the_way(erp: SystemSender) -> None:
    result = one(bolt(base_uom="PCE"), erp)
    assert [(b.reason, b.entity_type, b.field, b.value, b.context) for b in result.blocks] == [
        ("UNKNOWN_UNIT", "unit", "uom", "PCE", {"sku": "BOLT"})
    ]
    assert not Item.objects.exists()
    assert Unit.objects.count() == 3


def test_units_of_the_sender_go_through_its_cross_references(erp: SystemSender) -> None:
    CrossReference.objects.create(system_id=erp.system_id, kind="unit", code="C", target="CS")
    CrossReference.objects.create(system_id=erp.system_id, kind="item", code="B-1", target="BOLT")
    one(bolt(), erp)
    one(ItemUpsert(sku="B-1", units=[UnitLine(uom="C", numerator=12)]), erp)
    assert ItemUnit.objects.get(item__sku="BOLT").unit.code == "CS"


def test_a_list_replaces_unless_it_is_merged(erp: SystemSender) -> None:
    one(bolt(units=[UnitLine(uom="CS", numerator=24, sellable=False), UnitLine(uom="PAL", numerator=960)]), erp)
    one(
        ItemUpsert(
            sku="BOLT",
            lines_mode="merge",
            units=[UnitLine(uom="CS", numerator=20), UnitLine(uom="PAL", removed=True)],
        ),
        erp,
    )
    (unit,) = ItemUnit.objects.all()
    assert (unit.unit.code, unit.numerator, unit.sellable) == ("CS", 20, False)
    one(ItemUpsert(sku="BOLT", units=[]), erp)
    assert not ItemUnit.objects.exists()


@pytest.mark.parametrize(
    "lines",
    [
        [UnitLine(uom="CS", numerator=0)],
        [UnitLine(uom="CS", numerator=1, denominator=0)],
        [UnitLine(uom="CS")],
        [UnitLine(uom="CS", numerator=2**63)],
        [UnitLine(uom="EA", numerator=2)],
        [UnitLine(uom="CS", numerator=24), UnitLine(uom="CS", numerator=12)],
    ],
)
def test_a_factor_that_means_nothing_blocks(erp: SystemSender, lines: list[UnitLine]) -> None:
    result = one(bolt(units=lines), erp)
    assert {block.reason for block in result.blocks} == {"INVALID_CONVERSION"}
    assert result.blocks[0].value == f"{lines[0].uom} → EA"
    assert not Item.objects.exists()


def test_a_wrong_check_digit_blocks_the_whole_item(erp: SystemSender) -> None:
    result = one(bolt(identifiers=[IdentifierLine(scheme="gtin", value="4006381333930")]), erp)
    assert [(b.reason, b.entity_type, b.field, b.value) for b in result.blocks] == [
        ("INVALID_IDENTIFIER", "identifier", "gtin", "4006381333930")
    ]
    assert not Item.objects.exists()


def test_an_identifier_belongs_to_one_item_in_the_database_and_in_the_batch(erp: SystemSender) -> None:
    one(bolt(identifiers=[IdentifierLine(scheme="gtin", value=GTIN)]), erp)
    results = upsert_items(
        [
            bolt(sku="A", identifiers=[IdentifierLine(scheme="gtin", value=GTIN)]),
            bolt(sku="B", identifiers=[IdentifierLine(scheme="gtin", value=OTHER_GTIN)]),
            bolt(sku="C", identifiers=[IdentifierLine(scheme="gtin", value=OTHER_GTIN)]),
            bolt(sku="D", identifiers=[IdentifierLine(scheme="gtin", value=GTIN, party="BIG")]),
        ],
        erp,
    )
    assert [result.status for result in results] == ["blocked", "created", "blocked", "created"]
    assert [result.blocks[0].reason for result in results if result.blocks] == ["DUPLICATE_IDENTIFIER"] * 2
    assert "BOLT" in results[0].blocks[0].detail
    assert sorted(Item.objects.values_list("sku", flat=True)) == ["B", "BOLT", "D"]


def test_kits_and_successors_may_come_with_what_they_name(erp: SystemSender) -> None:
    results = upsert_items(
        [
            bolt(sku="KIT", kind="kit", components=[ComponentLine(sku="NUT", quantity=Decimal("2"), uom="EA")]),
            bolt(sku="OLD", status="sell_down", replaced_by="NUT"),
            bolt(sku="NUT"),
            bolt(sku="NEXT", replaced_by="NOWHERE"),
            bolt(sku="AFTER", replaced_by="NEXT"),
        ],
        erp,
    )
    assert [result.status for result in results] == ["created", "created", "created", "blocked", "blocked"]
    assert [(b.reason, b.value) for r in results for b in r.blocks] == [
        ("UNKNOWN_ITEM", "NOWHERE"),
        ("UNKNOWN_ITEM", "NEXT"),
    ]
    component = ItemComponent.objects.get()
    assert (component.kit.sku, component.component.sku, component.quantity) == ("KIT", "NUT", 2)
    assert Item.objects.get(sku="OLD").replaced_by == Item.objects.get(sku="NUT")
    assert one(ItemUpsert(sku="OLD", replaced_by=None), erp).status == "changed"
    assert Item.objects.get(sku="OLD").replaced_by is None


def test_an_item_may_not_name_itself(erp: SystemSender) -> None:
    result = one(bolt(replaced_by="BOLT"), erp)
    assert [(b.reason, b.field, b.value) for b in result.blocks] == [("SCHEMA_VIOLATION", "/replaced_by", "itself")]


def test_a_base_unit_moves_only_where_there_is_no_stock(erp: SystemSender) -> None:
    one(bolt(units=[UnitLine(uom="CS", numerator=24)]), erp)
    pk = Item.objects.get().pk
    move = ItemUpsert(sku="BOLT", base_uom="CS", units=[])
    asked: list[list[int]] = []

    def stocked(ids: object) -> list[int]:
        asked.append(list(ids))  # type: ignore[call-overload]
        return [pk]

    result = one(move, erp, has_stock=stocked)
    assert asked == [[pk]]
    assert [(b.reason, b.value) for b in result.blocks] == [("INVALID_CONVERSION", "EA → CS")]
    assert "counted in EA" in result.blocks[0].detail
    assert one(move, erp).status == "blocked"  # nobody can say that there is none
    stale = one(ItemUpsert(sku="BOLT", base_uom="CS"), erp, has_stock=lambda ids: [])
    assert "send them again" in stale.blocks[0].detail
    assert Item.objects.get().base_unit.code == "EA"
    assert one(move, erp, has_stock=lambda ids: []).status == "changed"
    assert Item.objects.get().base_unit.code == "CS"


def test_the_owners_value_counts_and_anothers_is_kept_as_a_difference(erp: SystemSender) -> None:
    pim = SystemSender(ensure_system("pim"), "pim")
    Authority.objects.create(entity="item", group="content", system_id=pim.system_id)
    one(bolt(brand="Acme"), erp)  # new: somebody has to begin
    result = one(ItemUpsert(sku="BOLT", name="Bolt M10", brand="Other", event="e-2"), erp)
    assert result.status == "changed"
    assert result.effects[0]["change"] == "changed name"
    assert result.differences == ("brand",)
    item = Item.objects.get()
    assert (item.name, item.brand) == ("Bolt M10", "Acme")
    kept = FieldDifference.objects.get()
    assert (kept.entity, kept.code, kept.field, kept.system_id, kept.theirs, kept.ours, kept.event) == (
        "item",
        "BOLT",
        "brand",
        erp.system_id,
        "Other",
        "Acme",
        "e-2",
    )
    one(ItemUpsert(sku="BOLT", brand="Mine"), pim)
    assert FieldDifference.objects.get().ours == "Mine"
    one(ItemUpsert(sku="BOLT", brand="Other"), pim)
    assert not FieldDifference.objects.exists()
    assert Item.objects.get().brand == "Other"


def test_lists_have_an_owner_too(erp: SystemSender) -> None:
    wms = SystemSender(ensure_system("wms"), "wms")
    one(bolt(units=[UnitLine(uom="CS", numerator=24)]), erp)
    Authority.objects.create(entity="item", group="units", system_id=erp.system_id)
    assert one(ItemUpsert(sku="BOLT", units=[UnitLine(uom="CS", numerator=12)]), wms).differences == ("units",)
    assert ItemUnit.objects.get().numerator == 24
    assert FieldDifference.objects.get().ours == [{"uom": "CS", "numerator": 24, "denominator": 1}]


def test_a_person_is_refused_what_a_system_owns(erp: SystemSender) -> None:
    one(bolt(brand="Acme"), erp)
    Authority.objects.create(entity="item", group="content", system_id=erp.system_id)
    result = one(ItemUpsert(sku="BOLT", name="Other", brand="Mine"), Person("alex"))
    assert [(b.reason, b.field) for b in result.blocks] == [("NOT_AUTHORITATIVE", "brand")]
    assert "owned by erp" in result.blocks[0].detail
    assert Item.objects.get().name == "Bolt"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": "x" * 501}, "/name"),
        ({"name": ""}, "/name"),
        ({"status": "gone"}, "/status"),
        ({"kind": "thing"}, "/kind"),
        ({"brand": "a\0b"}, "/brand"),
    ],
)
def test_a_value_that_does_not_fit_blocks_before_the_database_sees_it(
    erp: SystemSender, fields: dict[str, str], pointer: str
) -> None:
    result = one(bolt(**fields), erp)
    assert [(b.reason, b.field) for b in result.blocks] == [("SCHEMA_VIOLATION", pointer)]
    assert not Item.objects.exists()


def test_the_same_item_twice_in_a_batch_is_applied_in_order(erp: SystemSender) -> None:
    results = upsert_items([bolt(name="One"), bolt(sku="NUT"), ItemUpsert(sku="BOLT", name="Two")], erp)
    assert [result.status for result in results] == ["created", "created", "changed"]
    assert Item.objects.get(sku="BOLT").name == "Two"


def test_aliases_are_replaced_and_never_stolen(erp: SystemSender) -> None:
    one(bolt(aliases=["1", "2"]), erp)
    one(bolt(sku="NUT", aliases=["3"]), erp)
    assert one(ItemUpsert(sku="BOLT", aliases=["2"]), erp).status in ("changed", "unchanged")
    assert sorted(CrossReference.objects.values_list("code", "target")) == [("2", "BOLT"), ("3", "NUT")]
    result = one(ItemUpsert(sku="BOLT", aliases=["3"]), erp)
    assert [(b.reason, b.entity_type, b.value) for b in result.blocks] == [
        ("DUPLICATE_IDENTIFIER", "cross_reference", "3")
    ]


def test_an_ignored_item_is_ignored(erp: SystemSender) -> None:
    CrossReference.objects.create(system_id=erp.system_id, kind="item", code="TEST", ignored=True, reason="test item")
    assert one(bolt(sku="TEST"), erp).status == "ignored"
    assert not Item.objects.exists()


def test_five_hundred_items_cost_as_many_queries_as_five(erp: SystemSender) -> None:
    def batch(count: int, start: int) -> int:
        upserts = [
            bolt(
                sku=f"S-{start + n}",
                units=[UnitLine(uom="CS", numerator=12)],
                identifiers=[IdentifierLine(scheme="vendor", value=f"V-{start + n}")],
                aliases=[f"A-{start + n}"],
            )
            for n in range(count)
        ]
        with CaptureQueriesContext(connection) as queries:
            results = upsert_items(upserts, erp)
        assert {result.status for result in results} == {"created"}
        return len(queries)

    assert batch(5, 0) == batch(500, 1000)
