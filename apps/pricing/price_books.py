"""Price books: who may use them and where they stand on the ladder."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.db import transaction

from apps.exceptions import triage
from apps.lib.codes import InvalidCode, nearest, normalise_code
from apps.lib.errors import Block
from apps.lib.money import is_currency
from apps.masterdata.blocks import broken_rule, unknown_code
from apps.masterdata.changes import UNSET, Sender, Unset, UpsertResult, actor_of, waves
from apps.masterdata.models import System
from apps.masterdata.resolving import AccountRef, BranchRef, Codes, Ignored
from apps.masterdata.rows import Change, Field, Rows
from apps.pricing import subjects
from apps.pricing.dates import is_zone
from apps.pricing.models import PriceBook


@dataclass(frozen=True, slots=True, kw_only=True)
class BookUpsert:
    """A price book as `price_book.upserted` says it, codes as the sender writes them; what is UNSET stays."""

    code: str
    name: str | Unset | None = UNSET
    level: str | Unset = UNSET
    account: str | Unset | None = UNSET
    group: str | Unset | None = UNSET
    type: str | Unset | None = UNSET
    channel: str | Unset | None = UNSET
    branch: str | Unset | None = UNSET
    region: str | Unset | None = UNSET
    currency: str | Unset = UNSET
    tax_included: bool | Unset = UNSET
    priority: int | Unset = UNSET
    merge_allowed: bool | Unset = UNSET
    convert: bool | Unset = UNSET
    timezone: str | Unset | None = UNSET
    parent: str | Unset | None = UNSET
    spike_percent: Decimal | Unset | None = UNSET
    floor_margin_percent: Decimal | Unset | None = UNSET
    event: str = ""


@dataclass(frozen=True, slots=True)
class BookRef:
    """What others need to know of a book to set prices in it."""

    id: int
    code: str
    currency: str
    time_zone: str


def upsert_book(book: BookUpsert, sender: Sender) -> UpsertResult:
    """One book; see upsert_books."""
    return upsert_books([book], sender)[0]


def upsert_books(books: Sequence[BookUpsert], sender: Sender) -> list[UpsertResult]:
    """Create and change books in the order given; answers in the same order. Locks the books of the installation.

    A new book needs its level and currency, and whom its level is for. Its arrival replays what waited for
    its code; a change of what decides prices marks every price of the book.
    """
    results: dict[int, UpsertResult] = {}
    with transaction.atomic():
        codes = _codes(books, sender)
        for wave in waves(book.code for book in books):
            rows = Rows(PriceBook, "price_book", "code", _FIELDS, sender)
            parents = [str(books[place].parent) for place in wave if books[place].parent]
            known = {each: codes.price_book(each) for each in [*(books[p].code for p in wave), *parents]}
            rows.load(
                [code for code in known.values() if isinstance(code, str)], "account", "branch", "channel", "parent"
            )
            changes = {place: _changed(rows, books[place], codes, known[books[place].code]) for place in wave}
            rows.write(changes.values())
            _announce([change for change in changes.values() if change.alive], sender)
            results |= {place: rows.result(change) for place, change in changes.items()}
    return [results[place] for place in range(len(books))]


def find_books(codes: Collection[str]) -> dict[str, BookRef]:
    """Books by our own code, in one query; codes nobody knows are absent."""
    rows = PriceBook.objects.filter(code__in=set(codes)).values_list("id", "code", "currency", "time_zone")
    return {code: BookRef(pk, code, currency, zone) for pk, code, currency, zone in rows}


def unknown_book(code: str, source: str = "", line: str = "", *, subject: str = "") -> Block:
    """The block of a price whose book nobody knows, with the nearest of ours."""
    ours = PriceBook.objects.order_by("code").values_list("code", flat=True)[:5_000]
    near = [candidate for candidate, _ in nearest(code, ours, 3)]
    return unknown_code("price_book", code, source=source, nearest=near, line=line, subject=subject)


def _percent(value: Any) -> str:
    return "" if value is None or value >= 0 else "a percentage here is not negative"


def _known_zone(value: Any) -> str:
    return "" if isinstance(value, str) and is_zone(value) else "it is no time zone such as Europe/London"


def _known_currency(value: Any) -> str:
    return "" if isinstance(value, str) and is_currency(value) else "it is no ISO 4217 currency such as USD"


# Everything of a book belongs to the group `prices`; `decides` in _announce says what moves prices.
_FIELDS: Final = (
    Field("name", "name", "prices", ""),
    Field("level", "level", "prices"),
    Field("account", "account_id", "prices", None, shown="account.code"),
    Field("group", "group", "prices", ""),
    Field("type", "type", "prices", ""),
    Field("channel", "channel_id", "prices", None, shown="channel.code"),
    Field("branch", "branch_id", "prices", None, shown="branch.code"),
    Field("region", "region", "prices", ""),
    Field("currency", "currency", "prices", check=_known_currency),
    Field("tax_included", "tax_included", "prices"),
    Field("priority", "priority", "prices"),
    Field("merge_allowed", "merge_allowed", "prices"),
    Field("convert", "convert", "prices"),
    Field("timezone", "time_zone", "prices", "UTC", check=_known_zone),
    Field("parent", "parent_id", "prices", None, shown="parent.code"),
    Field("spike_percent", "spike_percent", "prices", None, check=_percent),
    Field("floor_margin_percent", "floor_margin_percent", "prices", None, check=_percent),
)
_POINTERS: Final = frozenset({"account", "channel", "branch", "parent"})
_MOVES_NO_PRICE: Final = frozenset({"name", "spike_percent", "floor_margin_percent", "parent", "timezone"})
# level → the column that says whom the book is for
_FOR_WHOM: Final = {"special": "account", "group": "group", "type": "type", "channel": "channel"}


def _codes(books: Sequence[BookUpsert], sender: Sender) -> Codes:
    codes = Codes(sender.system_id, sender.accepts_our_codes, sender.folds_case)
    codes.load(
        accounts=_sent(book.account for book in books),
        branches=_sent(book.branch for book in books),
        price_books=[book.code for book in books] + _sent(book.parent for book in books),
    )
    return codes


def _sent(values: Iterable[str | Unset | None]) -> list[str]:
    return [value for value in values if isinstance(value, str)]


def _changed(rows: Rows[PriceBook], book: BookUpsert, codes: Codes, ours: str | Ignored | None) -> Change[PriceBook]:
    change = rows.change(ours if isinstance(ours, str) else _own_code(book.code), book.event)
    change.ignored = isinstance(ours, Ignored)
    if change.ignored:
        return change
    for name in ("level", "currency"):
        rows.require(change, name, getattr(book, name))
    for field in _FIELDS:
        if field.name not in _POINTERS:
            rows.set(change, field.name, getattr(book, field.name))
    _point(rows, change, "account", book.account, lambda code: _ref_id(codes.account(code)))
    _point(rows, change, "branch", book.branch, lambda code: _ref_id(codes.branch(code)))
    _point(rows, change, "channel", book.channel, _channel_id)
    _point(rows, change, "parent", book.parent, lambda code: _book_id(codes.price_book(code)))
    _check_for_whom(change)
    return change


def _own_code(code: str) -> str:
    """A source that may not use our codes still names new books by its own."""
    try:
        return normalise_code(code)
    except InvalidCode:
        return code


def _ref_id(ref: AccountRef | BranchRef | Any) -> int | None:
    return None if ref is None or isinstance(ref, Ignored) else int(ref.id)


def _channel_id(code: str) -> int | None:
    return System.objects.filter(code=code.strip()).values_list("pk", flat=True).first()


def _book_id(code: str | Ignored | None) -> int | None:
    return PriceBook.objects.filter(code=code).values_list("pk", flat=True).first() if isinstance(code, str) else None


def _point(
    rows: Rows[PriceBook],
    change: Change[PriceBook],
    name: str,
    code: str | Unset | None,
    find: Callable[[str], int | None],
) -> None:
    if not isinstance(code, str):
        rows.set(change, name, code)
        return
    found = find(code)
    if found is not None:
        rows.set(change, name, found, shown=code)
    elif name == "channel":
        detail = f"Price book {change.code} is for channel {code!r}, which nobody knows; set the channel up first."
        change.blocks.append(Block("UNKNOWN_CHANNEL", "channel", "channel", code, detail, subject=change.code))
    elif name == "parent":
        change.blocks.append(unknown_book(code, rows.sender.code, subject=change.code))
    else:
        change.blocks.append(unknown_code(name, code, source=rows.sender.code, subject=change.code))


def _check_for_whom(change: Change[PriceBook]) -> None:
    row = change.row
    name = _FOR_WHOM.get(row.level, "")
    if not name or change.blocks or getattr(row, f"{name}_id" if name in ("account", "channel") else name):
        return
    detail = f"Price book {change.code} of level {row.level} is for nobody; send its {name}."
    change.blocks.append(broken_rule("price_book.upserted", f"/{name}", "required", detail, subject=change.code))


def _announce(changes: Sequence[Change[PriceBook]], sender: Sender) -> None:
    created = [change.code for change in changes if change.created]
    if created:
        triage.heal("UNKNOWN_PRICE_BOOK", created, by=actor_of(sender))
    moved = [c.row.pk for c in changes if not c.created and set(c.changed) - _MOVES_NO_PRICE]
    if moved:
        subjects.touch_books(moved)
