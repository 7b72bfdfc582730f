"""Available to promise: what one item in one warehouse may still be promised, day by day, in base units.

Days are counted from the warehouse's day 0. Nothing here reads a clock or a database.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate
from math import lcm
from typing import Literal

ZERO = Decimal(0)
HORIZON_DAYS = 90


@dataclass(frozen=True, slots=True)
class Stock:
    """What the position says now. `unsellable` are lots that are expired or too short-lived."""

    on_hand: Decimal = ZERO
    held: Decimal = ZERO
    unsellable: Decimal = ZERO
    allocated: Decimal = ZERO
    reserved: Decimal = ZERO
    unbacked: Decimal = ZERO
    safety_stock: Decimal = ZERO

    @property
    def usable(self) -> Decimal:
        """On hand that may be sold at all, promised or not."""
        return self.on_hand - self.held - self.unsellable

    @property
    def promised(self) -> Decimal:
        """What is already somebody's: allocations, undated reservations, picks without an order."""
        return self.allocated + self.reserved + self.unbacked


@dataclass(frozen=True, slots=True)
class Dated:
    """A quantity that comes (supply) or goes (demand) on a day; negative days are past due."""

    day: int
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Backorder:
    """What may be promised beyond stock: nothing, up to a quantity, until a day, or without limit."""

    rule: Literal["none", "up_to", "until", "unlimited"] = "none"
    limit: Decimal = ZERO
    until_day: int | None = None
    lead_time_days: int | None = None

    def allows(self, shortfall: Decimal) -> bool:
        """Whether so much may be short today. No shortfall is always allowed."""
        if shortfall <= 0 or self.rule == "unlimited":
            return True
        if self.rule == "up_to":
            return shortfall <= self.limit
        return self.rule == "until" and self.until_day is not None and self.until_day >= 0


def uncovered_now(stock: Stock) -> Decimal:
    """What is free now less safety stock; negative where more is promised than there is."""
    return stock.usable - stock.promised - stock.safety_stock


def available_now(
    on_hand: Decimal,
    held: Decimal = ZERO,
    allocated: Decimal = ZERO,
    reserved: Decimal = ZERO,
    unbacked: Decimal = ZERO,
    safety_stock: Decimal = ZERO,
) -> Decimal:
    """ATP(0) of a position without dated demand or supply: the published number, never negative."""
    return max(ZERO, on_hand - held - allocated - reserved - unbacked - safety_stock)


def overdue_supply(supply: Iterable[Dated], grace_days: int = 0) -> tuple[Dated, ...]:
    """Supply that should have come and no longer counts: each is worth an OVERDUE_SUPPLY."""
    return tuple(due for due in supply if due.day < -grace_days)


def projected(
    stock: Stock,
    demand: Iterable[Dated] = (),
    supply: Iterable[Dated] = (),
    *,
    horizon: int = HORIZON_DAYS,
    grace_days: int = 0,
) -> tuple[Decimal, ...]:
    """The balance at the end of each day 0..horizon, before safety stock; it may be negative.

    Past-due demand falls on day 0. Past-due supply counts on day 0 within its grace, else not at all.
    """
    change = [ZERO] * (horizon + 1)
    change[0] = stock.usable - stock.promised
    for need in demand:
        if need.day <= horizon:
            change[max(0, need.day)] -= need.quantity
    for due in supply:
        if -grace_days <= due.day <= horizon:
            change[max(0, due.day)] += due.quantity
    return tuple(accumulate(change))


def uncovered(balance: Sequence[Decimal], safety_stock: Decimal = ZERO) -> tuple[Decimal, ...]:
    """For each day the least balance from then on, less safety stock: ATP before it is cut at 0."""
    least = accumulate(reversed(balance), min)
    return tuple(value - safety_stock for value in reversed(list(least)))


def atp(
    stock: Stock,
    demand: Iterable[Dated] = (),
    supply: Iterable[Dated] = (),
    *,
    horizon: int = HORIZON_DAYS,
    grace_days: int = 0,
) -> tuple[Decimal, ...]:
    """ATP(0)..ATP(horizon): the minimum over later days protects promises already made for them."""
    balance = projected(stock, demand, supply, horizon=horizon, grace_days=grace_days)
    return tuple(max(ZERO, value) for value in uncovered(balance, stock.safety_stock))


def overcommitted(least_balance: Decimal, backorder: Backorder) -> bool:
    """Whether the negative goes beyond what the backorder rule allows (OVERCOMMITTED)."""
    return not backorder.allows(-least_balance)


def earliest_day(available: Sequence[Decimal], quantity: Decimal, backorder: Backorder | None = None) -> int | None:
    """The first day on which the whole quantity can be promised; by backorder after the lead time; or None."""
    for day, value in enumerate(available):
        if value >= quantity:
            return day
    if backorder is None or backorder.lead_time_days is None:
        return None
    shortfall = quantity - (available[0] if available else ZERO)
    return backorder.lead_time_days if backorder.allows(shortfall) else None


def schedule_lines(available: Sequence[Decimal], quantity: Decimal) -> tuple[Dated, ...]:
    """The quantity split over the days on which more of it can be promised; may cover less than asked.

    For items without expiring lots, whose ATP never falls from one day to the next.
    """
    lines: list[Dated] = []
    promised = ZERO
    for day, value in enumerate(available):
        reachable = min(value, quantity)
        if reachable > promised:
            lines.append(Dated(day, reachable - promised))
            promised = reachable
    return tuple(lines)


# Pools


@dataclass(frozen=True, slots=True)
class Pool:
    """Stock set aside for a channel. `overflow` channels also see common stock, `exclusive` ones do not."""

    channel: str
    remaining: Decimal
    mode: Literal["exclusive", "overflow"] = "exclusive"


@dataclass(frozen=True, slots=True)
class PoolSplit:
    """ATP divided: `effective` in the order of the pools, the rest common to everybody."""

    pools: tuple[Pool, ...]
    effective: tuple[Decimal, ...]
    common: Decimal

    @property
    def underwater(self) -> tuple[Pool, ...]:
        """Pools that ATP does not fill: each is worth a POOL_UNDERWATER."""
        return tuple(pool for pool, filled in zip(self.pools, self.effective, strict=True) if filled < pool.remaining)

    def seen_by(self, channel: str) -> Decimal:
        """The channel's effective pools, plus common unless all its pools are exclusive."""
        own = [
            (pool, filled) for pool, filled in zip(self.pools, self.effective, strict=True) if pool.channel == channel
        ]
        overflows = not own or any(pool.mode == "overflow" for pool, _ in own)
        return sum((filled for _, filled in own), self.common if overflows else ZERO)


def split_pools(available: Decimal, pools: Sequence[Pool]) -> PoolSplit:
    """Fill the pools, given in priority order, from ATP: 10 into 8 and 8 is 8 and 2, common 0."""
    left = max(ZERO, available)
    effective: list[Decimal] = []
    for pool in pools:
        filled = max(ZERO, min(pool.remaining, left))
        effective.append(filled)
        left -= filled
    return PoolSplit(tuple(pools), tuple(effective), left)


# Expiring lots


@dataclass(frozen=True, slots=True)
class Lot:
    """Sellable stock of one lot. It can be sold on days `arrives`..`last_day` (None: without end)."""

    quantity: Decimal
    last_day: int | None = None
    arrives: int = 0


def last_sellable_day(expires_on: date, today: date, minimum_life_days: int = 0) -> int:
    """The last day on which expiry is still at least the minimum remaining life away."""
    return (expires_on - today).days - minimum_life_days


def atp_by_lot(
    lots: Sequence[Lot],
    promised: Decimal = ZERO,
    demand: Iterable[Dated] = (),
    *,
    safety_stock: Decimal = ZERO,
    horizon: int = HORIZON_DAYS,
) -> tuple[Decimal, ...]:
    """ATP where lots expire: the largest extra demand on day d that leaves every later day's demand met.

    Each day takes the earliest-expiring lot still sellable; what a day before d could not serve waits.
    Supply is a lot with its arrival day. Equal to `atp` when nothing expires. `promised` is taken on day 0.
    """
    shelf = _Shelf.of(lots, [Dated(0, promised), *demand], horizon)
    answers: list[Decimal] = []
    for day in range(horizon + 1):
        if day in shelf.breaks or not answers:
            answers.append(max(ZERO, shelf.largest_extra(day) - safety_stock))
        else:  # no lot came, went or was asked for: yesterday's answer stands
            answers.append(answers[-1])
    return tuple(answers)


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Lots by expiry and demand by day, in whole units of 1/scale, so that a search over them is exact."""

    lots: tuple[tuple[int, int, int], ...]  # last day, arrival day, units
    demand: dict[int, int]
    days: tuple[int, ...]
    breaks: frozenset[int]
    scale: int

    @classmethod
    def of(cls, lots: Sequence[Lot], demand: Sequence[Dated], horizon: int) -> "_Shelf":
        quantities = [lot.quantity for lot in lots] + [need.quantity for need in demand]
        scale = lcm(*(Fraction(quantity).denominator for quantity in quantities))
        by_day: dict[int, int] = {}
        for need in demand:
            if need.day <= horizon:
                day = max(0, need.day)
                by_day[day] = by_day.get(day, 0) + int(need.quantity * scale)
        shelf = sorted(
            (horizon if lot.last_day is None else min(lot.last_day, horizon), max(0, lot.arrives), lot.quantity)
            for lot in lots
        )
        units = tuple((last, arrives, int(quantity * scale)) for last, arrives, quantity in shelf)
        days = {0, *by_day, *(day for last, arrives, _ in units for day in (arrives, last + 1) if 0 <= day <= horizon)}
        return cls(units, by_day, tuple(sorted(days)), frozenset(days | {day + 1 for day in by_day}), scale)

    def largest_extra(self, day: int) -> Decimal:
        """By bisection: more extra demand never makes a day easier to serve."""
        low, high = 0, sum(units for _, _, units in self.lots)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._serves(day, middle) else (low, middle - 1)
        return Decimal(low) / self.scale

    def _serves(self, extra_day: int, extra: int) -> bool:
        left = [units for _, _, units in self.lots]
        waiting = 0
        for day in sorted({*self.days, extra_day}):
            waiting += self.demand.get(day, 0) + (extra if day == extra_day else 0)
            for index, (last, arrives, _) in enumerate(self.lots):
                if waiting and arrives <= day <= last:
                    taken = min(waiting, left[index])
                    left[index] -= taken
                    waiting -= taken
            if waiting and day >= extra_day:
                return False
        return True
