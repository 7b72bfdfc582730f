"""Price entries as rows: loading the current ones of many keys, superseding and writing them in bulk."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from django.db import IntegrityError, connection

from apps.lib.quantity import plain
from apps.pricing.successions import Entry, Succession, Terms


class PriceKey(NamedTuple):
    """What can have one price at an instant."""

    book_id: int
    item_id: int | None
    family: str
    category: str
    unit_id: int
    min_quantity: Decimal
    currency: str


class Names:
    """What books, items and units are called, for sentences and effects."""

    def __init__(
        self, books: Mapping[int, tuple[str, str]], items: Mapping[int, str], units: Mapping[int, str]
    ) -> None:
        self._books, self._items, self._units = books, items, units

    def zone(self, book_id: int) -> str:
        return self._books[book_id][1]

    def unit(self, unit_id: int) -> str:
        return self._units[unit_id]

    def book(self, key: PriceKey) -> str:
        return self._books[key.book_id][0]

    def subject(self, key: PriceKey) -> str:
        return f"{self.book(key)}/{self._what(key)}"

    def place(self, key: PriceKey) -> str:
        """Which price of its book it is."""
        breaks = f" from {plain(key.min_quantity)}" if key.min_quantity else ""
        return f"{self._what(key)} per {self.unit(key.unit_id)}{breaks} in {key.currency}"

    def _what(self, key: PriceKey) -> str:
        return self._items[key.item_id] if key.item_id is not None else key.family or key.category


_KEY: Final = "e.book_id, e.item_id, e.family, e.category, e.unit_id, e.min_quantity, e.currency"
_COLUMNS: Final = (
    "book_id, item_id, family, category, unit_id, min_quantity, currency, per, method, amount, base, zero_ok, "
    "valid_from, valid_to, version, message, recorded_at, superseded_at"
)
_OF_SUBJECTS: Final = (
    "SELECT {what} FROM unnest(%s::bigint[], %s::bigint[]) AS a(book_id, item_id) "
    "JOIN pricing_priceentry e ON e.item_id = a.item_id AND e.book_id = a.book_id WHERE {when} "
    "UNION ALL SELECT {what} FROM pricing_priceentry e WHERE e.item_id IS NULL AND e.book_id = ANY(%s) AND {when}"
)


def names_of(keys: Iterable[PriceKey]) -> Names:
    """In three queries."""
    wanted = set(keys)
    with connection.cursor() as cursor:

        def rows(sql: str, ids: Iterable[int | None]) -> list[tuple[Any, ...]]:
            cursor.execute(sql, [[pk for pk in set(ids) if pk is not None]])
            return list(cursor.fetchall())

        books = rows(
            "SELECT id, code, time_zone FROM pricing_pricebook WHERE id = ANY(%s)", (k.book_id for k in wanted)
        )
        items = rows("SELECT id, sku FROM masterdata_item WHERE id = ANY(%s)", (k.item_id for k in wanted))
        units = rows("SELECT id, code FROM masterdata_unit WHERE id = ANY(%s)", (k.unit_id for k in wanted))
    return Names({pk: (code, zone) for pk, code, zone in books}, dict(items), dict(units))


def load(keys: Iterable[PriceKey]) -> dict[PriceKey, Succession]:
    """The successions of these keys, in two queries. Their subjects must be locked."""
    successions = {key: Succession([]) for key in keys}
    pairs = sorted({(key.book_id, key.item_id) for key in successions if key.item_id is not None})
    wide = sorted({key.book_id for key in successions if key.item_id is None})
    parameters = [[book for book, _ in pairs], [item for _, item in pairs], wide]
    values = "e.amount, e.per, e.method, e.base, e.zero_ok, e.valid_from, e.valid_to, e.version, e.message, e.id"
    with connection.cursor() as cursor:
        cursor.execute(_OF_SUBJECTS.format(what=f"{_KEY}, {values}", when="e.superseded_at IS NULL"), parameters)
        for row in cursor.fetchall():
            succession = successions.get(PriceKey(*row[:7]))
            if succession is not None:
                start, end, version, message, pk = row[12:]
                succession.current.append(Entry(start, end, Terms(*row[7:12]), version, message, pk))
        cursor.execute(
            f"SELECT {_KEY}, e.valid_from, max(e.version) FROM ("
            + _OF_SUBJECTS.format(what="e.*", when="e.superseded_at IS NOT NULL")
            + f") e GROUP BY {_KEY}, e.valid_from",
            parameters,
        )
        for row in cursor.fetchall():
            succession = successions.get(PriceKey(*row[:7]))
            if succession is not None:
                succession.past_versions[row[7]] = row[8]
    return successions


def keys_covering(book_id: int, instant: datetime) -> list[PriceKey]:
    """The keys of a book that have a price at the instant."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_KEY} FROM pricing_priceentry e WHERE e.book_id = %s AND e.superseded_at IS NULL "
            "AND e.valid_from <= %s AND (e.valid_to IS NULL OR e.valid_to > %s) ORDER BY e.id",
            [book_id, instant, instant],
        )
        return [PriceKey(*row) for row in cursor.fetchall()]


def write(successions: Mapping[PriceKey, Succession], recorded_at: datetime) -> None:
    """Supersede what is retired, then copy in what was written; both carry the same instant, so no answer is lost."""
    retired = [entry.id for succession in successions.values() for entry in succession.retired if entry.id]
    with connection.cursor() as cursor:
        if retired:
            cursor.execute(
                "UPDATE pricing_priceentry SET superseded_at = %s WHERE id = ANY(%s) AND superseded_at IS NULL",
                [recorded_at, retired],
            )
            if cursor.rowcount != len(retired):
                raise IntegrityError("A price was superseded by somebody who did not lock its subject.")
        with cursor.copy(f"COPY pricing_priceentry ({_COLUMNS}) FROM STDIN") as copy:
            for key, succession in successions.items():
                for entry in succession.written:
                    copy.write_row(_row(key, entry, recorded_at, superseded=entry in succession.retired))


def _row(key: PriceKey, entry: Entry, recorded_at: datetime, *, superseded: bool) -> tuple[object, ...]:
    terms = entry.terms
    return (
        *key,
        terms.per,
        terms.method,
        terms.amount,
        terms.base,
        terms.zero_ok,
        entry.start,
        entry.end,
        entry.version,
        entry.message,
        recorded_at,
        recorded_at if superseded else None,
    )
