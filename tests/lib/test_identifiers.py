"""Check digits, and identifiers as they are kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.lib.identifiers import InvalidIdentifier, check_digit, normalise, pad_to_14


@pytest.mark.parametrize(
    ("scheme", "value", "kept"),
    [
        ("gtin", "4006381333931", "4006381333931"),
        ("GTIN-13", "4 006381 333931", "4006381333931"),
        ("ean_13", "4006381333931", "4006381333931"),
        ("UPC", "036000291452", "036000291452"),
        ("gtin12", "036000-29145-2", "036000291452"),
        ("gtin8", "96385074", "96385074"),
        ("GTIN", "10036000291459", "10036000291459"),
        ("isbn", "978-0-306-40615-7", "9780306406157"),
        ("sscc", "106141412345678908", "106141412345678908"),
        ("vendor_part", " 00-A7 ", "00-A7"),
    ],
)
def test_valid_identifiers_are_kept_with_their_zeros(scheme: str, value: str, kept: str) -> None:
    assert normalise(scheme, value) == kept


@pytest.mark.parametrize(
    ("scheme", "value", "said"),
    [
        ("gtin", "4006381333930", "ends in 0, but its check digit is 1"),
        ("upc", "036000291453", "ends in 3, but its check digit is 2"),
        ("gtin", "123", "has 3 digits, not 8 or 12 or 13 or 14"),
        ("gtin13", "036000291452", "has 12 digits, not 13"),
        ("gtin", "40063813339A1", "holds more than digits"),
        ("gtin", "٤٠٠٦٣٨١٣٣٣٩٣١", "holds more than digits"),
        ("gtin", "", "holds more than digits"),
        ("vendor_part", "", "is empty"),
        ("vendor_part", "a\0b", "control character"),
    ],
)
def test_invalid_identifiers_are_refused_with_the_reason(scheme: str, value: str, said: str) -> None:
    with pytest.raises(InvalidIdentifier) as refused:
        normalise(scheme, value)
    assert said in refused.value.detail
    assert refused.value.detail.startswith(scheme)


def test_padding_keeps_the_identity_of_the_number() -> None:
    assert pad_to_14("036000291452") == "00036000291452"
    assert pad_to_14("96385074") == "00000096385074"
    assert normalise("gtin14", pad_to_14("4006381333931")) == "04006381333931"
    with pytest.raises(InvalidIdentifier):
        pad_to_14("123")


@given(st.text("0123456789", min_size=12, max_size=12), st.integers(0, 12), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(payload: str, place: int, by: int) -> None:
    right = payload + check_digit(payload)
    assert normalise("gtin13", right) == right
    wrong = right[:place] + str((int(right[place]) + by) % 10) + right[place + 1 :]
    with pytest.raises(InvalidIdentifier):
        normalise("gtin13", wrong)
