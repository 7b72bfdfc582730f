"""A fix's fields as a person filled them in on a form."""

from collections.abc import Mapping
from typing import Any

from apps.exceptions.fixes import FixField, fixes_of
from apps.exceptions.models import Cause
from apps.lib.errors import FieldError, Problem
from apps.lib.strict_json import MalformedJSON, parse

PREFIX = "field-"
# What a fix that takes any field is filled in with: one field by its name, or several as JSON.
OPEN_NAME, OPEN_VALUE, OPEN_REMOVE, OPEN_JSON = "open-name", "open-value", "open-remove", "open-json"


def fields_of(cause: Cause, fix_name: str, form: Mapping[str, Any]) -> dict[str, Any]:
    """The form's values under the names the fix gave them; empty ones are left out. Problem where one is no JSON."""
    fix = fixes_of(cause.reason).get(fix_name)
    if fix is None:
        return {}
    kinds = {field.name: field for field in fix.fields}
    filled: dict[str, Any] = {}
    for key, text in form.items():
        if not key.startswith(PREFIX) or not str(text).strip():
            continue
        name = key.removeprefix(PREFIX)
        filled[name] = _value(kinds.get(name), name, str(text).strip())
    return filled | _open_fields(form) if getattr(fix, "open_fields", False) else filled


def given(form: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was filled in, to be sent again with the confirmation."""
    return [(key, str(text)) for key, text in form.items() if key.startswith((PREFIX, "open-"))]


def _open_fields(form: Mapping[str, Any]) -> dict[str, Any]:
    name = str(form.get(OPEN_NAME, "")).strip()
    if name:
        return {name: None if form.get(OPEN_REMOVE) else str(form.get(OPEN_VALUE, "")).strip()}
    text = str(form.get(OPEN_JSON, "")).strip()
    if not text:
        return {}
    more = _json(text, "More fields", OPEN_JSON)
    if not isinstance(more, dict):
        raise Problem(400, "invalid", 'More fields are a JSON object, as in {"decimals": 2}.')
    return more


def _value(field: FixField | None, name: str, text: str) -> Any:
    if field is not None and field.kind == "int" and text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    return text if field is None or field.kind != "json" else _json(text, field.label, name)


def _json(text: str, label: str, name: str) -> Any:
    try:
        return parse(text.encode())
    except MalformedJSON as error:
        detail = f"{label}: {error.detail}"
        raise Problem(400, "invalid", detail, [FieldError("invalid", detail, f"/{name}")]) from error
