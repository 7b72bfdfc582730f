"""The number one channel shows for one listing: always the same steps in the same order, each kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from apps.inventory.atp import ZERO, Pool, split_pools
from apps.lib.quantity import plain

Number = Decimal | Fraction | int


@dataclass(frozen=True, slots=True)
class WarehouseStock:
    """One warehouse of the channel: the item's ATP (or a kit's) and all pools on it in priority order."""

    warehouse: str
    atp: Decimal
    pools: tuple[Pool, ...] = ()


@dataclass(frozen=True, slots=True)
class SellablePolicy:
    """How a channel cuts what it shows. Percentages are 0..100; the rest counts in sell units."""

    percentage: Decimal = Decimal(100)
    buffer: Decimal = ZERO
    buffer_factor: Decimal = Decimal(1)
    end_when: int | None = None
    max_listed: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one rule made of the number. The text is the number as people read it."""

    rule: str
    value: str
    warehouse: str | None = None


@dataclass(frozen=True, slots=True)
class Sellable:
    """The number in sell units and how it came about."""

    quantity: int
    steps: tuple[Step, ...]


def sellable(
    channel: str,
    stocks: Sequence[WarehouseStock],
    *,
    sell_unit: Fraction | int = 1,
    policy: SellablePolicy | None = None,
    status: Literal["active", "restricted", "retired"] = "active",
) -> Sellable:
    """The channel's number over all its warehouses. `sell_unit` is base units per sell unit.

    Each warehouse is floored to whole sell units before the sum: 11 + 11 each are no case of 12.
    """
    policy = policy or SellablePolicy()
    steps: list[Step] = []
    total = sum(_of_warehouse(channel, stock, Fraction(sell_unit), policy, steps) for stock in stocks)
    steps.append(_step("sum", total))
    return Sellable(_of_sum(total, policy, status, steps), tuple(steps))


def sellable_by_location(
    channel: str,
    stocks: Sequence[WarehouseStock],
    *,
    sell_unit: Fraction | int = 1,
    policy: SellablePolicy | None = None,
    status: Literal["active", "restricted", "retired"] = "active",
) -> dict[str, Sellable]:
    """For a channel that keeps stock by location: each warehouse is a number of its own."""
    return {
        stock.warehouse: sellable(channel, [stock], sell_unit=sell_unit, policy=policy, status=status)
        for stock in stocks
    }


def kit_atp(components: Sequence[tuple[Decimal, Decimal]]) -> Decimal:
    """Whole kits that the components (ATP, quantity per kit) of one warehouse make; none without components."""
    if not components or any(per_kit <= 0 for _, per_kit in components):
        return ZERO
    return Decimal(min(_floor(Fraction(max(ZERO, atp)) / Fraction(per_kit)) for atp, per_kit in components))


def exposure(published: Sequence[Number], available: Number) -> Fraction:
    """How much more the channels show together than there is (0 or less: nothing can be oversold)."""
    return sum((Fraction(number) for number in published), Fraction(0)) - Fraction(available)


def _of_warehouse(
    channel: str, stock: WarehouseStock, sell_unit: Fraction, policy: SellablePolicy, steps: list[Step]
) -> int:
    free = max(ZERO, stock.atp)
    steps.append(_step("atp", free, stock.warehouse))
    seen = split_pools(free, stock.pools).seen_by(channel)
    if stock.pools:
        steps.append(_step("pool", seen, stock.warehouse))
    share = Fraction(seen) * Fraction(policy.percentage) / 100
    if policy.percentage != 100:
        steps.append(_step("percentage", share, stock.warehouse))
    units = _floor(share / sell_unit)
    steps.append(_step("sell_unit", units, stock.warehouse))
    return units


def _of_sum(
    total: int, policy: SellablePolicy, status: Literal["active", "restricted", "retired"], steps: list[Step]
) -> int:
    number = total
    buffer = _ceiling(Fraction(policy.buffer) * Fraction(policy.buffer_factor))
    if buffer:
        number = max(0, number - buffer)
        steps.append(_step("buffer", number))
    if policy.end_when is not None and number <= policy.end_when:
        number = 0
        steps.append(_step("end_when", number))
    if policy.max_listed is not None and number > policy.max_listed:
        number = policy.max_listed
        steps.append(_step("max_listed", number))
    if status != "active":
        number = 0
        steps.append(_step(status, number))
    return max(0, number)


def _step(rule: str, value: Number, warehouse: str | None = None) -> Step:
    return Step(rule, _text(value), warehouse)


def _text(value: Number) -> str:
    try:
        return plain(value)
    except ValueError:  # a share such as 1/3 %: shown as the fraction it is
        return str(value)


def _floor(value: Fraction) -> int:
    return value.numerator // value.denominator


def _ceiling(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)
