"""Request templates and answer readers: JSON with {placeholders}, and JSON pointers. No expressions, no code."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any
from urllib.parse import quote

import orjson

from apps.lib.money import UnknownCurrency, minor_digits
from apps.lib.quantity import InvalidDecimal, exact, parse_decimal, plain

_PLACE = re.compile(r"\{([a-z_]+(?:\.[a-z_]+)?)(?::(integer|decimal|minor|text))?\}")
MISSING = object()
PLAIN_DIGITS = 30  # a number beyond is written out as megabytes of zeros


class Unfit(ValueError):
    """A value that does not fit its place: the text names both."""


def placeholders(template: object) -> Iterator[str]:
    """The names of all placeholders in a template of any shape."""
    if isinstance(template, str):
        yield from (found.group(1) for found in _PLACE.finditer(template))
    elif isinstance(template, Mapping):
        for value in template.values():
            yield from placeholders(value)
    elif isinstance(template, list):
        for value in template:
            yield from placeholders(value)


def filled(template: Any, values: Mapping[str, str]) -> Any:
    """The template with its placeholders replaced.

    A text that is one placeholder becomes a value of its type (`{quantity:integer}` a JSON integer); inside a
    longer text it becomes text. Unfit where a number has no such form: nothing is ever rounded.
    """
    if isinstance(template, Mapping):
        return {name: filled(part, values) for name, part in template.items()}
    if isinstance(template, list):
        return [filled(part, values) for part in template]
    if not isinstance(template, str):
        return template
    whole = _PLACE.fullmatch(template)
    if whole:
        return _typed(whole.group(1), whole.group(2) or "text", values)
    return _PLACE.sub(lambda found: str(_typed(found.group(1), found.group(2) or "text", values)), template)


def path_filled(template: str, values: Mapping[str, str]) -> str:
    """A path with each placeholder percent-encoded, so that a code can never leave its place."""
    return _PLACE.sub(lambda found: quote(values[found.group(1)], safe=""), template)


def at(document: object, pointer: str) -> object:
    """What stands at a JSON pointer, or MISSING."""
    here = document
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict) and name in here:
            here = here[name]
        elif isinstance(here, list) and name.isascii() and name.isdigit() and len(name) <= 9 and int(name) < len(here):
            here = here[int(name)]
        else:
            return MISSING
    return here


def text_at(document: object, pointer: str) -> str:
    """A text or whole number at a pointer as text; "" where there is none."""
    found = at(document, pointer) if pointer else MISSING
    if isinstance(found, bool) or not isinstance(found, str | int):
        return ""
    return str(found)


def read_number(found: object, written_as: str, currency: str) -> str | None:
    """A number of an answer as our plain text, or None where it is none in that form."""
    try:
        if written_as == "text":
            return found if isinstance(found, str) else None
        if written_as == "integer" or written_as == "minor":
            if isinstance(found, bool) or not isinstance(found, int):
                return None
            digits = minor_digits(currency) if written_as == "minor" else 0
            amount = exact(Fraction(found, 10**digits))
            return None if amount is None else plain(amount)
        if isinstance(found, Decimal):
            return plain(found) if abs(found.adjusted()) < PLAIN_DIGITS else None
        return plain(parse_decimal(found))
    except (InvalidDecimal, UnknownCurrency):
        return None


def _typed(name: str, as_: str, values: Mapping[str, str]) -> Any:
    text = values[name]
    if as_ == "text":
        return text
    if as_ == "decimal":
        return orjson.Fragment(plain(Decimal(text)))
    digits = minor_digits(values["currency"]) if as_ == "minor" else 0
    scaled = Fraction(text) * 10**digits
    if scaled.denominator != 1:
        raise Unfit(f"{name} is {text}, which is no whole number of {'minor units' if as_ == 'minor' else 'units'}")
    return int(scaled)
