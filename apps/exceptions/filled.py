"""A fix's fields as a person filled them in on a form."""

from collections.abc import Mapping
from typing import Any

from apps.exceptions.fixes import FixField, fixes_of
from apps.exceptions.models import Cause
from apps.lib.errors import FieldError, Problem
from apps.lib.strict_json import parse

PREFIX = "field-"


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
    return filled


def _value(field: FixField | None, name: str, text: str) -> Any:
    if field is not None and field.kind == "int" and text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    if field is None or field.kind != "json":
        return text
    try:
        return parse(text.encode())
    except ValueError as error:
        detail = f"{field.label} is not JSON: {error}"
        raise Problem(400, "invalid", detail, [FieldError("invalid", detail, f"/{name}")]) from error
