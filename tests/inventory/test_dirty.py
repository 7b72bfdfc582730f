"""Dirty marks: one per position, at its newest generation, cleared only at the generation that was read."""

from __future__ import annotations

from apps.inventory import dirty
from tests.inventory.conftest import Distributor


def test_a_mark_is_cleared_only_at_the_generation_that_was_read(shop: Distributor) -> None:
    shop.book("receipt", 5)
    shop.book("receipt", 5, item_id=shop.other.pk)
    taken = dirty.take(10)
    assert [(mark.item_id, mark.warehouse_id, mark.generation) for mark in taken] == [
        (shop.item.pk, shop.main.pk, 1),
        (shop.other.pk, shop.main.pk, 1),
    ]
    shop.book("ship", 1)
    assert dirty.clear([(mark.position_id, mark.generation) for mark in taken]) == 1
    assert [(mark.item_id, mark.generation) for mark in dirty.take(10)] == [(shop.item.pk, 2)]


def test_the_longest_waiting_come_first_and_keep_their_place(shop: Distributor) -> None:
    shop.book("receipt", 5)
    shop.book("receipt", 5, item_id=shop.other.pk)
    shop.book("receipt", 5)
    assert [mark.item_id for mark in dirty.take(1)] == [shop.item.pk]
