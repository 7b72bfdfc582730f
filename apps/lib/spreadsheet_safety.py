"""Exported cells that no spreadsheet runs: text that looks like a formula gets an apostrophe."""

import re
from collections.abc import Iterable

# OWASP's list, with the full-width forms some spreadsheets read the same way. Tab and CR start a new cell.
_STARTS_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_PLAIN_NUMBER = re.compile(r"-[0-9]+(?:\.[0-9]+)?")


def neutralise(cell: object) -> object:
    """The cell, safe in CSV and XLSX. Numbers and dates stay as they are, as does a text such as "-12.5"."""
    if not isinstance(cell, str) or not _STARTS_FORMULA.match(cell) or _PLAIN_NUMBER.fullmatch(cell):
        return cell
    return "'" + cell


def neutralise_row(cells: Iterable[object]) -> list[object]:
    """Every cell of a row, neutralised."""
    return [neutralise(cell) for cell in cells]
