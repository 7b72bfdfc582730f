"""Several loops at once, on real connections: every message is worked on once, and none is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from apps.inventory.models import StockMovement
from apps.masterdata.models import Item
from apps.pricing.models import PriceEntry
from apps.sources import batch, cursors, processing
from apps.sources.inbox import receive
from apps.sources.models import EntityCursor, InboxMessage
from tests.sources.conftest import CATALOG, Event, event, moved, on_hand, send, states


@pytest.mark.django_db(transaction=True)
def test_three_loops_at_once_book_every_movement_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing, "BATCH", 50)
    send(*CATALOG)
    receive([moved(f"m{number}", "receipt", "1") for number in range(600)])
    start = threading.Barrier(3)
    done: list[int] = []

    def loop() -> None:
        start.wait()
        try:
            while worked := processing.process(50):
                done.append(worked)
        finally:
            connection.close()

    threads = [threading.Thread(target=loop) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    processing.drain()
    assert set(states().values()) == {"processed"}
    assert (on_hand(), StockMovement.objects.count(), sum(done)) == ("W1 600", 600, 600)


class TwoLoops:
    """Two loops, one message each: the second starts inside the first, and the first ends once it is seen waiting."""

    def __init__(self, first: str, second: str) -> None:
        self.ids = [InboxMessage.objects.get(event_id=event_id).pk for event_id in (first, second)]
        self.errors: list[BaseException] = []
        self.second = threading.Thread(target=self._run, args=(self.ids[1],))

    def _run(self, message_id: int) -> None:
        try:
            with transaction.atomic():
                processing.retry([message_id])
        except BaseException as error:
            self.errors.append(error)
        finally:
            connection.close()

    def run(self) -> None:
        """The first loop holds its locks and its work open until the second waits for a lock, or is through."""
        with transaction.atomic():
            processing.retry([self.ids[0]])
            self.second.start()
            while self.second.is_alive() and not _somebody_waits():
                self.second.join(0.01)
        self.second.join(60)
        assert not self.second.is_alive()
        assert self.errors == []


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock')"
        )
        return bool(cursor.fetchone()[0])


def item(event_id: str, sequence: int, name: str) -> Event:
    data = {"sku": "NEW-1", "name": name, "base_uom": "EA"}
    return event(event_id, type="item.upserted", sequence=f"{sequence:06d}", data=data)


@pytest.mark.django_db(transaction=True)
def test_of_two_first_facts_of_an_entity_at_once_the_newer_one_stays() -> None:
    send(*CATALOG)
    assert not receive([item("n1", 1, "Old"), item("n2", 2, "New")]).rejected
    TwoLoops("n2", "n1").run()
    assert Item.objects.get(sku="NEW-1").name == "New"
    assert EntityCursor.objects.get(entity='item:["NEW-1"]').sequence == 2
    assert (states()["n1"], states()["n2"]) == ("superseded", "processed")


@pytest.mark.django_db(transaction=True)
def test_a_cursor_never_moves_back_even_where_it_was_read_before_it_was_written() -> None:
    send(*CATALOG)
    assert not receive([item("n1", 1, "Old"), item("n2", 2, "New")]).rejected
    ids = InboxMessage.objects.filter(event_id__in=["n1", "n2"]).values_list("pk", flat=True)
    old, new = sorted(batch.peek(list(ids)), key=lambda message: message.event_id)
    cursors.advance([new], {})
    cursors.advance([old], {})
    assert EntityCursor.objects.get(entity='item:["NEW-1"]').sequence == 2


@pytest.mark.django_db(transaction=True)
def test_locking_many_new_entities_takes_two_statements(django_assert_num_queries: Callable[[int], Any]) -> None:
    send(*CATALOG)
    receive([event(f"n{n}", type="unit.upserted", data={"code": f"U{n}", "name": "Unit"}) for n in range(50)])
    messages = batch.peek(list(InboxMessage.objects.filter(state="pending").values_list("pk", flat=True)))
    assert len(messages) == 50
    with transaction.atomic(), django_assert_num_queries(2):
        assert cursors.lock_cursors(messages) == {}


def part(event_id: str, number: int, sku: str) -> Event:
    lines = [{"sku": sku, "uom": "EA", "amount": str(number), "currency": "USD"}]
    data = {"book": "LIST", "as_of": "2026-06-01", "complete": True, "part": number, "parts": 2, "lines": lines}
    return event(event_id, type="price_list.counted", data=data)


@pytest.mark.django_db(transaction=True)
def test_two_parts_of_a_price_list_at_once_count_the_whole_list() -> None:
    book = {"code": "LIST", "level": "list", "currency": "USD"}
    ended = {"book": "LIST", "sku": "AB-1", "uom": "CASE", "amount": "30", "currency": "USD"}
    send(
        *CATALOG,
        item("n1", 1, "New"),
        event("b1", type="price_book.upserted", data=book),
        event("p1", type="price.set", data=ended),
    )
    assert states()["p1"] == "processed"
    assert not receive([part("l1", 1, "AB-1"), part("l2", 2, "NEW-1")]).rejected
    TwoLoops("l1", "l2").run()
    assert (states()["l1"], states()["l2"]) == ("processed", "processed")
    current = PriceEntry.objects.filter(superseded_at=None)
    assert {entry.amount: entry.valid_to is not None for entry in current} == {30: True, 1: False, 2: False}
