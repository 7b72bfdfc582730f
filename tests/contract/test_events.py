"""Contract §2: what is accepted, counted once, rejected and blocked at the front door."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.world import Api, Json, World, problem, until


def unit(world: World, **attributes: Any) -> Json:
    return world.event("unit.upserted", {"code": world.each, "name": "Each"}, **attributes)


def rejection(world: World, event: Any) -> Json:
    """Send one event as a batch of one that must be rejected whole."""
    answer = world.api.post("/events", [event])
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert (body["accepted"], body["duplicates"], len(body["rejected"])) == (0, 0, 1), body
    found: Json = body["rejected"][0]
    assert {"index", "id", "code", "detail"} <= set(found)
    assert (found["index"], found["detail"] != "") == (0, True)
    return found


@pytest.mark.parametrize(
    "type_", ["application/json", "application/cloudevents+json", "application/json; charset=utf-8"]
)
def test_one_event_is_an_object(world: World, type_: str) -> None:
    body = json.dumps(unit(world)).encode()
    answer = world.api.call("POST", "/events", content=body, headers={"Content-Type": type_})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "duplicates": 0, "rejected": []})


@pytest.mark.parametrize("type_", ["application/json", "application/cloudevents-batch+json"])
def test_a_batch_is_an_array(world: World, type_: str) -> None:
    body = json.dumps([unit(world), unit(world)]).encode()
    answer = world.api.call("POST", "/events", content=body, headers={"Content-Type": type_})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "duplicates": 0, "rejected": []})


def test_an_empty_batch_is_accepted_as_nothing(api: Api) -> None:
    answer = api.post("/events", [])
    assert (answer.status_code, answer.json()) == (202, {"accepted": 0, "duplicates": 0, "rejected": []})


def test_the_same_event_again_is_a_duplicate_and_counts_once(world: World) -> None:
    sku, warehouse = world.found()
    event = world.move(sku, warehouse, "receipt", "20")
    world.apply(event)
    for copy in (event, dict(reversed(event.items())), event | {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}):
        answer = world.api.post("/events", copy)
        assert (answer.status_code, answer.json()) == (202, {"accepted": 0, "duplicates": 1, "rejected": []})
    world.position_becomes(sku, warehouse, "20", "20")


def test_the_same_event_twice_in_one_batch_counts_once(world: World) -> None:
    sku, warehouse = world.found()
    event = world.move(sku, warehouse, "receipt", "20")
    answer = world.api.post("/events", [event, event])
    assert answer.json() == {"accepted": 1, "duplicates": 1, "rejected": []}
    world.becomes(event, "processed")
    assert world.position(sku, warehouse) == ("20", "20")


def test_the_same_id_of_another_source_is_another_event(world: World) -> None:
    first = unit(world)
    other = first | {"source": world.code("other")}
    assert world.api.post("/events", [first, other]).json()["accepted"] == 2


def test_the_same_id_with_another_body_is_refused_and_raises_a_cause(world: World) -> None:
    sku, warehouse = world.found()
    event = world.move(sku, warehouse, "receipt", "20")
    world.apply(event)
    rejected = rejection(world, world.move(sku, warehouse, "receipt", "21", id=event["id"]))
    assert (rejected["code"], rejected["id"]) == ("PAYLOAD_CONFLICT", event["id"])
    cause = world.cause("PAYLOAD_CONFLICT")
    assert cause["records"] == 1
    assert world.position(sku, warehouse) == ("20", "20")
    assert world.fate(event)["status"] == "processed"


def test_two_bodies_of_one_id_in_one_batch_keep_the_first(world: World) -> None:
    sku, warehouse = world.found()
    first = world.move(sku, warehouse, "receipt", "20")
    answer = world.api.post("/events", [first, world.move(sku, warehouse, "receipt", "7", id=first["id"])]).json()
    assert (answer["accepted"], answer["duplicates"]) == (1, 0)
    assert [(row["index"], row["code"]) for row in answer["rejected"]] == [(1, "PAYLOAD_CONFLICT")]
    world.becomes(first, "processed")
    assert world.position(sku, warehouse) == ("20", "20")


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "time"])
def test_a_missing_attribute_is_rejected(world: World, name: str) -> None:
    rejected = rejection(world, {key: value for key, value in unit(world).items() if key != name})
    assert rejected["code"] == "MISSING_ATTRIBUTE"
    assert name in rejected["detail"]


@pytest.mark.parametrize(
    "attributes",
    [
        {"specversion": "0.3"},
        {"specversion": 1.0},
        {"id": ""},
        {"id": "x" * 201},
        {"id": 7},
        {"source": "https://erp.example/x"},
        {"source": ""},
        {"source": "a b"},
        {"source": 3},
        {"source": "x" * 300},
        {"time": "2026-01-05T12:00:00"},
        {"time": "yesterday"},
        {"time": 1},
        {"time": "2026-13-45T12:00:00Z"},
        {"time": "0001-01-01T00:00:00+14:00"},
        {"time": "9999-12-31T23:59:59-14:00"},
        {"sequence": "abc"},
        {"sequence": 7},
        {"sequence": "1.5"},
        {"sequence": "9" * 60},
        {"type": 5},
        {"type": ""},
        {"subject": 5},
    ],
    ids=str,
)
def test_an_attribute_of_the_wrong_form_is_rejected(world: World, attributes: Json) -> None:
    assert rejection(world, unit(world) | attributes)["code"] in (
        "MISSING_ATTRIBUTE",
        "UNKNOWN_SOURCE",
        "UNSUPPORTED_TYPE",
    )


def test_a_type_nobody_knows_is_rejected(world: World) -> None:
    rejected = rejection(world, unit(world) | {"type": "stock.move"})
    assert rejected["code"] == "UNSUPPORTED_TYPE"
    assert "stock.move" in rejected["detail"]


@pytest.mark.parametrize("event", [None, 1, "x", [], True, {}])
def test_what_is_no_object_is_rejected_in_its_place(world: World, event: Any) -> None:
    good = unit(world)
    answer = world.api.post("/events", [event, good])
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert (body["accepted"], [row["index"] for row in body["rejected"]]) == (1, [0])
    world.becomes(good, "processed")


def test_other_cloudevents_attributes_are_kept_and_ignored(world: World) -> None:
    world.apply(unit(world, dataschema="urn:x", datacontenttype="application/json", partitionkey="7"))


def test_an_event_that_was_rejected_is_not_an_event(world: World) -> None:
    event = unit(world) | {"type": "no.such"}
    rejection(world, event)
    answer = world.api.get(f"/events/{world.source}/{event['id']}")
    assert answer.status_code == 404 or answer.json()["status"] == "rejected"


def test_a_bad_request_stores_nothing(world: World) -> None:
    good = unit(world)
    body = json.dumps([good])[:-1].encode() + b', {"a": 1, "a": 2}]'
    problem(
        world.api.call("POST", "/events", content=body, headers={"Content-Type": "application/json"}),
        400,
        "malformed_json",
    )
    problem(world.api.get(f"/events/{world.source}/{good['id']}"), 404, "not_found")


def test_more_than_ten_thousand_is_413_and_stores_nothing(world: World) -> None:
    batch = [unit(world) for _ in range(10_001)]
    problem(world.api.post("/events", batch), 413, "too_large")
    problem(world.api.get(f"/events/{world.source}/{batch[0]['id']}"), 404, "not_found")


def test_three_bad_among_ten_thousand_leave_the_good_9997(world: World) -> None:
    sku, warehouse = world.found()
    batch = [world.move(sku, warehouse, "receipt", "1") for _ in range(10_000)]
    batch[17] |= {"type": "no.such"}
    del batch[5000]["time"]
    batch[9999] = {"specversion": "1.0"}
    body = world.api.post("/events", batch).json()
    assert (body["accepted"], body["duplicates"]) == (9_997, 0)
    assert [row["index"] for row in body["rejected"]] == [17, 5000, 9999]
    wanted = ("9997", "9997")
    assert until(lambda: world.position(sku, warehouse), lambda seen: seen == wanted, 30) == wanted


def test_three_blocked_among_ten_thousand_leave_the_good_9997(world: World) -> None:
    sku, warehouse = world.found()
    batch = [world.move(sku, warehouse, "receipt", "1") for _ in range(10_000)]
    batch[0]["data"]["quantity"] = "-1"
    batch[5000]["data"]["warehouse"] = world.code("NOWHERE")
    batch[9999]["data"]["colour"] = "red"
    assert world.api.post("/events", batch).json() == {"accepted": 10_000, "duplicates": 0, "rejected": []}
    wanted = ("9997", "9997")
    assert until(lambda: world.position(sku, warehouse), lambda seen: seen == wanted, 30) == wanted
    reasons = [world.becomes(batch[n], "blocked")["blocked_by"][0]["reason"] for n in (0, 5000, 9999)]
    assert reasons == ["SCHEMA_VIOLATION", "UNKNOWN_WAREHOUSE", "SCHEMA_VIOLATION"]


BAD_MOVES: list[tuple[str, Json]] = [
    ("negative", {"quantity": "-1"}),
    ("zero", {"quantity": "0"}),
    ("a float", {"quantity": 1.5}),
    ("an exponent", {"quantity": "1e3"}),
    ("too many decimals", {"quantity": "1.1234567"}),
    ("too many digits", {"quantity": "1" * 15}),
    ("a boolean", {"quantity": True}),
    ("null", {"quantity": None}),
    ("an unknown kind", {"kind": "reciept"}),
    ("an unknown field", {"warehous": "X"}),
    ("a number for a code", {"sku": 5}),
    ("an empty code", {"sku": ""}),
    ("a code too long", {"sku": "x" * 101}),
    ("a control character", {"sku": "a\tb"}),
    ("an object for a code", {"warehouse": {}}),
]


@pytest.mark.parametrize("change", [change for _, change in BAD_MOVES], ids=[name for name, _ in BAD_MOVES])
def test_bad_data_is_accepted_and_blocked_with_the_rule(world: World, change: Json) -> None:
    sku, warehouse = world.found()
    event = world.move(sku, warehouse, "receipt", "1")
    event["data"] |= change
    world.send(event)
    found = world.becomes(event, "blocked")
    assert [row["reason"] for row in found["blocked_by"]] == ["SCHEMA_VIOLATION"]
    assert found["blocked_by"][0]["cause_id"]
    assert found["effects"] == []
    assert world.position(sku, warehouse) == ("0", "0")


@pytest.mark.parametrize("data", [None, 1, "x", [], {}])
def test_data_that_is_no_object_is_blocked(world: World, data: Any) -> None:
    event = unit(world) | {"data": data}
    world.send(event)
    assert world.becomes(event, "blocked")["blocked_by"][0]["reason"] == "SCHEMA_VIOLATION"


def test_an_event_without_data_is_accepted_and_blocked(world: World) -> None:
    event = {name: value for name, value in unit(world).items() if name != "data"}
    world.send(event)
    assert world.becomes(event, "blocked")["blocked_by"][0]["reason"] == "SCHEMA_VIOLATION"


def test_an_unknown_field_is_named_with_its_nearest_known_name(world: World) -> None:
    sku, warehouse = world.found()
    event = world.move(sku, warehouse, "receipt", "1")
    event["data"]["quantitty"] = event["data"].pop("quantity")
    world.send(event)
    blocked = world.becomes(event, "blocked")["blocked_by"]
    records = world.api.read("/exceptions/records", cause=blocked[0]["cause_id"])["results"]
    text = json.dumps([row for row in records if sku in json.dumps(row)] or records)
    assert "quantitty" in text
    assert "'quantity'" in text or '"quantity"' in text or "quantity" in text.replace("quantitty", "")


def test_a_date_that_ends_before_it_starts_is_blocked(world: World) -> None:
    sku, _ = world.found()
    book = world.code("BOOK")
    world.do("price_book.upserted", {"code": book, "level": "list", "currency": "USD"})
    found = world.try_(
        "price.set",
        {
            "book": book,
            "sku": sku,
            "uom": world.each,
            "amount": "1",
            "currency": "USD",
            "effective_from": "2026-02-01",
            "effective_to": "2026-02-01",
        },
    )
    assert (found["status"], found["blocked_by"][0]["reason"]) == ("blocked", "SCHEMA_VIOLATION")


def test_the_status_of_an_event_tells_its_effects_and_lineage(world: World) -> None:
    sku, warehouse = world.found()
    event = world.do("stock.moved", world.move(sku, warehouse, "receipt", "20")["data"])
    found = world.fate(event)
    (effect,) = found["effects"]
    assert {"kind", "subject", "change", "generation"} <= set(effect)
    assert (effect["change"], effect["generation"]) == ("20", 1)
    assert sku in effect["subject"]
    assert warehouse in effect["subject"]
    assert found["lineage_url"] == f"/api/v1/lineage/{world.source}/{event['id']}"
    assert found["blocked_by"] == []


def test_an_event_nobody_sent_is_404(world: World) -> None:
    problem(world.api.get(f"/events/{world.source}/nothing"), 404, "not_found")


def test_sequences_are_compared_as_numbers(world: World) -> None:
    first = unit(world, sequence="10")
    world.apply(first)
    older = world.event("unit.upserted", {"code": world.each, "name": "Older"}, sequence="9")
    world.send(older)
    assert world.fate(older)["status"] in ("superseded", "ignored", "processed")
    newer = world.event("unit.upserted", {"code": world.each, "name": "Newer"}, sequence="11")
    world.apply(newer)


def test_an_older_sequence_never_overwrites_a_newer_one(world: World) -> None:
    sku, _ = world.found()
    for sequence, name in (("100", "New"), ("99", "Old"), ("9", "Older")):
        event = world.event("item.upserted", {"sku": sku, "name": name}, sequence=sequence)
        world.send(event)
        assert world.fate(event)["status"] in ("processed", "superseded", "ignored")
    assert world.api.read(f"/items/{sku}")["name"] == "New"


def test_upserts_are_partial_and_null_clears(world: World) -> None:
    sku, _ = world.found(brand="Acme", family="Bolts")
    world.do("item.upserted", {"sku": sku, "brand": None})
    item = world.api.read(f"/items/{sku}")
    assert (item["name"], item["family"]) == ("Thing", "Bolts")
    assert not item["brand"]


def test_a_list_replaces_and_merge_keeps(world: World) -> None:
    case, box = world.code("CASE"), world.code("BOX")
    for code in (case, box):
        world.do("unit.upserted", {"code": code, "name": code})
    sku, _ = world.found(units=[{"uom": case, "numerator": 12, "denominator": 1}])

    def units() -> set[str]:
        return {row["uom"] for row in world.api.read(f"/items/{sku}")["units"]} - {world.each}

    world.do(
        "item.upserted", {"sku": sku, "lines_mode": "merge", "units": [{"uom": box, "numerator": 6, "denominator": 1}]}
    )
    assert units() == {case, box}
    world.do("item.upserted", {"sku": sku, "lines_mode": "merge", "units": [{"uom": case, "removed": True}]})
    assert units() == {box}
    world.do("item.upserted", {"sku": sku, "units": [{"uom": case, "numerator": 24, "denominator": 1}]})
    assert units() == {case}


@pytest.mark.parametrize("type_", ["stock.moved", "price.set", "item.upserted", "stock.counted"])
def test_every_routed_type_has_a_schema(api: Api, type_: str) -> None:
    assert api.read("/schema/events/")[type_]["type"] == "object"
    assert api.read(f"/schema/events/{type_}/")["title"] == type_


def test_an_event_id_has_no_control_characters(world: World) -> None:
    event = world.event("unit.upserted", {"code": world.each, "name": "Each"}, id=f"a\nb{world.mark}")
    assert len(world.api.post("/events", event).json()["rejected"]) == 1
