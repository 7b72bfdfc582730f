"""The form of a JSON-over-HTTP channel: checked whole, then read as frozen dataclasses. README.md is its map."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

import jsonschema_rs
import orjson

from apps.channels.connectors import InvalidSettings
from apps.integrations.jsonhttp.templates import placeholders

KNOWN = frozenset(
    {"external_id", "location", "quantity", "amount", "currency", "version", "token", "idempotency_key"}
    | {"expected.quantity", "expected.amount", "expected.currency"}
)
VALUES = {"stock": ("quantity",), "price": ("amount", "currency")}
PRESETS = Path(__file__).parent / "presets"


@dataclass(frozen=True, slots=True)
class Auth:
    scheme: str = "none"
    name: str = ""
    username: str = ""


@dataclass(frozen=True, slots=True)
class ErrorReader:
    """Where an error answer keeps its words: pointers into each entry of the list at `list`."""

    list: str = "/errors"
    field: str = "/field"
    code: str = "/code"
    message: str = "/message"


@dataclass(frozen=True, slots=True)
class Reader:
    """Where a value stands, and how it is written there: integer, decimal, minor units or text."""

    at: str
    as_: str = "decimal"


@dataclass(frozen=True, slots=True)
class Accept:
    """How the answer to a write names each item and its value. `accepted`: a write-only channel that only counts."""

    id: str = ""
    value: Mapping[str, Reader] = field(default_factory=dict)
    items: str | None = None
    location: str = ""
    status: str = ""
    applied: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    token: str = ""
    field: str = ""
    code: str = ""
    message: str = ""
    accepted: str = ""
    rejected: str = ""


@dataclass(frozen=True, slots=True)
class Conflict:
    """How the channel says that it holds something else than expected."""

    status: int
    id: str
    value: Mapping[str, Reader]
    token: str = ""


@dataclass(frozen=True, slots=True)
class Write:
    method: str
    path: str
    item: Mapping[str, Any]
    accept: Accept
    items: str = ""
    envelope: Mapping[str, Any] = field(default_factory=dict)
    expect: Mapping[str, Any] = field(default_factory=dict)
    conflict: Conflict | None = None


@dataclass(frozen=True, slots=True)
class ShownReader:
    value: Mapping[str, Reader]
    token: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """Read-back: one listing, many by their codes, or page by page; pointers are into each listing."""

    id: str
    kinds: Mapping[str, ShownReader]
    one: str = ""
    many: str = ""
    many_limit: int = 100
    page: str = ""
    next: str = ""
    items: str | None = None
    location: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    base_url: str
    kinds: Mapping[str, Write]
    auth: Auth = Auth()
    headers: Mapping[str, str] = field(default_factory=dict)
    deadline_s: float = 10.0
    settles_after_s: float = 30.0
    idempotency_header: str = ""
    retry_after_header: str = "Retry-After"
    remaining_header: str = ""
    reset_header: str = ""
    errors: ErrorReader = ErrorReader()
    read: Read | None = None


def parse(data: Mapping[str, object]) -> Form:
    """The form, or InvalidSettings naming every field that is wrong."""
    document = cast("dict[str, Any]", dict(data))
    errors = [(_where(error), error.message[:300]) for error in _schema().iter_errors(document)]
    errors = errors or list(_rules(document))
    if errors:
        raise InvalidSettings(*errors)
    read = document.get("read")
    return Form(
        **{
            **document,
            "base_url": document["base_url"].rstrip("/"),
            "auth": Auth(**document.get("auth", {})),
            "errors": ErrorReader(**document.get("errors", {})),
            "kinds": {kind: _write(write) for kind, write in document["kinds"].items()},
            "read": _read(read) if read else None,
        }
    )


def preset(name: str, **changed: object) -> dict[str, Any]:
    """The settings of a preset (`shop`, `market`, `feed`), with fields replaced."""
    loaded: dict[str, Any] = orjson.loads((PRESETS / f"{name}.json").read_bytes())
    return {**loaded, **changed}


def _write(data: dict[str, Any]) -> Write:
    accept, conflict = data["accept"], data.get("conflict")
    words = {name: tuple(accept[name]) for name in ("applied", "refused") if name in accept}
    read = Accept(**{**accept, **words, "value": _values(accept.get("value", {}))})
    clash = Conflict(**{**conflict, "value": _values(conflict["value"])}) if conflict else None
    return Write(**{**data, "accept": read, "conflict": clash})


def _read(data: dict[str, Any]) -> Read:
    kinds = {
        kind: ShownReader(value=_values(shown["value"]), token=shown.get("token", ""))
        for kind, shown in data["kinds"].items()
    }
    return Read(**{**data, "kinds": kinds})


def _values(readers: dict[str, Any]) -> dict[str, Reader]:
    return {name: Reader(reader["at"], reader.get("as", "decimal")) for name, reader in readers.items()}


def _rules(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What the schema cannot say."""
    auth = document.get("auth", {})
    if auth.get("scheme") == "header" and not auth.get("name"):
        yield "/auth/name", "name the header that carries the secret"
    for kind, write in document["kinds"].items():
        yield from _write_rules(kind, write, f"/kinds/{kind}")
    read = document.get("read")
    if read and not (read.get("one") or read.get("many")):
        yield "/read", "say how listings are read: one (by {external_id}) or many (by {external_ids})"


def _write_rules(kind: str, write: dict[str, Any], where: str) -> Iterator[tuple[str, str]]:
    templates = (write["path"], write["item"], write.get("expect", {}), write.get("envelope", {}))
    unknown = sorted({name for template in templates for name in placeholders(template)} - KNOWN)
    if unknown:
        yield where, f"nobody knows {{{unknown[0]}}}; known: {', '.join(sorted(KNOWN))}"
    accept = write["accept"]
    missing = [name for name in VALUES[kind] if name not in accept.get("value", {})]
    counted = "accepted" in accept
    if not counted and ("id" not in accept or missing):
        yield (
            f"{where}/accept",
            "an answer counts only when it names the item and the value: "
            f"give id and value.{(missing or VALUES[kind])[0]} (a write-only channel that only counts: accepted)",
        )
    if "items" in accept and "items" not in write:
        yield f"{where}/items", "the answer lists items, so the request sends a list: name its field"


def _where(error: Any) -> str:
    return "".join(f"/{part}" for part in error.instance_path)


@cache
def _schema() -> Any:
    raw = (Path(__file__).parent / "settings.schema.json").read_bytes()
    return jsonschema_rs.validator_for(orjson.loads(raw))
