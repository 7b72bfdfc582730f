"""Each routed type end to end: from the event to the owning app's rows."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils.module_loading import import_string

from apps.exceptions.models import BlockedRecord, Cause
from apps.inventory.models import StockCount
from apps.lib.quantity import plain
from apps.masterdata.models import (
    Account,
    Authority,
    Branch,
    CrossReference,
    FieldDifference,
    Item,
    System,
    Unit,
    Warehouse,
)
from apps.pricing.models import Cost, ExchangeRate, PriceBook, PriceEntry
from apps.sources.models import InboxMessage
from apps.sources.routing import ANNOUNCED, ROUTES
from apps.sources.shapes import documents
from tests.sources.conftest import CATALOG, Api, Event, event, moved, on_hand, send, states

pytestmark = pytest.mark.django_db


def typed(event_id: str, type_: str, time: str = "2026-01-31T12:00:00Z", **data: Any) -> Event:
    return event(event_id, type=type_, time=time, data=data)


def book(code: str = "LIST", **data: Any) -> Event:
    return typed(f"book-{code}", "price_book.upserted", code=code, level="list", currency="USD", **data)


def price(event_id: str, amount: str | None, **data: Any) -> Event:
    return typed(event_id, "price.set", book="LIST", sku="AB-1", uom="EA", amount=amount, currency="USD", **data)


def prices() -> list[tuple[str, str, str | None]]:
    return [
        (plain(entry.amount), entry.valid_from.date().isoformat(), entry.valid_to and entry.valid_to.date().isoformat())
        for entry in PriceEntry.objects.filter(superseded_at=None).order_by("unit", "valid_from")
    ]


def reasons() -> set[str]:
    return set(Cause.objects.exclude(state="resolved").values_list("reason", flat=True))


def test_every_type_of_the_contract_has_a_schema_and_every_route_a_handler() -> None:
    assert set(documents()) == set(ROUTES) | ANNOUNCED
    assert all(callable(import_string(route.handler)) for route in ROUTES.values())


def test_master_data_of_every_kind() -> None:
    send(
        *CATALOG,
        typed("b", "branch.upserted", code="B1", name="North", timezone="Europe/London", currency="GBP"),
        typed("w", "warehouse.upserted", code="W2", name="Two", branch="B1", cutoff="14:30", country="GB"),
        typed(
            "a",
            "account.upserted",
            code="A1",
            name="Acme",
            groups=["G1", "G2"],
            licences=[{"code": "L", "expires_on": "2027-01-01"}],
            ship_tos=[{"code": "S1", "country": "GB"}],
        ),
        typed("x", "cross_reference.upserted", kind="warehouse", code="DC-9", target="W2"),
    )
    assert set(states().values()) == {"processed"}
    assert Branch.objects.get().time_zone == "Europe/London"
    assert str(Warehouse.objects.get(code="W2").cutoff) == "14:30:00"
    account = Account.objects.get()
    assert (account.groups, account.ship_tos.get().country) == (["G1", "G2"], "GB")
    assert CrossReference.objects.get(code="DC-9").target == "W2"


def test_an_upsert_is_partial_and_null_clears() -> None:
    send(*CATALOG, typed("i2", "item.upserted", sku="AB-1", brand="Acme", family="F"))
    send(typed("i3", "item.upserted", sku="AB-1", brand=None))
    item = Item.objects.get()
    assert (item.name, item.brand, item.family) == ("Bolt", "", "F")
    assert item.units.count() == 1


def test_a_partial_upsert_that_came_first_is_applied_once_the_item_is_there() -> None:
    send(typed("late", "item.upserted", sku="AB-1", brand="Acme"))
    assert (states()["late"], reasons()) == ("blocked", {"SCHEMA_VIOLATION"})
    send(*({**each, "time": "2026-01-01T00:00:00Z"} for each in CATALOG))
    assert (states()["late"], Item.objects.get().brand, reasons()) == ("processed", "Acme", set())


def test_an_unknown_base_unit_blocks_and_heals() -> None:
    send(typed("i", "item.upserted", sku="X", name="X", base_uom="KG"))
    assert reasons() == {"UNKNOWN_UNIT"}
    send(typed("u", "unit.upserted", code="KG", name="Kilogram", decimals=3))
    assert (states()["i"], Unit.objects.get().decimals, reasons()) == ("processed", 3, set())


def test_the_cost_of_an_item_is_its_standard_cost_at_the_events_time() -> None:
    send(*CATALOG, typed("i2", "item.upserted", sku="AB-1", cost="8.5", cost_currency="USD"))
    cost = Cost.objects.get()
    assert (cost.basis, plain(cost.amount), cost.effective_from.isoformat()) == (
        "standard",
        "8.5",
        "2026-01-31T12:00:00+00:00",
    )
    send(typed("i3", "item.upserted", sku="AB-1", cost="9"))
    assert (states()["i3"], reasons()) == ("blocked", {"SCHEMA_VIOLATION"})


def test_costs_and_rates() -> None:
    send(
        *CATALOG,
        typed("c", "cost.set", sku="AB-1", basis="average", warehouse="W1", uom="CASE", amount="80", currency="USD"),
        typed("r", "rate.set", **{"from": "EUR", "to": "USD", "rate": "1.08", "effective_from": "2026-01-01"}),
    )
    assert set(states().values()) == {"processed"}
    assert (plain(Cost.objects.get().amount), Cost.objects.get().unit.code) == ("80", "CASE")
    assert plain(ExchangeRate.objects.get().rate) == "1.08"


def test_a_cost_of_a_system_that_does_not_own_costs_is_kept_as_a_difference() -> None:
    def cost(event_id: str, amount: str, source: str) -> Event:
        data = {"sku": "AB-1", "basis": "average", "uom": "EA", "amount": amount, "currency": "USD"}
        return event(event_id, type="cost.set", source=source, data=data)

    send(*CATALOG, cost("c1", "80", "wms"))
    Authority.objects.create(entity="item", group="cost", system=System.objects.get(code="erp"))
    send(cost("c2", "81", "erp"), cost("c3", "90", "wms"))
    assert (states()["c2"], states()["c3"], plain(Cost.objects.get().amount)) == ("processed", "ignored", "81")
    kept = FieldDifference.objects.get()
    assert (kept.entity, kept.code, kept.field) == ("item", "AB-1", "average cost in USD")
    assert (kept.theirs, kept.ours, kept.event, kept.system.code) == ("90 per EA", "81 per EA", "c3", "wms")
    send(cost("c4", "90", "erp"))
    assert not FieldDifference.objects.exists()


def test_a_later_price_ends_the_open_one_and_null_ends_it() -> None:
    send(*CATALOG, book(), price("p1", "10", effective_from="2026-01-01"))
    send(price("p2", "12", effective_from="2026-03-01"))
    assert prices() == [("10", "2026-01-01", "2026-03-01"), ("12", "2026-03-01", None)]
    send(price("p3", None, effective_from="2026-05-01"))
    assert prices()[-1] == ("12", "2026-03-01", "2026-05-01")
    assert set(states().values()) == {"processed"}


def test_a_plain_date_is_midnight_in_the_zone_of_the_book() -> None:
    send(*CATALOG, book(timezone="America/New_York"), price("p1", "10", effective_from="2026-01-01"))
    assert PriceEntry.objects.get().valid_from.isoformat() == "2026-01-01T05:00:00+00:00"


def test_an_unknown_book_blocks_and_heals_and_dates_must_end_after_they_start() -> None:
    send(*CATALOG, price("p1", "10"), price("p2", "1", effective_from="2026-02-01", effective_to="2026-02-01"))
    assert reasons() == {"UNKNOWN_PRICE_BOOK", "SCHEMA_VIOLATION"}
    assert Cause.objects.get(reason="SCHEMA_VIOLATION").field == "/effective_to"
    send(book())
    assert (states()["p1"], states()["p2"], prices()) == ("processed", "blocked", [("10", "2026-01-31", None)])


def test_exactly_one_of_sku_family_and_category() -> None:
    send(*CATALOG, book(), price("p1", "10", family="F"))
    assert Cause.objects.get().value == "one of sku, family, category"
    assert not PriceEntry.objects.exists()


def price_list(event_id: str, *lines: dict[str, Any], **data: Any) -> Event:
    return typed(
        event_id,
        "price_list.counted",
        **{"book": "LIST", "as_of": "2026-06-01", "complete": True, "lines": list(lines), **data},
    )


def line(sku: str, amount: str, uom: str = "EA") -> dict[str, Any]:
    return {"sku": sku, "uom": uom, "amount": amount, "currency": "USD"}


SECOND = typed("i9", "item.upserted", sku="CD-2", name="Nut", base_uom="EA")


def test_a_complete_list_ends_what_it_does_not_name() -> None:
    send(*CATALOG, SECOND, book(), price_list("l1", line("AB-1", "10"), line("CD-2", "5")))
    send(price_list("l2", line("AB-1", "11"), as_of="2026-07-01"))
    assert PriceBook.objects.get().code == "LIST"
    assert sorted(prices()) == [
        ("10", "2026-06-01", "2026-07-01"),
        ("11", "2026-07-01", None),
        ("5", "2026-06-01", "2026-07-01"),
    ]


def test_a_list_with_a_line_that_cannot_be_read_ends_nothing_until_it_can() -> None:
    send(*CATALOG, SECOND, book(), price_list("l1", line("AB-1", "10"), line("CD-2", "5")))
    send(price_list("l2", line("AB-1", "11"), line("EF-3", "1"), as_of="2026-07-01"))
    assert (states()["l2"], reasons()) == ("blocked", {"UNKNOWN_ITEM"})
    assert ("5", "2026-06-01", None) in prices()
    assert ("11", "2026-07-01", None) in prices()
    send(typed("i10", "item.upserted", sku="EF-3", name="Cap", base_uom="EA"))
    assert (states()["l2"], reasons()) == ("processed", set())
    assert ("5", "2026-06-01", "2026-07-01") in prices()


@pytest.mark.parametrize("together", [True, False])
def test_a_list_in_parts_counts_once_the_last_part_is_there(together: bool) -> None:
    send(*CATALOG, SECOND, book(), price("p1", "3", effective_from="2026-01-01"))
    send(typed("p2", "price.set", book="LIST", sku="AB-1", uom="CASE", amount="30", currency="USD"))
    parts = [
        price_list("l1", line("CD-2", "5"), part=1, parts=2),
        price_list("l2", line("AB-1", "4"), part=2, parts=2),
    ]
    if together:
        send(*parts)
    else:
        send(parts[1])
        assert ("30", "2026-01-31", None) in prices(), "the list is not whole yet"
        send(parts[0])
    assert sorted(prices()) == [
        ("3", "2026-01-01", "2026-06-01"),
        ("30", "2026-01-31", "2026-06-01"),
        ("4", "2026-06-01", None),
        ("5", "2026-06-01", None),
    ]


def count(event_id: str, *lines: dict[str, Any], **data: Any) -> Event:
    return typed(
        event_id,
        "stock.counted",
        **{"snapshot": event_id, "as_of": "2026-02-01T00:00:00Z", "complete": False, "lines": list(lines), **data},
    )


def counted(quantity: str, uom: str = "EA", sku: str = "AB-1") -> dict[str, Any]:
    return {"sku": sku, "warehouse": "W1", "quantity": quantity, "uom": uom}


def test_a_snapshot_is_on_hand_and_movements_above_its_own_watermark_are_added() -> None:
    send(
        *CATALOG,
        moved("r", "receipt", "100", sequence="800"),
        count("c", counted("93"), watermarks={"erp": 900, "wms": 50002}),
        moved("m1", "ship", "4", source="wms", sequence="50001"),
        moved("m2", "ship", "3", source="wms", sequence="50002"),
        moved("m3", "ship", "2", source="wms", sequence="50003"),
    )
    assert set(states().values()) == {"processed"}
    assert on_hand() == "W1 91"


def test_a_snapshot_blocks_by_line_and_its_parts_are_booked_together(api: Api) -> None:
    send(*CATALOG, count("p1", counted("2", "CASE"), counted("1", sku="NEW"), snapshot="S", part=1, parts=2))
    assert (on_hand(), states()["p1"]) == ("", "blocked")
    send(SECOND, count("p2", counted("7", sku="CD-2"), snapshot="S", part=2, parts=2))
    assert (on_hand(), on_hand("CD-2")) == ("W1 24", "W1 7")
    assert StockCount.objects.get().state == "applied"
    (blocked,) = api.get("/events/erp/p1").json()["blocked_by"]
    assert (blocked["reason"], blocked["line"]) == ("UNKNOWN_ITEM", "2")
    send(typed("i10", "item.upserted", sku="NEW", name="New", base_uom="EA"))
    assert (states()["p1"], on_hand("NEW")) == ("processed", "W1 1")


def test_what_a_complete_count_says_in_an_unknown_unit_keeps_its_number_until_it_can_be_read() -> None:
    send(*CATALOG, SECOND, moved("r", "receipt", "5"), moved("r2", "receipt", "7", data={"sku": "CD-2"}))
    send(count("c", counted("4", sku="CD-2"), counted("1", "BOX"), counted("2"), complete=True))
    assert (on_hand(), on_hand("CD-2"), states()["c"]) == ("W1 5", "W1 4", "blocked")
    send(typed("b", "unit.upserted", code="BOX", name="Box"))
    send(typed("i", "item.upserted", sku="AB-1", units=[{"uom": "BOX", "numerator": 6}]))
    assert (on_hand(), on_hand("CD-2"), states()["c"]) == ("W1 8", "W1 4", "processed")


def test_a_complete_count_with_an_unknown_item_zeroes_nothing_of_its_warehouse_until_it_is_known() -> None:
    send(*CATALOG, SECOND, typed("w2", "warehouse.upserted", code="W2", name="Two"))
    send(moved("r", "receipt", "5"), moved("r2", "receipt", "7", data={"sku": "CD-2"}))
    send(
        moved("r3", "receipt", "3", data={"warehouse": "W2"}),
        moved("r4", "receipt", "4", data={"sku": "CD-2", "warehouse": "W2"}),
    )
    other = {**counted("4", sku="CD-2"), "warehouse": "W2"}
    send(count("c", counted("6", sku="CD-2"), counted("5", sku="BOLT"), other, complete=True))
    assert (on_hand(), on_hand("CD-2"), states()["c"]) == ("W1 5, W2 0", "W1 6, W2 4", "blocked")
    send(typed("i", "item.upserted", sku="BOLT", name="Another", base_uom="EA"))
    assert (on_hand(), on_hand("BOLT"), states()["c"]) == ("W1 0, W2 0", "W1 5", "processed")


@pytest.mark.parametrize("bad", [{"quantity": "-1"}, {"uom": "BOX"}, {"sku": "GHOST"}, {"warehouse": "GHOST"}])
def test_a_complete_count_of_which_nothing_can_be_read_concludes_nothing(bad: dict[str, str]) -> None:
    send(*CATALOG, SECOND, moved("r", "receipt", "5"), moved("r2", "receipt", "7", data={"sku": "CD-2"}))
    send(count("c", {**counted("1"), **bad}, complete=True, warehouses=["W1"]))
    assert (on_hand(), on_hand("CD-2"), states()["c"]) == ("W1 5", "W1 7", "blocked")
    assert "MASS_CHANGE_HELD" not in reasons()


def test_what_was_spared_is_judged_as_a_mass_change_once_it_would_be_zeroed() -> None:
    items = [f"X-{number}" for number in range(40)]
    send(*CATALOG, *(typed(sku, "item.upserted", sku=sku, name=sku, base_uom="EA") for sku in items))
    send(*(moved(f"r{sku}", "receipt", "5", data={"sku": sku}) for sku in items))
    send(count("c", *(counted("5", sku=sku) for sku in items[:20]), counted("1", sku="NEW"), complete=True))
    assert (on_hand("X-39"), states()["c"], reasons()) == ("W1 5", "blocked", {"UNKNOWN_ITEM"})
    send(typed("i", "item.upserted", sku="NEW", name="New", base_uom="EA"))
    assert (on_hand("X-39"), states()["c"], reasons()) == ("W1 5", "blocked", {"MASS_CHANGE_HELD"})


def test_everything_that_blocks_a_line_is_told_at_once() -> None:
    bad = {"sku": "GHOST", "warehouse": "NOWHERE", "uom": "BOX", "quantity": "1"}
    send(*CATALOG, moved("m", "pick", "1", data={"warehouse": "NOWHERE", "uom": "BOX"}), count("c", bad))
    waiting = BlockedRecord.objects.order_by("cause__reason", "id").values_list("cause__reason", "line")
    assert list(waiting) == [
        ("UNKNOWN_ITEM", "1"),
        ("UNKNOWN_UNIT", ""),
        ("UNKNOWN_UNIT", "1"),
        ("UNKNOWN_WAREHOUSE", ""),
        ("UNKNOWN_WAREHOUSE", "1"),
    ]
    send(typed("w", "warehouse.upserted", code="NOWHERE", name="Somewhere"))
    assert (states()["m"], reasons()) == ("blocked", {"UNKNOWN_ITEM", "UNKNOWN_UNIT"})
    assert on_hand() == ""
    send(typed("b", "unit.upserted", code="BOX", name="Box"))
    send(typed("i", "item.upserted", sku="AB-1", units=[{"uom": "BOX", "numerator": 6}]))
    assert states()["m"] == "processed"


def test_a_line_with_an_ignored_code_is_ignored_whatever_else_it_says() -> None:
    send(*CATALOG)
    system = System.objects.get(code="erp")
    CrossReference.objects.create(system=system, kind="warehouse", code="OLD", ignored=True, reason="closed")
    send(moved("m", "pick", "1", data={"sku": "GHOST", "warehouse": "OLD"}))
    assert (states()["m"], reasons()) == ("ignored", set())


def test_a_zero_count_is_allowed_and_a_negative_one_blocks_its_line() -> None:
    send(*CATALOG, SECOND, moved("r", "receipt", "5"), count("c", counted("0"), counted("-1", sku="CD-2")))
    assert (on_hand(), states()["c"], reasons()) == ("W1 0", "blocked", {"SCHEMA_VIOLATION"})


def test_documents_of_a_source_whose_movements_move_its_stock_are_kept_not_booked() -> None:
    from apps.sources.models import Source

    send(*CATALOG, moved("r", "receipt", "5"))
    Source.objects.filter(system__code="erp").update(stock_facts="movements")
    lines = [{"sku": "AB-1", "quantity": "1", "uom": "EA"}]
    send(typed("s", "shipment.confirmed", shipment="S", warehouse="W1", shipped_at="2026-02-01", lines=lines))
    assert (states()["s"], on_hand()) == ("ignored", "W1 5")
    Source.objects.filter(system__code="erp").update(stock_facts="documents")
    send(moved("m", "ship", "1"), moved("p", "pick", "1"))
    assert (states()["m"], states()["p"], on_hand()) == ("ignored", "processed", "W1 5")


def test_another_sources_copy_of_a_fact_is_evidence(api: Api) -> None:
    from apps.inventory.models import StockEvidence
    from apps.sources.models import Source

    send(*CATALOG, moved("r", "receipt", "5"), moved("x", "receipt", "1", source="wms"))
    Warehouse.objects.update(movements_source=Source.objects.get(system__code="wms").system)
    send(moved("m", "ship", "1"))
    assert (states()["m"], on_hand(), StockEvidence.objects.count()) == ("processed", "W1 6", 1)
    assert api.get("/events/erp/m").json()["effects"][0]["kind"] == "evidence"


def test_the_trace_of_an_event_stays_through_processing(api: Api) -> None:
    api.post(CATALOG, traceparent="00-" + "c" * 32 + "-" + "d" * 16 + "-01")
    assert set(InboxMessage.objects.values_list("trace_id", flat=True)) == {"c" * 32}


def test_stocking_rules_are_partial_and_in_base_units() -> None:
    from apps.inventory.models import StockingRule

    send(
        *CATALOG,
        typed("s1", "stocking.upserted", sku="AB-1", safety_stock="2", uom="CASE", lead_time_days=5),
        typed("s2", "stocking.upserted", sku="AB-1", warehouse="W1", safety_stock="3", backorder="unlimited"),
        typed("s3", "stocking.upserted", sku="AB-1", backorder="up_to", backorder_limit="1", uom="BOX"),
    )
    send(typed("s4", "stocking.upserted", sku="AB-1", lead_time_days=None, time="2026-02-01T00:00:00Z"))
    general, own = StockingRule.objects.order_by("id")
    assert (plain(general.safety_stock), general.lead_time_days) == ("24", None)
    assert (plain(own.safety_stock), own.backorder, own.warehouse.code if own.warehouse else "") == (
        "3",
        "unlimited",
        "W1",
    )
    assert (states()["s3"], reasons()) == ("blocked", {"UNKNOWN_UNIT"})
