"""One understood request to a channel: parts that each name a listing, so that a fault can bend any of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from decimal import Decimal
from typing import Any

from .listings import Listings
from .wire import Answer

Row = dict[str, Any]


class Call(ABC):
    """A request whose parts can be carried out one by one.

    `identity` and `value` name the fields of a row that say which listing it is about and
    which value it holds: the two that a lying channel gets wrong."""

    identity = "code"
    value = "quantity"
    writes = False

    def __init__(self, listings: Listings, touched: tuple[str, ...]) -> None:
        self.listings = listings
        self.touched = touched

    @abstractmethod
    def act(self, index: int, *, apply: bool) -> Row:
        """Carry out one part and say what is then true; with apply false only say it."""

    @abstractmethod
    def render(self, rows: list[Row]) -> Answer:
        """The answer made of these rows."""

    def misname(self, row: Row) -> Row:
        """The row, said about another listing."""
        return {**row, self.identity: self.listings.other_than(str(row[self.identity]))}

    def misstate(self, row: Row) -> Row:
        """The row with another value than was asked."""
        return {**row, self.value: _another(row.get(self.value))}


class TurnedAway(Call):
    """A request that the channel refuses as it stands; faults may still strike it."""

    def __init__(self, listings: Listings, answer: Answer, *, writes: bool) -> None:
        super().__init__(listings, ())
        self.writes = writes
        self._answer = answer

    def act(self, index: int, *, apply: bool) -> Row:
        raise IndexError(index)

    def render(self, rows: list[Row]) -> Answer:
        return self._answer


def _another(value: object) -> object:
    if isinstance(value, str):
        return format(Decimal(value) + 1, "f")
    return value + 1 if isinstance(value, int) else 1
