"""Snapshots against the ledger: watermarks per source, whole loading, what is missing, what is held."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.inventory.models import OpenPick, StockCount, StockDirty, StockEvidence, StockMovement, StockPosition
from apps.inventory.movements import record
from apps.inventory.reconciliation import CountLine, CountPart, CountResult, apply_count, load_part
from apps.masterdata.models import Item, Warehouse
from tests.inventory.conftest import START, Distributor

NOON = START.replace(hour=12)


def count(
    shop: Distributor,
    *rows: tuple[Item, Warehouse, int],
    snapshot: str = "S-1",
    as_of: datetime = NOON,
    watermarks: dict[str, int] | None = None,
    complete: bool = False,
    held: int | None = None,
    measure: Any = "on_hand",
    warehouse_ids: Sequence[int] = (),
) -> CountResult:
    message = 1_000_000 + StockCount.objects.count()
    loaded = load_part(
        CountPart(
            source_id=shop.erp.pk,
            snapshot=snapshot,
            as_of=as_of,
            complete=complete,
            message=message,
            recorded_at=NOON,
            watermarks=watermarks,
            warehouse_ids=warehouse_ids,
        )
    )
    lines = [
        CountLine(
            message,
            str(index),
            NOON,
            item.pk,
            warehouse.pk,
            Decimal(quantity),
            shop.each.pk,
            Decimal(quantity),
            None if held is None else Decimal(held),
        )
        for index, (item, warehouse, quantity) in enumerate(rows)
    ]
    return apply_count(loaded.count_id, lines, measure)


def sums_agree() -> bool:
    for position in StockPosition.objects.all():
        rows = StockMovement.objects.filter(item=position.item_id, warehouse=position.warehouse_id)
        for name in ("on_hand", "held", "unbacked"):
            if sum(rows.values_list(f"{name}_delta", flat=True)) != getattr(position, name):
                return False
    return True


@pytest.mark.parametrize("kind", ["ship", "adjustment", "scrap", "pick"])
@pytest.mark.parametrize("when", range(4))
def test_golden_91_whenever_the_snapshot_arrives(shop: Distributor, kind: str, when: int) -> None:
    facts = [
        shop.fact(
            kind,
            -quantity if kind == "adjustment" else quantity,
            sequence=sequence,
            order=f"SO-{sequence}",
            order_line="1",
        )
        for quantity, sequence in [(4, 50001), (3, 50002), (2, 50003)]
    ]
    record(facts[:when])
    count(shop, (shop.item, shop.main, 93), watermarks={"erp": 900, "wms": 50002})
    record(facts[when:])
    assert shop.position().available == 91
    assert sums_agree()


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_golden_91_in_any_order(shop: Distributor, order: tuple[int, ...]) -> None:
    facts = [shop.fact("ship", quantity, sequence=s) for quantity, s in [(4, 50001), (3, 50002), (2, 50003)]]
    for step in order:
        if step == 3:
            count(shop, (shop.item, shop.main, 93), watermarks={"erp": 900, "wms": 50002})
        else:
            record([facts[step]])
    assert shop.numbers() == (91, 91)
    assert sums_agree()


def test_without_a_watermark_the_time_of_the_count_decides(shop: Distributor) -> None:
    record([shop.fact("receipt", 10), shop.fact("ship", 2, happened_at=NOON + timedelta(hours=1))])
    count(shop, (shop.item, shop.main, 12))
    assert shop.position().on_hand == 10
    late = shop.fact("ship", 5, happened_at=NOON)
    record([late, shop.fact("ship", 1, happened_at=NOON + timedelta(hours=2))])
    assert shop.position().on_hand == 9
    assert sums_agree()


def test_the_same_snapshot_twice_corrects_by_zero(shop: Distributor) -> None:
    record([shop.fact("receipt", 10, sequence=5), shop.fact("receipt", 3, sequence=7)])
    assert count(shop, (shop.item, shop.main, 8), watermarks={"wms": 5}).corrected == 1
    before = StockPosition.objects.values().get()
    again = count(shop, (shop.item, shop.main, 8), watermarks={"wms": 5})
    assert (again.state, again.corrected) == ("applied", 0)
    assert count(shop, (shop.item, shop.main, 8), watermarks={"wms": 5}, snapshot="S-2").corrected == 0
    assert StockPosition.objects.values("on_hand", "generation").get() == {
        "on_hand": 11,
        "generation": before["generation"],
    }


def test_the_correction_is_a_ledger_row_with_its_cause(shop: Distributor) -> None:
    shop.book("receipt", 10)
    count(shop, (shop.item, shop.main, 8))
    row = StockMovement.objects.get(kind="count")
    assert (row.message, row.line, row.on_hand_delta, row.base_quantity) == (1_000_000, "0", -2, 8)
    assert (row.generation, shop.position().generation) == (2, 2)
    assert StockDirty.objects.get().generation == 2
    assert shop.position().counted_at == NOON


def test_a_complete_count_zeroes_what_it_does_not_name_and_a_partial_one_does_not(shop: Distributor) -> None:
    record(
        [
            shop.fact("receipt", 10),
            shop.fact("receipt", 3, item_id=shop.other.pk),
            shop.fact("receipt", 5, warehouse_id=shop.north.pk),
        ]
    )
    count(shop, (shop.item, shop.main, 10))
    assert shop.position(shop.other).on_hand == 3
    result = count(shop, (shop.item, shop.main, 10), snapshot="S-2", complete=True)
    assert (result.missing, result.corrected) == (1, 1)
    assert shop.position(shop.other).on_hand == 0
    assert shop.position(warehouse=shop.north).on_hand == 5
    assert sums_agree()


def test_an_older_snapshot_is_superseded(shop: Distributor) -> None:
    shop.book("receipt", 10)
    count(shop, (shop.item, shop.main, 9))
    older = count(shop, (shop.item, shop.main, 12), snapshot="S-0", as_of=NOON - timedelta(hours=1))
    assert (older.state, older.superseded, older.corrected) == ("superseded", 1, 0)
    assert shop.position().on_hand == 9


def test_a_warehouse_that_follows_another_source_keeps_evidence(shop: Distributor) -> None:
    shop.book("receipt", 10)
    shop.main.counts_source = shop.wms
    shop.main.save(update_fields=["counts_source"])
    result = count(shop, (shop.item, shop.main, 9), (shop.item, shop.north, 4), complete=True)
    assert (result.evidence, result.positions) == (1, 1)
    assert shop.position().on_hand == 10
    assert shop.position(warehouse=shop.north).on_hand == 4
    assert list(StockEvidence.objects.values_list("kind", "base_quantity")) == [("count", 9)]


def test_held_and_sellable_counts(shop: Distributor) -> None:
    record([shop.fact("receipt", 10), shop.fact("hold", 2)])
    count(shop, (shop.item, shop.main, 9), measure="sellable")
    assert shop.numbers() == (11, 9)
    count(shop, (shop.item, shop.main, 11), snapshot="S-2", held=1)
    assert shop.numbers() == (11, 10)
    assert sums_agree()


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("recounted", [False, True])
def test_a_hold_inside_a_count_that_states_held_counts_once(shop: Distributor, late: bool, recounted: bool) -> None:
    nine, eleven = NOON.replace(hour=9), NOON.replace(hour=11)
    contained = [shop.fact("hold", 5, happened_at=nine)]
    record([shop.fact("receipt", 20, happened_at=nine), *([] if late else contained)])
    count(shop, (shop.item, shop.main, 20), as_of=NOON.replace(hour=10), held=5)
    if recounted:  # a newer count that says nothing of held leaves it to the one that did
        count(shop, (shop.item, shop.main, 20), snapshot="S-2", as_of=eleven)
    record(contained if late else [])
    assert (shop.position().on_hand, shop.position().held) == (20, 5)
    record([shop.fact("hold", 2, happened_at=NOON)])
    assert shop.position().held == 7
    assert sums_agree()


@pytest.mark.parametrize("late", [False, True])
def test_a_release_inside_a_count_that_states_held_releases_nothing_more(shop: Distributor, late: bool) -> None:
    nine = NOON.replace(hour=9)
    record([shop.fact("receipt", 20, happened_at=nine), shop.fact("hold", 5, happened_at=nine)])
    contained = [shop.fact("release", 2, happened_at=nine)]
    record([] if late else contained)
    count(shop, (shop.item, shop.main, 20), as_of=NOON.replace(hour=10), held=3)
    record(contained if late else [])
    assert shop.position().held == 3
    assert sums_agree()


def test_a_late_hold_still_holds_where_the_count_says_nothing_of_held(shop: Distributor) -> None:
    count(shop, (shop.item, shop.main, 20), as_of=NOON)
    record([shop.fact("hold", 5, happened_at=NOON.replace(hour=9))])
    assert (shop.position().on_hand, shop.position().held) == (20, 5)


def test_a_watermark_closes_the_picks_it_covers(shop: Distributor) -> None:
    record(
        [
            shop.fact("receipt", 100, sequence=1),
            shop.fact("pick", 4, sequence=2, order="SO-1", order_line="1"),
            shop.fact("pick", 3, sequence=9, order="SO-2", order_line="1"),
        ]
    )
    count(shop, (shop.item, shop.main, 96), watermarks={"wms": 5})
    assert shop.numbers() == (96, 93)
    assert dict(OpenPick.objects.values_list("order", "open")) == {"SO-1": 0, "SO-2": 3}
    assert sums_agree()


def test_lines_of_one_position_are_added_up(shop: Distributor) -> None:
    result = count(shop, (shop.item, shop.main, 4), (shop.item, shop.main, 5))
    assert (result.positions, shop.position().on_hand) == (1, 9)


def test_parts_are_complete_only_together_and_each_part_counts_once(shop: Distributor) -> None:
    def part(number: int, message: int) -> CountPart:
        return CountPart(shop.erp.pk, "S-1", NOON, True, message, NOON, part=number, parts=2)

    assert load_part(part(2, 12)).messages is None
    assert load_part(part(2, 99)).duplicate
    assert load_part(part(1, 11)).messages == (11, 12)


def test_negative_stock_is_settled_by_a_count(shop: Distributor) -> None:
    from apps.exceptions.models import Cause

    shop.book("ship", 3)
    assert Cause.objects.get().state == "new"
    count(shop, (shop.item, shop.main, 5))
    assert Cause.objects.get().state == "resolved"
    assert shop.numbers() == (5, 5)


def many(shop: Distributor, size: int) -> list[Item]:
    items = Item.objects.bulk_create(Item(sku=f"M-{n:05}", name="m", base_unit=shop.each) for n in range(size))
    record([shop.fact("receipt", 10, item_id=item.pk) for item in items])
    return items


def test_a_mass_change_is_held_and_changes_nothing(shop: Distributor) -> None:
    items = many(shop, 60)
    held = count(shop, *[(item, shop.main, 20 if n < 40 else 0) for n, item in enumerate(items)], complete=True)
    assert held.state == "held"
    assert held.block is not None
    assert "20 of 60 positions with stock in warehouse MAIN would become 0" in held.block.detail
    assert set(StockPosition.objects.values_list("on_hand", flat=True)) == {10}
    assert not StockMovement.objects.filter(kind="count").exists()


def test_an_empty_snapshot_and_a_jump_in_units_are_held(shop: Distributor) -> None:
    items = many(shop, 3)
    empty = count(shop, complete=True, warehouse_ids=[shop.main.pk])
    assert (empty.state, empty.block and empty.block.reason) == ("held", "MASS_CHANGE_HELD")
    assert count(shop, *[(item, shop.main, 16) for item in items], snapshot="S-2").state == "held"
    assert count(shop, *[(item, shop.main, 15) for item in items], snapshot="S-3").state == "applied"


def test_an_approved_count_goes_through_and_a_rejected_one_does_not(shop: Distributor) -> None:
    items = many(shop, 3)
    rows = [(item, shop.main, 1) for item in items]
    assert count(shop, *rows).state == "held"
    StockCount.objects.update(approved_by="somebody")
    assert count(shop, *rows).state == "applied"
    assert set(StockPosition.objects.values_list("on_hand", flat=True)) == {1}
    assert count(shop, *[(item, shop.main, 50) for item in items], snapshot="S-2").state == "held"
    StockCount.objects.filter(snapshot="S-2").update(state="rejected")
    assert count(shop, *[(item, shop.main, 50) for item in items], snapshot="S-2").state == "rejected"
    assert set(StockPosition.objects.values_list("on_hand", flat=True)) == {1}


def test_the_number_of_statements_does_not_grow(shop: Distributor) -> None:
    items = many(shop, 100)

    def statements(rows: list[Item], snapshot: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            count(shop, *[(item, shop.main, 9) for item in rows], snapshot=snapshot)
        return len(queries)

    assert statements(items[:1], "A") == statements(items, "B")
