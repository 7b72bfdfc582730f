"""Available to promise: the published goldens and the rules that must hold for any history."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.inventory.atp import (
    Backorder,
    Dated,
    Lot,
    Pool,
    Stock,
    atp,
    atp_by_lot,
    available_now,
    earliest_day,
    last_sellable_day,
    overcommitted,
    overdue_supply,
    projected,
    schedule_lines,
    split_pools,
    uncovered_now,
)


def numbers(text: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(word) for word in text.split())


def dated(*pairs: tuple[int, int]) -> list[Dated]:
    return [Dated(day, Decimal(quantity)) for day, quantity in pairs]


A = Stock(on_hand=Decimal(20))
A_DEMAND = dated((1, 3), (4, 15))
A_SUPPLY = dated((3, 10), (5, 1), (6, 3))


def test_golden_a_later_promises_are_protected() -> None:
    assert projected(A, A_DEMAND, A_SUPPLY, horizon=7)[1:] == numbers("17 17 27 12 13 16 16")
    assert atp(A, A_DEMAND, A_SUPPLY, horizon=7)[1:] == numbers("12 12 12 12 13 16 16")


def test_golden_b_held_expired_reserved_safety_and_pool() -> None:
    stock = Stock(
        on_hand=Decimal(100),
        held=Decimal(5),
        unsellable=Decimal(8),
        reserved=Decimal(6),
        safety_stock=Decimal(10),
    )
    demand, supply = dated((0, 20), (4, 45)), dated((3, 30), (5, 40))
    assert projected(stock, demand, supply, horizon=7) == numbers("61 61 61 91 46 86 86 86")
    available = atp(stock, demand, supply, horizon=7)
    assert available == numbers("36 36 36 36 36 76 76 76")
    split = split_pools(available[0], [Pool("M", Decimal(15), "overflow")])
    assert split.common == 21
    assert split.seen_by("M") == 36


def test_golden_c_an_allocation_takes_stock_now_whenever_it_ships() -> None:
    stock = Stock(on_hand=Decimal(10), allocated=Decimal(10))
    assert atp(stock, supply=dated((3, 10)), horizon=5) == numbers("0 0 0 10 10 10")


def test_golden_d_overdue_supply_does_not_count() -> None:
    stock = Stock(on_hand=Decimal(17))
    demand, supply = dated((0, 15)), dated((-1, 10), (1, 1), (2, 3))
    assert projected(stock, demand, supply, horizon=3) == numbers("2 3 6 6")
    assert atp(stock, demand, supply, horizon=3) == numbers("2 3 6 6")
    assert overdue_supply(supply) == (Dated(-1, Decimal(10)),)


def test_supply_within_its_grace_counts_today() -> None:
    supply = dated((-2, 10), (-3, 5))
    assert atp(Stock(), supply=supply, horizon=1, grace_days=2) == numbers("10 10")
    assert overdue_supply(supply, grace_days=2) == (Dated(-3, Decimal(5)),)


def test_demand_past_due_falls_on_day_0() -> None:
    assert atp(Stock(on_hand=Decimal(10)), dated((-9, 4)), horizon=1) == numbers("6 6")


def test_what_lies_beyond_the_horizon_is_not_looked_at() -> None:
    assert atp(Stock(on_hand=Decimal(10)), dated((3, 4)), horizon=2) == numbers("10 10 10")


def test_the_untimed_number() -> None:
    assert available_now(Decimal(20)) == 20
    assert available_now(Decimal(20), unbacked=Decimal(3)) == 17
    five = Decimal(5)
    assert available_now(Decimal(100), five, Decimal(10), Decimal(6), Decimal(2), Decimal(7)) == 70
    assert available_now(Decimal(1), held=five) == 0
    assert uncovered_now(Stock(on_hand=Decimal(1), held=five)) == -4


def test_pools_are_filled_in_priority_order() -> None:
    pools = [Pool("A", Decimal(8)), Pool("B", Decimal(8))]
    split = split_pools(Decimal(10), pools)
    assert split.effective == numbers("8 2")
    assert split.common == 0
    assert split.underwater == (pools[1],)


def test_an_exclusive_channel_sees_its_pool_only_and_others_the_common_rest() -> None:
    split = split_pools(Decimal(30), [Pool("A", Decimal(8)), Pool("B", Decimal(5), "overflow")])
    assert (split.seen_by("A"), split.seen_by("B"), split.seen_by("C")) == (8, 22, 17)
    assert split.underwater == ()


def test_pools_on_negative_stock_are_empty() -> None:
    split = split_pools(Decimal(-4), [Pool("A", Decimal(8))])
    assert (split.effective, split.common) == (numbers("0"), 0)


def test_the_earliest_day() -> None:
    available = atp(A, A_DEMAND, A_SUPPLY, horizon=7)
    assert earliest_day(available, Decimal(12)) == 0
    assert earliest_day(available, Decimal(13)) == 5
    assert earliest_day(available, Decimal(17)) is None


@pytest.mark.parametrize(
    ("backorder", "quantity", "day"),
    [
        (Backorder("none", lead_time_days=14), 17, None),
        (Backorder("unlimited", lead_time_days=14), 17, 14),
        (Backorder("unlimited"), 17, None),
        (Backorder("up_to", limit=Decimal(5), lead_time_days=14), 17, 14),
        (Backorder("up_to", limit=Decimal(4), lead_time_days=14), 17, None),
        (Backorder("until", until_day=0, lead_time_days=14), 17, 14),
        (Backorder("until", until_day=-1, lead_time_days=14), 17, None),
        (Backorder("unlimited", lead_time_days=14), 12, 0),
    ],
)
def test_a_backorder_is_promised_after_the_lead_time(backorder: Backorder, quantity: int, day: int | None) -> None:
    available = atp(A, A_DEMAND, A_SUPPLY, horizon=7)
    assert earliest_day(available, Decimal(quantity), backorder) == day


def test_schedule_lines_split_a_quantity_over_days() -> None:
    available = atp(A, A_DEMAND, A_SUPPLY, horizon=7)
    assert schedule_lines(available, Decimal(15)) == tuple(dated((0, 12), (5, 1), (6, 2)))
    assert schedule_lines(available, Decimal(20)) == tuple(dated((0, 12), (5, 1), (6, 3)))
    assert schedule_lines(available, Decimal(0)) == ()


def test_overcommitted_only_beyond_the_backorder_rule() -> None:
    assert overcommitted(Decimal(-1), Backorder())
    assert not overcommitted(Decimal(0), Backorder())
    assert not overcommitted(Decimal(-5), Backorder("up_to", limit=Decimal(5)))
    assert overcommitted(Decimal(-6), Backorder("up_to", limit=Decimal(5)))
    assert not overcommitted(Decimal(-6), Backorder("unlimited"))


def test_lots_golden_stock_ends_with_its_last_sellable_day() -> None:
    assert atp_by_lot([Lot(Decimal(5), last_day=5)], horizon=7) == numbers("5 5 5 5 5 5 0 0")


def test_lots_golden_the_earliest_expiring_goes_first() -> None:
    lots = [Lot(Decimal(10)), Lot(Decimal(5), last_day=3)]
    assert atp_by_lot(lots, demand=dated((2, 4), (8, 6)), horizon=8) == numbers("5 5 5 5 4 4 4 4 4")


def test_an_expired_lot_is_worth_nothing() -> None:
    assert atp_by_lot([Lot(Decimal("2.5"), last_day=-1), Lot(Decimal("0.75"))], horizon=1) == numbers("0.75 0.75")


def test_minimum_remaining_life_brings_the_last_day_forward() -> None:
    today = date(2026, 3, 1)
    assert last_sellable_day(date(2026, 3, 11), today) == 10
    assert last_sellable_day(date(2026, 3, 11), today, minimum_life_days=30) == -20


quantities = st.integers(0, 60).map(lambda cents: Decimal(cents) / 4)
movements = st.lists(st.builds(Dated, st.integers(-3, 12), quantities), max_size=6)
stocks = st.builds(Stock, *[quantities] * 7)


@given(stocks, movements, movements)
def test_atp_never_falls_with_time(stock: Stock, demand: list[Dated], supply: list[Dated]) -> None:
    available = atp(stock, demand, supply, horizon=10)
    assert len(available) == 11
    assert list(available) == sorted(available)
    assert available[0] >= 0


@given(stocks, movements, movements, st.builds(Dated, st.integers(-3, 12), quantities))
def test_more_demand_never_raises_atp(stock: Stock, demand: list[Dated], supply: list[Dated], more: Dated) -> None:
    before = atp(stock, demand, supply, horizon=10)
    after = atp(stock, [*demand, more], supply, horizon=10)
    assert all(new <= old for new, old in zip(after, before, strict=True))


@given(stocks, movements, movements, st.integers(0, 10))
def test_taking_all_of_atp_leaves_every_later_day_covered(
    stock: Stock, demand: list[Dated], supply: list[Dated], day: int
) -> None:
    free = atp(stock, demand, supply, horizon=10)[day]
    after = projected(stock, [*demand, Dated(day, free)], supply, horizon=10)
    if free:
        assert min(after[day:]) >= stock.safety_stock


@given(stocks)
def test_without_dates_the_fast_path_is_atp_0(stock: Stock) -> None:
    expected = atp(stock, horizon=3)[0]
    assert (
        available_now(
            stock.on_hand,
            stock.held + stock.unsellable,
            stock.allocated,
            stock.reserved,
            stock.unbacked,
            stock.safety_stock,
        )
        == expected
        == max(Decimal(0), uncovered_now(stock))
    )


@given(quantities, quantities, quantities, movements, st.lists(st.builds(Dated, st.integers(0, 12), quantities)))
def test_lots_without_expiry_give_the_same_atp(
    on_hand: Decimal, promised: Decimal, safety: Decimal, demand: list[Dated], supply: list[Dated]
) -> None:
    stock = Stock(on_hand=on_hand, allocated=promised, safety_stock=safety)
    lots = [Lot(on_hand), *(Lot(due.quantity, arrives=due.day) for due in supply)]
    by_lot = atp_by_lot(lots, promised, demand, safety_stock=safety, horizon=10)
    assert by_lot == atp(stock, demand, supply, horizon=10)


lots_lists = st.lists(st.builds(Lot, quantities, st.none() | st.integers(-1, 9), st.integers(0, 5)), max_size=4)


@given(lots_lists, movements, st.builds(Dated, st.integers(0, 9), quantities))
def test_with_expiring_lots_too_more_demand_never_raises_atp(lots: list[Lot], demand: list[Dated], more: Dated) -> None:
    before = atp_by_lot(lots, demand=demand, horizon=8)
    after = atp_by_lot(lots, demand=[*demand, more], horizon=8)
    # A demand that finds the shelf empty waits, and while it waits ATP is 0; it never makes more free.
    assert all(new <= old for new, old in zip(after, before, strict=True))


@given(st.integers(-20, 200).map(Decimal), st.lists(st.builds(Pool, st.sampled_from("ABC"), quantities), max_size=5))
def test_effective_pools_and_common_are_exactly_atp(available: Decimal, pools: list[Pool]) -> None:
    split = split_pools(available, pools)
    assert sum(split.effective, split.common) == max(Decimal(0), available)
    assert split.common >= 0
    assert all(0 <= filled <= pool.remaining for pool, filled in zip(pools, split.effective, strict=True))
    seen = sum((split.seen_by(channel) for channel in {pool.channel for pool in pools}), Decimal(0))
    assert seen <= max(Decimal(0), available)  # all exclusive: together never more than there is
