"""What `data` of each event type must look like: the JSON Schemas beside this file, and rules they cannot say."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import jsonschema_rs

from apps.lib.errors import Block
from apps.lib.strict_json import pointer

SCHEMA_VIOLATION: Final = "SCHEMA_VIOLATION"
# Facts: a wrong line blocks by itself, the others are applied. Everything else blocks whole.
BY_LINE: Final = frozenset({"stock.counted", "shipment.confirmed", "return.received", "price_list.counted"})

# Set by a mapping that cannot read a row: the row comes along as `unmapped_row`, so that nothing is lost.
MAPPING_ERROR: Final = "mapping_error"

_FOLDER: Final = Path(__file__).parent / "schemas"
_SHOWN_MAX: Final = 25
_PLAIN: Final = frozenset({str, int, bool, type(None)})


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule broken at one place: `rule` is short and stable, `detail` the sentence for people."""

    path: tuple[str | int, ...]
    rule: str
    detail: str

    @property
    def line(self) -> int | None:
        """The index of the line it is in, if any."""
        if len(self.path) > 1 and self.path[0] == "lines" and isinstance(self.path[1], int):
            return self.path[1]
        return None


@cache
def documents() -> dict[str, dict[str, Any]]:
    """Event type → JSON Schema (2020-12) of its `data`."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(_FOLDER.glob("*.json"))}


def violations(event_type: str, data: object) -> list[Violation]:
    """Everything wrong with `data`, one finding per place and line, at most 25 outside lines."""
    if isinstance(data, dict) and MAPPING_ERROR in data:
        return [_unmapped(str(data[MAPPING_ERROR]))]
    found = [] if _is_plain(data) else list(_fractions(data, ()))
    validator = _validator(event_type)
    if not validator.is_valid(data):
        found += [_described(error, event_type, data) for error in validator.iter_errors(data)]
    if not found:
        found += _rules(data)
    return _limited(found)


def block_of(violation: Violation, event_type: str, record: str, line: str = "") -> Block:
    """The block that a violation becomes; array indexes are left out, so that one mistake is one cause."""
    field = pointer(*("*" if isinstance(part, int) else part for part in violation.path)) or "/"
    where = pointer(*violation.path) or "/"
    return Block(
        reason=SCHEMA_VIOLATION,
        entity_type=event_type,
        field=field[:100],
        value=violation.rule[:500],
        detail=f"{record}: at {where}: {violation.detail}",
        line=line,
        context={"pointer": where},
    )


@cache
def _validator(event_type: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(documents()[event_type])


def _limited(found: Sequence[Violation]) -> list[Violation]:
    kept: list[Violation] = []
    lines: set[int] = set()
    places: set[tuple[str | int, ...]] = set()
    outside = 0
    for violation in found:
        if violation.path in places:
            continue  # one value, one finding: the first says it best
        places.add(violation.path)
        if violation.line is None:
            outside += 1
            if outside <= _SHOWN_MAX:
                kept.append(violation)
        elif violation.line not in lines:
            lines.add(violation.line)
            kept.append(violation)
    return kept


def _unmapped(error: str) -> Violation:
    target, _, why = error.partition(": ")
    detail = (
        f"The mapping cannot read the row: {why or error} Correct the row or the mapping, and import the file again."
    )
    return Violation((target,), "mapping", detail)


def _is_plain(data: object) -> bool:
    """Whether it is a flat object without fractions, as most movements and prices are."""
    return type(data) is dict and _PLAIN.issuperset(map(type, data.values()))


def _fractions(value: object, path: tuple[str | int, ...]) -> Iterator[Violation]:
    """JSON numbers that are no integers: they were written as floats, which nothing here may be."""
    if isinstance(value, Decimal | float):
        detail = f'{value} is a JSON number that is no integer of at most 14 digits; send it as a string, "{value}".'
        yield Violation(path, "number", detail)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, dict | list | Decimal | float):
                yield from _fractions(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            if isinstance(inner, dict | list | Decimal | float):
                yield from _fractions(inner, (*path, index))


def _described(error: Any, event_type: str, data: object) -> Violation:
    path = tuple(error.instance_path)
    shown = _shown(error.instance)
    match error.kind.name:
        case "additionalProperties":
            return _unknown_fields(error, path, event_type)
        case "required":
            name = str(error.kind.property)
            return Violation((*path, name), "missing", f"The field {name} is missing; add it (it is required).")
        case "type":
            wanted = " or ".join(_type_names(error))
            return Violation(path, f"type {wanted}", f"{shown} is not {wanted}; send {wanted}.")
        case "enum":
            known = [str(option) for option in _schema_at(event_type, error.schema_path) if option is not None]
            nearest = get_close_matches(str(error.instance), known, n=1)
            hint = f" Did you mean {nearest[0]}?" if nearest else ""
            return Violation(path, "unknown kind", f"{shown} is not known; known: {', '.join(known)}.{hint}")
        case "pattern" | "minimum" | "maximum" | "not" | "minLength" | "maxLength" | "minItems" | "maxItems":
            return Violation(path, error.kind.name, _limits(error, event_type, shown))
        case "oneOf":
            return Violation(path, "one of sku, family, category", "Give exactly one of sku, family and category.")
        case name:
            return Violation(path, str(name), f"{shown} breaks the rule {name}: {str(error.message)[:200]}.")


def _unknown_fields(error: Any, path: tuple[str | int, ...], event_type: str) -> Violation:
    known = _schema_at(event_type, [*error.schema_path[:-1], "properties"])
    unknown = sorted(set(error.instance) - set(known))
    name = unknown[0]
    nearest = get_close_matches(name, list(known), n=1, cutoff=0.5) or [
        field for field in known if field.startswith(name) or name.startswith(field)
    ]
    hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(known)}."
    more = f" ({len(unknown) - 1} more unknown fields: {', '.join(unknown[1:6])})" if len(unknown) > 1 else ""
    return Violation(
        (*path, name[:60]), f"unknown field {name[:100]}", f"Nobody knows the field {name[:100]}; {hint}{more}"
    )


def _limits(error: Any, event_type: str, shown: str) -> str:
    parent = _schema_at(event_type, error.schema_path[:-1])
    described = parent.get("description") if isinstance(parent, dict) else None
    if described:
        return f"{shown} is not allowed here. {described}"
    limit = _schema_at(event_type, error.schema_path)
    return f"{shown} breaks {error.kind.name} {limit}; send a value that keeps it."


def _schema_at(event_type: str, path: Sequence[str | int]) -> Any:
    here: Any = documents()[event_type]
    for part in path:
        if isinstance(here, dict) and "$ref" in here and part == "$ref":
            here = documents()[event_type]["$defs"][here["$ref"].rsplit("/", 1)[-1]]
            continue
        here = here[int(part)] if isinstance(here, list) else here[str(part)]
    return here


def _type_names(error: Any) -> list[str]:
    words = {
        "string": "a string",
        "integer": "an integer",
        "object": "an object",
        "array": "a list",
        "boolean": "true or false",
        "null": "null",
    }
    kinds = error.kind.as_dict().get("types") or []
    return [words.get(str(kind), str(kind)) for kind in kinds] or ["the right type"]


def _rules(data: object) -> Iterator[Violation]:
    """What holds between fields: dates are real, and what ends ends after it starts."""
    if not isinstance(data, dict):
        return
    yield from _dates(data, ())
    if data.get("cost") is not None and not data.get("cost_currency"):
        yield Violation(("cost_currency",), "cost without currency", "A cost needs its currency; add cost_currency.")
    for name in ("lines", "licences"):
        for index, line in enumerate(data.get(name) or ()):
            if isinstance(line, dict):
                yield from _dates(line, (name, index))


def _dates(record: Mapping[str, object], path: tuple[str | int, ...]) -> Iterator[Violation]:
    for name in _dated(tuple(record)):
        value = record[name]
        if isinstance(value, str) and _moment(value) is None:
            yield Violation(
                (*path, name), "no such date", f"{_shown(value)} is no day or time of the calendar; correct it."
            )
            return
    start, end = record.get("effective_from"), record.get("effective_to")
    if isinstance(start, str) and isinstance(end, str) and _ends_first(start, end):
        yield Violation(
            (*path, "effective_to"),
            "effective_to after effective_from",
            f"effective_to {end} is not after effective_from {start}; the end is exclusive and must be later.",
        )


@lru_cache(maxsize=1_000)
def _dated(names: tuple[str, ...]) -> tuple[str, ...]:
    """The fields of these that hold a date; the records of a type have few shapes."""
    return tuple(name for name in names if name.endswith(_DATED))


_DATED: Final = ("_at", "_on", "_from", "_to", "_until", "as_of")


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def _ends_first(start: str, end: str) -> bool:
    first, last = _moment(start), _moment(end)
    assert first is not None
    assert last is not None
    if (first.tzinfo is None) != (last.tzinfo is None):  # a plain date against an instant: by the day
        return last.date() < first.date()
    return last <= first


def _shown(value: object) -> str:
    if isinstance(value, str):
        return '"' + value[:60].encode("unicode_escape").decode() + ('…"' if len(value) > 60 else '"')
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else f"a list of {len(value)}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)[:60]
