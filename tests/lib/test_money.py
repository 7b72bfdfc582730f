"""Minor units and the one rounding of a line."""

from decimal import Decimal
from fractions import Fraction

import pytest

from apps.lib.money import UnknownCurrency, is_currency, minor_digits, money_text, round_line, unit_price_text


@pytest.mark.parametrize(
    ("currency", "digits"), [("USD", 2), ("EUR", 2), ("JPY", 0), ("KWD", 3), ("IQD", 3), ("CLF", 4)]
)
def test_minor_digits(currency: str, digits: int) -> None:
    assert minor_digits(currency) == digits


@pytest.mark.parametrize("code", ["", "usd", "XYZ", "US", "USDX", "US$", "USD\n"])
def test_an_unknown_currency_is_refused(code: str) -> None:
    assert not is_currency(code)
    with pytest.raises(UnknownCurrency, match="ISO 4217"):
        minor_digits(code)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (Fraction("12.37") / 100 * 250, "USD", "30.93"),
        (Fraction("10.00") / 12 * 20_000, "USD", "16666.67"),
        (Fraction(100) * 12, "USD", "1200.00"),
        (Fraction(1200) / 12 * 3, "USD", "300.00"),
        (Fraction("-0.125"), "USD", "-0.13"),
        (Fraction("30.9"), "USD", "30.90"),
        (Fraction("30.5"), "JPY", "31"),
        (Fraction("1.0005"), "KWD", "1.001"),
        (Fraction("-0.004"), "USD", "0.00"),
    ],
)
def test_a_line_is_rounded_once_half_up(amount: Fraction, currency: str, text: str) -> None:
    assert money_text(round_line(amount, currency), currency) == text


def test_rounding_the_unit_price_first_would_be_wrong() -> None:
    exact = Fraction("10.00") / 12
    shown = unit_price_text(exact)
    assert shown == "0.833333"
    assert round_line(Decimal(shown) * 20_000, "USD") == Decimal("16666.66")
    assert round_line(exact * 20_000, "USD") == Decimal("16666.67")


def test_unrounded_money_has_no_text() -> None:
    with pytest.raises(ValueError, match=r"30\.905 USD is not rounded to 2 digits"):
        money_text(Decimal("30.905"), "USD")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Fraction("0.1237"), "0.1237"),
        (Fraction(100), "100"),
        (Fraction(2, 3), "0.666667"),
        (Fraction("5e-7"), "0.000001"),
    ],
)
def test_unit_price_text(amount: Fraction, text: str) -> None:
    assert unit_price_text(amount) == text
