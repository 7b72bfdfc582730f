"""JSON from outside: what is refused, what comes out, what counts as the same body."""

import json
from contextlib import suppress
from decimal import Decimal

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.lib.strict_json import MalformedJSON, canonical, canonical_event, parse, pointer, sha256

EVENT = {
    "specversion": "1.0",
    "id": "a-1",
    "source": "wms",
    "type": "stock.moved",
    "time": "2026-03-01T10:00:00+01:00",
    "data": {"sku": "00042", "quantity": "3", "lines": [{"uom": "EA"}]},
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "not JSON: Expecting value at line 1, column 1"),
        (b"{", "not JSON"),
        (b"[1,]", "not JSON"),
        (b"{} {}", "Extra data"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b'{"a":"\xff"}', "not UTF-8: byte 6 is 0xff"),
        ('"\ud800"'.encode("utf-8", "surrogatepass"), "not UTF-8"),
        (b'"\x00"', "control character"),
        (b"NaN", "NaN is not JSON"),
        (b"[Infinity]", "Infinity is not JSON"),
        (b'{"a":-Infinity}', "-Infinity is not JSON"),
        (b'{"a":1,"b":2,"a":1}', 'The key "a" appears twice'),
        (b'[{"x":{"\\u0061":1,"a":1}}]', 'The key "a" appears twice'),
        (b'{"\\ud800":1,"\\ud800":1}', 'The key "\\ud800" appears twice'),
        (b'{"a":["\\u0000"]}', "text at /a/0 holds a NUL"),
        (b'{"a":{"x\\u0000y":1}}', "text at /a holds a NUL"),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b'{"\\uDC00x":1}', "half of a surrogate pair"),
        (b"1" * 4301, "thousands of digits"),
        (b"[-" + b"9" * 100_000 + b"]", "thousands of digits"),
        (b"1e99999999999999999999", "out of range"),
    ],
)
def test_refuses_what_is_not_strict_json(raw: bytes, said: str) -> None:
    with pytest.raises(MalformedJSON) as refused:
        parse(raw)
    assert said in refused.value.detail
    refused.value.detail.encode()  # fit for an answer


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 33 + b"]" * 33,
        b'{"a":' * 33 + b"1" + b"}" * 33,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'[{"a":' * 5_000 + b"1" + b"}]" * 5_000,
        b'["]]]]",' * 40 + b"1" + b"]" * 40,
        b'["\\"]",' * 40 + b"1" + b"]" * 40,
        b'["\\\\",' * 40 + b"1" + b"]" * 40,
        b"[1,[2],[[3]]," + b"[" * 32 + b"]" * 33,
    ],
)
def test_refuses_more_than_32_levels(raw: bytes) -> None:
    with pytest.raises(MalformedJSON, match="deeper than 32 levels"):
        parse(raw)


def test_takes_exactly_32_levels_and_brackets_in_strings() -> None:
    assert parse(b"[" * 32 + b"]" * 32) is not None
    brackets = "[" * 50 + '"' + "{" * 50 + "\\"
    assert parse(json.dumps({brackets: [brackets]}).encode()) == {brackets: [brackets]}


def test_a_wide_document_is_not_a_deep_one() -> None:
    assert parse(b"[" + b"[]," * 5_000 + b"{}]") == [[]] * 5_000 + [{}]


def test_refuses_more_objects_and_lists_than_memory_should_hold() -> None:
    with pytest.raises(MalformedJSON, match="more than 1,000,000 objects and lists"):
        parse(b"[" + b"[]," * 1_000_000 + b"[]]")
    assert parse(b'["' + b"[" * 1_000_001 + b'"]') == ["[" * 1_000_001]


def test_a_depth_of_its_own_can_be_asked_for() -> None:
    with pytest.raises(MalformedJSON, match="deeper than 2 levels"):
        parse(b"[[[]]]", max_depth=2)


def test_whole_characters_written_as_escapes_are_text() -> None:
    assert parse(b'["\\ud83d\\ude00", "\\u0041", "\\\\u0000", "\\\\ud800"]') == [
        "\U0001f600",
        "A",
        "\\u0000",
        "\\ud800",
    ]


def test_numbers_keep_their_exact_value() -> None:
    assert parse(b"[1, -0, 12345678901234567890123]") == [1, 0, 12345678901234567890123]
    value = parse(b"[1.50, 1E400]")
    assert value == [Decimal("1.50"), Decimal("1E400")]
    assert isinstance(value, list)
    assert str(value[0]) == "1.50"


def test_schema_validation_can_refuse_a_number_that_is_no_integer() -> None:
    quantity = jsonschema_rs.validator_for({"type": ["string", "integer"]})
    assert quantity.is_valid(parse(b"12"))
    assert quantity.is_valid(parse(b'"12.5"'))
    assert not quantity.is_valid(parse(b"12.5"))


def test_canonical_has_sorted_keys_and_no_whitespace() -> None:
    assert canonical(parse(b'{ "b" : [1, "\\u00e9"], "a": {"z": null, "y": true} }')) == (
        '{"a":{"y":true,"z":null},"b":[1,"é"]}'.encode()
    )


def test_canonical_writes_equal_numbers_alike() -> None:
    assert canonical(parse(b"[1.50, 1.5, 1.0, 1E2, 100, -0.0, 1E400]")) == b"[1.5,1.5,1,100,100,-0,1E+400]"
    assert canonical(parse(b'{"b":1.50,"a":12345678901234567890123}')) == b'{"a":12345678901234567890123,"b":1.5}'


def test_canonical_does_not_confuse_a_number_with_its_text() -> None:
    assert canonical(parse(b"1.5")) != canonical(parse(b'"1.5"'))


def test_canonical_event_ignores_only_the_traceparent() -> None:
    traced = EVENT | {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    assert canonical_event(traced) == canonical_event(EVENT) == canonical(EVENT)
    assert "traceparent" in traced
    assert canonical_event(EVENT | {"subject": "x"}) != canonical_event(EVENT)
    inside = EVENT | {"data": {"traceparent": "x"}}
    assert b"traceparent" in canonical_event(inside)


def test_sha256_is_32_bytes() -> None:
    assert sha256(b"").hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_pointer_escapes() -> None:
    assert pointer() == ""
    assert pointer("lines", 0, "a/b~c") == "/lines/0/a~1b~0c"


@given(json_values)
def test_what_is_valid_comes_out_as_the_standard_parser_reads_it(value: object) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False, indent=1).encode()) == value


@given(json_values)
def test_canonical_is_a_fixed_point(value: object) -> None:
    assert canonical(parse(canonical(value))) == canonical(value)


@given(st.binary(max_size=60) | st.text('[]{}",:\\u0d8a1eE.-', max_size=60).map(str.encode))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    with suppress(MalformedJSON):
        canonical(parse(raw))
