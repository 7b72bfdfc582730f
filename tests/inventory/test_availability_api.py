"""GET /availability/{sku} and POST /availability/lookup: the contract's fields, statuses and refusals."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.access.keys import create_key, forget_keys
from apps.access.models import ApiClient
from apps.inventory import availability
from apps.inventory.availability import channel_inputs
from apps.inventory.models import StockingRule
from apps.inventory.movements import record
from apps.lib.clock import now
from apps.masterdata.models import Item, ItemComponent, ItemUnit, Unit
from tests.inventory.conftest import Distributor

BASE = "/api/v1/availability"


def key(**limits: Any) -> dict[str, str]:
    forget_keys()
    fields = {"scopes": ["availability:read"], "requests_per_s": 10_000, **limits}
    client = ApiClient.objects.create(name=f"reader {ApiClient.objects.count()}", **fields)
    return {"Authorization": f"Bearer {create_key(client)}"}


@pytest.fixture
def headers(shop: Distributor) -> dict[str, str]:
    return key()


def get(path: str, headers: dict[str, str], status: int = 200, **query: Any) -> Any:
    response = Client(headers=headers).get(f"{BASE}{path}", query)
    assert response.status_code == status, response.content
    return response.json()


def post(body: Any, headers: dict[str, str], status: int = 200) -> Any:
    response = Client(headers=headers).post(f"{BASE}/lookup", body, content_type="application/json")
    assert response.status_code == status, response.content
    return response.json()


def test_the_whole_answer(shop: Distributor, headers: dict[str, str]) -> None:
    record([shop.fact("receipt", 20), shop.fact("hold", 5), shop.fact("pick", 3, order="SO-1", order_line="1")])
    shop.book("receipt", 4, warehouse_id=shop.north.pk, sequence=77)
    StockingRule.objects.create(item=shop.item, warehouse=shop.main, safety_stock=2)
    answer = get("/AB-1", headers)
    assert answer == {
        "sku": "AB-1",
        "status": "ok",
        "uom": "EA",
        "available": "14",
        "common": "14",
        "by_warehouse": [
            {
                "warehouse": "MAIN",
                "available": "10",
                "on_hand": "20",
                "held": "5",
                "allocated": "0",
                "reserved": "0",
                "unbacked": "3",
                "safety_stock": "2",
                "inbound": "0",
                "sellable": True,
            },
            {
                "warehouse": "NORTH",
                "available": "4",
                "on_hand": "4",
                "held": "0",
                "allocated": "0",
                "reserved": "0",
                "unbacked": "0",
                "safety_stock": "0",
                "inbound": "0",
                "sellable": True,
            },
        ],
        "as_of": "2026-03-02T09:04:00Z",
        "source_watermarks": {"wms": 77},
        "stale": False,
        "next_change_at": None,
        "backorder": {"rule": "none", "limit": None, "until": None, "lead_time_days": None},
        "replaced_by": None,
        "explain_url": "/api/v1/explain/availability/AB-1",
    }


def test_each_warehouse_is_floored_at_zero_and_only_sellable_ones_count(
    shop: Distributor, headers: dict[str, str]
) -> None:
    shop.book("ship", 5)
    shop.book("receipt", 4, warehouse_id=shop.north.pk)
    assert get("/AB-1", headers)["available"] == "4"
    shop.north.sellable = False
    shop.north.save(update_fields=["sellable"])
    answer = get("/AB-1", headers)
    assert answer["available"] == "0"
    assert [place["available"] for place in answer["by_warehouse"]] == ["0", "0"]


def test_a_sku_with_a_slash_and_the_query_form(shop: Distributor, headers: dict[str, str]) -> None:
    Item.objects.create(sku="A/B 1", name="Odd", base_unit=shop.each)
    assert get("/A%2FB%201", headers)["sku"] == "A/B 1"
    assert get("/A/B%201", headers)["explain_url"] == "/api/v1/explain/availability/A%2FB%201"
    assert get("", headers, sku="A/B 1")["available"] == "0"


def test_unknown_is_404_alone_and_a_status_in_lookup(shop: Distributor, headers: dict[str, str]) -> None:
    assert get("/NOPE", headers, status=404)["code"] == "not_found"
    items = post({"skus": ["AB-2", "NOPE", "AB-2"]}, headers)["items"]
    assert [(item["sku"], item["status"]) for item in items] == [("AB-2", "ok"), ("NOPE", "unknown"), ("AB-2", "ok")]


@pytest.mark.parametrize(
    ("fields", "status", "available"),
    [
        ({"status": "retired"}, "retired", "0"),
        ({"status": "blocked"}, "restricted", "0"),
        ({"status": "sell_down"}, "ok", "9"),
        ({"kind": "non_stock"}, "non_stock", "0"),
    ],
)
def test_statuses(
    shop: Distributor, headers: dict[str, str], fields: dict[str, str], status: str, available: str
) -> None:
    shop.book("receipt", 9)
    Item.objects.filter(pk=shop.item.pk).update(**fields, replaced_by=shop.other)
    answer = get("/AB-1", headers)
    assert (answer["status"], answer["available"], answer["replaced_by"]) == (status, available, "AB-2")


def test_a_kit_is_the_least_of_its_components_per_warehouse(shop: Distributor, headers: dict[str, str]) -> None:
    case = Unit.objects.create(code="CS", name="Case")
    ItemUnit.objects.create(item=shop.other, unit=case, numerator=4)
    kit = Item.objects.create(sku="KIT", name="Kit", base_unit=shop.each, kind="kit")
    ItemComponent.objects.create(kit=kit, component=shop.item, quantity=2, unit=shop.each)
    ItemComponent.objects.create(kit=kit, component=shop.other, quantity=1, unit=case)
    record(
        [
            shop.fact("receipt", 9),
            shop.fact("receipt", 13, item_id=shop.other.pk),
            shop.fact("receipt", 50, warehouse_id=shop.north.pk),
        ]
    )
    answer = get("/KIT", headers)
    assert answer["available"] == "3"
    assert {place["warehouse"]: place["available"] for place in answer["by_warehouse"]} == {"MAIN": "3", "NORTH": "0"}
    inputs = channel_inputs([kit.pk, shop.item.pk], [shop.main.pk, shop.north.pk])
    assert inputs[kit.pk, shop.main.pk].atp == 3
    assert {position for position, _ in inputs[kit.pk, shop.main.pk].inputs} == {
        shop.position().pk,
        shop.position(shop.other).pk,
    }
    own = inputs[shop.item.pk, shop.main.pk]
    assert (own.position_id, own.generation, own.atp) == (shop.position().pk, 1, 9)


def test_warehouse_filter_and_key_limits(shop: Distributor, headers: dict[str, str]) -> None:
    shop.book("receipt", 20)
    shop.book("receipt", 4, warehouse_id=shop.north.pk)
    assert get("/AB-1", headers, warehouse="NORTH")["available"] == "4"
    assert get("/AB-1", headers, warehouse=["NORTH", "MAIN"])["available"] == "24"
    assert get("/AB-1", headers, 400, warehouse="NOPE")["errors"][0]["pointer"] == "/warehouse"
    limited = key(warehouses=["NORTH"])
    assert get("/AB-1", limited)["available"] == "4"
    assert get("/AB-1", limited, 404, warehouse="MAIN")["code"] == "not_found"
    assert get("/AB-1", key(channels=["SHOP"]), 404, channel="MARKET")["code"] == "not_found"


def test_a_channel_without_a_listing_is_not_listed(shop: Distributor, headers: dict[str, str]) -> None:
    assert get("/AB-1", headers, 404, channel="SHOP")["code"] == "not_found"
    assert post({"skus": ["AB-1"], "channel": "SHOP"}, headers)["items"][0]["status"] == "not_listed"


def test_the_channels_number_is_the_providers(
    shop: Distributor, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    number = availability.ChannelNumber(Decimal(2), "CS")
    monkeypatch.setattr(availability, "channel_numbers", lambda channel, items, uom: {items[0].id: number})
    answer = get("/AB-1", headers, channel="SHOP")
    assert (answer["available"], answer["uom"], answer["status"]) == ("2", "CS", "ok")


def test_quantity_asks_for_the_earliest_day(shop: Distributor, headers: dict[str, str]) -> None:
    shop.book("receipt", 9)
    case = Unit.objects.create(code="CS", name="Case")
    ItemUnit.objects.create(item=shop.item, unit=case, numerator=4)
    today = now().date()
    answer = get("/AB-1", headers, quantity="2", uom="CS")
    assert answer["earliest_on"] == today.isoformat()
    assert answer["schedule"] == [{"on": today.isoformat(), "quantity": "8"}]
    assert answer["uom"] == "EA"
    assert get("/AB-1", headers, quantity="10")["earliest_on"] is None
    StockingRule.objects.create(item=shop.item, backorder="up_to", backorder_limit=3, lead_time_days=7)
    later = (today + timedelta(days=7)).isoformat()
    answer = get("/AB-1", headers, quantity="12")
    assert answer["earliest_on"] == later
    assert answer["schedule"] == [{"on": today.isoformat(), "quantity": "9"}, {"on": later, "quantity": "3"}]
    assert answer["available"] == "9"
    assert get("/AB-1", headers, quantity="13")["earliest_on"] is None
    lines = [{"sku": "AB-1", "quantity": "3", "uom": "CS"}, {"sku": "NOPE", "quantity": 1, "uom": "EA"}]
    items = post({"lines": lines}, headers)["items"]
    assert (items[0]["earliest_on"], items[1]["status"]) == (later, "unknown")


def test_a_rule_that_begins_later_is_announced(shop: Distributor, headers: dict[str, str]) -> None:
    shop.book("receipt", 9)
    start = (now() + timedelta(days=2)).replace(microsecond=0)
    StockingRule.objects.create(item=shop.item, safety_stock=1)
    StockingRule.objects.create(item=shop.item, safety_stock=5, effective_from=start)
    answer = get("/AB-1", headers)
    assert answer["available"] == "8"
    assert answer["next_change_at"] == start.isoformat().replace("+00:00", "Z")


def test_stale_sources_mark_what_they_feed(
    shop: Distributor, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.book("receipt", 9)
    monkeypatch.setattr(availability, "stale_sources", lambda: {"wms"})
    monkeypatch.setattr(availability, "_stale_until", 0.0)
    monkeypatch.setattr(availability, "_stale", ())
    assert get("/AB-1", headers)["stale"] is True
    assert get("/AB-2", headers)["stale"] is False


def test_etag_follows_the_answer_and_not_its_age(shop: Distributor, headers: dict[str, str]) -> None:
    shop.book("receipt", 9, sequence=None)
    first = Client(headers=headers).get(f"{BASE}/AB-1")
    again = Client(headers={**headers, "If-None-Match": first["ETag"]}).get(f"{BASE}/AB-1")
    assert (again.status_code, again.content) == (304, b"")
    shop.book("pack", 1, sequence=None)
    newer = Client(headers=headers).get(f"{BASE}/AB-1")
    assert newer.json()["as_of"] > first.json()["as_of"]
    assert newer["ETag"] == first["ETag"]
    shop.book("receipt", 1, sequence=None)
    assert Client(headers={**headers, "If-None-Match": first["ETag"]}).get(f"{BASE}/AB-1").status_code == 200


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"on": "2020-01-01"}, "/on"),
        ({"on": "2999-01-01"}, "/on"),
        ({"on": "soon"}, "/on"),
        ({"on": "2026-W01-1"}, "/on"),
        ({"quantity": "1e3"}, "/quantity"),
        ({"quantity": "-1"}, "/quantity"),
        ({"quantity": "1", "uom": "XX"}, "/uom"),
        ({"nonsense": "1"}, "/nonsense"),
    ],
)
def test_bad_questions(shop: Distributor, headers: dict[str, str], query: dict[str, str], pointer: str) -> None:
    assert get("/AB-1", headers, 400, **query)["errors"][0]["pointer"] == pointer


def test_today_and_the_horizon_are_inside(shop: Distributor, headers: dict[str, str]) -> None:
    today = now().date()
    for day in (today, today + timedelta(days=90)):
        assert get("/AB-1", headers, on=day.isoformat())["status"] == "ok"
    assert get("/AB-1", headers, 400, on=(today + timedelta(days=91)).isoformat())["code"] == "invalid"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"skus": ["A"], "lines": []},
        {"skus": ["A"] * 1001},
        {"skus": [""]},
        {"skus": "A"},
        {"skus": ["A"], "x": 1},
        [],
    ],
)
def test_bad_lookups(shop: Distributor, headers: dict[str, str], body: Any) -> None:
    assert post(body, headers, 400)["status"] == 400


def test_without_the_scope(shop: Distributor) -> None:
    assert get("/AB-1", key(scopes=["prices:read"]), 403)["code"] == "forbidden"
    assert get("/AB-1", {}, 401)["code"] == "unauthenticated"


def test_a_thousand_skus_take_as_many_queries_as_one(shop: Distributor, headers: dict[str, str]) -> None:
    skus = [f"N-{n:04}" for n in range(1000)]
    Item.objects.bulk_create(
        Item(sku=sku, name=sku, base_unit=shop.each, kind="kit" if n % 2 else "stock") for n, sku in enumerate(skus)
    )
    ItemComponent.objects.bulk_create(
        ItemComponent(kit=kit, component=shop.item, quantity=1, unit=shop.each)
        for kit in Item.objects.filter(kind="kit")
    )
    shop.book("receipt", 9)
    client = Client(headers=headers)

    def queries(asked: list[str]) -> int:
        with CaptureQueriesContext(connection) as seen:
            response = client.post(f"{BASE}/lookup", {"skus": asked}, content_type="application/json")
        assert [item["sku"] for item in response.json()["items"]] == asked
        return len(seen)

    queries(["AB-1"])
    assert queries(["N-0001"]) == queries(skus)
