"""Units, branches, warehouses, accounts and cross references; and that what waited for them is replayed."""

from datetime import date, time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.exceptions.models import BlockedRecord
from apps.exceptions.triage import BlockRequest, block
from apps.lib.errors import Block, Problem
from apps.masterdata.accounts import (
    AccountIdentifierLine,
    AccountUpsert,
    LicenceLine,
    ShipToLine,
    upsert_accounts,
)
from apps.masterdata.branches import BranchUpsert, upsert_branches
from apps.masterdata.changes import Person
from apps.masterdata.cross_references import CrossReferenceUpsert, upsert_cross_references
from apps.masterdata.items import ItemUpsert, UnitLine, upsert_items
from apps.masterdata.models import (
    Account,
    AccountIdentifier,
    AccountLicence,
    Branch,
    Calendar,
    Company,
    CrossReference,
    Item,
    ShipTo,
    Unit,
    UnitConversion,
    Warehouse,
)
from apps.masterdata.systems import SystemSender, ensure_system
from apps.masterdata.units import UnitUpsert, set_conversion, upsert_units
from apps.masterdata.warehouses import WarehouseUpsert, upsert_warehouses

pytestmark = pytest.mark.django_db


@pytest.fixture
def erp() -> SystemSender:
    return SystemSender(ensure_system("erp", "ERP"), "erp")


def waits(reason: str, value: str, source: str = "erp") -> BlockedRecord:
    """A record of `source` that waits for `value`."""
    number = BlockedRecord.objects.count() + 1
    block([BlockRequest("inbox", number, Block(reason, "x", "x", value, "waits"), source=source)])
    return BlockedRecord.objects.get(origin_id=number)


def state_of(record: BlockedRecord) -> str:
    record.refresh_from_db()
    return record.state


def test_a_new_unit_replays_what_waited_for_it_from_any_source(erp: SystemSender) -> None:
    records = [waits("UNKNOWN_UNIT", "DZ", source) for source in ("erp", "wms")]
    other = waits("UNKNOWN_UNIT", "CS")
    (result,) = upsert_units([UnitUpsert(code="DZ", name="Dozen")], erp)
    assert result.effects == ({"kind": "unit", "subject": "DZ", "change": "created"},)
    assert [state_of(record) for record in records] == ["replaying", "replaying"]
    assert state_of(other) == "open"


def test_a_cross_reference_replays_only_its_own_source(erp: SystemSender) -> None:
    Warehouse.objects.create(code="DC-9", name="Nine")
    mine, theirs = waits("UNKNOWN_WAREHOUSE", "9"), waits("UNKNOWN_WAREHOUSE", "9", "wms")
    upsert_cross_references([CrossReferenceUpsert(kind="warehouse", code="9", target="DC-9")], erp)
    assert (state_of(mine), state_of(theirs)) == ("replaying", "open")


def test_an_item_with_an_alias_replays_both_codes(erp: SystemSender) -> None:
    Unit.objects.create(code="EA", name="Each")
    records = [waits("UNKNOWN_ITEM", code) for code in ("BOLT", "4711")]
    upsert_items([ItemUpsert(sku="BOLT", name="Bolt", base_uom="EA", aliases=["4711"])], erp)
    assert [state_of(record) for record in records] == ["replaying", "replaying"]


def test_a_new_factor_replays_what_waited_for_a_conversion(erp: SystemSender) -> None:
    for code in ("EA", "CS"):
        Unit.objects.create(code=code, name=code)
    upsert_items([ItemUpsert(sku="BOLT", name="Bolt", base_uom="EA")], erp)
    record = waits("INVALID_CONVERSION", "CS → EA")
    upsert_items([ItemUpsert(sku="BOLT", units=[UnitLine(uom="CS", numerator=24)])], erp)
    assert state_of(record) == "replaying"


def test_more_decimals_replay_what_was_a_fraction(erp: SystemSender) -> None:
    upsert_units([UnitUpsert(code="M", name="Metre")], erp)
    record = waits("FRACTION_NOT_ALLOWED", "M")
    upsert_units([UnitUpsert(code="M", decimals=2)], erp)
    assert state_of(record) == "replaying"
    assert Unit.objects.get().decimals == 2


def test_nothing_is_replayed_for_what_is_blocked_itself(erp: SystemSender) -> None:
    record = waits("UNKNOWN_WAREHOUSE", "W1")
    (result,) = upsert_warehouses([WarehouseUpsert(code="W1", name="One", branch="NOWHERE")], erp)
    assert [(b.reason, b.value) for b in result.blocks] == [("UNKNOWN_BRANCH", "NOWHERE")]
    assert state_of(record) == "open"
    assert not Warehouse.objects.exists()
    assert not Branch.objects.exists()


def test_a_branch_brings_its_company(erp: SystemSender) -> None:
    upsert_branches([BranchUpsert(code="B1", name="North", company="ACME", timezone="Europe/London")], erp)
    branch = Branch.objects.get()
    assert (branch.company, branch.time_zone) == (Company.objects.get(code="ACME"), "Europe/London")
    upsert_branches([BranchUpsert(code="B1", company=None)], erp)
    assert Branch.objects.get().company is None


def test_a_warehouse_has_zone_calendar_and_cutoff(erp: SystemSender) -> None:
    Branch.objects.create(code="B1", name="B1")
    Calendar.objects.create(code="UK", name="UK")
    upsert = WarehouseUpsert(
        code="W1", name="One", branch="B1", country="GB", timezone="Europe/London", calendar="UK", cutoff=time(16, 30)
    )
    assert upsert_warehouses([upsert], erp)[0].status == "created"
    assert upsert_warehouses([upsert], erp)[0].status == "unchanged"
    row = Warehouse.objects.get()
    assert (row.branch.code, row.calendar.code, row.cutoff, row.kind, row.sellable) == (  # type: ignore[union-attr]
        "B1",
        "UK",
        time(16, 30),
        "own",
        True,
    )


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"timezone": "Mars"}, "/timezone"),
        ({"country": "Germany"}, "/country"),
        ({"kind": "cellar"}, "/kind"),
        ({"calendar": "NONE"}, "/calendar"),
        ({"sellable": None}, "/sellable"),
    ],
)
def test_a_warehouse_that_cannot_be_is_blocked(erp: SystemSender, fields: dict[str, str], pointer: str) -> None:
    (result,) = upsert_warehouses([WarehouseUpsert(code="W", name="W", **fields)], erp)  # type: ignore[arg-type]
    assert [(b.reason, b.field) for b in result.blocks] == [("SCHEMA_VIOLATION", pointer)]
    assert not Warehouse.objects.exists()


def customer(**fields: object) -> AccountUpsert:
    return AccountUpsert(**{"code": "C1", "name": "Customer", **fields})  # type: ignore[arg-type]


def test_an_account_comes_with_its_lists(erp: SystemSender) -> None:
    Branch.objects.create(code="B1", name="B1")
    upsert = customer(
        groups=["G1", "G2"],
        branch="B1",
        currency="EUR",
        ship_tos=[ShipToLine(code="S1", name="Dock", branch="B1", country="DE", timezone="Europe/Berlin")],
        licences=[LicenceLine(code="ALC", expires_on=date(2027, 1, 1))],
        identifiers=[AccountIdentifierLine(scheme="duns", value="150483782")],
    )
    assert upsert_accounts([upsert], erp)[0].status == "created"
    assert upsert_accounts([upsert], erp)[0].status == "unchanged"
    row = Account.objects.get()
    assert (row.groups, row.branch.code, row.currency) == (["G1", "G2"], "B1", "EUR")  # type: ignore[union-attr]
    ship_to = ShipTo.objects.get()
    assert (ship_to.code, ship_to.country, ship_to.time_zone, ship_to.status) == ("S1", "DE", "Europe/Berlin", "active")
    assert AccountLicence.objects.get().expires_on == date(2027, 1, 1)
    assert AccountIdentifier.objects.get().value == "150483782"
    merged = AccountUpsert(
        code="C1", lines_mode="merge", ship_tos=[ShipToLine(code="S2"), ShipToLine(code="S1", name=None)]
    )
    upsert_accounts([merged], erp)
    assert sorted(ShipTo.objects.values_list("code", "name", "country")) == [("S1", "", "DE"), ("S2", "", "")]
    upsert_accounts([AccountUpsert(code="C1", ship_tos=[ShipToLine(code="S2")], groups=None)], erp)
    assert list(ShipTo.objects.values_list("code", flat=True)) == ["S2"]
    assert Account.objects.get().groups == []


def test_parents_may_come_in_the_same_batch_and_unknown_ones_block(erp: SystemSender) -> None:
    results = upsert_accounts(
        [
            customer(parent="HQ"),
            customer(code="HQ"),
            customer(code="C2", parent="NO"),
            customer(code="C3", parent="C3"),
        ],
        erp,
    )
    assert [result.status for result in results] == ["created", "created", "blocked", "blocked"]
    assert [(b.reason, b.value) for r in results for b in r.blocks] == [
        ("UNKNOWN_ACCOUNT", "NO"),
        ("SCHEMA_VIOLATION", "itself"),
    ]
    assert Account.objects.get(code="C1").parent == Account.objects.get(code="HQ")


@pytest.mark.parametrize(
    ("upsert", "field", "value"),
    [
        (CrossReferenceUpsert(kind="item", code="1", target="NO"), "sku", "NO"),
        (CrossReferenceUpsert(kind="thing", code="1", target="X"), "/kind", "enum"),
        (CrossReferenceUpsert(kind="lot", code="", target="X"), "/code", "code"),
        (CrossReferenceUpsert(kind="lot", code="1", ignored=True), "/reason", "required"),
    ],
)
def test_a_cross_reference_that_means_nothing_blocks(
    erp: SystemSender, upsert: CrossReferenceUpsert, field: str, value: str
) -> None:
    (result,) = upsert_cross_references([upsert], erp)
    assert (result.blocks[0].field, result.blocks[0].value) == (field, value)
    assert not CrossReference.objects.exists()


def test_codes_of_other_layers_are_taken_as_text_and_can_be_changed(erp: SystemSender) -> None:
    first = upsert_cross_references([CrossReferenceUpsert(kind="price_book", code="L", target="LIST")], erp)[0]
    again = upsert_cross_references([CrossReferenceUpsert(kind="price_book", code="L", target="LIST")], erp)[0]
    other = upsert_cross_references([CrossReferenceUpsert(kind="price_book", code="L", target="WEB")], erp)[0]
    assert [first.status, again.status, other.status] == ["created", "unchanged", "changed"]
    assert CrossReference.objects.get().target == "WEB"
    with pytest.raises(ValueError, match="pass a system as the sender"):
        upsert_cross_references([], Person("alex"))


def test_a_general_conversion_has_one_direction_and_two_units() -> None:
    for code in ("EA", "DZ"):
        Unit.objects.create(code=code, name=code)
    set_conversion("DZ", "EA", 12, 1, by="alex")
    set_conversion("EA", "DZ", 1, 10, by="alex")
    row = UnitConversion.objects.get()
    assert (row.unit.code, row.to_unit.code, row.numerator, row.denominator) == ("EA", "DZ", 1, 10)
    for arguments in (("EA", "EA", 1, 1), ("EA", "NO", 1, 1), ("EA", "DZ", 0, 1), ("EA", "DZ", 1, 2**63)):
        with pytest.raises(Problem):
            set_conversion(*arguments, by="alex")
    assert UnitConversion.objects.count() == 1


def test_a_system_is_made_once() -> None:
    assert ensure_system("erp") == ensure_system("erp", "Another name")


@pytest.mark.parametrize("kind", ["unit", "branch", "warehouse", "account", "cross_reference"])
def test_three_hundred_rows_cost_as_many_queries_as_three(erp: SystemSender, kind: str) -> None:
    make = {
        "unit": lambda n: upsert_units([UnitUpsert(code=f"U{i}", name="u") for i in n], erp),
        "branch": lambda n: upsert_branches([BranchUpsert(code=f"B{i}", name="b", company="X") for i in n], erp),
        "warehouse": lambda n: upsert_warehouses([WarehouseUpsert(code=f"W{i}", name="w") for i in n], erp),
        "account": lambda n: upsert_accounts([customer(code=f"C{i}", ship_tos=[ShipToLine(code="S")]) for i in n], erp),
        "cross_reference": lambda n: upsert_cross_references(
            [CrossReferenceUpsert(kind="lot", code=f"L{i}", target="X") for i in n], erp
        ),
    }[kind]
    counts = []
    for numbers in (range(3), range(1000, 1300)):
        with CaptureQueriesContext(connection) as queries:
            assert {result.status for result in make(numbers)} == {"created"}
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_ten_thousand_items_are_one_batch(erp: SystemSender) -> None:
    for code in ("EA", "CS"):
        Unit.objects.create(code=code, name=code)
    upserts = [
        ItemUpsert(sku=f"S{n}", name="Item", base_uom="EA", units=[UnitLine(uom="CS", numerator=24)])
        for n in range(10_000)
    ]
    with CaptureQueriesContext(connection) as queries:
        upsert_items(upserts, erp)
    assert Item.objects.count() == 10_000
    assert len(queries) < 40
