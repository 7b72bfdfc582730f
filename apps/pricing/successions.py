"""How the dated prices of one key follow each other: what a new price ends, replaces or collides with. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

Fate = Literal["set", "ended", "unchanged", "no_entry", "conflict"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a price says, apart from when: `amount` for `per` units by `method` (of `base`)."""

    amount: Decimal
    per: Decimal = Decimal(1)
    method: str = "fixed"
    base: str = ""
    zero_ok: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A current price of a key in [start, end). `id` 0: not in the database yet."""

    start: datetime
    end: datetime | None
    terms: Terms
    version: int = 1
    message: int | None = None
    id: int = 0

    def covers(self, instant: datetime) -> bool:
        return self.start <= instant and (self.end is None or instant < self.end)


@dataclass(frozen=True, slots=True)
class Change:
    """A price from `start` on (to `end`, exclusive, if given); without terms the price ends at `start`."""

    start: datetime
    terms: Terms | None
    end: datetime | None = None
    message: int | None = None


@dataclass(slots=True)
class Succession:
    """The current entries of one key in order of their start, and what became of each entry on the way.

    `retired` are entries that count no longer, `written` those made here; one made and retired again is in both.
    """

    current: list[Entry]
    past_versions: dict[datetime, int] = field(default_factory=dict)
    retired: list[Entry] = field(default_factory=list)
    written: list[Entry] = field(default_factory=list)

    def at(self, instant: datetime) -> Terms | None:
        """What counts at that instant."""
        return next((entry.terms for entry in self.current if entry.covers(instant)), None)

    def apply(self, change: Change) -> tuple[Fate, Entry | None]:
        """Apply one change; a conflict leaves everything as it is and names the entry in the way."""
        if change.terms is None:
            return self._end(change), None
        if change.terms.amount == 0 and not change.terms.zero_ok and change.terms.method == "fixed":
            return "no_entry", None
        same = next((entry for entry in self.current if entry.start == change.start), None)
        later = min((e for e in self.current if e.start > change.start), key=lambda e: e.start, default=None)
        end = change.end
        if end is None and same is not None and later is not None:
            end = same.end  # a correction of a price that has a successor keeps the day of the succession
        if later is not None and (end is None or end > later.start):
            return "conflict", later
        if same is not None and (same.end, same.terms) == (end, change.terms):
            return "unchanged", None
        self._truncate(change.start, change.message)
        self._write(Entry(change.start, end, change.terms, message=change.message))
        return "set", None

    def _end(self, change: Change) -> Fate:
        return "ended" if self._truncate(change.start, change.message) else "unchanged"

    def _truncate(self, instant: datetime, message: int | None) -> bool:
        """End what covers the instant there; what starts just then goes altogether."""
        covering = next((entry for entry in self.current if entry.covers(instant)), None)
        if covering is None:
            return False
        self._retire(covering)
        if covering.start < instant:
            self._write(replace(covering, end=instant, message=message, id=0))
        return True

    def _retire(self, entry: Entry) -> None:
        self.current.remove(entry)
        self.retired.append(entry)
        self.past_versions[entry.start] = max(entry.version, self.past_versions.get(entry.start, 0))

    def _write(self, entry: Entry) -> None:
        entry = replace(entry, version=self.past_versions.get(entry.start, 0) + 1)
        self.current.append(entry)
        self.written.append(entry)


def ordered(entries: Sequence[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.start)
