"""What a person does about stock below zero and about counts that were held."""

from __future__ import annotations

import pytest

from apps.exceptions.models import Cause
from apps.inventory import shortfalls
from apps.inventory.fixes import AcceptStock, ApproveCount, CountStock, RejectCount
from apps.inventory.models import StockCount, StockMovement
from apps.lib.errors import Problem
from apps.masterdata.models import ItemUnit, Unit
from tests.inventory.conftest import START, Distributor


def test_a_count_by_hand_in_another_unit_ends_the_shortfall(shop: Distributor) -> None:
    shop.book("ship", 3)
    case = Unit.objects.create(code="CS", name="Case")
    ItemUnit.objects.create(item=shop.item, unit=case, numerator=6)
    CountStock().apply(Cause.objects.get(), {"quantity": "2", "uom": "CS"}, "clerk")
    assert shop.numbers() == (12, 12)
    assert Cause.objects.get().state == "resolved"
    assert StockCount.objects.get().approved_by == "clerk"
    assert StockMovement.objects.get(kind="count").on_hand_delta == 15


def test_several_positions_need_the_sku(shop: Distributor) -> None:
    shop.book("ship", 3)
    shop.book("ship", 4, item_id=shop.other.pk)
    cause = Cause.objects.get()
    with pytest.raises(Problem, match="AB-1, AB-2"):
        CountStock().apply(cause, {"quantity": "2"}, "clerk")
    with pytest.raises(Problem, match="not a decimal"):
        CountStock().apply(cause, {"quantity": "many", "sku": "AB-1"}, "clerk")
    assert shop.numbers() == (-3, -3)
    CountStock().apply(cause, {"quantity": "2", "sku": "AB-1"}, "clerk")
    assert shop.position().on_hand == 2
    assert shop.position(shop.other).on_hand == -4
    AcceptStock().apply(cause, {}, "clerk")
    assert shop.position(shop.other).on_hand == 0
    cause.refresh_from_db()
    assert cause.state == "resolved"


def test_a_replayed_position_that_is_still_short_stays_in_the_queue(shop: Distributor) -> None:
    shop.book("ship", 3)
    shortfalls.retry([shop.position().pk])
    assert (Cause.objects.get().state, Cause.objects.get().open_records) == ("new", 1)


def test_held_counts_are_approved_or_rejected_once(shop: Distributor) -> None:
    for snapshot in ("A", "B"):
        StockCount.objects.create(source=shop.erp, snapshot=snapshot, as_of=START, complete=True, state="held")
    ApproveCount().apply(Cause(value="A", source="erp"), {}, "lead")
    assert RejectCount().apply(Cause(value="B", source="erp"), {}, "lead").outcome == "ignore"
    assert list(StockCount.objects.order_by("snapshot").values_list("state", "approved_by")) == [
        ("loading", "lead"),
        ("rejected", ""),
    ]
    with pytest.raises(Problem, match="not held any more"):
        RejectCount().apply(Cause(value="A", source="erp"), {}, "lead")
