"""Picks without an allocation: what of a position is picked and neither shipped nor put back, per order line."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

ZERO = Decimal(0)
Key = tuple[str, str]
NOBODY: Key = ("", "")
End = Literal["shipped", "unpicked"]


@dataclass(slots=True)
class PickSums:
    """The three sums of one order line. They only grow, so the order in which facts arrive does not matter."""

    picked: Decimal
    unpicked: Decimal
    shipped: Decimal
    first_at: datetime
    ended_at: datetime | None = None
    changed: bool = False

    @property
    def open(self) -> Decimal:
        return max(ZERO, self.picked - self.unpicked - self.shipped)

    @property
    def spare(self) -> Decimal:
        """What ended before its pick arrived."""
        return max(ZERO, self.unpicked + self.shipped - self.picked)


class OpenPicks:
    """All picks of one position that may still matter to the facts at hand."""

    def __init__(self, sums: dict[Key, PickSums] | None = None) -> None:
        self._sums = sums if sums is not None else {}

    def add(self, key: Key, sums: PickSums) -> None:
        """Remember what the database says about one order line."""
        self._sums[key] = sums

    def changed(self) -> Iterator[tuple[Key, PickSums]]:
        """The order lines to write back."""
        return ((key, sums) for key, sums in self._sums.items() if sums.changed)

    def pick(self, key: Key, quantity: Decimal, at: datetime) -> Decimal:
        """Open a pick; returns how much more is unbacked now (less than `quantity` where its end came first)."""
        sums = self._of(key, at)
        if key == NOBODY and (sums.ended_at is None or at > sums.ended_at):
            self._forget_spare(sums)
        before = sums.open
        sums.picked += quantity
        sums.first_at = min(sums.first_at, at)
        sums.changed = True
        self._absorb(key, sums, at)
        return sums.open - before

    def end(self, key: Key, quantity: Decimal, at: datetime, how: End) -> Decimal:
        """Ship or put back; returns the change of what is unbacked (zero or less).

        With an order its own pick ends, without one the oldest. What finds no pick waits for a late one.
        """
        ended = ZERO
        for sums in self._candidates(key):
            taken = min(sums.open, quantity)
            if taken > 0:
                self._end(sums, taken, at, how)
                ended += taken
                quantity -= taken
        if quantity > 0:
            rest = self._of(key, at)
            before = rest.open
            self._end(rest, quantity, at, how)
            ended += before - rest.open
        return -ended

    def close(self, key: Key, quantity: Decimal, at: datetime) -> None:
        """End exactly this pick without a ship: a count contains it."""
        self._end(self._of(key, at), quantity, at, "unpicked")

    def _candidates(self, key: Key) -> Iterable[PickSums]:
        order, line = key
        if order and line:
            return [self._sums[known] for known in (key, (order, "")) if known in self._sums]
        found = [(known, sums) for known, sums in self._sums.items() if not order or known[0] == order]
        return [sums for _, sums in sorted(found, key=lambda pair: (pair[1].first_at, pair[0]))]

    def _absorb(self, key: Key, sums: PickSums, at: datetime) -> None:
        """A late pick is closed by the ship that came before it and named the order only, or nobody."""
        for known, other in self._sums.items():
            if sums.open == 0:
                return
            if known == key or not self._may_close(known, key, other, at):
                continue
            taken = min(sums.open, other.spare, other.shipped)
            other.shipped -= taken
            sums.shipped += taken
            other.changed = other.changed or taken > 0

    @staticmethod
    def _may_close(known: Key, key: Key, other: PickSums, at: datetime) -> bool:
        if known == NOBODY:
            return other.ended_at is not None and at <= other.ended_at
        return known[0] == key[0] and "" in (known[1], key[1])

    @staticmethod
    def _forget_spare(sums: PickSums) -> None:
        """A ship that names nobody can only close a pick that happened before it."""
        spare = sums.spare
        sums.shipped -= min(spare, sums.shipped)
        sums.unpicked -= max(ZERO, sums.spare)

    @staticmethod
    def _end(sums: PickSums, quantity: Decimal, at: datetime, how: End) -> None:
        if how == "shipped":
            sums.shipped += quantity
        else:
            sums.unpicked += quantity
        sums.ended_at = at if sums.ended_at is None else max(sums.ended_at, at)
        sums.changed = True

    def _of(self, key: Key, at: datetime) -> PickSums:
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = PickSums(ZERO, ZERO, ZERO, at)
        return sums
