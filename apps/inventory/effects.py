"""What one stock movement does to its position: the list of effects per kind, and nothing that reads a database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

from apps.inventory.picks import OpenPicks

ZERO = Decimal(0)
PICKING = frozenset({"pick", "unpick", "ship"})
HELD_CONDITIONS = frozenset({"inspect", "damaged"})
_RISES = frozenset({"receipt", "return", "transfer_in", "adjustment"})
_FALLS = frozenset({"scrap", "transfer_out"})


class Fact(Protocol):
    """The parts of a movement that decide its effect; quantities in base units."""

    @property
    def kind(self) -> str: ...
    @property
    def base_quantity(self) -> Decimal: ...
    @property
    def sequence(self) -> int | None: ...
    @property
    def happened_at(self) -> datetime: ...
    @property
    def order(self) -> str: ...
    @property
    def order_line(self) -> str: ...
    @property
    def condition(self) -> str: ...
    @property
    def falls_at(self) -> str: ...


class Effect(NamedTuple):
    """What one ledger row changed. `unreleased` is what a release asked for beyond what is held."""

    on_hand: Decimal
    held: Decimal
    unbacked: Decimal
    generation: int
    unreleased: Decimal


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The count a position stands on: which facts of which source it contains already."""

    as_of: datetime
    watermarks: Mapping[str, int]

    def contains(self, source: str, sequence: int | None, happened_at: datetime) -> bool:
        """By the sequence of the fact's own source; without a watermark for it, by when it happened."""
        watermark = self.watermarks.get(source)
        if watermark is None or sequence is None:
            return happened_at <= self.as_of
        return sequence <= watermark

    def covers(self, source: str, sequence: int | None) -> bool:
        """Whether a watermark says so: only that ends a pick, the time of the count does not."""
        watermark = self.watermarks.get(source)
        return watermark is not None and sequence is not None and sequence <= watermark


@dataclass(slots=True)
class Position:
    """A locked position while a batch is applied to it: what it was, and what the batch changed so far."""

    id: int
    generation: int
    on_hand: Decimal
    held: Decimal
    as_of: datetime | None = None
    watermarks: dict[str, int | None] = field(default_factory=dict)
    counted: Snapshot | None = None
    held_counted: Snapshot | None = None  # the last count that stated held; not every count does
    picks: OpenPicks = field(default_factory=OpenPicks)
    rows: int = 0
    on_hand_change: Decimal = ZERO
    held_change: Decimal = ZERO
    unbacked_change: Decimal = ZERO

    def apply(self, fact: Fact, source: str) -> Effect:
        """Apply one fact, as DOMAIN lists its effect, and say what it changed."""
        on_hand = ZERO if _contains(self.counted, fact, source) else _on_hand_change(fact)
        known = _contains(self.held_counted, fact, source)
        held, unreleased = (ZERO, ZERO) if known else self._held_change_of(fact)
        covered = self.counted is not None and self.counted.covers(source, fact.sequence)
        unbacked = self._unbacked_change_of(fact, covered) if fact.kind in PICKING else ZERO
        self.generation += 1
        self.rows += 1
        self.on_hand_change += on_hand
        self.held_change += held
        self.unbacked_change += unbacked
        self._see(fact, source)
        return Effect(on_hand, held, unbacked, self.generation, unreleased)

    def _see(self, fact: Fact, source: str) -> None:
        if self.as_of is None or fact.happened_at > self.as_of:
            self.as_of = fact.happened_at
        seen = self.watermarks.get(source)
        if seen is None or (fact.sequence is not None and fact.sequence > seen):
            self.watermarks[source] = fact.sequence

    def _held_change_of(self, fact: Fact) -> tuple[Decimal, Decimal]:
        if fact.kind == "hold" or (fact.kind == "return" and fact.condition in HELD_CONDITIONS):
            return fact.base_quantity, ZERO
        if fact.kind == "release":
            released = min(fact.base_quantity, self.held + self.held_change)
            return -released, fact.base_quantity - released
        return ZERO, ZERO

    def _unbacked_change_of(self, fact: Fact, covered: bool) -> Decimal:
        if fact.falls_at == "pick":
            return ZERO
        key, quantity, at = (fact.order, fact.order_line), fact.base_quantity, fact.happened_at
        if fact.kind == "pick":
            opened = self.picks.pick(key, quantity, at)
            if not covered:
                return opened
            self.picks.close(key, opened, at)  # a count that contains the pick has taken it off already
            return ZERO
        return self.picks.end(key, quantity, at, "shipped" if fact.kind == "ship" else "unpicked")


def _contains(count: Snapshot | None, fact: Fact, source: str) -> bool:
    return count is not None and count.contains(source, fact.sequence, fact.happened_at)


def _on_hand_change(fact: Fact) -> Decimal:
    kind, quantity = fact.kind, fact.base_quantity
    if kind in _RISES:
        # Goods that came back as scrap never enter the stock.
        return ZERO if kind == "return" and fact.condition == "scrap" else quantity
    if kind in _FALLS:
        return -quantity
    if kind == "ship":
        return ZERO if fact.falls_at == "pick" else -quantity
    if fact.falls_at == "pick" and kind in ("pick", "unpick"):
        return -quantity if kind == "pick" else quantity
    return ZERO
