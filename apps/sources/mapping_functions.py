"""What a mapping's CEL expressions may call: decimals stay text, so no value ever becomes a float."""

import zoneinfo
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from apps.lib.quantity import plain

_INSTANT_FORMATS = ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_TEXT_MAX = 10_000


class MappingError(ValueError):
    """An expression, or a value it met, that cannot become a field."""


def functions(time_zone: str, tables: Mapping[str, Mapping[str, str]]) -> dict[str, Callable[..., Any]]:
    """The functions of one mapping: text, decimals as text, dates, and `lookup` in the mapping's own tables."""
    zone = zoneinfo.ZoneInfo(time_zone)

    def instant(text: str) -> str:
        return _local(text, zone).astimezone(UTC).isoformat().replace("+00:00", "Z")

    def lookup(table: str, key: str, otherwise: str) -> str:
        return tables.get(table, {}).get(key, otherwise)

    return {
        "dec": lambda text: plain(_decimal(text)),
        "add": lambda a, b: plain(_decimal(a) + _decimal(b)),
        "sub": lambda a, b: plain(_decimal(a) - _decimal(b)),
        "mul": lambda a, b: plain(_decimal(a) * _decimal(b)),
        "neg": lambda a: plain(-_decimal(a)),
        "sign": lambda a: int(_decimal(a).compare(Decimal(0))),
        "cmp": lambda a, b: int(_decimal(a).compare(_decimal(b))),
        "trim": lambda text: _text(text).strip(),
        "upper": lambda text: _text(text).upper(),
        "replace": lambda text, old, new: _text(text).replace(old, new),
        "split": lambda text, separator: _text(text).split(separator),
        "substring": lambda text, start, end: _text(text)[start:end],
        "date": lambda text: _local(text, zone).date().isoformat(),
        "plus_days": lambda text, days: (date.fromisoformat(text) + timedelta(days=days)).isoformat(),
        "instant": instant,
        "lookup": lookup,
    }


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise MappingError(f"{value!r} is not text.")
    if len(value) > _TEXT_MAX:
        raise MappingError(f"A text of {len(value)} characters is longer than {_TEXT_MAX}.")
    return value


def _decimal(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise MappingError(f"{value!r} is not a decimal; write decimals as text, as in dec(row.Quantity).")
    try:
        number = Decimal(value.strip() if isinstance(value, str) else value)
    except InvalidOperation as error:
        raise MappingError(f"{value!r} is not a decimal.") from error
    if not number.is_finite() or abs(number.adjusted()) > 40:
        raise MappingError(f"{value!r} is out of range.")
    return number


def _local(text: str, zone: zoneinfo.ZoneInfo) -> datetime:
    """An instant as exports write it, read in the mapping's time zone; seconds may have up to 9 decimals."""
    text = _text(text).strip()
    head, dot, fraction = text.partition(".")
    text = f"{head}.{fraction[:6]}" if dot and fraction.isdigit() else text
    for form in _INSTANT_FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=zone)
        except ValueError:
            continue
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise MappingError(f"{text!r} is not a date or time such as 2026-01-31 or 2026-01-31 14:05:00.") from error
    return found if found.tzinfo else found.replace(tzinfo=zone)
