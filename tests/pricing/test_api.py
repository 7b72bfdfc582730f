"""Prices over HTTP: to the letter of the contract, and never a 500 for bad input."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from django.test import Client

from apps.access.keys import create_key
from apps.access.models import ApiClient
from apps.masterdata.models import Account, Item, System
from apps.pricing.models import PriceBook, PriceEntry
from tests.pricing.conftest import World

AUG = datetime(2099, 8, 1, tzinfo=UTC)
LINE = {"id": "1", "sku": "A-1", "quantity": "3", "uom": "EACH"}


class Api:
    def __init__(self, **limits: Any) -> None:
        name = f"shop {ApiClient.objects.count()}"
        client = ApiClient.objects.create(**{"name": name, "scopes": ["prices:read"], "requests_per_s": 1000, **limits})
        self.headers = {"Authorization": f"Bearer {create_key(client)}"}
        self.client = Client()

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(f"/api/v1{path}", headers={**self.headers, **headers})

    def post(self, body: object) -> Any:
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        return self.client.post("/api/v1/prices/resolve", raw, "application/json", headers=self.headers)

    def resolve(self, *lines: object, **context: object) -> Any:
        return self.post({"currency": "USD", "lines": list(lines), **context})


@pytest.fixture
def api(world: World) -> Api:
    Item.objects.filter(pk=world.item.pk).update(tax_class="FULL")
    world.set("10.30")
    world.set("9.5", min_quantity=10)
    world.set("11", AUG)
    return Api()


def test_an_answer_holds_every_field_of_the_contract(api: Api) -> None:
    entry = PriceEntry.objects.get(superseded_at=None, amount="10.3")
    answer = api.resolve(LINE)
    assert answer.status_code == 200
    assert answer.json() == {
        "lines": [
            {
                "id": "1",
                "sku": "A-1",
                "status": "ok",
                "reason": None,
                "detail": None,
                "unit_price": "10.3",
                "price_uom": "EACH",
                "extended_price": "30.90",
                "currency": "USD",
                "tax_class": "FULL",
                "tax_included": False,
                "level": "list",
                "book": "LIST",
                "version": 2,
                "breaks": [
                    {"min_quantity": "1", "uom": "EACH", "unit_price": "10.3"},
                    {"min_quantity": "10", "uom": "EACH", "unit_price": "9.5"},
                ],
                "adjustments": [],
                "warnings": [],
                "price_ref": f"LIST#{entry.pk}.2",
                "valid_until": "2099-08-01T00:00:00Z",
                "next_change_at": "2099-08-01T00:00:00Z",
            }
        ]
    }


def test_what_has_no_price_is_null_and_the_order_is_kept(api: Api) -> None:
    lines = api.resolve(LINE, {**LINE, "sku": "NOPE", "id": 7}, {**LINE, "uom": "BOX"}, {**LINE, "quantity": 0}).json()[
        "lines"
    ]
    assert [line["status"] for line in lines] == ["ok", "unknown_item", "unknown_unit", "invalid_quantity"]
    assert lines[1]["id"] == 7
    for line in lines[1:]:
        for name in ("unit_price", "extended_price", "level", "book", "version", "price_ref", "tax_included"):
            assert line[name] is None
        assert line["breaks"] == []
        assert line["detail"]


def test_the_trace_is_there_when_asked_for(api: Api) -> None:
    assert "trace" not in api.resolve(LINE).json()["lines"][0]
    trace = api.resolve(LINE, explain=True).json()["lines"][0]["trace"]
    assert [(t["outcome"], t["amount"], t["reason"]) for t in trace] == [
        ("won", "10.3", "won"),
        ("lost", "11", "not_yet_effective"),
        ("lost", "9.5", "break_not_met"),
    ]
    assert api.get("/explain/prices/A-1?currency=USD").json()["trace"][0]["outcome"] == "won"


def test_one_price_is_the_same_answer_with_a_tag(api: Api) -> None:
    answer = api.get("/prices/A-1?currency=USD&quantity=3&uom=EACH")
    line = {**api.resolve(LINE).json()["lines"][0], "id": None}
    assert answer.json() == line
    assert api.get("/prices?sku=A-1&currency=USD&quantity=3").json() == line
    assert answer["Cache-Control"] == "private, max-age=5"
    again = api.get("/prices/A-1?currency=USD&quantity=3", **{"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    PriceEntry.objects.filter(superseded_at=None, amount="10.3").update(amount="10.31")
    assert api.get("/prices/A-1?currency=USD&quantity=3", **{"If-None-Match": answer["ETag"]}).status_code == 200


def test_a_sku_takes_the_rest_of_the_path(api: Api, world: World) -> None:
    for sku in ("X/1", "resolve/me", "lookup", "a b+c"):
        Item.objects.create(sku=sku, name="x", base_unit=world.each)
    assert api.get("/prices/X%2F1?currency=USD").json()["sku"] == "X/1"
    assert api.get("/prices/resolve%2Fme?currency=USD").json()["sku"] == "resolve/me"
    assert api.get("/prices?sku=a%20b%2Bc&currency=USD").json()["status"] == "no_price"
    assert api.get("/prices/NOPE?currency=USD").status_code == 404
    assert api.get("/prices/changes?currency=USD").status_code == 404


def test_plain_dates_and_instants(api: Api) -> None:
    PriceBook.objects.update(time_zone="America/New_York")
    assert api.resolve(LINE, on="2099-08-01").json()["lines"][0]["extended_price"] == "33.00"
    assert api.resolve(LINE, on="2099-07-31T23:59:59Z").json()["lines"][0]["extended_price"] == "30.90"
    assert api.resolve(LINE, on="2099-08-01T01:59:59+02:00").json()["lines"][0]["extended_price"] == "30.90"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"lines": [LINE]}, "/currency"),
        ({"currency": "usd", "lines": [LINE]}, "/currency"),
        ({"currency": "ZZZ", "lines": [LINE]}, "/currency"),
        ({"currency": ["USD"], "lines": [LINE]}, "/currency"),
        ({"currency": "USD"}, "/lines"),
        ({"currency": "USD", "lines": []}, "/lines"),
        ({"currency": "USD", "lines": {}}, "/lines"),
        ({"currency": "USD", "lines": [1]}, "/lines/0"),
        ({"currency": "USD", "lines": [LINE] * 1001}, "/lines"),
        ({"currency": "USD", "lines": [{**LINE, "qty": 1}]}, "/lines/0/qty"),
        ({"currency": "USD", "lines": [LINE], "acount": "C"}, "/acount"),
        ({"currency": "USD", "lines": [{**LINE, "quantity": 1.5}]}, "/lines/0/quantity"),
        ({"currency": "USD", "lines": [{**LINE, "quantity": "1e3"}]}, "/lines/0/quantity"),
        ({"currency": "USD", "lines": [{**LINE, "quantity": "100000000000000"}]}, "/lines/0/quantity"),
        ({"currency": "USD", "lines": [{**LINE, "quantity": "0.0000001"}]}, "/lines/0/quantity"),
        ({"currency": "USD", "lines": [{**LINE, "quantity": True}]}, "/lines/0/quantity"),
        ({"currency": "USD", "lines": [{**LINE, "sku": ""}]}, "/lines/0/sku"),
        ({"currency": "USD", "lines": [{**LINE, "sku": "A\u0001"}]}, "/lines/0/sku"),
        ({"currency": "USD", "lines": [{**LINE, "sku": "A" * 101}]}, "/lines/0/sku"),
        ({"currency": "USD", "lines": [{**LINE, "sku": 5}]}, "/lines/0/sku"),
        ({"currency": "USD", "lines": [{**LINE, "id": {}}]}, "/lines/0/id"),
        ({"currency": "USD", "lines": [{"sku": "A-1", "quantity": "1"}]}, "/lines/0/uom"),
        ({"currency": "USD", "lines": [LINE], "on": "2026-02-30"}, "/on"),
        ({"currency": "USD", "lines": [LINE], "on": "2026-01-01T00:00:00"}, "/on"),
        ({"currency": "USD", "lines": [LINE], "on": "0001-01-01"}, "/on"),
        ({"currency": "USD", "lines": [LINE], "on": "9999-12-31T23:59:59-12:00"}, "/on"),
        ({"currency": "USD", "lines": [LINE], "on": 20260101}, "/on"),
        ({"currency": "USD", "lines": [LINE], "explain": "true"}, "/explain"),
        ({"currency": "USD", "lines": [LINE], "channel": "NOPE"}, "/channel"),
        ({"currency": "USD", "lines": [LINE], "ship_to": "1"}, "/ship_to"),
        ({"currency": "USD", "lines": [LINE], "contract": "K-1"}, "/contract"),
        ([], ""),
        ("x", ""),
        (None, ""),
    ],
)
def test_bad_input_is_a_400_that_points_at_it(api: Api, body: object, pointer: str) -> None:
    answer = api.post(body)
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("raw", [b" ", b"{", b'{"currency": NaN}', b'{"a":1,"a":2}', b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_a_400(api: Api, raw: bytes) -> None:
    assert api.post(raw).status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "",
        "currency=USD&x=1",
        "currency=USD&quantity=",
        "currency=USD&on=1",
        "currency=USD&sku=B-2",
        "currency=USD&explain=1",
    ],
)
def test_bad_queries_are_a_400(api: Api, query: str) -> None:
    assert api.get(f"/prices/A-1?{query}").status_code == 400


def test_a_key_sees_prices_only_with_the_scope_and_within_its_limits(api: Api, world: World) -> None:
    System.objects.create(code="SHOP", name="Shop")
    System.objects.create(code="MARKET", name="Market")
    Account.objects.create(code="C-1", name="One")
    assert Client().get("/api/v1/prices/A-1?currency=USD").status_code == 401
    refused = Api(scopes=["availability:read"]).get("/prices/A-1?currency=USD")
    assert (refused.status_code, "prices:read" in refused.json()["detail"]) == (403, True)
    limited = Api(channels=["SHOP"], accounts=["C-2"])
    assert limited.resolve(LINE, channel="SHOP").status_code == 200
    assert limited.resolve(LINE, channel="MARKET").status_code == 404
    assert limited.resolve(LINE, account="C-1").status_code == 404
    assert limited.get("/prices/A-1?currency=USD&channel=MARKET").status_code == 404


def test_a_thousand_lines_are_answered_at_once(api: Api) -> None:
    answer = api.resolve(*[{**LINE, "id": n} for n in range(1000)])
    assert [line["id"] for line in answer.json()["lines"]] == list(range(1000))
    assert {line["extended_price"] for line in answer.json()["lines"]} == {"30.90"}
