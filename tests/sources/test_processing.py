"""The loop: what arrives becomes facts in any order, what cannot waits, and what fails stands in nobody's way."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.db import connection

from apps.exceptions import triage
from apps.exceptions.models import BlockedRecord, Cause
from apps.inventory.models import StockMovement
from apps.sources import claims, processing
from apps.sources.inbox import receive
from apps.sources.models import InboxMessage
from apps.sources.received import Outcome, Received
from tests.sources.conftest import CATALOG, Api, event, moved, on_hand, send, states

pytestmark = pytest.mark.django_db


def causes() -> list[tuple[str, str, str]]:
    return list(Cause.objects.order_by("id").values_list("reason", "value", "state"))


def make_due() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sources_inboxmessage SET due_at = sync_now() WHERE state = 'pending'")


def test_within_one_batch_what_others_refer_to_goes_first() -> None:
    send(moved("m1", "receipt", "2", "CASE"), *reversed(CATALOG))
    assert set(states().values()) == {"processed"}
    assert on_hand() == "W1 24"
    assert not Cause.objects.exists()


def test_a_movement_keeps_the_entered_quantity_and_its_order(api: Api) -> None:
    send(*CATALOG, moved("m1", "receipt", "2", "CASE", sequence="5", data={"reference": "PO-1", "lot": "L1"}))
    row = StockMovement.objects.get()
    assert (str(row.quantity), row.unit.code, str(row.base_quantity)) == ("2.000000", "CASE", "24.000000")
    assert (row.sequence, row.reference, row.lot) == (5, "PO-1", "L1")
    fate = api.get("/events/erp/m1").json()
    assert fate["status"] == "processed"
    assert [(e["kind"], e["subject"], e["change"], e["generation"]) for e in fate["effects"]] == [
        ("receipt", "AB-1 at W1", "24", 1)
    ]


def test_an_unknown_code_blocks_and_its_arrival_replays_it_without_a_person(api: Api) -> None:
    send(*CATALOG[:3], moved("m1", "receipt", "5"), moved("m2", "receipt", "7"))
    assert (states()["m1"], states()["m2"]) == ("blocked", "blocked")
    assert causes() == [("UNKNOWN_ITEM", "AB-1", "new")]
    blocked = api.get("/events/erp/m1").json()
    assert (blocked["status"], blocked["blocked_by"][0]["reason"]) == ("blocked", "UNKNOWN_ITEM")
    send(CATALOG[3])
    assert (states()["m1"], states()["m2"], on_hand()) == ("processed", "processed", "W1 12")
    assert causes() == [("UNKNOWN_ITEM", "AB-1", "resolved")]


def test_replaying_is_a_state_one_can_see_before_it_is_done(api: Api) -> None:
    send(moved("m1", "receipt", "5"))
    triage.heal("UNKNOWN_ITEM", ["AB-1"], by="test")
    assert api.get("/events/erp/m1").json()["status"] == "replaying"
    processing.drain()
    assert api.get("/events/erp/m1").json()["status"] == "blocked"


def test_shape_violations_name_the_place_the_value_and_the_nearest_field(api: Api) -> None:
    send(*CATALOG, moved("m1", "receipt", "5", data={"qty": "5"}))
    record = BlockedRecord.objects.select_related("cause").get()
    assert (record.cause.reason, record.cause.entity_type) == ("SCHEMA_VIOLATION", "stock.moved")
    assert (record.cause.field, record.cause.value) == ("/qty", "unknown field qty")
    assert "stock.moved m1 of erp" in record.detail
    assert "did you mean quantity?" in record.detail
    assert on_hand() == ""


@pytest.mark.parametrize(
    ("kind", "quantity", "field", "says"),
    [
        ("pick", "-1", "/quantity", "greater than 0"),
        ("pick", "0", "/quantity", "greater than 0"),
        ("pick", "1e3", "/quantity", "greater than 0"),
        ("pick", "1.1234567", "/quantity", "greater than 0"),
        ("adjustment", "0", "/quantity", "not 0"),
        ("teleport", "1", "/kind", "known: receipt"),
        ("pick", 1.5, "/quantity", 'send it as a string, "1.5"'),
        ("pick", 2.0, "/quantity", "send it as a string"),
        ("pick", None, "/quantity", "null is not"),
        ("pick", True, "/quantity", "true is not"),
        ("pick", 10**30, "/quantity", "at most 14 digits"),
    ],
)
def test_signs_kinds_and_numbers_are_checked(kind: str, quantity: Any, field: str, says: str) -> None:
    send(*CATALOG, moved("m1", kind, quantity))
    record = BlockedRecord.objects.select_related("cause").get()
    assert (record.cause.reason, record.cause.field) == ("SCHEMA_VIOLATION", field)
    assert says in record.detail
    assert not StockMovement.objects.exists()


@pytest.mark.parametrize("data", [None, [], "x", 5, {}])
def test_data_that_is_no_movement_blocks(data: Any) -> None:
    send({**event("m1"), "data": data})
    assert states() == {"m1": "blocked"}
    assert {reason for reason, _, _ in causes()} == {"SCHEMA_VIOLATION"}


def test_a_signed_adjustment_is_taken() -> None:
    send(*CATALOG, moved("m1", "receipt", "20"), moved("m2", "adjustment", "-2"))
    assert on_hand() == "W1 18"


def test_a_fraction_of_a_whole_unit_and_a_unit_without_conversion_block() -> None:
    send(*CATALOG, event("u3", type="unit.upserted", data={"code": "BOX", "name": "Box"}))
    send(moved("m1", "receipt", "1.5"), moved("m2", "receipt", "1", "BOX"), moved("m3", "receipt", "1", "XYZ"))
    assert sorted(causes()) == [
        ("FRACTION_NOT_ALLOWED", "EA", "new"),
        ("INVALID_CONVERSION", "BOX → EA", "new"),
        ("UNKNOWN_UNIT", "XYZ", "new"),
    ]
    assert not StockMovement.objects.exists()


def shipment(event_id: str, *lines: dict[str, Any], **data: Any) -> Any:
    return event(
        event_id,
        type="shipment.confirmed",
        data={
            "shipment": "S1",
            "order": "O1",
            "warehouse": "W1",
            "shipped_at": "2026-01-31T12:00:00Z",
            "lines": list(lines),
            **data,
        },
    )


def test_a_shipment_blocks_by_line_and_applies_the_good_ones(api: Api) -> None:
    send(*CATALOG, moved("m1", "receipt", "20"))
    send(
        shipment(
            "s1",
            {"line": "10", "sku": "AB-1", "quantity": "3", "uom": "EA"},
            {"line": "20", "sku": "NEW", "quantity": "1", "uom": "EA"},
            {"line": "30", "sku": "AB-1", "quantity": "-1", "uom": "EA"},
        )
    )
    assert on_hand() == "W1 17"
    fate = api.get("/events/erp/s1").json()
    assert fate["status"] == "blocked"
    assert {(b["line"], b["reason"]) for b in fate["blocked_by"]} == {
        ("20", "UNKNOWN_ITEM"),
        ("30", "SCHEMA_VIOLATION"),
    }
    send(event("i2", type="item.upserted", data={"sku": "NEW", "name": "New", "base_uom": "EA"}))
    assert (on_hand(), on_hand("NEW")) == ("W1 17", "W1 -1")
    left = api.get("/events/erp/s1").json()
    assert [(b["line"], b["reason"]) for b in left["blocked_by"]] == [("30", "SCHEMA_VIOLATION")]


def test_a_return_enters_by_its_condition() -> None:
    lines = [
        {"sku": "AB-1", "quantity": "1", "uom": "EA", "condition": condition}
        for condition in ("sellable", "inspect", "damaged", "scrap")
    ]
    back = event("r1", type="return.received", data={"reference": "R1", "warehouse": "W1", "lines": lines})
    send(*CATALOG, moved("m1", "receipt", "15"), back)
    from apps.inventory.models import StockPosition

    position = StockPosition.objects.get()
    assert (int(position.on_hand), int(position.held)) == (18, 2)


def test_a_document_sent_in_both_forms_books_once() -> None:
    line = {"sku": "AB-1", "quantity": "3", "uom": "EA"}
    send(*CATALOG, moved("m1", "receipt", "20"))
    send(moved("m2", "ship", "3", data={"reference": "S1"}))
    send(shipment("s1", line))
    assert (states()["m2"], states()["s1"], on_hand()) == ("processed", "superseded", "W1 17")
    send(shipment("s2", line, shipment="S2"), moved("m3", "ship", "3", data={"reference": "S2"}))
    assert on_hand() == "W1 14"


def test_a_code_that_is_ignored_ends_the_message_ignored_with_the_reason(api: Api) -> None:
    from apps.masterdata.models import CrossReference
    from apps.sources.models import Source

    send(*CATALOG)
    CrossReference.objects.create(
        system=Source.objects.get(system__code="erp").system,
        kind="item",
        code="POST",
        ignored=True,
        reason="postage is no item",
    )
    send(
        moved("m1", "ship", "1", data={"sku": "POST"}),
        shipment("s1", {"sku": "POST", "quantity": "1", "uom": "EA"}, {"sku": "AB-1", "quantity": "1", "uom": "EA"}),
    )
    assert (states()["m1"], states()["s1"]) == ("ignored", "processed")
    assert api.get("/events/erp/m1").json()["effects"][0]["change"] == "postage is no item"


def test_an_older_sequence_never_overwrites_a_newer_one_but_sets_what_no_newer_said(api: Api) -> None:
    from apps.masterdata.models import Item

    def item(event_id: str, sequence: str, **data: Any) -> Any:
        return event(event_id, type="item.upserted", sequence=sequence, data={"sku": "AB-1", **data})

    send(*CATALOG)
    send(item("n9", "9", name="Nine"))
    send(item("n3", "3", name="Three"))
    send(item("n4", "4", name="Four", brand="Acme"))
    send(item("n10", "10", family="Fixings"))
    assert (states()["n9"], states()["n3"], states()["n4"]) == ("processed", "superseded", "processed")
    found = Item.objects.get(sku="AB-1")
    assert (found.name, found.brand, found.family) == ("Nine", "Acme", "Fixings")


def broken(messages: list[Received]) -> list[Outcome]:
    if any(message.event_id == "bad" for message in messages):
        raise ZeroDivisionError("a bug")
    return [Outcome(message.id, "processed") for message in messages]


@pytest.fixture
def broken_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.sources.handlers import stock

    monkeypatch.setattr(stock, "movements", broken)


@pytest.mark.usefixtures("broken_handler")
def test_a_poisoned_message_stands_in_nobodys_way_and_is_quarantined_after_five_attempts(api: Api) -> None:
    send(*(moved(f"m{number}", "receipt", "1") for number in range(20)), moved("bad", "receipt", "1"))
    assert {state for name, state in states().items() if name != "bad"} == {"processed"}
    assert states()["bad"] == "pending"
    for attempt in range(2, 6):
        bad = InboxMessage.objects.get(event_id="bad")
        assert (bad.state, bad.attempts) == ("pending", attempt - 1)
        assert "a bug" in bad.error
        assert processing.drain() == 0, "it is not due before its back-off"
        make_due()
        processing.drain()
    assert states()["bad"] == "quarantined"
    assert causes() == [("POISON_MESSAGE", "stock.moved", "new")]
    assert api.get("/events/erp/bad").json()["status"] == "quarantined"


def test_a_quarantined_message_is_processed_once_the_bug_is_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.sources.handlers import stock

    with monkeypatch.context() as bug:
        bug.setattr(stock, "movements", broken)
        send(moved("bad", "receipt", "4"))
        for _ in range(4):
            make_due()
            processing.drain()
    assert states()["bad"] == "quarantined"
    send(*CATALOG)
    triage.request_replay(Cause.objects.get().pk, by="somebody")
    processing.drain()
    assert (states()["bad"], on_hand()) == ("processed", "W1 4")
    assert causes() == [("POISON_MESSAGE", "stock.moved", "resolved")]


def test_attempts_are_counted_before_the_work_so_a_killer_is_quarantined() -> None:
    receive([*CATALOG, moved("m1", "receipt", "1")])
    for _ in range(5):
        assert claims.claim_fresh(10) or claims.claim_suspect()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE sources_inboxmessage SET due_at = sync_now() WHERE event_id = 'm1'")
    processing.drain()
    assert states()["m1"] == "quarantined"
    assert not StockMovement.objects.exists()


def test_a_lease_that_ran_out_leaves_the_message_to_whoever_claimed_it_since() -> None:
    receive([*CATALOG])
    stale = claims.claim_fresh(10)
    make_due()
    processing.drain()
    before = states()
    processing._work_on(stale)
    assert (before, set(before.values())) == (states(), {"processed"})


def test_retry_works_in_the_callers_transaction_and_settles() -> None:
    send(*CATALOG[:3], moved("m1", "receipt", "5"))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sources_inboxmessage SET state = state")
    message = InboxMessage.objects.get(event_id="m1")
    processing.retry([message.pk])
    assert (states()["m1"], BlockedRecord.objects.get().state) == ("blocked", "open")
    receive(CATALOG[3:])
    processing.process()
    processing.retry([message.pk])
    assert (states()["m1"], on_hand()) == ("processed", "W1 5")
    assert causes() == [("UNKNOWN_ITEM", "AB-1", "resolved")]


@pytest.mark.parametrize("seed", range(6))
def test_any_order_and_repetition_of_the_same_events_gives_the_same_end(seed: int) -> None:
    events = [
        *CATALOG[:3],
        {**CATALOG[3], "sequence": "1"},
        *(moved(f"r{n}", "receipt", str(n + 1), sequence=str(n + 1), stream="stock") for n in range(5)),
        *(moved(f"s{n}", "ship", "1", "CASE", sequence=str(n + 10), stream="stock") for n in range(3)),
        moved("h1", "hold", "2", sequence="20", stream="stock"),
        *(
            event(f"n{n}", type="item.upserted", sequence=str(n), data={"sku": "AB-1", field: f"{field} {n}"})
            for n, field in enumerate(["name", "brand", "name", "family", "brand"], start=5)
        ),
    ]
    shuffled = events + random.Random(seed).sample(events, 8)
    random.Random(seed).shuffle(shuffled)
    while shuffled:
        batch, shuffled = shuffled[:4], shuffled[4:]
        send(*batch)
    processing.drain()
    from apps.inventory.models import StockPosition
    from apps.masterdata.models import Item

    item = Item.objects.get(sku="AB-1")
    position = StockPosition.objects.get()
    assert (item.name, item.brand, item.family) == ("name 7", "brand 9", "family 8")
    assert (on_hand(), int(position.held)) == ("W1 -21", 2)
    assert not set(states().values()) - {"processed", "superseded"}
    assert not Cause.objects.exclude(reason="NEGATIVE_STOCK").exclude(state="resolved").exists()


def test_the_number_of_queries_does_not_grow_with_the_batch(django_assert_max_num_queries: Any) -> None:
    send(*CATALOG)
    receive([moved(f"m{number}", "receipt", "1") for number in range(500)])
    with django_assert_max_num_queries(45):
        processing.process()
    assert on_hand() == "W1 500"


def test_a_sum_beyond_what_a_number_holds_blocks_that_message_alone() -> None:
    send(*CATALOG, moved("full", "receipt", "99999999999999"))
    send(moved("over", "receipt", "1"))
    send(moved("fits", "adjustment", "-1"))
    assert {states()["full"], states()["fits"]} == {"processed"}
    assert states()["over"] == "blocked"
    record = BlockedRecord.objects.get(state="open")
    assert (record.cause.reason, record.value) == ("SCHEMA_VIOLATION", "out of range")
    assert "at most 14 digits" in record.detail
    assert on_hand() == "W1 99999999999998"


def test_what_is_blocked_is_found_by_its_order_and_its_sku(api: Api) -> None:
    send(*CATALOG, moved("lost", "pick", "1", data={"warehouse": "NOWHERE", "order": "SO-4711"}))
    for text in ("so-4711", "AB-1", "NOWHERE"):
        [cause] = api.get("/exceptions/causes", search=text).json()["results"]
        assert cause["reason"] == "UNKNOWN_WAREHOUSE"
    assert api.get("/exceptions/causes", search="SO-4712").json()["results"] == []
