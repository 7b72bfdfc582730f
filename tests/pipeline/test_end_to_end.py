"""From an event to what the channels show, through every stage and the real servers."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from apps.channels.models import Publication, PublicationAttempt
from apps.exceptions.models import BlockedRecord, Cause
from apps.inventory.models import StockMovement, StockPosition
from apps.monitoring.invariants import breaches
from tests.pipeline.conftest import Distributor


@pytest.fixture(autouse=True)
def _what_must_hold(distributor: Distributor) -> Iterator[None]:
    yield
    assert breaches() == []


def test_a_movement_reaches_every_channel_and_lineage_tells_its_way(distributor: Distributor) -> None:
    event = distributor.moved("P-1", "receipt", 40)
    assert distributor.send(event) == {"accepted": 1, "duplicates": 0, "rejected": 0}
    assert distributor.get("/events/wms/" + event["id"]).json()["status"] == "pending"
    distributor.settle()

    fate = distributor.get("/events/wms/" + event["id"]).json()
    assert fate["status"] == "processed"
    assert [(effect["kind"], effect["change"], effect["generation"]) for effect in fate["effects"]] == [
        ("receipt", "40", 1)
    ]
    answer = distributor.get("/availability/P-1").json()
    assert (answer["available"], answer["status"], answer["uom"]) == ("40", "ok", "EA")
    assert distributor.shows("P-1") == {"SHOP": 40, "MARKET": 3, "FEED": 40}
    assert distributor.shows("P-2") == {"SHOP": 0, "MARKET": 0, "FEED": 0}

    lineage = distributor.get("/lineage/wms/" + event["id"]).json()
    assert lineage["event"]["state"] == "processed"
    assert [(move["kind"], move["subject"], move["generation"]) for move in lineage["movements"]] == [
        ("stock", "P-1 at N1", 1)
    ]
    plans = {plan["channel"]: plan for plan in lineage["plans"]}
    assert {code: plan["listing"] for code, plan in plans.items()} == {
        "SHOP": "S-P-1",
        "MARKET": "M-P-1",
        "FEED": "F-P-1",
    }
    for code, shown in (("SHOP", "40"), ("MARKET", "3"), ("FEED", "40")):
        plan = plans[code]
        assert plan["outcome"] in ("acknowledged", "confirmed")
        assert plan["value"] == {"quantity": shown}
        assert plan["acked_at"] is not None
        attempt = PublicationAttempt.objects.get(pk=plan["attempt"])
        assert (attempt.outcome, attempt.value) == ("acknowledged", {"quantity": shown})


def test_a_price_reaches_the_channels_that_take_prices(distributor: Distributor) -> None:
    price = {"book": "LIST", "sku": "P-2", "uom": "EA", "amount": "3.10", "currency": "USD"}
    distributor.send(distributor.say("price.set", {**price, "effective_from": "2026-02-01"}, source="erp"))
    distributor.settle()

    asked = {"currency": "USD", "lines": [{"sku": "P-2", "quantity": "12", "uom": "EA"}]}
    line = distributor.post("/prices/resolve", asked).json()["lines"][0]
    assert (line["status"], line["unit_price"], line["extended_price"]) == ("ok", "3.1", "37.20")
    acked = dict(Publication.objects.filter(kind="price", listing__item__sku="P-2").values_list("subject", "acked"))
    assert {subject.partition("|")[0]: value["amount"] for subject, value in acked.items()} == {
        "S-P-2": "3.10",
        "M-P-2": "37.20",
    }


def test_an_unknown_warehouse_is_mapped_once_and_everything_it_blocked_arrives(distributor: Distributor) -> None:
    events = [distributor.moved("P-1", "receipt", quantity, "DC-9") for quantity in (10, 20, 30)]
    distributor.send(*events, distributor.moved("P-2", "receipt", 7))
    distributor.settle()
    assert distributor.shows("P-1")["SHOP"] == 0
    assert distributor.shows("P-2")["SHOP"] == 7  # the good one went on
    assert distributor.get("/events/wms/" + events[0]["id"]).json()["status"] == "blocked"

    (cause,) = distributor.get("/exceptions/causes", reason="UNKNOWN_WAREHOUSE").json()["results"]
    assert cause["records"] == 3
    fix = {"fix": "map", "target": "N2"}
    preview = distributor.post(f"/exceptions/causes/{cause['id']}/preview", fix).json()
    assert (preview["clears"], preview["still_blocked"]) == (3, [])
    assert BlockedRecord.objects.filter(state="open").count() == 3  # a preview changes nothing
    assert StockPosition.objects.filter(item__sku="P-1").count() == 0

    body = {**fix, "reason": "the old code of South", "preview_token": preview["preview_token"]}
    resolved = distributor.post(f"/exceptions/causes/{cause['id']}/resolve", body, **{"Idempotency-Key": "one"})
    assert resolved.status_code == 202, resolved.content
    distributor.settle()

    assert distributor.get("/events/wms/" + events[0]["id"]).json()["status"] == "processed"
    assert Cause.objects.get(pk=cause["id"]).state == "resolved"
    assert BlockedRecord.objects.filter(state__in=BlockedRecord.WAITING).count() == 0
    assert distributor.shows("P-1") == {"SHOP": 60, "MARKET": 5, "FEED": 60}


def test_duplicates_and_any_order_make_the_same_sums(distributor: Distributor) -> None:
    events = [distributor.moved("P-1", "receipt", 100, sequence="1")]
    for number in range(2, 12):
        order = {"order": f"O-{number}", "line": "1", "sequence": str(number * 2)}
        events.append(distributor.moved("P-1", "pick", 3, **order))
        events.append(distributor.moved("P-1", "ship", 3, **{**order, "sequence": str(number * 2 + 1)}))
    events.append(distributor.moved("P-1", "pick", 4, order="O-99", line="1", sequence="99"))
    dice = random.Random(7)
    for _ in range(3):  # every event three times, shuffled, in batches cut anywhere
        dice.shuffle(events)
        for first in range(0, len(events), 5):
            distributor.send(*events[first : first + 5])
        distributor.settle()

    assert StockMovement.objects.count() == len(events)
    position = StockPosition.objects.get(item__sku="P-1")
    assert (position.on_hand, position.unbacked, position.available) == (70, 4, 66)
    assert distributor.shows("P-1") == {"SHOP": 66, "MARKET": 5, "FEED": 66}


def test_the_same_id_with_another_body_is_refused_and_changes_nothing(distributor: Distributor) -> None:
    distributor.send(distributor.moved("P-1", "receipt", 5, id="once"))
    distributor.settle()
    refused = distributor.send(distributor.moved("P-1", "receipt", 50, id="once"))
    distributor.settle()
    assert refused == {"accepted": 0, "duplicates": 0, "rejected": 1}
    assert distributor.shows("P-1")["SHOP"] == 5
    assert Cause.objects.get().reason == "PAYLOAD_CONFLICT"


def test_another_sources_copy_of_a_fact_is_evidence_not_a_second_movement(distributor: Distributor) -> None:
    data = {"sku": "P-1", "warehouse": "N1", "kind": "receipt", "quantity": "9", "uom": "EA"}
    distributor.send(distributor.say("stock.moved", data), distributor.say("stock.moved", data, source="erp"))
    distributor.settle()
    assert StockMovement.objects.count() == 1
    assert distributor.shows("P-1")["SHOP"] == 9


@pytest.mark.parametrize("kind", ["500", "500_after_apply", "reset", "html", "error_in_200", "wrong_id", "wrong_value"])
def test_no_lie_of_a_channel_is_taken_for_an_acknowledgement(distributor: Distributor, kind: str) -> None:
    distributor.faults("SHOP", {"kind": kind, "times": 1, "on": "write"})
    distributor.send(distributor.moved("P-1", "receipt", 8))
    distributor.settle()
    distributor.settle()

    assert distributor.shows("P-1") == {"SHOP": 8, "MARKET": 0, "FEED": 8}
    publication = Publication.objects.get(channel__system__code="SHOP", kind="stock", listing__item__sku="P-1")
    assert (publication.acked, publication.acked_version) == ({"quantity": "8"}, publication.desired_version)
    attempts = PublicationAttempt.objects.filter(publication=publication, value={"quantity": "8"}).order_by("fence")
    assert attempts[0].outcome in ("unknown", "verified")
    assert distributor.held("SHOP", "P-1") == [0, 0, 8]  # the seed, the first 0 told, the 8: never twice


def test_only_the_newest_value_need_arrive(distributor: Distributor) -> None:
    distributor.send(distributor.moved("P-3", "receipt", 50))
    distributor.settle()
    for _ in range(20):
        distributor.send(distributor.moved("P-3", "adjustment", -2))
    distributor.settle()
    assert distributor.shows("P-3") == {"SHOP": 10, "MARKET": 0, "FEED": 10}
    assert distributor.held("SHOP", "P-3") == [0, 0, 50, 10]


def test_one_correlation_id_goes_from_the_event_to_each_acknowledgement(
    distributor: Distributor, caplog: pytest.LogCaptureFixture
) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    event = distributor.moved("P-1", "receipt", 40)
    with caplog.at_level("INFO"):
        distributor.post("/events", event, traceparent=f"00-{trace}-b7ad6b7169203331-01")
        distributor.settle()
    lines = [(line.message, getattr(line, "channel", "")) for line in caplog.records if trace in traces(line)]
    assert lines[:2] == [("received", ""), ("processed", "")]
    assert {channel for message, channel in lines if message == "published"} == {"SHOP", "MARKET", "FEED"}


def traces(line: object) -> list[str]:
    return list(getattr(line, "trace_ids", ()))
