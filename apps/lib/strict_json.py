"""JSON from outside: refused whole where it is ambiguous, canonical where two bodies are compared."""

import hashlib
import json
import re
from collections.abc import Mapping
from decimal import MAX_PREC, Context, Decimal, InvalidOperation
from typing import NoReturn

import orjson

MAX_DEPTH = 32
MAX_CONTAINERS = 1_000_000  # of objects and lists together: 32 MB of "[]," would be a gigabyte of them

_NOT_STRUCTURE = bytes(set(range(256)) - set(b'"[]{}'))
_ONE_BRACKET = bytes.maketrans(b"{}", b"[]")
_SUSPECT_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_SURROGATE = re.compile("[\ud800-\udfff]")
_EXACT = Context(prec=MAX_PREC)


class MalformedJSON(ValueError):
    """The bytes are no JSON we accept; `detail` says which rule they break."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def parse(raw: bytes, max_depth: int = MAX_DEPTH) -> object:
    """Parse UTF-8 JSON or raise MalformedJSON; never another exception, whatever the bytes.

    Integers come out as int. Every other number comes out as Decimal, exactly as written, so that a
    schema can refuse it (it is neither a string nor, usually, an integer) and nothing passes a float.
    """
    text = _decoded(raw)
    _check_depth(raw, max_depth)
    value = _loaded(text, max_depth)
    if _SUSPECT_ESCAPE.search(text):
        _check_characters(value, ())
    return value


def canonical(value: object) -> bytes:
    """Sorted keys, no whitespace, UTF-8; equal numbers are written alike (1.50 as 1.5)."""
    try:
        return orjson.dumps(value, default=_number, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # integers beyond 64 bits
        return _canonical_slow(value).encode()


def canonical_event(event: Mapping[str, object]) -> bytes:
    """What decides whether two events with one id are the same: all of it but `traceparent`."""
    if "traceparent" in event:
        event = {key: value for key, value in event.items() if key != "traceparent"}
    return canonical(dict(event) if not isinstance(event, dict) else event)


def sha256(raw: bytes) -> bytes:
    """The 32 bytes a body is remembered by."""
    return hashlib.sha256(raw).digest()


def pointer(*parts: str | int) -> str:
    """RFC 6901: `pointer("lines", 0, "a/b")` is `/lines/0/a~1b`; no parts is the whole document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJSON(f"The body is not UTF-8: byte {error.start} is 0x{raw[error.start]:02x}.") from None


def _check_depth(raw: bytes, max_depth: int) -> None:
    """Count nesting without parsing: each round takes away the innermost brackets of every branch."""
    brackets = _outside_strings(raw).translate(_ONE_BRACKET)
    if brackets.count(b"[") > MAX_CONTAINERS:
        raise MalformedJSON(f"The body holds more than {MAX_CONTAINERS:,} objects and lists; send it in parts.")
    for _ in range(max_depth):
        if b"[]" not in brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    # What cannot be paired is malformed, and the parser says where; only depth is judged here.
    if b"[]" in brackets or brackets.count(b"[") > max_depth:
        _refuse_depth(max_depth)


def _outside_strings(raw: bytes) -> bytes:
    """The brackets outside strings. Escapes go first, so every quote left opens or closes a string."""
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    skeleton = raw.translate(None, _NOT_STRUCTURE).replace(b'""', b"")
    if b'"' not in skeleton:
        return skeleton
    return b"".join(skeleton.split(b'"')[::2])


def _refuse_depth(max_depth: int) -> NoReturn:
    raise MalformedJSON(f"The body is nested deeper than {max_depth} levels; flatten it.")


def _loaded(text: str, max_depth: int) -> object:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_float=_decimal, parse_constant=_refuse_constant)
    except MalformedJSON:
        raise
    except RecursionError:
        _refuse_depth(max_depth)
    except json.JSONDecodeError as error:
        raise MalformedJSON(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except ValueError:  # int() refuses thousands of digits, and so do we
        raise MalformedJSON("The body holds an integer with thousands of digits; send at most 14.") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in found if keys.count(key) > 1)
        raise MalformedJSON(f"The key {_shown(twice)} appears twice in one object; send it once.")
    return found


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise MalformedJSON(f"The number {text[:40]} is out of range.") from None


def _refuse_constant(text: str) -> NoReturn:
    raise MalformedJSON(f"{text} is not JSON; send a decimal as a string or leave the field out.")


def _check_characters(value: object, path: tuple[str | int, ...]) -> None:
    """NUL and lone surrogates can only come from escapes; neither can be stored in PostgreSQL."""
    if isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_text(key, path)
            _check_characters(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check_characters(inner, (*path, index))


def _check_text(text: str, path: tuple[str | int, ...]) -> None:
    where = pointer(*path) or "the document"
    if "\0" in text:
        raise MalformedJSON(f"The text at {where} holds a NUL character; remove it.")
    if not text.isascii() and _SURROGATE.search(text):
        raise MalformedJSON(f"The text at {where} holds half of a surrogate pair; send whole characters.")


def _shown(key: str) -> str:
    """A key as it may appear in an answer: short, printable, without lone surrogates."""
    return json.dumps(key[:100])


def _number(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(_number_text(value))
    raise TypeError(f"{type(value).__name__} has no canonical JSON form")


def _number_text(value: Decimal) -> str:
    """The shortest exact form: 1.50 is 1.5, and 1E2 is the integer 100; only huge powers keep an E."""
    shortest = value.normalize(_EXACT)
    return format(shortest, "f") if -30 < shortest.adjusted() < 30 else str(shortest)


def _canonical_slow(value: object) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{_canonical_slow(key)}:{_canonical_slow(value[key])}" for key in sorted(value))
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_canonical_slow(inner) for inner in value) + "]"
    if isinstance(value, Decimal):
        return _number_text(value)
    return json.dumps(value, ensure_ascii=False)
