"""What a value must be, as a sentence about what is wrong with it."""

import zoneinfo
from functools import cache
from typing import Any


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def time_zone(value: Any) -> str:
    return "" if value in _zones() else "it is no IANA time zone such as Europe/London"


def currency(value: Any) -> str:
    plain = isinstance(value, str) and (not value or (len(value) == 3 and value.isascii() and value.isupper()))
    return "" if plain else "a currency is three capital letters (ISO 4217)"


def country(value: Any) -> str:
    plain = isinstance(value, str) and (not value or (len(value) == 2 and value.isascii() and value.isupper()))
    return "" if plain else "a country is two capital letters (ISO 3166)"


def code_list(value: Any) -> str:
    plain = isinstance(value, list) and all(isinstance(each, str) and 0 < len(each) <= 100 for each in value)
    return "" if plain else "it is a list of codes of 1 to 100 characters"
