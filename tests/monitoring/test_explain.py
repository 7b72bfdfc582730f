"""GET /explain/availability/{sku}: the terms add up, and each fact leads back to its event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.inventory.models import StockingRule
from apps.masterdata.models import Item, ItemComponent, Unit, Warehouse
from tests.sources.conftest import CATALOG, api_key, event, moved, send  # noqa: F401

pytestmark = pytest.mark.django_db

Ask = Callable[..., Any]


@pytest.fixture
def ask(api_key: Callable[..., str]) -> Ask:  # noqa: F811
    def get(sku: str, status: int = 200, *, scope: str = "availability:read", **limits: list[str]) -> Any:
        headers = {"Authorization": f"Bearer {api_key(scope, **limits)}"}
        response = Client(headers=headers).get(f"/api/v1/explain/availability/{sku}")
        assert response.status_code == status, response.content
        return response.json()

    return get


def test_the_waterfall_of_each_warehouse(ask: Ask) -> None:
    send(*CATALOG, event("w2", type="warehouse.upserted", data={"code": "W2", "name": "Two"}))
    send(moved("r", "receipt", "2", "CASE", time="2026-01-31T10:00:00Z"))
    send(moved("p", "pick", "3", data={"order": "SO-1", "line": "1"}, time="2026-01-31T11:00:00Z"))
    send(moved("h/1", "hold", "5", source="wms"), moved("s", "ship", "4", data={"warehouse": "W2"}))
    StockingRule.objects.create(item=Item.objects.get(), warehouse=Warehouse.objects.get(code="W1"), safety_stock=6)
    answer = ask("AB-1")
    assert (answer["sku"], answer["item_status"], answer["uom"], answer["available"]) == ("AB-1", "ok", "EA", "10")
    first, second = answer["by_warehouse"]
    assert [(term["term"], term["value"]) for term in first["terms"]] == [
        ("on_hand", "24"),
        ("held", "-5"),
        ("allocated", "0"),
        ("reserved", "0"),
        ("unbacked", "-3"),
        ("safety_stock", "-6"),
    ]
    assert (first["balance"], first["available"], first["why"]) == ("10", "10", "")
    assert [(each["kind"], each["quantity"], each["uom"], each["on_hand"]) for each in first["movements"]] == [
        ("hold", "5", "EA", "0"),
        ("pick", "3", "EA", "0"),
        ("receipt", "2", "CASE", "24"),
    ]
    assert first["movements"][0]["event"] == {
        "source": "wms",
        "id": "h/1",
        "lineage_url": "/api/v1/lineage/wms/h%2F1",
    }
    assert (second["balance"], second["available"], second["why"]) == ("-4", "0", "below zero is shown as 0")


def test_what_may_not_be_sold_says_why(ask: Ask) -> None:
    send(*CATALOG, moved("r", "receipt", "5"))
    Warehouse.objects.update(sellable=False)
    assert ask("AB-1")["by_warehouse"][0]["why"] == "nothing is promised: warehouse W1 is not sellable"
    Item.objects.update(status="retired")
    found = ask("AB-1")["by_warehouse"][0]
    assert (found["balance"], found["available"], found["why"]) == (
        "5",
        "0",
        "nothing is promised: the item is retired",
    )


def test_a_kit_is_explained_by_its_components(ask: Ask) -> None:
    send(*CATALOG, moved("r", "receipt", "10"))
    kit = Item.objects.create(sku="KIT/1", name="Kit", kind="kit", base_unit=Unit.objects.get(code="EA"))
    ItemComponent.objects.create(kit=kit, component=Item.objects.get(sku="AB-1"), quantity=4, unit=kit.base_unit)
    answer = ask("KIT%2F1")
    assert (answer["available"], answer["by_warehouse"][0]["terms"]) == ("2", [])
    url = "/api/v1/explain/availability/AB-1"
    assert answer["components"] == [{"sku": "AB-1", "quantity": "4", "uom": "EA", "explain_url": url}]


def test_a_key_sees_its_warehouses_and_sources_only(ask: Ask) -> None:
    send(*CATALOG, event("w2", type="warehouse.upserted", data={"code": "W2", "name": "Two"}))
    send(moved("r", "receipt", "5"), moved("r2", "receipt", "7", source="wms", data={"warehouse": "W2"}))
    (only,) = ask("AB-1", warehouses=["W2"])["by_warehouse"]
    assert only["warehouse"] == "W2"
    one, other = ask("AB-1", sources=["wms"])["by_warehouse"]
    assert (one["movements"][0]["event"], other["movements"][0]["event"]["id"]) == (None, "r2")


def test_what_nobody_knows_or_may_ask(ask: Ask) -> None:
    assert ask("NOPE", 404)["code"] == "not_found"
    assert ask("NOPE", 403, scope="prices:read")["code"] == "forbidden"


def test_only_the_latest_facts_are_told(ask: Ask) -> None:
    send(*CATALOG, *(moved(f"m{number}", "receipt", "1") for number in range(25)))
    (place,) = ask("AB-1")["by_warehouse"]
    assert (len(place["movements"]), place["balance"]) == (20, "25")
    assert place["movements"][0]["event"]["id"] == "m24"
