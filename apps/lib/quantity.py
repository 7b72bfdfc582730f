"""Exact decimals as they come in and go out: numeric(20,6), plain notation, never a float."""

import re
from decimal import Decimal
from fractions import Fraction

INTEGER_DIGITS = 14
PLACES = 6
LIMIT = 10**INTEGER_DIGITS

_PLAIN = re.compile(rf"-?[0-9]{{1,{INTEGER_DIGITS}}}(?:\.[0-9]{{1,{PLACES}}})?")
_RULE = (
    f"send a decimal as a string in plain notation with at most {INTEGER_DIGITS} digits before "
    f'and {PLACES} after the point, such as "12.5"'
)


class InvalidDecimal(ValueError):
    """A value that is no decimal of ours; `detail` names the value and the rule, `pointer` the place."""

    def __init__(self, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer


def parse_decimal(value: object, *, pointer: str = "") -> Decimal:
    """A decimal from a request or an event, or InvalidDecimal. Integers may come as JSON numbers."""
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return Decimal(value) + 0  # + 0: "-0" is 0
    if isinstance(value, int) and not isinstance(value, bool) and -LIMIT < value < LIMIT:
        return Decimal(value)
    raise InvalidDecimal(f"{_shown(value)} is not a decimal: {_RULE}.", pointer)


def plain(value: Decimal | Fraction | int) -> str:
    """Without exponent and trailing zeros: "36", "12.37"; -0 is "0".

    A fraction without an exact decimal form (1/3) raises ValueError: round it by its rule first.
    """
    if isinstance(value, Fraction):
        value = _terminating(value)
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def fits_decimals(quantity: Decimal | Fraction, decimals: int) -> bool:
    """Whether the quantity needs no more than so many places: 1.50 fits 1, 0.25 does not."""
    return bool((Fraction(quantity) * 10**decimals).denominator == 1)


def exact(value: Fraction, places: int = PLACES) -> Decimal | None:
    """The same number as a decimal of so many places and at most 14 digits, or None: never rounded."""
    scaled = value * 10**places
    if scaled.denominator != 1 or abs(value) >= LIMIT:
        return None
    return _shifted(scaled.numerator, places)


def half_up(value: Fraction, places: int) -> Decimal:
    """Rounded once, halves away from zero, with exactly so many places: -0.125 at 2 is -0.13."""
    scaled = abs(value) * 10**places
    units = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return _shifted(-units if value < 0 else units, places)


def _shifted(units: int, places: int) -> Decimal:
    """units / 10^places. Built from text: Decimal arithmetic would round at the context's precision."""
    return Decimal(f"{units}E-{places}")


def _terminating(value: Fraction) -> Decimal:
    places = 0
    while (value * 10**places).denominator != 1:
        places += 1
        if places > value.denominator.bit_length():
            raise ValueError(f"{value} has no exact decimal form; round it by its rule before showing it.")
    return _shifted((value * 10**places).numerator, places)


def _shown(value: object) -> str:
    if isinstance(value, str):
        return '"' + value[:60].encode("unicode_escape").decode() + '"'
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**40 else "an integer of more than 40 digits"
    if isinstance(value, Decimal):
        return f"the number {str(value)[:60]}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return "a list" if isinstance(value, list) else "an object" if isinstance(value, dict) else repr(value)[:60]
