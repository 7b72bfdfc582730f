"""Planning: what changed becomes due once, in the channel's own number and price, in few queries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.channels import blocked, listings, planner
from apps.channels.models import Channel, ChannelWarehouse, Listing, ListingDirty, PlannedInput, Publication
from apps.exceptions.models import BlockedRecord, Cause
from apps.inventory import availability
from apps.inventory.availability import ChannelNumber
from apps.inventory.models import StockDirty, StockPosition
from apps.inventory.movements import NewMovement, record
from apps.masterdata import dirty as item_dirty
from apps.masterdata.changes import Person
from apps.masterdata.items import ComponentLine, ItemUpsert, UnitLine, upsert_items
from apps.masterdata.models import Item, ItemComponent, ItemDirty, ItemUnit, System, Unit, Warehouse
from apps.masterdata.units import set_conversion
from apps.pricing.entries import NewPrice, set_prices
from apps.pricing.models import PriceBook, PriceDirty, PriceSubject
from apps.pricing.rates import NewRate, set_rates

pytestmark = pytest.mark.django_db

BUYER = Person("buyer")
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass
class World:
    each: Unit
    case: Unit
    erp: System
    main: Warehouse
    north: Warehouse
    item: Item
    channel: Channel
    book: PriceBook
    messages: Iterator[int] = field(default_factory=lambda: count(1))

    def receive(self, quantity: int, *, item: Item | None = None, warehouse: Warehouse | None = None) -> int:
        message = next(self.messages)
        record([self.movement("receipt", quantity, message, item or self.item, warehouse or self.main)])
        return message

    def movement(self, kind: str, quantity: int, message: int, item: Item, warehouse: Warehouse) -> NewMovement:
        amount = Decimal(quantity)
        at = START + timedelta(seconds=message)
        return NewMovement(
            message, "", at, self.erp.pk, message, item.pk, warehouse.pk, kind, amount, self.each.pk, amount, at
        )

    def price(
        self, amount: str | None, *, item: Item | None = None, unit: Unit | None = None, currency: str = "USD"
    ) -> None:
        set_prices(
            [
                NewPrice(
                    book_id=self.book.pk,
                    unit_id=(unit or self.each).pk,
                    currency=currency,
                    amount=None if amount is None else Decimal(amount),
                    happened_at=START,
                    item_id=(item or self.item).pk,
                )
            ]
        )

    def list(self, external_id: str = "A", **fields: Any) -> Listing:
        listing = Listing.objects.create(
            channel=self.channel, external_id=external_id, **{"item": self.item, "unit": self.each, **fields}
        )
        listings.mark([listing.pk])
        return listing


@pytest.fixture
def world() -> World:
    each = Unit.objects.create(code="EA", name="each")
    item = Item.objects.create(sku="AB-1", name="Bolt", base_unit=each)
    main = Warehouse.objects.create(code="MAIN", name="Main")
    channel = Channel.objects.create(
        system=System.objects.create(code="SHOP", name="Shop"),
        connector="jsonhttp",
        grade="A",
        state="live",
        currency="USD",
    )
    ChannelWarehouse.objects.create(channel=channel, warehouse=main)
    return World(
        each=each,
        case=Unit.objects.create(code="CS", name="case"),
        erp=System.objects.create(code="erp", name="ERP"),
        main=main,
        north=Warehouse.objects.create(code="NORTH", name="North", priority=200),
        item=item,
        channel=channel,
        book=PriceBook.objects.create(code="LIST", level="list", currency="USD"),
    )


def stock(external_id: str = "A") -> Publication:
    return Publication.objects.get(kind="stock", listing__external_id=external_id)


def price(external_id: str = "A") -> Publication:
    return Publication.objects.get(kind="price", listing__external_id=external_id)


def test_a_new_listing_gets_its_first_stock_and_price(world: World) -> None:
    world.receive(40)
    world.price("12.37")
    world.list()
    planner.plan()
    assert stock().desired == {"quantity": "40"}
    assert price().desired == {"amount": "12.37", "currency": "USD"}
    assert (stock().desired_version, stock().acked_version, stock().blocked_at) == (1, 0, None)
    assert stock().subject == "A|"
    assert [marks.objects.count() for marks in (StockDirty, PriceDirty, ListingDirty)] == [0, 0, 0]
    assert planner.plan() == 0


def test_a_movement_makes_exactly_the_changed_value_due(world: World) -> None:
    world.receive(40)
    world.price("12.37")
    world.list()
    planner.plan()
    Publication.objects.update(acked_version=1, sent_version=1, acked={"quantity": "40"}, acked_at=START)
    record([world.movement("ship", 3, 90, world.item, world.main)])
    planner.plan()
    assert (stock().desired, stock().desired_version, stock().decreases) == ({"quantity": "37"}, 2, True)
    assert price().desired_version == 1


def test_an_unchanged_value_is_not_due_but_its_generation_is_remembered(world: World) -> None:
    Channel.objects.update(cap=10)
    world.receive(40)
    world.list()
    planner.plan()
    world.receive(5)
    planner.plan()
    publication = stock()
    assert (publication.desired, publication.desired_version) == ({"quantity": "10"}, 1)
    generations = PlannedInput.objects.filter(publication=publication, kind="stock").order_by("generation")
    assert list(generations.values_list("generation", "desired_version")) == [(1, 1), (2, 1)]
    assert generations[1].subject == StockPosition.objects.get().pk


def test_a_price_remembers_the_subject_it_was_planned_from(world: World) -> None:
    world.price("12.37")
    world.list()
    planner.plan()
    subject = PriceSubject.objects.get(item=world.item)
    seen = PlannedInput.objects.get(publication=price(), kind="price", subject=subject.pk)
    assert (seen.generation, seen.desired_version) == (subject.generation, 1)


def test_a_price_remembers_books_that_convert_and_books_of_every_branch(world: World) -> None:
    euros = PriceBook.objects.create(code="EUR", level="branch", currency="EUR", convert=True)
    PriceBook.objects.create(code="NORTH", level="branch", currency="USD", region="NORTH")
    world.price("5.00")
    world.book = euros
    set_rates([NewRate(from_currency="EUR", to_currency="USD", rate=Decimal(2), effective_from=START)])
    later = datetime(2999, 1, 1, tzinfo=UTC)
    set_rates([NewRate(from_currency="EUR", to_currency="USD", rate=Decimal(3), effective_from=later)])
    world.price("4.00", currency="EUR")
    world.list()
    planner.plan()
    assert (price().desired["amount"], price().recheck_at) == ("8.00", later)
    seen = PlannedInput.objects.filter(publication=price(), kind="price").values_list("subject", flat=True)
    assert set(seen) == set(PriceSubject.objects.values_list("pk", flat=True))
    assert len(seen) == 2


def test_the_listings_unit_and_the_channels_policy_make_the_number(world: World) -> None:
    ItemUnit.objects.create(item=world.item, unit=world.case, numerator=12)
    ChannelWarehouse.objects.create(channel=world.channel, warehouse=world.north)
    world.receive(65)
    world.receive(23, warehouse=world.north)
    world.price("2.00")
    world.list(unit=world.case)
    Channel.objects.update(buffer=1)
    planner.plan()
    assert stock().desired == {"quantity": "5"}  # 5 + 1 cases, less a buffer of 1
    assert price().desired == {"amount": "24.00", "currency": "USD"}
    assert stock().trace["uom"] == "CS"


def test_locations_are_published_by_themselves_and_a_removed_one_goes_to_zero(world: World) -> None:
    ChannelWarehouse.objects.all().delete()
    ChannelWarehouse.objects.create(channel=world.channel, warehouse=world.main, location="L1")
    second = ChannelWarehouse.objects.create(channel=world.channel, warehouse=world.north, location="L2")
    world.receive(7)
    world.receive(9, warehouse=world.north)
    world.list()
    planner.plan()
    shown = Publication.objects.filter(kind="stock").order_by("location")
    assert [(one.location, one.desired["quantity"]) for one in shown] == [("L1", "7"), ("L2", "9")]
    second.delete()
    listings.mark_channel(world.channel.pk)
    planner.plan()
    assert [one.desired["quantity"] for one in shown.all()] == ["7", "0"]


@pytest.mark.parametrize(
    ("listing_status", "item_status"),
    [("paused", "active"), ("retired", "active"), ("active", "retired"), ("active", "blocked")],
)
def test_what_may_not_be_sold_shows_zero(world: World, listing_status: str, item_status: str) -> None:
    world.receive(40)
    listing = world.list()
    planner.plan()
    Listing.objects.update(status=listing_status)
    Item.objects.update(status=item_status)
    listings.mark([listing.pk])
    planner.plan()
    assert (stock().desired, stock().desired_version) == ({"quantity": "0"}, 2)


def test_a_kit_follows_its_components(world: World) -> None:
    kit = Item.objects.create(sku="KIT", name="Kit", kind="kit", base_unit=world.each)
    ItemComponent.objects.create(kit=kit, component=world.item, quantity=4, unit=world.each)
    world.receive(10)
    world.list("K", item=kit)
    planner.plan()
    assert stock("K").desired == {"quantity": "2"}
    world.receive(10)
    planner.plan()
    assert (stock("K").desired, stock("K").desired_version) == ({"quantity": "5"}, 2)


def test_a_changed_item_is_planned_again(world: World) -> None:
    world.receive(24)
    world.price("2.00")
    kit = Item.objects.create(sku="KIT", name="Kit", kind="kit", base_unit=world.each)
    ItemComponent.objects.create(kit=kit, component=world.item, quantity=4, unit=world.each)
    ItemUnit.objects.create(item=world.item, unit=world.case, numerator=12)
    world.list("EACH")
    world.list("CASE", unit=world.case)
    world.list("KIT", item=kit)
    planner.plan()
    assert planner.plan() == 0
    shown = [stock(each).desired["quantity"] for each in ("EACH", "CASE", "KIT")]
    assert (shown, price("CASE").desired["amount"]) == (["24", "2", "6"], "24.00")
    upsert_items([ItemUpsert(sku="AB-1", units=[UnitLine(uom="CS", numerator=6)])], BUYER)
    assert planner.plan() == 1
    assert (stock("CASE").desired["quantity"], price("CASE").desired["amount"]) == ("4", "12.00")
    upsert_items([ItemUpsert(sku="KIT", components=[ComponentLine(sku="AB-1", quantity=Decimal(3), uom="EA")])], BUYER)
    planner.plan()
    assert stock("KIT").desired == {"quantity": "8"}
    upsert_items([ItemUpsert(sku="AB-1", status="retired")], BUYER)
    planner.plan()
    assert [stock(each).desired["quantity"] for each in ("EACH", "CASE")] == ["0", "0"]
    upsert_items([ItemUpsert(sku="AB-1", name="Bolts", brand="Acme")], BUYER)
    assert not ItemDirty.objects.exists()


def test_an_item_that_changes_while_it_is_planned_stays_marked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.receive(40)
    world.list()
    planner.plan()
    item_dirty.mark([world.item.pk])
    real = planner.plan_listings

    def meanwhile(*arguments: Any) -> int:
        done = real(*arguments)
        upsert_items([ItemUpsert(sku="AB-1", status="retired")], BUYER)
        return done

    monkeypatch.setattr(planner, "plan_listings", meanwhile)
    planner.plan()
    assert ItemDirty.objects.get().generation == 2
    monkeypatch.undo()
    planner.plan()
    assert stock().desired == {"quantity": "0"}


def test_a_general_conversion_reaches_the_items_it_is_connected_with(world: World) -> None:
    world.receive(24)
    world.list("CASE", unit=world.case)
    Item.objects.create(sku="L-1", name="Oil", base_unit=Unit.objects.create(code="L", name="litre"))
    set_conversion("CS", "EA", 12, 1, by="buyer")
    assert ItemDirty.objects.get().item_id == world.item.pk
    planner.plan()
    set_conversion("CS", "EA", 6, 1, by="buyer")
    planner.plan()
    assert stock("CASE").desired == {"quantity": "4"}


def test_a_missing_price_is_an_exception_and_publishes_nothing(world: World) -> None:
    world.list()
    planner.plan()
    publication = price()
    assert (publication.desired, publication.acked) == ({}, None)
    assert publication.blocked_at is not None
    record_ = BlockedRecord.objects.get()
    assert (record_.origin, record_.origin_id, record_.state) == ("publication", publication.pk, "open")
    assert (record_.cause.reason, record_.cause.value, record_.cause.channel) == ("MISSING_PRICE", "AB-1", "SHOP")
    world.price("5.00")
    planner.plan()
    publication.refresh_from_db()
    assert (publication.desired, publication.blocked_at) == ({"amount": "5.00", "currency": "USD"}, None)
    assert BlockedRecord.objects.get().state == "resolved"
    assert Cause.objects.get().state == "resolved"


def test_a_price_that_ends_keeps_the_last_one_and_says_so(world: World) -> None:
    world.price("5.00")
    world.list()
    planner.plan()
    world.price(None)
    planner.plan()
    publication = price()
    assert (publication.desired, publication.desired_version) == ({"amount": "5.00", "currency": "USD"}, 1)
    assert publication.blocked_at is not None
    assert Cause.objects.get().reason == "MISSING_PRICE"
    world.price("5.00")
    planner.plan()
    publication.refresh_from_db()
    assert (publication.blocked_at, publication.desired_version) == (None, 2)


def test_a_listing_unit_without_conversion_blocks_and_heals(world: World) -> None:
    world.receive(40)
    world.price("1.00")
    world.list(unit=world.case)
    planner.plan()
    assert {cause.reason for cause in Cause.objects.all()} == {"INVALID_CONVERSION"}
    assert Cause.objects.get().value == "CS → EA"
    assert stock().blocked_at is not None
    ItemUnit.objects.create(item=world.item, unit=world.case, numerator=10)
    blocked.retry([stock().pk, price().pk])
    assert (stock().desired, price().desired["amount"]) == ({"quantity": "4"}, "10.00")
    assert set(BlockedRecord.objects.values_list("state", flat=True)) == {"resolved"}


def test_a_retry_that_finds_no_price_stays_blocked(world: World) -> None:
    world.list()
    planner.plan()
    blocked.retry([price().pk])
    assert price().blocked_at is not None
    assert BlockedRecord.objects.get().state == "open"


def test_a_mark_that_moved_on_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.receive(40)
    world.list()
    real = planner.plan_listings

    def meanwhile(*arguments: Any) -> int:
        done = real(*arguments)
        world.receive(1)
        return done

    monkeypatch.setattr(planner, "plan_listings", meanwhile)
    planner.plan()
    assert StockDirty.objects.get().generation == 2
    monkeypatch.undo()
    planner.plan()
    assert stock().desired == {"quantity": "41"}


def test_a_value_due_to_change_by_itself_is_looked_at_again(world: World) -> None:
    world.receive(40)
    world.list()
    planner.plan()
    Channel.objects.update(cap=3)
    Publication.objects.filter(kind="stock").update(recheck_at="2026-01-01T00:00:00Z")
    assert planner.plan() == 1
    assert stock().desired == {"quantity": "3"}
    assert stock().recheck_at is None


@pytest.mark.parametrize("state", ["draft", "paused"])
def test_channels_that_are_not_live_are_planned(world: World, state: str) -> None:
    Channel.objects.update(state=state)
    world.receive(40)
    world.list()
    planner.plan()
    assert stock().desired == {"quantity": "40"}


def test_a_retired_channel_is_not_planned(world: World) -> None:
    Channel.objects.update(state="retired")
    world.receive(40)
    world.list()
    planner.plan()
    assert not Publication.objects.exists()
    assert not StockDirty.objects.exists()


def test_the_number_of_queries_does_not_grow_with_the_batch(world: World) -> None:
    def queries(first: int, last: int) -> int:
        items = Item.objects.bulk_create(
            [Item(sku=f"I{number}", name="x", base_unit=world.each) for number in range(first, last)]
        )
        made = Listing.objects.bulk_create(
            [Listing(channel=world.channel, external_id=item.sku, item=item, unit=world.each) for item in items]
        )
        record([world.movement("receipt", 5, next(world.messages), item, world.main) for item in items])
        listings.mark([listing.pk for listing in made])
        with CaptureQueriesContext(
            connection,
        ) as captured:
            planner.plan()
        assert not StockDirty.objects.exists()
        return len(captured)

    queries(0, 3)
    few, many = queries(3, 8), queries(8, 608)
    assert Publication.objects.filter(kind="stock", desired={"quantity": "5"}).count() == 608
    assert many <= few


def test_only_one_planner_runs_at_a_time(world: World) -> None:
    world.list()
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [planner._LOCK_KEY])
        assert planner.plan() == 0
        assert ListingDirty.objects.exists()
    finally:
        with other.cursor() as cursor:  # closing gives the connection back to the pool, lock and all
            cursor.execute("SELECT pg_advisory_unlock_all()")
        other.close()


def test_availability_for_a_channel_is_the_number_it_would_be_shown(world: World) -> None:
    ItemUnit.objects.create(item=world.item, unit=world.case, numerator=12)
    Channel.objects.update(buffer=1)
    world.receive(65)
    world.list("EACH")
    world.list("CASE", unit=world.case)
    _, found = availability.lookup(["AB-1"])
    stocks = [found["AB-1"].stock]
    assert availability.channel_numbers is not None
    assert availability.channel_numbers("SHOP", stocks, None) == {world.item.pk: ChannelNumber(Decimal(64), "EA")}
    assert availability.channel_numbers("SHOP", stocks, "CS") == {world.item.pk: ChannelNumber(Decimal(4), "CS")}
    assert availability.channel_numbers("SHOP", stocks, "PAL") == {}
    assert availability.channel_numbers("OTHER", stocks, None) == {}
