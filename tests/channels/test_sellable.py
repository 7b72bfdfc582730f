"""The channel's number: the fixed order of its steps."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.channels.sellable import (
    SellablePolicy,
    Step,
    WarehouseStock,
    exposure,
    kit_atp,
    sellable,
    sellable_by_location,
)
from apps.inventory.atp import Pool


def stock(atp: int | str, *pools: Pool, warehouse: str = "DC-1") -> WarehouseStock:
    return WarehouseStock(warehouse, Decimal(atp), pools)


def test_each_warehouse_is_floored_to_the_sell_unit_before_the_sum() -> None:
    shown = sellable("WEB", [stock(11), stock(11, warehouse="DC-2")], sell_unit=12)
    assert shown.quantity == 0


def test_the_cap_counts_in_sell_units() -> None:
    shown = sellable("WEB", [stock(600)], sell_unit=12, policy=SellablePolicy(max_listed=10))
    assert shown.quantity == 10


@pytest.mark.parametrize(("atp", "expected"), [(40, 40), (6, 6), (5, 0), (0, 0)])
def test_end_when(atp: int, expected: int) -> None:
    assert sellable("WEB", [stock(atp)], policy=SellablePolicy(end_when=5)).quantity == expected


def test_a_negative_warehouse_takes_nothing_from_another() -> None:
    assert sellable("WEB", [stock(-7), stock(9, warehouse="DC-2")]).quantity == 9


def test_pools_come_before_the_percentage() -> None:
    pool = Pool("MARKET", Decimal(8))
    policy = SellablePolicy(percentage=Decimal(50))
    assert sellable("WEB", [stock(20, pool)], policy=policy).quantity == 6
    assert sellable("MARKET", [stock(20, pool)], policy=policy).quantity == 4


def test_pools_10_into_8_and_8() -> None:
    pools = (Pool("A", Decimal(8)), Pool("B", Decimal(8)))
    assert [sellable(channel, [stock(10, *pools)]).quantity for channel in ("A", "B", "C")] == [8, 2, 0]


def test_the_buffer_is_taken_once_over_the_sum() -> None:
    stocks = [stock(10), stock(10, warehouse="DC-2")]
    assert sellable("WEB", stocks, policy=SellablePolicy(buffer=Decimal(3))).quantity == 17


def test_a_widened_buffer_is_rounded_up() -> None:
    policy = SellablePolicy(buffer=Decimal(3), buffer_factor=Decimal("1.5"))
    assert sellable("WEB", [stock(20)], policy=policy).quantity == 15


def test_a_buffer_never_makes_the_number_negative() -> None:
    assert sellable("WEB", [stock(2)], policy=SellablePolicy(buffer=Decimal(3))).quantity == 0


def test_end_when_sees_the_number_after_the_buffer_and_before_the_cap() -> None:
    policy = SellablePolicy(buffer=Decimal(2), end_when=5, max_listed=3)
    assert sellable("WEB", [stock(7)], policy=policy).quantity == 0
    assert sellable("WEB", [stock(8)], policy=policy).quantity == 3


@pytest.mark.parametrize("status", ["restricted", "retired"])
def test_what_may_not_be_sold_shows_0(status: str) -> None:
    shown = sellable("WEB", [stock(50)], status=status)  # type: ignore[arg-type]
    assert shown.quantity == 0
    assert shown.steps[-1] == Step(status, "0")


def test_no_warehouse_is_0() -> None:
    assert sellable("WEB", []).quantity == 0


def test_every_step_is_kept_in_order() -> None:
    policy = SellablePolicy(percentage=Decimal("12.5"), buffer=Decimal(1), end_when=0, max_listed=2)
    shown = sellable("WEB", [stock(100, Pool("A", Decimal(20)))], sell_unit=2, policy=policy)
    assert shown.steps == (
        Step("atp", "100", "DC-1"),
        Step("pool", "80", "DC-1"),
        Step("percentage", "10", "DC-1"),
        Step("sell_unit", "5", "DC-1"),
        Step("sum", "5"),
        Step("buffer", "4"),
        Step("max_listed", "2"),
    )
    assert shown.quantity == 2


def test_a_channel_with_locations_gets_a_number_for_each() -> None:
    stocks = [stock(11), stock(30, warehouse="DC-2")]
    shown = sellable_by_location("WEB", stocks, sell_unit=12, policy=SellablePolicy(buffer=Decimal(1)))
    assert {code: number.quantity for code, number in shown.items()} == {"DC-1": 0, "DC-2": 1}


def test_a_kit_is_as_many_as_its_scarcest_component() -> None:
    assert kit_atp([(Decimal(10), Decimal(3)), (Decimal(100), Decimal(1))]) == 3
    assert kit_atp([(Decimal(-1), Decimal(3)), (Decimal(100), Decimal(1))]) == 0
    assert kit_atp([(Decimal("2.9"), Decimal("0.5"))]) == 5
    assert kit_atp([]) == 0
    assert kit_atp([(Decimal(5), Decimal(0))]) == 0


def test_exposure_is_what_is_shown_beyond_stock() -> None:
    assert exposure([10, 10], Decimal(12)) == 8
    assert exposure([4], Decimal("4.5")) == Fraction(-1, 2)


policies = st.builds(
    SellablePolicy,
    percentage=st.integers(0, 100).map(Decimal),
    buffer=st.integers(0, 9).map(Decimal),
    buffer_factor=st.integers(4, 12).map(lambda quarters: Decimal(quarters) / 4),
    end_when=st.none() | st.integers(0, 9),
    max_listed=st.none() | st.integers(0, 50),
)
stock_lists = st.lists(st.builds(stock, st.integers(-20, 200)), max_size=4)


@given(stock_lists, policies, st.integers(1, 24))
def test_never_more_than_there_is(stocks: list[WarehouseStock], policy: SellablePolicy, pack: int) -> None:
    shown = sellable("WEB", stocks, sell_unit=pack, policy=policy)
    assert isinstance(shown.quantity, int)
    assert 0 <= shown.quantity * pack <= sum(max(Decimal(0), each.atp) for each in stocks)


@given(stock_lists, policies, st.integers(1, 24), st.integers(1, 50))
def test_less_stock_never_shows_more(
    stocks: list[WarehouseStock], policy: SellablePolicy, pack: int, taken: int
) -> None:
    fewer = [WarehouseStock(each.warehouse, each.atp - taken) for each in stocks]
    before = sellable("WEB", stocks, sell_unit=pack, policy=policy).quantity
    assert sellable("WEB", fewer, sell_unit=pack, policy=policy).quantity <= before
