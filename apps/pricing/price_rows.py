"""Prices as people write them, in a form or a file: one row of texts each, codes ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from apps.lib.clock import now
from apps.lib.codes import InvalidCode, normalise_code
from apps.lib.money import is_currency
from apps.lib.quantity import InvalidDecimal, parse_decimal
from apps.masterdata.authority import Owners
from apps.masterdata.resolving import Codes, ItemRef, UnitRef
from apps.pricing.dates import FIRST_YEAR, LAST_YEAR, instant_of
from apps.pricing.entries import NewPrice
from apps.pricing.models import PriceEntry
from apps.pricing.price_books import BookRef, find_books

COLUMNS: Final = (
    "book",
    "sku",
    "family",
    "category",
    "uom",
    "per",
    "min_quantity",
    "method",
    "amount",
    "currency",
    "zero_ok",
    "effective_from",
    "effective_to",
)
_YES: Final = {"1": True, "true": True, "yes": True, "": False, "0": False, "false": False, "no": False}

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Mistake:
    """Why a row is no price: the column, and what to write instead."""

    column: str
    detail: str


class _Wrong(ValueError):
    def __init__(self, column: str, detail: str) -> None:
        super().__init__(detail)
        self.mistake = Mistake(column, detail)


def read_rows(rows: Sequence[Row]) -> list[NewPrice | Mistake]:
    """A price or a mistake for each row, in order; one query per kind of code. An empty amount ends the price."""
    codes = Codes(None)
    codes.load(items=_texts(rows, "sku"), units=_texts(rows, "uom"))
    books = find_books({_code_or_empty(text) for text in _texts(rows, "book")})
    owner = Owners("price_book").owner("prices")
    at = now()
    return [_read(row, codes, books, owner, at) for row in rows]


def _read(row: Row, codes: Codes, books: Mapping[str, BookRef], owner: str, at: datetime) -> NewPrice | Mistake:
    try:
        if owner:
            raise _Wrong("book", f"The prices of price books are owned by {owner}; change them there.")
        return _price(row, codes, books, at)
    except _Wrong as wrong:
        return wrong.mistake


def _price(row: Row, codes: Codes, books: Mapping[str, BookRef], at: datetime) -> NewPrice:
    unknown = sorted({name for name in row if name and name not in COLUMNS})
    if unknown:
        raise _Wrong(unknown[0], f"Nobody knows the column {unknown[0]!r}; known: {', '.join(COLUMNS)}.")
    book = books.get(_code_or_empty(_text(row, "book")))
    if book is None:
        raise _Wrong("book", f"No price book is known as {_text(row, 'book')!r}.")
    sku, family, category = (_text(row, name) for name in ("sku", "family", "category"))
    if sum(map(bool, (sku, family, category))) != 1:
        raise _Wrong("sku", "Give exactly one of sku, family and category.")
    item = codes.item(sku) if sku else None
    if sku and not isinstance(item, ItemRef):
        raise _Wrong("sku", f"No item is known as {sku!r}.")
    unit = codes.unit(_text(row, "uom"))
    if not isinstance(unit, UnitRef):
        raise _Wrong("uom", f"No unit is known as {_text(row, 'uom')!r}.")
    currency = _text(row, "currency") or book.currency
    if not is_currency(currency):
        raise _Wrong("currency", f"{currency!r} is no ISO 4217 currency such as USD.")
    start = _moment(row, "effective_from") or at
    end = _moment(row, "effective_to")
    if end is not None and instant_of(end, book.time_zone) <= instant_of(start, book.time_zone):
        raise _Wrong("effective_to", "The end is exclusive and must be after effective_from.")
    return NewPrice(
        book_id=book.id,
        unit_id=unit.id,
        item_id=item.id if isinstance(item, ItemRef) else None,
        family=family,
        category=category,
        currency=currency,
        amount=_decimal(row, "amount", least=Decimal(0)),
        per=_decimal(row, "per", least=Decimal("0.000001")) or Decimal(1),
        min_quantity=_decimal(row, "min_quantity", least=Decimal(0)) or Decimal(0),
        method=_method(row),
        zero_ok=_flag(row, "zero_ok"),
        happened_at=at,
        effective_from=start,
        effective_to=end,
    )


def _texts(rows: Sequence[Row], name: str) -> list[str]:
    return [text for row in rows if (text := _text(row, name))]


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if isinstance(value, float):  # a number cell of a spreadsheet: as it is shown there
        return repr(int(value)) if value.is_integer() and abs(value) < 10**15 else repr(value)
    return str(value).strip()


def _code_or_empty(text: str) -> str:
    try:
        return normalise_code(text)
    except InvalidCode:
        return ""


def _decimal(row: Row, name: str, *, least: Decimal) -> Decimal | None:
    text = _text(row, name)
    if not text:
        return None
    try:
        value = parse_decimal(text, pointer=name)
    except InvalidDecimal as error:
        raise _Wrong(name, error.detail) from error
    if value < least:
        raise _Wrong(name, f"{text} is less than {least}.")
    return value


def _method(row: Row) -> str:
    method = _text(row, "method") or PriceEntry.Method.FIXED
    if method not in PriceEntry.Method.values:
        raise _Wrong("method", f"{method!r} is not one of {', '.join(PriceEntry.Method.values)}.")
    return method


def _flag(row: Row, name: str) -> bool:
    text = _text(row, name).casefold()
    if text not in _YES:
        raise _Wrong(name, f"{text!r} is neither true nor false.")
    return _YES[text]


def _moment(row: Row, name: str) -> datetime | date | None:
    value = row.get(name)
    if isinstance(value, datetime) and value.tzinfo is None:  # a date cell of a spreadsheet
        value = value.date() if value.time() == datetime.min.time() else value.isoformat()
    text = _text({name: value}, name)
    if not text:
        return None
    try:
        moment = date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError as error:
        raise _Wrong(name, f"{text!r} is no date such as 2026-01-31 and no instant with its offset.") from error
    if isinstance(moment, datetime) and moment.tzinfo is None:
        raise _Wrong(name, f"{text} has no offset; write 2026-01-31T12:00:00Z, or a plain date.")
    if not FIRST_YEAR < moment.year < LAST_YEAR:
        raise _Wrong(name, f"{text} is outside the years {FIRST_YEAR + 1} to {LAST_YEAR - 1}.")
    return moment
