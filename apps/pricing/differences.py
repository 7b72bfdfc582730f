"""Prices and costs said by a system that does not own them: kept beside ours and shown, never applied."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

from apps.lib.quantity import plain
from apps.masterdata.authority import Differences
from apps.masterdata.systems import SystemSender
from apps.pricing.successions import Terms

# The fates of a price that say what its sender and we hold.
TELLING: Final = frozenset({"not_owned", "set", "ended", "unchanged"})


class SaidPrice(NamedTuple):
    """What a system (None: a person) says a price is, and what it is here once its message is dealt with."""

    system_id: int | None
    book: str
    place: str
    theirs: Terms | None
    ours: Terms | None
    event: str


class SaidCost(NamedTuple):
    """The same of a cost; the values are texts already."""

    system_id: int | None
    sku: str
    place: str
    theirs: str
    ours: str | None
    event: str


def keep(said: Iterable[SaidPrice | SaidCost]) -> None:
    """In the order given: a difference is written, renewed, or gone where the two agree; a few statements a system."""
    found: dict[tuple[str, int], Differences] = {}
    decided: dict[tuple[str, int], int] = defaultdict(int)
    for turn, one in enumerate(said):
        if one.system_id is None:
            continue
        if isinstance(one, SaidPrice):
            entity, code, theirs, ours = "price_book", one.book, shown(one.theirs), shown(one.ours)
        else:
            entity, code, theirs, ours = "item", one.sku, one.theirs, one.ours
        key = entity, one.system_id
        differences = found.setdefault(key, Differences(entity, SystemSender(one.system_id, "")))
        if theirs == ours:
            differences.settle(code, one.place, ours)
        else:
            differences.refuse(code, one.place, theirs=theirs, ours=ours, event=one.event)
        decided[key] = turn
    for key in sorted(found, key=lambda key: decided[key]):
        found[key].save_all()


def shown(terms: Terms | None) -> str | None:
    """A price as a text that two systems can be compared by; None where there is none."""
    if terms is None:
        return None
    per = f" per {plain(terms.per)}" if terms.per != 1 else ""
    how = "" if terms.method == "fixed" else f" {terms.method}{f' of {terms.base}' if terms.base else ''}"
    return f"{plain(terms.amount)}{per}{how}"
