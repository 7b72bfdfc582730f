"""POST /events: every sentence of the contract about what is taken, what is refused and what is kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from apps.sources.inbox import receive_json
from apps.sources.models import InboxMessage, RawMessage, RejectedMessage, Source
from tests.sources.conftest import Api, event

pytestmark = pytest.mark.django_db


def only(answer: dict[str, Any]) -> dict[str, Any]:
    (rejected,) = answer["rejected"]
    found: dict[str, Any] = rejected
    return found


def test_one_event_is_taken_and_its_bytes_are_kept_as_sent(api: Api) -> None:
    raw = (
        b' {"type": "stock.moved",  "specversion":"1.0",\n"id":"1",'
        b'"source":"erp","time":"2026-01-31T12:00:00Z","data":{}}'
    )
    answer = api.post(raw)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "duplicates": 0, "rejected": []})
    assert bytes(RawMessage.objects.get().body) == raw
    message = InboxMessage.objects.get()
    assert (message.event_id, message.type, message.state, message.attempts) == ("1", "stock.moved", "pending", 0)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
    ],
)
def test_three_content_types_are_taken(api: Api, content_type: str) -> None:
    assert api.post([event("1")], content_type).json()["accepted"] == 1


def test_other_content_types_are_415(api: Api) -> None:
    answer = api.post(b"id,1", "text/csv")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_a_batch_over_10000_is_413_and_nothing_is_stored(api: Api) -> None:
    answer = api.post(b"[" + b",".join([b"1"] * 10_001) + b"]")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert not RejectedMessage.objects.exists()


def test_an_empty_batch_is_202_with_zeros(api: Api) -> None:
    assert api.post([]).json() == {"accepted": 0, "duplicates": 0, "rejected": []}


HOSTILE = {
    "only space": b" ",
    "not json": b"{",
    "not utf-8": b'{"id": "\xff"}',
    "100,000 brackets": b"[" * 100_000,
    "5,000 deep": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "33 deep": b"[" * 33 + b"]" * 33,
    "NaN": json.dumps([{**event("1"), "data": {"x": 1}}]).encode().replace(b'"x": 1', b'"x": NaN'),
    "duplicate key": b'{"id":"1","id":"2"}',
    "NUL": b'{"id":"\\u0000"}',
    "lone surrogate": b'{"id":"\\ud800"}',
    "raw control character": b'{"id":"\x01"}',
    "trailing garbage": b"{} {}",
    "scalar": b"42",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_json_of_ours_is_400_and_nothing_is_stored(api: Api, body: bytes) -> None:
    answer = api.post(body)
    assert answer.status_code == 400
    assert answer["Content-Type"].startswith("application/problem+json")
    assert answer.json()["code"] in {"malformed_json", "invalid"}
    assert not InboxMessage.objects.exists()
    assert not RejectedMessage.objects.exists()
    assert not Source.objects.filter(system__code="erp").exists()


WRONG_ENVELOPES: dict[str, tuple[object, str, str]] = {
    "a number": (42, "MISSING_ATTRIBUTE", "JSON object"),
    "null": (None, "MISSING_ATTRIBUTE", "JSON object"),
    "a list": ([], "MISSING_ATTRIBUTE", "JSON object"),
    "no attributes": ({}, "MISSING_ATTRIBUTE", "id is missing"),
    "no id": (event("x", id=None), "MISSING_ATTRIBUTE", "id is missing"),
    "null id": ({**event("x"), "id": None}, "MISSING_ATTRIBUTE", "id is missing"),
    "empty id": (event(""), "MISSING_ATTRIBUTE", "id is missing"),
    "id is a number": (event("x", id=7), "MISSING_ATTRIBUTE", "send it as a string"),
    "id of 201": (event("x" * 201), "MISSING_ATTRIBUTE", "201 characters"),
    "no source": (event("x", source=None), "MISSING_ATTRIBUTE", "source is missing"),
    "no type": (event("x", type=None), "MISSING_ATTRIBUTE", "type is missing"),
    "no time": (event("x", time=None), "MISSING_ATTRIBUTE", "time is missing"),
    "time without offset": (event("x", time="2026-01-31T12:00:00"), "MISSING_ATTRIBUTE", "offset"),
    "time is a date": (event("x", time="2026-01-31"), "MISSING_ATTRIBUTE", "offset"),
    "no such day": (event("x", time="2026-02-31T12:00:00Z"), "MISSING_ATTRIBUTE", "time is"),
    "year 9999": (event("x", time="9999-12-31T23:59:59-12:00"), "MISSING_ATTRIBUTE", "time is"),
    "no specversion": (event("x", specversion=None), "MISSING_ATTRIBUTE", "specversion is missing"),
    "specversion 0.3": (event("x", specversion="0.3"), "MISSING_ATTRIBUTE", '"1.0"'),
    "sequence is a number": (event("x", sequence=5), "MISSING_ATTRIBUTE", "written as a string"),
    "sequence is no integer": (event("x", sequence="5.0"), "MISSING_ATTRIBUTE", "written as a string"),
    "sequence of 30 digits": (event("x", sequence="9" * 30), "MISSING_ATTRIBUTE", "18 digits"),
    "subject is an object": (event("x", subject={}), "MISSING_ATTRIBUTE", "subject"),
    "source is a URI": (event("x", source="https://erp.example"), "UNKNOWN_SOURCE", "no URI"),
    "unknown type": (event("x", type="stock.teleported"), "UNSUPPORTED_TYPE", "/api/v1/schema/events/"),
    "type of a later version": (event("x", type="order.placed"), "UNSUPPORTED_TYPE", "does not take order.placed yet"),
}


@pytest.mark.parametrize(("sent", "code", "says"), WRONG_ENVELOPES.values(), ids=WRONG_ENVELOPES.keys())
def test_a_wrong_envelope_is_rejected_kept_raw_and_told_what_to_do(
    api: Api, sent: object, code: str, says: str
) -> None:
    answer = api.post([sent])
    assert answer.status_code == 202
    assert (answer.json()["accepted"], answer.json()["duplicates"]) == (0, 0)
    rejected = only(answer.json())
    assert (rejected["index"], rejected["code"]) == (0, code)
    assert says in rejected["detail"]
    kept = RejectedMessage.objects.get()
    assert (kept.code, json.loads(bytes(kept.body))) == (code, sent)
    assert not InboxMessage.objects.exists()


def test_other_attributes_are_kept_and_ignored(api: Api) -> None:
    sent = event("1", datacontenttype="application/json", partitionkey="7", subject="x", sequence="007", stream="s")
    assert api.post(sent).json()["accepted"] == 1
    message = InboxMessage.objects.get()
    assert (message.subject, message.sequence, message.stream) == ("x", 7, "s")
    assert json.loads(bytes(RawMessage.objects.get().body)) == sent


def test_three_bad_among_ten_thousand_keep_9997(api: Api) -> None:
    batch: list[object] = [event(f"e{number}") for number in range(10_000)]
    batch[17], batch[4_000], batch[9_999] = 3, event("b", type="no.such"), event("c", time="yesterday")
    answer = api.post(batch).json()
    assert (answer["accepted"], answer["duplicates"]) == (9_997, 0)
    assert [(one["index"], one["code"]) for one in answer["rejected"]] == [
        (17, "MISSING_ATTRIBUTE"),
        (4_000, "UNSUPPORTED_TYPE"),
        (9_999, "MISSING_ATTRIBUTE"),
    ]
    assert (InboxMessage.objects.count(), RawMessage.objects.count()) == (9_997, 9_997)
    order = list(InboxMessage.objects.order_by("id").values_list("event_id", flat=True))
    assert order == [
        one["id"] for index, one in enumerate(batch) if index not in (17, 4_000, 9_999) and isinstance(one, dict)
    ]


def test_the_same_batch_again_is_all_duplicates(api: Api) -> None:
    batch = [event(f"e{number}") for number in range(600)]
    assert api.post(batch).json()["accepted"] == 600
    assert api.post(batch).json() == {"accepted": 0, "duplicates": 600, "rejected": []}
    assert InboxMessage.objects.count() == 600


def test_same_body_is_judged_without_key_order_space_and_traceparent(api: Api) -> None:
    one = event("1", traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01")
    other = dict(reversed(event("1", traceparent="00-" + "3" * 32 + "-" + "2" * 16 + "-01").items()))
    api.post(one)
    assert api.post(json.dumps(other, indent=3).encode()).json() == {"accepted": 0, "duplicates": 1, "rejected": []}


def test_the_same_id_twice_in_one_batch_is_a_duplicate_or_a_conflict(api: Api) -> None:
    answer = api.post([event("1"), event("1"), event("1", data={}), event("1", source="wms")]).json()
    assert (answer["accepted"], answer["duplicates"]) == (2, 1)
    assert (only(answer)["index"], only(answer)["id"], only(answer)["code"]) == (2, "1", "PAYLOAD_CONFLICT")
    assert RawMessage.objects.count() == 2


def test_an_id_with_another_body_is_refused_and_raised_as_a_cause(api: Api) -> None:
    from apps.exceptions.models import BlockedRecord

    api.post(event("1"))
    rejected = only(api.post(event("1", data={"other": 1})).json())
    assert rejected["code"] == "PAYLOAD_CONFLICT"
    assert "new id" in rejected["detail"]
    record = BlockedRecord.objects.select_related("cause").get()
    assert (record.cause.reason, record.cause.value, record.origin) == ("PAYLOAD_CONFLICT", "1", "rejected")
    assert record.origin_id == RejectedMessage.objects.get().pk
    assert InboxMessage.objects.count() == 1


def test_an_unknown_source_is_registered_by_its_first_good_event_only(api: Api) -> None:
    api.post([event("1", source="new-1", type="no.such"), event("2", source="new-2")])
    registered = Source.objects.filter(system__code__startswith="new-")
    assert list(registered.values_list("system__code", flat=True)) == ["new-2"]


def test_without_registration_an_unknown_source_is_rejected(api: Api, settings: Any) -> None:
    settings.AUTO_REGISTER_SOURCES = False
    rejected = only(api.post(event("1")).json())
    assert rejected["code"] == "UNKNOWN_SOURCE"
    assert "register it" in rejected["detail"]
    assert not Source.objects.filter(system__code="erp").exists()


def test_a_key_limited_to_sources_sends_and_reads_only_those(api_key: Callable[..., str]) -> None:
    api = Api(api_key(sources=["wms"]))
    answer = api.post([event("1"), event("2", source="wms")]).json()
    assert (answer["accepted"], only(answer)["code"], only(answer)["index"]) == (1, "UNKNOWN_SOURCE", 0)
    assert api.get("/events/wms/2").status_code == 200
    assert api.get("/events/erp/1").status_code == 404


def test_the_scope_is_needed_and_named(api_key: Callable[..., str]) -> None:
    answer = Api(api_key("events:read")).post(event("1"))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "events:write" in answer.json()["detail"]
    assert Api("nobody.knows").post(event("1")).status_code == 401
    assert not InboxMessage.objects.exists()


def test_what_came_is_counted_per_source(api: Api) -> None:
    api.post([event("1"), event("1"), event("2"), event("3", type="no.such"), event("4", source="wms")])
    assert {
        source.system.code: (source.accepted, source.duplicates, source.rejected)
        for source in Source.objects.select_related("system").exclude(last_seen_at=None)
    } == {"erp": (2, 1, 1), "wms": (1, 0, 0)}


def test_the_trace_of_the_request_stays_with_the_message(api: Api) -> None:
    api.post(event("1"), traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    assert InboxMessage.objects.get().trace_id == "a" * 32


@pytest.mark.django_db(transaction=True)
def test_two_posts_of_one_batch_at_once_count_it_once() -> None:
    batch = [event(f"e{number}") for number in range(2_000)]
    receipts: list[Any] = []
    start = threading.Barrier(3)

    def send(events: list[Any]) -> None:
        raw = json.dumps(events).encode()
        start.wait()
        try:
            receipts.append(receive_json(raw))
        finally:
            connection.close()

    threads = [
        threading.Thread(target=send, args=[order]) for order in (batch, batch[::-1], batch[1_000:] + batch[:1_000])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(receipt.accepted for receipt in receipts) == 2_000
    assert sum(receipt.duplicates for receipt in receipts) == 4_000
    assert InboxMessage.objects.count() == RawMessage.objects.count() == 2_000
    source = Source.objects.get(system__code="erp")
    assert (source.accepted, source.duplicates, source.rejected) == (2_000, 4_000, 0)


def test_the_fate_of_an_event_that_waits_was_refused_or_never_came(api: Api) -> None:
    api.post([event("a/b c?#%"), event("2", type="no.such")])
    waiting = api.get("/events/erp/a%2Fb%20c%3F%23%25").json()
    assert (waiting["status"], waiting["blocked_by"], waiting["effects"]) == ("pending", [], [])
    assert waiting["lineage_url"] == "/api/v1/lineage/erp/a%2Fb%20c%3F%23%25"
    refused = api.get("/events/erp/2").json()
    assert (refused["status"], refused["rejected"]["code"]) == ("rejected", "UNSUPPORTED_TYPE")
    answer = api.get("/events/erp/3")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_list_shows_the_newest_first_by_page(api: Api) -> None:
    api.post([event(str(number)) for number in range(5)] + [event("5", source="wms")])
    first = api.get("/events", limit="2", source="erp").json()
    assert [row["id"] for row in first["results"]] == ["4", "3"]
    rest = api.get("/events", limit="10", source="erp", cursor=first["next"]).json()
    assert ([row["id"] for row in rest["results"]], rest["next"]) == (["2", "1", "0"], None)
    assert api.get("/events", colour="red").status_code == 400
    assert api.get("/events", status="odd").status_code == 400
    assert len(api.get("/events", status="pending").json()["results"]) == 6


def test_schemas_of_all_types_are_public(client: Any) -> None:
    documents = client.get("/api/v1/schema/events/").json()
    assert len(documents) == 29
    assert all(document["additionalProperties"] is False for document in documents.values())
    assert client.get("/api/v1/schema/events").json() == documents
    assert client.get("/api/v1/schema/events/stock.moved").json() == documents["stock.moved"]
    assert client.get("/api/v1/schema/events/no.such").status_code == 404


@pytest.mark.parametrize("path", ["/events/erp/%00", "/events/%00/1", "/events/erp/" + "x" * 500, "/events/erp/%FF"])
def test_a_hostile_id_is_not_found(api: Api, path: str) -> None:
    assert api.get(path).status_code == 404


@pytest.mark.parametrize(
    "query",
    [{"source": "\0"}, {"limit": "0"}, {"limit": "1001"}, {"cursor": "x"}, {"cursor": "WyJhIl0"}, {"type": "\0"}],
)
def test_a_hostile_filter_is_400(api: Api, query: dict[str, str]) -> None:
    answer = api.get("/events", **query)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_a_bigint_cursor_is_no_crash(api: Api) -> None:
    from apps.access.api.lists import encode_cursor

    assert api.get("/events", cursor=encode_cursor(10**18)).status_code == 200
    assert api.get("/events", cursor=encode_cursor(2**63)).status_code == 400
