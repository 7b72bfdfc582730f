"""Contract §1: what every path has in common."""

from __future__ import annotations

import http.client
import json
import re
import socket
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.contract.world import Api, Json, World, problem

HEX32 = re.compile(r"^[0-9a-f]{32}$")


def raw(demo: Json, head: str, body: bytes = b"") -> tuple[int, bytes]:
    """Send bytes that no well-behaved client would, and return status and body."""
    where = urlsplit(demo["url"])
    with socket.create_connection((where.hostname, where.port), timeout=20) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read()


@pytest.mark.parametrize("header", [None, "Bearer nobody.nothing", "Bearer x", "Basic YTpi", "Bearer"])
def test_without_a_known_key_is_401_with_a_challenge(api: Api, header: str | None) -> None:
    answer = api.get("/channels", anonymous=True, headers={"Authorization": header} if header else {})
    problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_wrong_secret_of_a_known_prefix_is_401(api: Api) -> None:
    key = api.key.split(".")[0] + ".wrong"
    problem(api.get("/channels", headers={"Authorization": f"Bearer {key}"}), 401, "unauthenticated")


@pytest.mark.parametrize("header", [b"Bearer \xff\xfe", b"Bearer \xc3\xa9.\xc3\xa9"])
def test_a_key_that_is_not_text_is_401(api: Api, header: bytes) -> None:
    problem(api.get("/channels", anonymous=True, headers={b"Authorization": header}), 401, "unauthenticated")


def test_a_key_without_the_scope_is_403_naming_it(reader: Api, world: World) -> None:
    event = world.event("unit.upserted", {"code": world.each, "name": "Each"})
    assert "events:write" in problem(reader.post("/events", event), 403, "forbidden")["detail"]
    problem(reader.get(f"/events/{world.source}/{event['id']}"), 404, "not_found")


def test_the_read_only_key_reads(reader: Api) -> None:
    assert reader.get("/warehouses").status_code == 200


@pytest.mark.parametrize("path", ["/channels", "/warehouses", "/items", "/exceptions/causes", "/events"])
def test_a_trailing_slash_is_not_found_and_never_redirected(api: Api, path: str) -> None:
    assert api.get(path).status_code == 200
    problem(api.get(path + "/"), 404, "not_found")


def test_a_post_with_a_trailing_slash_is_not_redirected_either(api: Api) -> None:
    problem(api.post("/events/", []), 404, "not_found")


@pytest.mark.parametrize("path", ["/schema", "/schema/", "/docs", "/docs/", "/schema/events", "/schema/events/"])
def test_schema_and_docs_answer_with_and_without_slash(api: Api, path: str) -> None:
    assert api.get(path).status_code == 200


def test_the_openapi_document_is_3_0_3(api: Api) -> None:
    document = api.get("/schema", headers={"Accept": "application/json, application/vnd.oai.openapi+json"}).json()
    assert document["openapi"] == "3.0.3"
    assert "/api/v1/events" in document["paths"]


def test_the_docs_page_needs_no_other_host(api: Api) -> None:
    page = api.get("/docs", headers={"Accept": "text/html"}).text
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert loaded
    assert [url for url in loaded if url.startswith(("http:", "https:", "//"))] == []


def test_an_unknown_path_is_a_problem(api: Api) -> None:
    body = problem(api.get("/no-such-thing"), 404, "not_found")
    assert body["instance"] == "/api/v1/no-such-thing"
    assert HEX32.match(body["trace_id"])


def test_a_method_that_is_not_there_is_405_with_allow(api: Api) -> None:
    answer = api.call("DELETE", "/warehouses")
    problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    ("path", "parameter"),
    [("/items", "colour"), ("/exceptions/causes", "foo"), ("/warehouses", "foo"), ("/channels", "foo")],
)
def test_an_unknown_parameter_is_400_naming_it(api: Api, path: str, parameter: str) -> None:
    body = problem(api.get(path, params={parameter: "1"}), 400, "unknown_field")
    assert parameter in json.dumps(body)


def test_an_unknown_parameter_of_a_single_read_is_400(world: World) -> None:
    sku, _ = world.found()
    problem(world.api.get(f"/availability/{sku}", params={"chanel": "SHOP"}), 400, "unknown_field")


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "abc", "1.5", "99999999999999999999"])
def test_a_limit_out_of_range_is_400(api: Api, limit: str) -> None:
    problem(api.get("/items", params={"limit": limit}), 400, "invalid")


@pytest.mark.parametrize("cursor", ["x", "WzFd", "null", "%00", "W10", "a" * 5000])
def test_a_made_up_cursor_is_400_or_a_page(api: Api, cursor: str) -> None:
    assert api.get("/items", params={"cursor": cursor}).status_code in (200, 400)


def test_an_ordering_that_is_not_allowed_is_400(api: Api) -> None:
    assert api.get("/items", params={"ordering": "password"}).status_code == 400


def test_pages_add_up_to_the_whole_list(world: World) -> None:
    world.send(
        world.event("unit.upserted", {"code": world.each, "name": "Each"}),
        *(
            world.event("item.upserted", {"sku": world.code(f"P{n}"), "name": "Thing", "base_uom": world.each})
            for n in range(5)
        ),
    )
    world.becomes({"source": world.source, "id": f"{world.mark}-6"}, "processed")
    seen, params = [], {"search": world.mark, "limit": "2"}
    while True:
        page = world.api.read("/items", **params)
        assert len(page["results"]) <= 2
        seen += [row["sku"] for row in page["results"]]
        if page["next"] is None:
            break
        params["cursor"] = page["next"]
    assert sorted(seen) == [world.code(f"P{n}") for n in range(5)]


def test_an_unknown_body_field_is_400_with_a_pointer(api: Api) -> None:
    body = problem(api.post("/availability/lookup", {"skus": ["A"], "warehouse": "X"}), 400, "unknown_field")
    assert any("warehouse" in error["pointer"] + error["detail"] for error in body["errors"])


HOSTILE: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("half", b'{"skus": ["A"'),
    ("nan", b'{"skus": ["A"], "x": NaN}'),
    ("infinity", b'{"skus": [Infinity]}'),
    ("duplicate key", b'{"skus": ["A"], "skus": ["B"]}'),
    ("nul", b'{"skus": ["A\\u0000"]}'),
    ("raw nul", b'{"skus": ["A\x00"]}'),
    ("lone surrogate", b'{"skus": ["\\ud800"]}'),
    ("not utf-8", b'{"skus": ["\xff\xfe"]}'),
    ("deep", b'{"skus": ' + b"[" * 40 + b"]" * 40 + b"}"),
    ("very deep", b"[" * 100_000),
    ("long integer", b'{"skus": [' + b"9" * 5000 + b"]}"),
    ("exponent", b'{"lines": [{"sku": "A", "quantity": 1e999999999, "uom": "EA"}]}'),
    ("trailing comma", b'{"skus": ["A",]}'),
    ("two values", b'{"skus": ["A"]} {}'),
    ("comment", b'{"skus": ["A"] /* x */}'),
    ("control character", b'{"skus": ["A\n"]}'),
    ("bom", b'\xef\xbb\xbf{"skus": ["A"], "zzz": 1}'),
    ("utf-16", '{"skus": ["A"]}'.encode("utf-16")),
]


@pytest.mark.parametrize("body", [body for _, body in HOSTILE], ids=[name for name, _ in HOSTILE])
@pytest.mark.parametrize("path", ["/availability/lookup", "/prices/resolve", "/events", "/accounts/validate"])
def test_hostile_json_is_400(api: Api, path: str, body: bytes) -> None:
    if path == "/events" and b"1e9" in body:
        pytest.skip("a huge exponent is JSON: it is for the envelope to refuse")
    answer = api.call("POST", path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, (answer.status_code, answer.text[:300])
    assert answer.json()["code"] in ("malformed_json", "invalid", "unknown_field")


@pytest.mark.parametrize("body", [b'{"a":', b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff", b"[" * 40 + b"]" * 40])
def test_what_is_not_json_is_called_malformed(api: Api, body: bytes) -> None:
    answer = api.call("POST", "/prices/resolve", content=body, headers={"Content-Type": "application/json"})
    problem(answer, 400, "malformed_json")


@pytest.mark.parametrize("body", ["null", "1", '"x"', "true", "[]"])
@pytest.mark.parametrize("path", ["/availability/lookup", "/prices/resolve", "/accounts/validate"])
def test_a_body_that_is_no_object_is_400(api: Api, path: str, body: str) -> None:
    answer = api.call("POST", path, content=body.encode(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("type_", ["text/plain", "application/x-www-form-urlencoded", "application/xml", None])
def test_another_media_type_is_415(api: Api, type_: str | None) -> None:
    headers = {"Content-Type": type_} if type_ else {}
    answer = api.call("POST", "/availability/lookup", content=b'{"skus": ["A"]}', headers=headers)
    problem(answer, 415, "unsupported_media_type")


def test_a_body_over_one_megabyte_is_413_by_its_content_length(api: Api, demo: Json) -> None:
    head = (
        f"POST /api/v1/prices/resolve HTTP/1.1\nHost: x\nAuthorization: Bearer {api.key}\n"
        "Content-Type: application/json\nContent-Length: {}\nConnection: close"
    )
    status, body = raw(demo, head.format(1_048_577))
    assert (status, json.loads(body)["code"]) == (413, "too_large")


def test_events_over_32_megabytes_are_413_before_the_body_is_read(api: Api, demo: Json) -> None:
    head = (
        f"POST /api/v1/events HTTP/1.1\nHost: x\nAuthorization: Bearer {api.key}\n"
        "Content-Type: application/json\nContent-Length: 104857600\nConnection: close"
    )
    status, body = raw(demo, head)
    assert (status, json.loads(body)["code"]) == (413, "too_large")


def test_a_body_without_content_length_is_411(api: Api, demo: Json) -> None:
    head = (
        f"POST /api/v1/events HTTP/1.1\nHost: x\nAuthorization: Bearer {api.key}\n"
        "Content-Type: application/json\nTransfer-Encoding: chunked\nConnection: close"
    )
    status, body = raw(demo, head, b"2\r\n[]\r\n0\r\n\r\n")
    assert status == 411
    assert json.loads(body)["status"] == 411


def test_events_may_be_larger_than_one_megabyte(world: World) -> None:
    event = world.event("unit.upserted", {"code": world.each, "name": "Each"}, extension="x" * 2_000_000)
    world.apply(event)


def test_etag_and_304_on_an_unchanged_answer(world: World) -> None:
    sku, warehouse = world.found()
    world.apply(world.move(sku, warehouse, "receipt", "5"))
    world.position_becomes(sku, warehouse, "5", "5")
    first = world.api.get(f"/availability/{sku}")
    again = world.api.get(f"/availability/{sku}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    weak = world.api.get(f"/availability/{sku}", headers={"If-None-Match": f'"zzz", W/{first.headers["etag"]}'})
    assert weak.status_code == 304
    world.apply(world.move(sku, warehouse, "receipt", "1"))
    world.position_becomes(sku, warehouse, "6", "6")
    changed = world.api.get(f"/availability/{sku}", headers={"If-None-Match": first.headers["etag"]})
    assert (changed.status_code, changed.json()["available"]) == (200, "6")


def test_a_post_has_no_etag(world: World) -> None:
    sku, _ = world.found()
    assert "etag" not in world.api.post("/availability/lookup", {"skus": [sku]}).headers


def test_traceparent_goes_through_and_the_request_id_is_echoed(api: Api) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "X-Request-ID": "order-import-7"}
    answer = api.get("/no-such-thing", headers=headers)
    assert answer.headers["traceparent"].split("-")[1] == trace
    assert answer.headers["x-request-id"] == "order-import-7"
    assert answer.json()["trace_id"] == trace


def test_problems_of_good_requests_carry_a_request_id_too(api: Api) -> None:
    answer = api.get("/warehouses", headers={"X-Request-ID": "abc"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (200, "abc")


@pytest.mark.parametrize("code", ["A/B", "A%B", "A B", "Ä-ÖÜ", "A+B", "A?B", "A#B", "A;B,C", "lookups", "..A"])
def test_any_code_can_be_read_back(world: World, code: str) -> None:
    sku = f"{code}-{world.mark}"
    world.apply(
        world.event("unit.upserted", {"code": world.each, "name": "Each"}),
        world.event("item.upserted", {"sku": sku, "name": "Thing", "base_uom": world.each}),
    )
    for path in (f"/availability/{quote(sku, safe='')}", f"/items/{quote(sku, safe='')}"):
        assert world.api.read(path)["sku"] == sku
    assert world.api.read("/availability", sku=sku)["sku"] == sku
    if "/" in sku:
        assert world.api.read(f"/availability/{sku}")["sku"] == sku


@pytest.mark.parametrize("event_id", ["a/b", "a b", "ü%2F", "x?y#z"])
def test_an_event_id_takes_the_rest_of_the_path(world: World, event_id: str) -> None:
    event = world.event("unit.upserted", {"code": world.each, "name": "Each"}, id=f"{event_id}-{world.mark}")
    world.send(event)
    assert world.api.read(f"/events/{world.source}/{quote(event['id'], safe='')}")["id"] == event["id"]


def test_codes_are_trimmed_and_composed_and_keep_their_case(world: World) -> None:
    decomposed, composed = f"  e\u0301-{world.mark} ", f"\u00e9-{world.mark}"
    world.apply(
        world.event("unit.upserted", {"code": world.each, "name": "Each"}),
        world.event("item.upserted", {"sku": decomposed, "name": "Thing", "base_uom": world.each}),
    )
    assert world.api.read("/availability", sku=composed)["sku"] == composed
    problem(world.api.get("/availability", params={"sku": composed.upper()}), 404, "not_found")


@pytest.mark.parametrize(
    ("quantity", "code"),
    [
        ("1.5.2", 400),
        ("1e3", 400),
        ("+1", 400),
        ("", 400),
        (" 1", 400),
        ("1,5", 400),
        ("NaN", 400),
        ("0x10", 400),
        ("123456789012345", 400),
        ("1.1234567", 400),
        (1.5, 400),
        (True, 400),
        (None, 400),
        ([], 400),
        ("٣", 400),
        (10**15, 400),
    ],
)
def test_a_decimal_that_is_not_plain_is_400(world: World, quantity: Any, code: int) -> None:
    sku, _ = world.found()
    body = {"currency": "USD", "lines": [{"sku": sku, "quantity": quantity, "uom": world.each}]}
    answer = world.api.post("/prices/resolve", body)
    assert answer.status_code == code, answer.text


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_is_at_the_root(api: Api, demo: Json, path: str) -> None:
    assert api.get(demo["url"] + path, anonymous=True).status_code == 200


@pytest.mark.parametrize(
    "value", ["garbage", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "ff-" + "a" * 32 + "-" + "b" * 16 + "-01"]
)
def test_a_broken_traceparent_is_replaced(api: Api, value: str) -> None:
    answer = api.get("/no-such-thing", headers={"traceparent": value})
    assert HEX32.match(answer.json()["trace_id"])
    assert answer.json()["trace_id"] not in value


def test_metrics_are_at_the_root(api: Api, demo: Json) -> None:
    assert api.get(demo["url"] + "/metrics", anonymous=True).status_code == 200
