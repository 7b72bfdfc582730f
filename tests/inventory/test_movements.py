"""The ledger and the positions it moves."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.exceptions.models import BlockedRecord, Cause
from apps.inventory.models import OpenPick, StockDirty, StockEvidence, StockMovement, StockPosition
from apps.inventory.movements import record
from tests.inventory.conftest import START, Distributor


def test_golden_sequence_of_on_hand_and_available(shop: Distributor) -> None:
    seen = []
    for kind, quantity, given in [
        ("receipt", 20, {}),
        ("pick", 3, {"order": "SO-1", "order_line": "1"}),
        ("ship", 3, {"order": "SO-1", "order_line": "1"}),
        ("adjustment", -2, {}),
        ("hold", 5, {}),
        ("return", 1, {"condition": "damaged"}),
    ]:
        shop.book(kind, quantity, **given)
        seen.append(tuple(int(value) for value in shop.numbers()))
    assert seen == [(20, 20), (20, 17), (17, 17), (15, 15), (15, 10), (16, 10)]


def test_a_ship_without_order_closes_the_oldest_unbacked_pick(shop: Distributor) -> None:
    shop.book("receipt", 20)
    shop.book("pick", 3, order="SO-1", order_line="1")
    shop.book("pick", 4, order="SO-2", order_line="1")
    shop.book("ship", 5)
    assert shop.numbers() == (15, 13)
    assert dict(OpenPick.objects.values_list("order", "open")) == {"SO-1": 0, "SO-2": 2}


def test_a_late_pick_of_a_ship_that_named_no_order_opens_nothing(shop: Distributor) -> None:
    early = shop.fact("pick", 3)
    shop.book("receipt", 20)
    shop.book("ship", 3)
    record([early])
    assert shop.numbers() == (17, 17)


def test_a_ship_without_order_does_not_swallow_picks_that_come_after_it(shop: Distributor) -> None:
    shop.book("receipt", 20)
    shop.book("ship", 3)
    shop.book("pick", 2)
    assert shop.numbers() == (17, 15)


def test_unpick_puts_back_and_pack_changes_nothing(shop: Distributor) -> None:
    shop.book("receipt", 10)
    shop.book("pick", 4, order="SO-1", order_line="1")
    shop.book("pack", 4, order="SO-1", order_line="1")
    assert shop.numbers() == (10, 6)
    shop.book("unpick", 1, order="SO-1", order_line="1")
    assert shop.numbers() == (10, 7)


def test_where_on_hand_falls_at_the_pick_the_ship_takes_nothing(shop: Distributor) -> None:
    shop.book("receipt", 10, falls_at="pick")
    shop.book("pick", 4, falls_at="pick")
    assert shop.numbers() == (6, 6)
    shop.book("ship", 4, falls_at="pick")
    assert shop.numbers() == (6, 6)
    shop.book("unpick", 1, falls_at="pick")
    assert shop.numbers() == (7, 7)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [("sellable", (11, 11)), ("inspect", (11, 10)), ("damaged", (11, 10)), ("scrap", (10, 10))],
)
def test_a_return_by_its_condition(shop: Distributor, condition: str, expected: tuple[int, int]) -> None:
    shop.book("receipt", 10)
    shop.book("return", 1, condition=condition)
    assert shop.numbers() == expected


def test_scrap_and_transfers(shop: Distributor) -> None:
    shop.book("receipt", 10)
    shop.book("scrap", 1)
    shop.book("transfer_out", 4)
    shop.book("transfer_in", 4, warehouse_id=shop.north.pk)
    assert shop.numbers() == (5, 5)
    assert shop.position(warehouse=shop.north).on_hand == 4


def test_a_release_never_takes_held_below_zero_and_says_what_is_missing(shop: Distributor) -> None:
    shop.book("receipt", 10)
    shop.book("hold", 2)
    assert shop.book("release", 5).unreleased == 3
    assert shop.numbers() == (10, 10)
    assert shop.position().held == 0


def test_each_ledger_row_carries_its_own_generation(shop: Distributor) -> None:
    answers = record([shop.fact("receipt", 5), shop.fact("receipt", 6), shop.fact("ship", 1)])
    assert [answer.generation for answer in answers] == [1, 2, 3]
    assert list(StockMovement.objects.order_by("id").values_list("generation", flat=True)) == [1, 2, 3]
    assert shop.position().generation == 3
    assert list(StockDirty.objects.values_list("position_id", "generation")) == [(shop.position().pk, 3)]


def test_the_entered_quantity_stays_beside_the_base_quantity(shop: Distributor) -> None:
    shop.book("receipt", 2, base_quantity=Decimal(24))
    row = StockMovement.objects.get()
    assert (row.quantity, row.base_quantity, row.on_hand_delta) == (2, 24, 24)


def test_a_replay_changes_nothing(shop: Distributor) -> None:
    facts = [shop.fact("receipt", 20), shop.fact("pick", 3, order="SO-1", order_line="1")]
    record(facts)
    before = StockPosition.objects.values().get()
    answers = record([*facts, facts[0]])
    assert [answer.status for answer in answers] == ["already"] * 3
    assert StockPosition.objects.values().get() == before
    assert StockMovement.objects.count() == 2
    assert OpenPick.objects.get().picked == 3


def test_the_same_line_twice_in_one_batch_counts_once(shop: Distributor) -> None:
    fact = shop.fact("receipt", 20)
    assert [answer.status for answer in record([fact, fact._replace(quantity=Decimal(7))])] == ["applied", "already"]
    assert shop.numbers() == (20, 20)


def test_the_ledger_is_append_only(shop: Distributor) -> None:
    shop.book("receipt", 20)
    with pytest.raises(DatabaseError), transaction.atomic():
        StockMovement.objects.update(base_quantity=1)
    with pytest.raises(DatabaseError), transaction.atomic():
        StockMovement.objects.all().delete()
    assert StockMovement.objects.get().base_quantity == 20


def test_a_promise_beyond_stock_is_refused_by_the_database(shop: Distributor) -> None:
    shop.book("receipt", 5)
    with pytest.raises(IntegrityError, match="position_promises_are_kept"), transaction.atomic():
        StockPosition.objects.update(reserved=6)
    StockPosition.objects.update(reserved=5)
    assert shop.numbers() == (5, 0)


def test_facts_may_fall_short_of_promises_and_then_no_further_promise_fits(shop: Distributor) -> None:
    shop.book("receipt", 5)
    StockPosition.objects.update(reserved=4)
    shop.book("scrap", 3)
    assert (shop.numbers(), shop.position().shortfall) == ((2, -2), 2)
    with pytest.raises(IntegrityError, match="position_promises_are_kept"), transaction.atomic():
        StockPosition.objects.update(reserved=5)
    shop.book("receipt", 2)
    assert (shop.numbers(), shop.position().shortfall) == ((4, 0), 0)


def test_another_source_than_the_warehouse_follows_is_evidence(shop: Distributor) -> None:
    shop.main.movements_source = shop.wms
    shop.main.save(update_fields=["movements_source"])
    posted = shop.fact("ship", 3, source_id=shop.erp.pk)
    answers = record([shop.fact("receipt", 20), posted])
    assert [answer.status for answer in answers] == ["applied", "evidence"]
    record([posted])
    assert shop.numbers() == (20, 20)
    assert list(StockEvidence.objects.values_list("kind", "base_quantity", "source_id")) == [("ship", 3, shop.erp.pk)]


def test_negative_stock_opens_an_exception_that_a_receipt_settles(shop: Distributor) -> None:
    assert shop.book("ship", 3).shortfall == 3
    shop.book("ship", 1)
    cause = Cause.objects.get()
    assert (cause.reason, cause.value, cause.source, cause.open_records) == ("NEGATIVE_STOCK", "MAIN", "wms", 1)
    assert BlockedRecord.objects.get().origin_id == shop.position().pk
    shop.book("receipt", 4)
    cause.refresh_from_db()
    assert (cause.state, cause.open_records) == ("resolved", 0)
    assert shop.numbers() == (0, 0)


def test_watermarks_and_newest_fact_are_kept_per_source(shop: Distributor) -> None:
    record(
        [
            shop.fact("receipt", 5, sequence=9),
            shop.fact("receipt", 5, sequence=7, happened_at=START + timedelta(hours=3)),
            shop.fact("receipt", 5, sequence=None, source_id=shop.erp.pk),
        ]
    )
    position = shop.position()
    assert position.watermarks == {"wms": 9, "erp": None}
    assert position.as_of == START + timedelta(hours=3)


def test_the_number_of_statements_does_not_grow_with_the_batch(shop: Distributor) -> None:
    def statements(size: int) -> int:
        facts = [
            shop.fact(kind, 1, item_id=item.pk, order=f"SO-{n}", order_line="1")
            for n in range(size)
            for item in (shop.item, shop.other)
            for kind in ("receipt", "pick", "ship")
        ]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            record(facts)
        return len(queries)

    assert statements(1) == statements(200)
