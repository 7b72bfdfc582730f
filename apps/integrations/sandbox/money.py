"""Amounts as the simulated channels read and write them: Decimal, never float."""

from __future__ import annotations

import re
from decimal import Decimal

MINOR_DIGITS = {"CLP": 0, "ISK": 0, "JPY": 0, "KRW": 0, "VND": 0, "BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3}
PLAIN_NOTATION = re.compile(r"[0-9]{1,14}(\.[0-9]{1,6})?")
CURRENCY = re.compile(r"[A-Z]{3}")


def minor_digits(currency: str | None) -> int:
    """Digits after the point of a currency; 2 where it is not known."""
    return MINOR_DIGITS.get(currency or "", 2)


def read_amount(value: object, currency: str | None) -> Decimal:
    """A decimal string as an amount with the currency's digits; ValueError says what is wrong."""
    if not isinstance(value, str) or not PLAIN_NOTATION.fullmatch(value):
        raise ValueError(f"{value!r} is not a decimal string such as '19.99'")
    digits = minor_digits(currency)
    amount = Decimal(value)
    rounded = amount.quantize(Decimal(1).scaleb(-digits))
    if rounded != amount:
        raise ValueError(f"{value} has more than the {digits} decimals of {currency or 'a price'}")
    return rounded


def read_currency(value: object) -> str:
    """A currency code of three capitals; ValueError says what is wrong."""
    if not isinstance(value, str) or not CURRENCY.fullmatch(value):
        raise ValueError(f"{value!r} is not a currency code of three capital letters")
    return value


def show_amount(amount: Decimal | None) -> str | None:
    """An amount as a decimal string without exponent."""
    return None if amount is None else format(amount, "f")


def to_minor(amount: Decimal | None, currency: str | None) -> int | None:
    """19.99 USD as 1999."""
    return None if amount is None else int(amount.scaleb(minor_digits(currency)))


def from_minor(minor: int, currency: str | None) -> Decimal:
    """1999 USD as 19.99."""
    return Decimal(minor).scaleb(-minor_digits(currency))
