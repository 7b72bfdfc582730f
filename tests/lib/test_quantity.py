"""Decimals as they come in and go out."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.lib.quantity import InvalidDecimal, exact, fits_decimals, half_up, parse_decimal, plain


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ("36", "36"),
        ("12.50", "12.50"),
        ("-2", "-2"),
        ("007", "7"),
        ("0.000001", "0.000001"),
        ("99999999999999.999999", "99999999999999.999999"),
        (12, "12"),
        (-99999999999999, "-99999999999999"),
    ],
)
def test_takes_plain_strings_and_integers(given_value: object, expected: str) -> None:
    parsed = parse_decimal(given_value, pointer="/quantity")
    assert isinstance(parsed, Decimal)
    assert parsed == Decimal(expected)


@pytest.mark.parametrize("zero", ["-0", "-0.00", "0"])
def test_there_is_one_zero(zero: str) -> None:
    assert not parse_decimal(zero, pointer="").is_signed()


@pytest.mark.parametrize(
    "value",
    [
        "", " 1", "1\n", "+1", "1e3", "1,5", ".5", "5.", "--1", "NaN", "Infinity", "0x1f", "1_000", "١٢", "1\0",
        "123456789012345", "0.1234567", pytest.param("9" * 10_000, id="long"),
        10**14, -(10**14), pytest.param(10**5000, id="huge"),
        True, False, None, [], {}, 1.5, Decimal("1.5"), Decimal(1),
    ],
)  # fmt: skip
def test_refuses_everything_else_naming_value_and_rule(value: object) -> None:
    with pytest.raises(InvalidDecimal) as refused:
        parse_decimal(value, pointer="/lines/0/quantity")
    assert refused.value.pointer == "/lines/0/quantity"
    assert "is not a decimal: send a decimal as a string in plain notation" in refused.value.detail
    assert len(refused.value.detail) < 300


def test_the_refusal_shows_the_value() -> None:
    with pytest.raises(InvalidDecimal, match='"12,5" is not a decimal'):
        parse_decimal("12,5", pointer="")
    with pytest.raises(InvalidDecimal, match=r"the number 1\.5 is not a decimal"):
        parse_decimal(Decimal("1.5"), pointer="")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("36.000000"), "36"),
        (Decimal("12.370"), "12.37"),
        (Decimal("-0"), "0"),
        (Decimal("-0.00"), "0"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-6"), "0.000001"),
        (Decimal("-100"), "-100"),
        (Fraction(1, 8), "0.125"),
        (Fraction(-7, 2), "-3.5"),
        (Fraction(10**20), "1" + "0" * 20),
        (0, "0"),
        (100, "100"),
    ],
)
def test_plain_text(value: Decimal | Fraction | int, text: str) -> None:
    assert plain(value) == text


def test_a_third_has_no_plain_text() -> None:
    with pytest.raises(ValueError, match="1/3 has no exact decimal form"):
        plain(Fraction(1, 3))


def test_decimals_needed_not_decimals_written() -> None:
    assert fits_decimals(Decimal("1.50"), 1)
    assert not fits_decimals(Decimal("0.25"), 1)
    assert fits_decimals(Decimal("-3.0"), 0)
    assert not fits_decimals(Fraction(1, 3), 6)


def test_exact_never_rounds() -> None:
    assert exact(Fraction(1, 8)) == Decimal("0.125")
    assert exact(Fraction(1, 3)) is None
    assert exact(Fraction(1, 10**7)) is None
    assert exact(Fraction(10**14)) is None
    assert exact(Fraction(10**20 - 1, 10**6)) == Decimal("99999999999999.999999")


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (Fraction(-125, 1000), 2, "-0.13"),
        (Fraction(125, 1000), 2, "0.13"),
        (Fraction(124999, 10**6), 2, "0.12"),
        (Fraction(1, 3), 6, "0.333333"),
        (Fraction(2, 3), 0, "1"),
        (Fraction(5), 2, "5.00"),
        (Fraction(10**40 + 1, 2), 0, str(10**40 // 2 + 1)),
    ],
)
def test_half_up_is_away_from_zero(value: Fraction, places: int, text: str) -> None:
    assert format(half_up(value, places), "f") == text


decimals = st.decimals(min_value=-(10**14) + 1, max_value=10**14 - 1, places=6)


@given(decimals)
def test_what_goes_out_comes_in_again(value: Decimal) -> None:
    assert parse_decimal(plain(value), pointer="") == value
    assert plain(Fraction(value)) == plain(value)


@given(st.fractions(), st.integers(0, 6))
def test_half_up_is_within_half_a_unit_and_symmetric(value: Fraction, places: int) -> None:
    rounded = Fraction(half_up(value, places))
    assert abs(rounded - value) <= Fraction(1, 2 * 10**places)
    assert Fraction(half_up(-value, places)) == -rounded
