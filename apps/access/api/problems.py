"""Every refusal as application/problem+json."""

import math

import orjson
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions as drf
from rest_framework.request import Request
from rest_framework.response import Response

from apps.lib.errors import FieldError, Problem

CONTENT_TYPE = "application/problem+json"
TITLES = {
    "malformed_json": "The body is not well-formed JSON",
    "invalid": "The request is not valid",
    "unknown_field": "The request has a field nobody knows",
    "unauthenticated": "Who are you?",
    "forbidden": "Not allowed",
    "not_found": "Not found",
    "method_not_allowed": "Method not allowed",
    "idempotency_key_missing": "Idempotency-Key is required",
    "idempotency_key_reused": "Idempotency-Key was used for another request",
    "in_progress": "The same request is still running",
    "insufficient_stock": "Not enough stock",
    "expired": "Expired",
    "too_large": "Too large",
    "unsupported_media_type": "Unsupported media type",
    "throttled": "Too many requests",
    "unavailable": "Unavailable",
}


def problem_response(request: HttpRequest | Request, problem: Problem) -> HttpResponse:
    """The problem as a plain response; `trace_id` ties it to the logs."""
    trace_id = getattr(request, "trace_id", "")
    body = {
        "type": f"urn:sync-console:problem:{problem.code}",
        "title": TITLES.get(problem.code, problem.code),
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "instance": request.path,
        "trace_id": trace_id,
        "errors": [{"code": e.code, "detail": e.detail, "pointer": e.pointer} for e in problem.errors],
        **problem.extra,
    }
    response = HttpResponse(orjson.dumps(body), status=problem.status, content_type=CONTENT_TYPE)
    for name, value in problem.headers.items():
        response[name] = value
    return response


def exception_handler(exc: Exception, context: dict[str, object]) -> Response | HttpResponse | None:
    """DRF's hook: known refusals become problems; anything else is a bug and propagates, loudly."""
    request = context["request"]
    assert isinstance(request, Request)
    problem = _as_problem(exc)
    if problem is None:
        return None
    response = problem_response(request._request, problem)
    response.exception = True  # type: ignore[attr-defined]
    return response


def _as_problem(exc: Exception) -> Problem | None:
    if isinstance(exc, Problem):
        return exc
    if isinstance(exc, drf.NotAuthenticated | drf.AuthenticationFailed):
        return Problem(401, "unauthenticated", str(exc.detail), headers={"WWW-Authenticate": "Bearer"})
    if isinstance(exc, drf.PermissionDenied):
        return Problem(403, "forbidden", str(exc.detail))
    if isinstance(exc, PermissionDenied):
        return Problem(403, "forbidden", str(exc) or "This is not allowed.")
    if isinstance(exc, Http404 | drf.NotFound):
        return Problem(404, "not_found", str(exc) or "Nothing is found at this path.")
    if isinstance(exc, drf.MethodNotAllowed):
        return Problem(405, "method_not_allowed", str(exc.detail))
    if isinstance(exc, drf.UnsupportedMediaType):
        return Problem(415, "unsupported_media_type", str(exc.detail))
    if isinstance(exc, drf.Throttled):
        return Problem(
            429,
            "throttled",
            "Too many requests.",
            headers={"Retry-After": str(max(1, math.ceil(getattr(exc, "wait", None) or 1)))},
        )
    if isinstance(exc, drf.ParseError):
        return Problem(400, "malformed_json", str(exc.detail))
    if isinstance(exc, drf.ValidationError):
        return _validation_problem(exc)
    return None


def _validation_problem(exc: drf.ValidationError) -> Problem:
    errors = list(_flatten(exc.detail, ""))
    unknown = any(error.code == "unknown_field" for error in errors)
    detail = errors[0].detail if len(errors) == 1 else f"{len(errors)} fields are not valid."
    return Problem(400, "unknown_field" if unknown else "invalid", detail, errors)


def _flatten(detail: object, pointer: str) -> list[FieldError]:
    if isinstance(detail, dict):
        return [
            error
            for key, value in detail.items()
            for error in _flatten(value, pointer if key == "non_field_errors" else f"{pointer}/{_escape(str(key))}")
        ]
    if isinstance(detail, list):
        nested = any(isinstance(value, dict | list) for value in detail)
        return [
            error
            for index, value in enumerate(detail)
            for error in _flatten(value, f"{pointer}/{index}" if nested else pointer)
        ]
    return [FieldError(getattr(detail, "code", "invalid"), str(detail), pointer)]


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
