"""One spelling of a code, and the nearest known ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.lib.codes import InvalidCode, nearest, normalise_code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (" 00042 ", "00042"),
        ("Ab-7/x y", "Ab-7/x y"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("\tDC-9\r\n", "DC-9"),
        ("\u00a0DC\u3000", "DC"),
        ("x" * 100, "x" * 100),
        ("\U0001f600", "\U0001f600"),
    ],
)
def test_a_code_has_one_spelling(text: str, code: str) -> None:
    assert normalise_code(text) == code
    assert normalise_code(code) == code


@pytest.mark.parametrize(
    "text", ["", "   ", "x" * 101, "e\u0301" * 101, "a\0b", "a\nb", "a\x7fb", "a\x85b", "a\ud800b"]
)
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(InvalidCode) as refused:
        normalise_code(text)
    refused.value.detail.encode()
    assert len(refused.value.detail) < 1000


def test_the_refusal_names_the_rule() -> None:
    with pytest.raises(InvalidCode, match="is 101 characters; send 1 to 100 characters"):
        normalise_code("x" * 101)
    with pytest.raises(InvalidCode, match=r"'a\\x00b' holds a control character"):
        normalise_code("a\0b")


def test_the_nearest_codes_come_first() -> None:
    known = ["DC-09", "DC-9", "EAST", "WEST", "DC-1"]
    found = nearest("dc 9", known)
    assert [code for code, _ in found][:2] == ["DC-9", "DC-09"]
    assert "EAST" not in [code for code, _ in found]
    assert all(0 <= score <= 1 for _, score in found)


def test_only_the_same_text_scores_1() -> None:
    assert nearest("DC-9", ["DC-9"]) == [("DC-9", 1.0)]
    (found,) = nearest("DC9", ["DC-9"])
    assert 0.9 < found[1] < 1


def test_the_limit_and_nothing_to_suggest() -> None:
    assert len(nearest("A1", [f"A1{letter}" for letter in "BCDEFGH"], limit=3)) == 3
    assert nearest("A1", []) == []
    assert nearest("A1", ["ZZZZZZ"]) == []
    assert nearest("--", ["--", "A"]) == [("--", 1.0)]


@given(st.lists(st.text(max_size=8), max_size=6), st.text(max_size=8))
def test_the_order_of_the_candidates_changes_nothing(candidates: list[str], code: str) -> None:
    assert nearest(code, candidates) == nearest(code, candidates[::-1])


@given(st.text())
def test_a_normal_code_is_normal(text: str) -> None:
    try:
        code = normalise_code(text)
    except InvalidCode:
        return
    assert normalise_code(code) == code
    assert 1 <= len(code) <= 100
