"""Rules that hold for any history: sums, order, replays, and many writers at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from random import Random

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.inventory.models import OpenPick, StockDirty, StockMovement, StockPosition
from apps.inventory.movements import NewMovement, record
from tests.inventory.conftest import Distributor, make_distributor, undone

ANY_KIND = st.sampled_from(
    ["receipt", "pick", "unpick", "pack", "ship", "adjustment", "scrap", "return", "transfer_out", "hold", "release"]
)
STEP = st.tuples(ANY_KIND, st.integers(1, 9), st.sampled_from(["", "SO-1", "SO-2"]), st.sampled_from(["", "damaged"]))
PICKING = st.tuples(st.sampled_from(["pick", "ship", "unpick"]), st.integers(1, 9), st.integers(1, 3))
COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


def state() -> list[tuple[object, ...]]:
    return list(
        StockPosition.objects.order_by("id").values_list("on_hand", "held", "unbacked", "shortfall", "generation")
    )


def assert_sums() -> None:
    for position in StockPosition.objects.all():
        rows = list(StockMovement.objects.filter(item=position.item_id, warehouse=position.warehouse_id).order_by("id"))
        assert sum(row.on_hand_delta for row in rows) == position.on_hand
        assert sum(row.held_delta for row in rows) == position.held
        assert sum(row.unbacked_delta for row in rows) == position.unbacked
        assert sum(pick.open for pick in OpenPick.objects.filter(position=position)) == position.unbacked
        assert [row.generation for row in rows] == list(range(1, position.generation + 1))
        assert position.shortfall == max(0, -position.available)
        assert StockDirty.objects.get(position=position).generation == position.generation


@settings(max_examples=25, **COMMON)  # type: ignore[arg-type]
@given(steps=st.lists(STEP, min_size=1, max_size=20), cut=st.integers(0, 20))
def test_the_ledger_adds_up_and_a_replay_changes_nothing(
    shop: Distributor, steps: list[tuple[str, int, str, str]], cut: int
) -> None:
    facts = [
        shop.fact(kind, amount, order=order, order_line="1" if order else "", condition=condition)
        for kind, amount, order, condition in steps
    ]
    with undone():
        record(facts[:cut])
        record(facts[cut:])
        assert_sums()
        before = state()
        assert {answer.status for answer in record(facts)} == {"already"}
        assert state() == before


@settings(max_examples=30, **COMMON)  # type: ignore[arg-type]
@given(steps=st.lists(PICKING, min_size=1, max_size=12), seed=st.integers(0, 2**16))
def test_picks_and_ships_of_orders_commute(shop: Distributor, steps: list[tuple[str, int, int]], seed: int) -> None:
    facts = [shop.fact(kind, amount, order=f"SO-{order}", order_line="1") for kind, amount, order in steps]
    shuffled = Random(seed).sample(facts, len(facts))

    def outcome(order: list[NewMovement], batch: int) -> list[tuple[object, ...]]:
        with undone():
            for start in range(0, len(order), batch):
                record(order[start : start + batch])
            assert_sums()
            return state()

    assert outcome(facts, len(facts)) == outcome(shuffled, 1 + seed % 4)


@pytest.fixture
def committed(transactional_db: None) -> Iterator[Distributor]:
    return make_distributor()


def test_many_writers_on_the_same_positions(committed: Distributor) -> None:
    shop, threads, batches, size = committed, 4, 6, 40
    places = [(item.pk, warehouse.pk) for item in (shop.item, shop.other) for warehouse in (shop.main, shop.north)]
    work = [
        [
            [
                shop.fact("receipt" if n % 3 else "ship", 2 if n % 3 else 1, item_id=item, warehouse_id=warehouse)
                for n in range(size)
                for item, warehouse in [Random(f"{thread} {batch} {n}").choice(places)]
            ]
            for batch in range(batches)
        ]
        for thread in range(threads)
    ]
    work.append([list(reversed(batch)) for batch in work[0]])  # the same facts again, from another writer
    errors: list[BaseException] = []
    start = threading.Barrier(len(work))

    def write(batches_of_one: list[list[NewMovement]]) -> None:
        try:
            start.wait(timeout=30)
            for batch in batches_of_one:
                record(batch)
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    writers = [threading.Thread(target=write, args=(batches_of_one,)) for batches_of_one in work]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=120)
    assert errors == []
    assert StockMovement.objects.count() == threads * batches * size
    expected: dict[tuple[int, int], Decimal] = {}
    for batch in (batch for batches_of_one in work[:-1] for batch in batches_of_one):
        for fact in batch:
            place = (fact.item_id, fact.warehouse_id)
            change = fact.base_quantity if fact.kind == "receipt" else -fact.base_quantity
            expected[place] = expected.get(place, Decimal(0)) + change
    assert {(p.item_id, p.warehouse_id): p.on_hand for p in StockPosition.objects.all()} == expected
    assert_sums()
