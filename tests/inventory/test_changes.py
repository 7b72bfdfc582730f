"""GET /availability/changes: every item once, then each change, skipping none whoever writes at the same time."""

from __future__ import annotations

import random
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from apps.access.keys import create_key, forget_keys
from apps.access.models import ApiClient
from apps.channels import planner
from apps.inventory import versions
from apps.inventory.models import AvailabilityVersion, StockingRule
from apps.inventory.movements import record
from apps.lib.clock import now
from apps.masterdata.changes import Person
from apps.masterdata.items import ItemUpsert, upsert_items
from apps.masterdata.models import Item, ItemComponent
from tests.inventory.conftest import Distributor, make_distributor


class Feed:
    """A reader with its place in the feed."""

    def __init__(self, **limits: Any) -> None:
        forget_keys()
        fields = {"scopes": ["availability:read"], "requests_per_s": 10_000, **limits}
        key = create_key(ApiClient.objects.create(name=f"reader {ApiClient.objects.count()}", **fields))
        self.client = Client(headers={"Authorization": f"Bearer {key}"})
        self.after = ""

    def page(self, status: int = 200, **query: Any) -> Any:
        asked = {"after": self.after, **query} if self.after else query
        response = self.client.get("/api/v1/availability/changes", asked)
        assert response.status_code == status, response.content
        body = response.json()
        self.after = body.get("next", self.after)
        return body.get("results", body)

    def told(self, **query: Any) -> list[tuple[str, str]]:
        return [(row["sku"], row["available"]) for row in self.page(**query)]


@pytest.mark.django_db
def test_it_begins_with_every_item_once_and_goes_on_with_changes(shop: Distributor) -> None:
    shop.book("receipt", 5)
    planner.plan()
    feed = Feed()
    assert feed.told(limit=1) == [("AB-1", "5")]
    assert feed.told(limit=1) == [("AB-2", "0")]
    assert feed.told(limit=1) == []
    assert feed.told() == []
    shop.book("receipt", 4, item_id=shop.other.pk)
    shop.book("pick", 1)
    planner.plan()
    assert feed.told() == [("AB-1", "4"), ("AB-2", "4")]
    assert feed.told() == []
    shop.book("pick", 1)
    planner.plan()
    (row,) = feed.page()
    assert row["version"] == AvailabilityVersion.objects.get(item=shop.item).version == 4
    assert (row["uom"], row["status"], row["sku"]) == ("EA", "ok", "AB-1")
    assert row["as_of"] is not None


@pytest.mark.django_db
def test_a_change_during_the_first_pass_comes_behind_it(shop: Distributor) -> None:
    feed = Feed()
    assert feed.told(limit=1) == [("AB-1", "0")]
    shop.book("receipt", 5)
    planner.plan()
    assert feed.told(limit=1) == [("AB-2", "0")]
    assert [*feed.told(), *feed.told()] == [("AB-1", "5")]


@pytest.mark.django_db
def test_items_change_by_their_status_their_components_and_their_rules(shop: Distributor) -> None:
    kit = Item.objects.create(sku="KIT", name="Kit", kind="kit", base_unit=shop.each)
    ItemComponent.objects.create(kit=kit, component=shop.item, quantity=2, unit=shop.each)
    feed = Feed()
    feed.told()
    shop.book("receipt", 10)
    planner.plan()
    assert feed.told() == [("AB-1", "10"), ("KIT", "5")]
    upsert_items([ItemUpsert(sku="AB-2", status="retired"), ItemUpsert(sku="N", name="N", base_uom="EA")], Person("x"))
    planner.plan()
    assert [(row["sku"], row["status"]) for row in feed.page()] == [("AB-2", "retired"), ("N", "ok")]
    StockingRule.objects.create(item=shop.item, safety_stock=4, effective_from=now() + timedelta(days=1))
    versions.advance([shop.item.pk])
    assert feed.told() == [("AB-1", "10")]
    StockingRule.objects.update(effective_from=now() - timedelta(days=1))
    AvailabilityVersion.objects.update(recheck_at=now() - timedelta(days=1))
    assert planner.plan() > 0
    assert ("AB-1", "6") in feed.told()
    assert planner.plan() == 0


@pytest.mark.django_db
def test_filters_and_refusals(shop: Distributor) -> None:
    shop.book("receipt", 5)
    shop.book("receipt", 7, warehouse_id=shop.north.pk)
    assert Feed().told(warehouse="NORTH")[0] == ("AB-1", "7")
    assert Feed(warehouses=["MAIN"]).told()[0] == ("AB-1", "5")
    for query in ({"after": "x"}, {"after": "WyJhIiwxXQ"}, {"limit": "0"}, {"colour": "red"}, {"warehouse": "NOPE"}):
        assert Feed().page(400, **query)["status"] == 400
    assert Feed(warehouses=["MAIN"]).page(404, warehouse="NORTH")["code"] == "not_found"
    assert Feed(scopes=["prices:read"]).page(403)["code"] == "forbidden"


@pytest.mark.django_db(transaction=True)
def test_nothing_is_skipped_under_concurrent_writers_and_planners() -> None:
    shop = make_distributor()
    items = [Item.objects.create(sku=f"C-{n}", name="x", base_unit=shop.each) for n in range(20)]
    feed = Feed()
    shown = dict(feed.told())
    stop = threading.Event()

    def write(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for turn in range(25):
                message = 1_000 * (seed + 1) + turn
                chosen = sorted(chance.sample(range(20), 3))
                with transaction.atomic():
                    facts = [shop.fact("receipt", 1, item_id=items[n].pk, message=message, line=str(n)) for n in chosen]
                    record(facts)
        finally:
            connection.close()

    def plan() -> None:
        try:
            while not stop.is_set():
                planner.plan(limit=5)
        finally:
            connection.close()

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    planners = [threading.Thread(target=plan) for _ in range(2)]
    for thread in (*planners, *writers):
        thread.start()
    seen: dict[str, int] = {}
    while any(thread.is_alive() for thread in writers):
        for row in feed.page(limit=3):
            assert row["version"] > seen.get(row["sku"], 0)
            seen[row["sku"]] = row["version"]
            shown[row["sku"]] = row["available"]
    stop.set()
    for thread in (*writers, *planners):
        thread.join(60)
    while planner.plan():
        pass
    while rows := feed.page():
        shown |= {row["sku"]: row["available"] for row in rows}
    truth = {item.sku: str(int(item.positions.get().on_hand)) for item in items if item.positions.exists()}
    assert {sku: shown[sku] for sku in truth} == truth
    assert sum(map(int, truth.values())) == 4 * 25 * 3
