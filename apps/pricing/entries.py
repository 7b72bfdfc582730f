"""Setting prices: set-based, versioned, never by editing a row."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Final, Literal

from django.db import transaction

from apps.lib.clock import now
from apps.lib.errors import Block
from apps.lib.quantity import plain
from apps.masterdata.authority import Owners
from apps.masterdata.blocks import broken_rule
from apps.masterdata.systems import SystemSender
from apps.pricing import differences, entry_rows, subjects
from apps.pricing.dates import instant_of
from apps.pricing.entry_rows import PriceKey
from apps.pricing.successions import Change, Entry, Fate, Succession, Terms

# So many prices are held in memory at once; a call may bring more.
CHUNK: Final = 20_000

Status = Literal["applied", "unchanged", "ignored", "blocked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrice:
    """One `price.set`, codes resolved. Exactly one of item_id, family and category is given.

    `amount` None ends the price. Without `effective_from` it counts from `happened_at` (the event's time) on;
    plain dates are midnight in the book's time zone; `effective_to` is exclusive. `system_id` is who says it, in
    the event `event`.
    """

    book_id: int
    unit_id: int
    currency: str
    amount: Decimal | None
    happened_at: datetime
    item_id: int | None = None
    family: str = ""
    category: str = ""
    per: Decimal = Decimal(1)
    min_quantity: Decimal = Decimal(0)
    method: str = "fixed"
    base: str = ""
    zero_ok: bool = False
    effective_from: datetime | date | None = None
    effective_to: datetime | date | None = None
    message: int | None = None
    line: str = ""
    system_id: int | None = None
    event: str = ""

    @property
    def terms(self) -> Terms | None:
        """What it says, apart from when; None ends the price."""
        return None if self.amount is None else Terms(self.amount, self.per, self.method, self.base, self.zero_ok)

    @property
    def key(self) -> PriceKey:
        return PriceKey(
            self.book_id, self.item_id, self.family, self.category, self.unit_id, self.min_quantity, self.currency
        )


@dataclass(frozen=True, slots=True)
class PriceOutcome:
    """What became of one NewPrice. `effect` is `{kind, subject, change, subject_id, generation}`.

    "ignored": nothing was written and nothing is wrong: an unmeant 0, or a source that does not own prices, whose
    price is kept as a difference and shown.
    """

    message: int | None
    line: str
    status: Status
    effect: dict[str, object] | None = None
    block: Block | None = None


@dataclass(frozen=True, slots=True)
class _Applied:
    """A price with its fate, before generations are known."""

    price: NewPrice
    fate: Fate | Literal["not_owned", "backwards", "not_one_subject"]
    start: datetime
    in_the_way: Entry | None = None
    ours: Terms | None = None  # what counts at that start, where the sender does not decide


def set_prices(prices: Sequence[NewPrice]) -> list[PriceOutcome]:
    """Apply prices in the order given; outcomes in the same order. Locks the priced subjects, in id order.

    A later start ends the open-ended price of the same key there; the same start makes a new version of it; one
    that would swallow a later price is PRICE_CONFLICT and changes nothing. Applying the same again changes nothing.
    """
    if not prices:
        return []
    with transaction.atomic():
        locked = subjects.lock((price.book_id, price.item_id) for price in prices)
        names = entry_rows.names_of(price.key for price in prices)
        owners = Owners("price_book")
        recorded_at = now()
        applied: list[_Applied] = []
        for chunk in _chunks(prices):
            applied += _apply(chunk, names, owners, recorded_at)
        if owners.owner("prices"):
            differences.keep(_said_by(each, names) for each in applied if each.fate in differences.TELLING)
        changed = {locked[a.price.book_id, a.price.item_id][0] for a in applied if a.fate in ("set", "ended")}
        subjects.touch(changed)
    return [_outcome(each, names, owners, locked, changed) for each in applied]


def count_prices(
    book_id: int,
    prices: Sequence[NewPrice],
    as_of: datetime,
    *,
    complete: bool,
    message: int | None = None,
    spared_items: Collection[int] = (),
) -> list[PriceOutcome]:
    """A price list: its lines, and, where it is complete, the end at `as_of` of every price it does not name.

    Lines without `effective_from` count from `as_of` on (their `happened_at`). `spared_items` are items of lines that
    could not be read: their prices stay. So do all of them where the sender of the lines does not own prices. The
    outcomes of the lines come first, then those of what ended.
    """
    with transaction.atomic():
        outcomes = set_prices(prices)
        if complete:
            named = {price.key for price in prices if price.amount is None or price.amount or price.zero_ok}
            spared = set(spared_items)
            absent = [
                _ended(key, as_of, message, prices[0].system_id if prices else None)
                for key in entry_rows.keys_covering(book_id, as_of)
                if key not in named and key.item_id not in spared
            ]
            outcomes += set_prices(absent)
    return outcomes


def _ended(key: PriceKey, at: datetime, message: int | None, system_id: int | None) -> NewPrice:
    return NewPrice(
        book_id=key.book_id,
        item_id=key.item_id,
        family=key.family,
        category=key.category,
        unit_id=key.unit_id,
        min_quantity=key.min_quantity,
        currency=key.currency,
        amount=None,
        happened_at=at,
        message=message,
        system_id=system_id,
    )


def _chunks(prices: Sequence[NewPrice]) -> Iterator[list[NewPrice]]:
    rest = iter(prices)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _apply(
    prices: Sequence[NewPrice], names: entry_rows.Names, owners: Owners, recorded_at: datetime
) -> Iterable[_Applied]:
    successions = entry_rows.load(price.key for price in prices)
    applied = [_one(price, successions[price.key], names.zone(price.book_id), owners) for price in prices]
    entry_rows.write(successions, recorded_at)
    return applied


def _one(price: NewPrice, succession: Succession, zone: str, owners: Owners) -> _Applied:
    start = instant_of(price.effective_from or price.happened_at, zone)
    end = instant_of(price.effective_to, zone) if price.effective_to is not None else None
    if sum((price.item_id is not None, bool(price.family), bool(price.category))) != 1:
        return _Applied(price, "not_one_subject", start)
    if price.system_id is not None and not owners.allow("prices", SystemSender(price.system_id, "")):
        return _Applied(price, "not_owned", start, ours=succession.at(start))
    if end is not None and (end <= start or price.amount is None):
        return _Applied(price, "backwards", start)
    fate, in_the_way = succession.apply(Change(start, price.terms, end, price.message))
    return _Applied(price, fate, start, in_the_way)


def _said_by(applied: _Applied, names: entry_rows.Names) -> differences.SaidPrice:
    price = applied.price
    return differences.SaidPrice(
        price.system_id,
        names.book(price.key),
        names.place(price.key),
        price.terms,
        applied.ours if applied.fate == "not_owned" else price.terms,
        price.event,
    )


# What is answered

_STATUS: Final[dict[str, Status]] = {
    "set": "applied",
    "ended": "applied",
    "unchanged": "unchanged",
    "no_entry": "ignored",
    "not_owned": "ignored",
}


def _outcome(
    applied: _Applied,
    names: entry_rows.Names,
    owners: Owners,
    locked: dict[subjects.Subject, tuple[int, int]],
    changed: Collection[int],
) -> PriceOutcome:
    price = applied.price
    subject = names.subject(price.key)
    if applied.fate not in _STATUS:
        block = _block(applied, subject, names.unit(price.unit_id))
        return PriceOutcome(price.message, price.line, "blocked", block=block)
    subject_id, generation = locked[price.book_id, price.item_id]
    effect: dict[str, object] = {
        "kind": "price",
        "subject": subject,
        "change": _said(applied, names.unit(price.unit_id), owners),
        "subject_id": subject_id,
        "generation": generation + (subject_id in changed),
    }
    return PriceOutcome(price.message, price.line, _STATUS[applied.fate], effect)


def _said(applied: _Applied, uom: str, owners: Owners) -> str:
    price = applied.price
    start = applied.start.isoformat().replace("+00:00", "Z")
    per = uom if price.per == 1 else f"{plain(price.per)} {uom}"
    if applied.fate == "no_entry":
        return f"none: 0 {price.currency} per {per} without zero_ok is no entry"
    if applied.fate == "not_owned":
        return f"kept as a difference: the prices of price books are owned by {owners.owner('prices')}"
    if applied.fate == "unchanged":
        return "unchanged"
    breaks = f" from {plain(price.min_quantity)} {uom}" if price.min_quantity else ""
    if price.amount is None:
        return f"{price.currency} per {per}{breaks} ends at {start}"
    return f"{price.method} {plain(price.amount)} {price.currency} per {per}{breaks} as of {start}"


def _block(applied: _Applied, subject: str, uom: str) -> Block:
    price = applied.price
    start = applied.start.isoformat().replace("+00:00", "Z")
    if applied.fate == "not_one_subject":
        detail = f"A price of {subject} names not exactly one of sku, family and category; send one of them."
        return broken_rule("price.set", "/", "one of sku, family, category", detail, subject=subject)
    if applied.in_the_way is None:
        detail = (
            f"The price of {subject} from {start} has an effective_to that is not after it, or no amount to end; "
            f"the end is exclusive and must be later, and an ended price has none."
        )
        rule = "effective_to after effective_from"
        return broken_rule("price.set", "/effective_to", rule, detail, subject=subject)
    later = applied.in_the_way.start.isoformat().replace("+00:00", "Z")
    asked = f"per {uom} from {plain(price.min_quantity)} {uom} in {price.currency}"
    detail = (
        f"The price of {subject} {asked} as of {start} would swallow the one that starts at {later}; "
        f"send it with an effective_to of {later} at the latest, or end the later one first, and replay."
    )
    return Block(
        "PRICE_CONFLICT",
        "price",
        "effective_from",
        subject,
        detail,
        line=price.line,
        subject=subject,
        context={"starts_at": start, "later_starts_at": later},
    )
