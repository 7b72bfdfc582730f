"""Amounts of money: minor units per currency, one rounding per line, the texts shown."""

import re
from decimal import Decimal
from fractions import Fraction
from functools import cache

from babel.core import get_global

from .quantity import half_up, plain

UNIT_PRICE_PLACES = 6

# ISO 4217 exponents that are not 2. CLDR (babel) follows cash habits instead (IQD 0, RSD 0), so the
# digits are kept here and only the list of currency codes comes from there.
_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DIGITS = "CLF UYW"
_DIGITS = {
    code: digits for codes, digits in ((_NO_DIGITS, 0), (_THREE_DIGITS, 3), (_FOUR_DIGITS, 4)) for code in codes.split()
}
_CODE = re.compile(r"[A-Z]{3}")


class UnknownCurrency(ValueError):
    """A code that is no ISO 4217 currency."""


@cache
def minor_digits(currency: str) -> int:
    """Digits after the point in the currency's minor unit: USD 2, JPY 0, KWD 3."""
    if not is_currency(currency):
        raise UnknownCurrency(f"{currency!r} is no currency code; send an ISO 4217 code such as USD.")
    return _DIGITS.get(currency, 2)


def is_currency(code: str) -> bool:
    """Whether the code is (or was) an ISO 4217 currency, in capitals."""
    return bool(_CODE.fullmatch(code)) and code in get_global("all_currencies")


def round_line(amount: Fraction | Decimal, currency: str) -> Decimal:
    """The one rounding of a line: half-up, away from zero, to the currency's minor unit."""
    return half_up(Fraction(amount), minor_digits(currency))


def money_text(amount: Decimal, currency: str) -> str:
    """Always with the currency's minor digits: "30.90", "31" in JPY. More digits raise ValueError."""
    digits = minor_digits(currency)
    shown = half_up(Fraction(amount), digits)
    if shown != amount:
        raise ValueError(f"{plain(amount)} {currency} is not rounded to {digits} digits; round the line first.")
    return format(shown + 0, "f")


def unit_price_text(amount: Fraction | Decimal) -> str:
    """A unit price as shown: at most six decimals, half-up. Never multiplied again."""
    return plain(half_up(Fraction(amount), UNIT_PRICE_PLACES))
