"""Mappings: a row of a source's file becomes the data of an event, by one CEL expression per target field.

Expressions are data people write, so they are bounded: 500 characters, one comprehension, and a trial run in a
child process that is killed after a second before a mapping is saved.
"""

import re
import subprocess
import sys
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from apps.sources.mapping_functions import MappingError, functions

EXPRESSION_MAX: Final = 500
TRIAL_S: Final = 1.0
_COMPREHENSION = re.compile(r"\.\s*(all|exists|exists_one|map|filter)\s*\(")


@dataclass(frozen=True, slots=True)
class Rules:
    """A mapping's rules, as saved. `fields` and `envelope`: target → expression over `row` (all values text)."""

    event_type: str
    fields: Table[str, str]
    envelope: Table[str, str] = field(default_factory=dict)
    row_filter: str = ""
    time_zone: str = "UTC"
    tables: Table[str, Table[str, str]] = field(default_factory=dict)


class Translator:
    """Compiled rules; not thread-safe (the CEL context is reused from row to row)."""

    def __init__(self, rules: Rules) -> None:
        import cel  # half a second to import: only for those who translate

        self._context = cel.Context()
        for name, function in functions(rules.time_zone, rules.tables).items():
            self._context.add_function(name, function)
        self._filter = _compiled("row filter", rules.row_filter) if rules.row_filter else None
        self._fields = [(target, _compiled(target, text)) for target, text in rules.fields.items()]
        self._envelope = [(target, _compiled(target, text)) for target, text in rules.envelope.items()]

    def takes(self, row: Table[str, str]) -> bool:
        """False where the row filter says that this row is none of ours. Sets the row for the calls below."""
        self._context.add_variable("row", dict(row))
        if self._filter is None:
            return True
        answer = self._run("row filter", self._filter)
        if not isinstance(answer, bool):
            raise MappingError(f"The row filter answers {answer!r}; it must answer true or false.")
        return answer

    def data(self) -> dict[str, Any]:
        """The event's data from the row given to `takes`; a field that is null is left out."""
        return self._values(self._fields)

    def envelope(self) -> dict[str, Any]:
        """`time`, `subject`, … of the event from the row given to `takes`."""
        return self._values(self._envelope)

    def _values(self, programs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for target, program in programs:
            value = self._run(target, program)
            if isinstance(value, float):
                raise MappingError(f"{target} became the float {value!r}; use dec(…), decimals stay text.")
            if value is not None:
                _put(found, target.split("."), value)
        return found

    def _run(self, target: str, program: Any) -> object:
        try:
            value: object = program.execute(self._context)
        except KeyError as error:
            raise MappingError(f"{target}: the row has no column {error}.") from error
        except MappingError as error:
            raise MappingError(f"{target}: {error}") from error
        except Exception as error:  # the engine raises plain exceptions of many kinds
            raise MappingError(f"{target}: {error}") from error
        return value


def check(rules: Rules, sample: Table[str, str] | None = None) -> None:
    """Refuse rules that do not compile, are too large, or do not end within TRIAL_S on a sample row.

    Raises MappingError naming the target field and what is wrong. The trial runs in a child process, because an
    expression cannot be stopped inside this one.
    """
    Translator(rules)
    if sample is None:
        return
    job = orjson.dumps({"rules": _as_dict(rules), "row": dict(sample)})
    try:
        done = subprocess.run(
            [sys.executable, "-m", "apps.sources.mapping_trial"],
            input=job,
            capture_output=True,
            cwd=Path(__file__).resolve().parents[2],
            timeout=TRIAL_S + 1,  # the child's own start is not the expression's fault
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise MappingError("The mapping did not end within a second on a sample row; simplify it.") from error
    if done.returncode != 0:
        raise MappingError(done.stderr.decode(errors="replace").strip().splitlines()[-1][:500])


def _as_dict(rules: Rules) -> dict[str, Any]:
    return {
        "event_type": rules.event_type,
        "fields": dict(rules.fields),
        "envelope": dict(rules.envelope),
        "row_filter": rules.row_filter,
        "time_zone": rules.time_zone,
        "tables": {name: dict(table) for name, table in rules.tables.items()},
    }


def _compiled(target: str, text: str) -> Any:
    if not isinstance(text, str) or not text.strip():
        raise MappingError(f"{target}: an expression is expected, as in trim(row.Name).")
    if len(text) > EXPRESSION_MAX:
        raise MappingError(f"{target}: the expression has {len(text)} characters; {EXPRESSION_MAX} at most.")
    if len(_COMPREHENSION.findall(text)) > 1:
        raise MappingError(f"{target}: one all/exists/map/filter at most; nested ones can run for minutes.")
    import cel

    try:
        return cel.compile(text)
    except Exception as error:
        raise MappingError(f"{target}: {error}") from error


def _put(into: dict[str, Any], path: list[str], value: object) -> None:
    """`attributes.color` is a member of an object."""
    for name in path[:-1]:
        into = into.setdefault(name, {})
    into[path[-1]] = value
