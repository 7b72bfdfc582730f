"""Lists: {results, next}, an opaque cursor, and a limit of 1,000."""

import base64
from typing import Any

import orjson
from django.db.models import QuerySet
from rest_framework.request import Request

from apps.lib.errors import FieldError, Problem

LIMIT_MAX = 1_000
LIMIT_DEFAULT = 100


def limit_of(request: Request, default: int = LIMIT_DEFAULT) -> int:
    """`?limit=`, 1 to 1,000; anything else is a 400."""
    text = request.query_params.get("limit", str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= LIMIT_MAX:
        raise Problem(
            400,
            "invalid",
            f"limit is {text[:40]!r}; it is a whole number from 1 to {LIMIT_MAX}.",
            [FieldError("invalid", f"1 to {LIMIT_MAX}", "/limit")],
        )
    return int(text)


def encode_cursor(*keys: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(keys)).decode().rstrip("=")


def decode_cursor(text: str, length: int) -> list[Any]:
    """The keys behind an opaque cursor; one we did not make is a 400."""
    try:
        keys = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError) as error:
        raise _bad_cursor() from error
    if not isinstance(keys, list) or len(keys) != length:
        raise _bad_cursor()
    return keys


def page_by_id(rows: QuerySet[Any], request: Request, *, newest_first: bool = False) -> tuple[list[Any], str | None]:
    """One page of `rows` in id order, and the cursor of the next (None at the end)."""
    limit = limit_of(request)
    cursor = request.query_params.get("cursor")
    if cursor:
        (last,) = decode_cursor(cursor, 1)
        if not isinstance(last, int):
            raise _bad_cursor()
        rows = rows.filter(pk__lt=last) if newest_first else rows.filter(pk__gt=last)
    page = list(rows.order_by("-pk" if newest_first else "pk")[: limit + 1])
    return page[:limit], encode_cursor(page[limit - 1].pk) if len(page) > limit else None


def refuse_unknown_parameters(request: Request, allowed: frozenset[str]) -> None:
    """Filters and orderings are an allow-list: others are a 400 that names what is known."""
    unknown = sorted(set(request.query_params) - allowed)
    if unknown:
        known = ", ".join(sorted(allowed))
        raise Problem(
            400,
            "unknown_field",
            f"Nobody knows the parameter {unknown[0][:100]!r}; known: {known}.",
            [FieldError("unknown_field", "unknown parameter", f"/{name[:100]}") for name in unknown],
        )


def _bad_cursor() -> Problem:
    return Problem(
        400,
        "invalid",
        "This cursor is not one of ours; start again without it.",
        [FieldError("invalid", "not a cursor of this list", "/cursor")],
    )
