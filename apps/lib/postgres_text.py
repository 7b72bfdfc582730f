"""Columns and rows in PostgreSQL's text formats, written in one pass.

The driver adapts an array element by element, which costs a batch more than the statement it is for. Pass these
as text and cast them: `unnest(%s::bigint[], %s::text[])`.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

# What COPY gives a meaning to inside a value of its text format.
_COPY_SPECIAL: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})

NULL: Final = "\\N"  # in COPY's text format


def plain_array(values: Iterable[int | Decimal | datetime | None]) -> str:
    """An array of numbers or instants: nothing in them needs quotes."""
    return "{" + ",".join(map(str, values)).replace("None", "NULL") + "}"


def text_array(values: Iterable[str | None]) -> str:
    """An array of texts, whatever is in them."""
    return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"


def copy_text(value: str) -> str:
    """A text as a value of a COPY row; the caller joins values by tabs."""
    return value.translate(_COPY_SPECIAL) if value else value


def _quoted(value: str) -> str:
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'
