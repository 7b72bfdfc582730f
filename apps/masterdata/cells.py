"""The cells of an imported row, read by column: a wrong one says what it is and what is expected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from apps.lib.codes import InvalidCode, normalise_code
from apps.lib.quantity import InvalidDecimal, parse_decimal, plain
from apps.masterdata.changes import UNSET, Unset

_YES, _NO = frozenset({"true", "yes", "1", "y"}), frozenset({"false", "no", "0", "n"})


class CellError(ValueError):
    """A cell that cannot be read; `detail` names value, rule and remedy."""

    def __init__(self, column: str, detail: str) -> None:
        super().__init__(detail)
        self.column = column
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Row:
    """A column that is absent leaves its field as it is; an empty cell clears it, where it can be cleared."""

    number: int
    cells: Mapping[str, Any]

    def key(self, columns: Sequence[str]) -> tuple[str, ...]:
        return tuple(self._read(column) for column in columns)

    def code(self, column: str) -> str:
        """A code that must be there."""
        try:
            return normalise_code(self._read(column))
        except InvalidCode as error:
            raise CellError(column, error.detail) from error

    def required(self, column: str) -> str | Unset:
        """A text that cannot be cleared: empty means as it is."""
        return self._read(column) or UNSET

    def text(self, column: str) -> str | Unset | None:
        if column not in self.cells:
            return UNSET
        return self._read(column) or None

    def flag(self, column: str) -> bool | Unset:
        text = self._read(column).lower()
        if text and text not in _YES | _NO:
            raise CellError(column, f"{column} is {text[:40]!r}; write true or false.")
        return text in _YES if text else UNSET

    def whole(self, column: str) -> int | Unset | None:
        text = self._read(column)
        if not text:
            return None if column in self.cells else UNSET
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise CellError(column, f"{column} is {text[:40]!r}; write a whole number.")
        return int(text)

    def decimal(self, column: str) -> Decimal | Unset | None:
        text = self._read(column)
        if not text:
            return None if column in self.cells else UNSET
        try:
            return parse_decimal(text)
        except InvalidDecimal as error:
            raise CellError(column, error.detail) from error

    def clock(self, column: str) -> time | Unset | None:
        text = self._read(column)
        if not text:
            return None if column in self.cells else UNSET
        try:
            return time.fromisoformat(text)
        except ValueError as error:
            raise CellError(column, f"{column} is {text[:40]!r}; write a local time such as 16:30.") from error

    def codes(self, column: str) -> list[str] | Unset:
        """Several, separated by semicolons."""
        if column not in self.cells:
            return UNSET
        return [code.strip() for code in self._read(column).split(";") if code.strip()]

    def _read(self, column: str) -> str:
        text = _text(self.cells.get(column))
        if "\0" in text:
            raise CellError(column, f"{column} holds a NUL character; remove it.")
        return text


def _text(value: Any) -> str:
    """As a person sees it in the sheet: 24 and 24.0 are 24; an exported formula guard is taken off."""
    if value is None:
        return ""
    if isinstance(value, float | Decimal):
        return plain(Decimal(repr(value) if isinstance(value, float) else value))
    if isinstance(value, datetime):
        return value.isoformat()
    text = str(value).strip()
    return text[1:] if text[:1] == "'" and text[1:2] in tuple("=+-@") else text
