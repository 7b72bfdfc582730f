"""What happens around every request: trace ids, early refusals on API paths, console CSP, the user's time zone."""

import hashlib
import re
import secrets
import zoneinfo
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response

from apps.access.api.problems import problem_response
from apps.lib.errors import Problem

GetResponse = Callable[[HttpRequest], HttpResponseBase]

# W3C Trace Context: version ff and ids of only zeros are invalid.
_TRACEPARENT = re.compile(r"^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}$")
_REQUEST_ID = re.compile(r"^[\x21-\x7e]{1,128}$")
_MB = 1_048_576
_LARGE_BODIES = re.compile(r"^/api/v1/(events$|sources/[^/]+/webhook$)")


class TraceMiddleware:
    """Takes or makes the W3C trace id, binds it to every log line, and answers it; echoes X-Request-ID."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        match = _TRACEPARENT.match(request.headers.get("traceparent", ""))
        trace_id = match[1] if match else secrets.token_hex(16)
        request.trace_id = trace_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(trace_id=trace_id)
        response = self.get_response(request)
        response["traceparent"] = f"00-{trace_id}-{secrets.token_hex(8)}-01"
        request_id = request.headers.get("X-Request-ID", "")
        if _REQUEST_ID.match(request_id):
            response["X-Request-ID"] = request_id
        return response


class ApiETagMiddleware:
    """Gives every JSON answer to a GET an ETag over its bytes, where the view gave none, and answers 304."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method != "GET" or not request.path.startswith("/api/") or response.status_code != 200:
            return response
        if not isinstance(response, HttpResponse) or "json" not in response.get("Content-Type", ""):
            return response
        if not response.has_header("ETag"):
            response["ETag"] = f'"{hashlib.blake2b(response.content, digest_size=16).hexdigest()}"'
        return get_conditional_response(request, etag=response["ETag"], response=response) or response


class ApiProblemMiddleware:
    """On API paths: bodies judged by Content-Length before reading, and no HTML error ever."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith("/api/"):
            return self.get_response(request)
        try:
            _judge_path(request)
            _judge_body(request)
        except Problem as problem:
            return problem_response(request, problem)
        response = self.get_response(request)
        if response.status_code >= 400 and not _is_problem(response):
            return problem_response(request, _problem_of(response))
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not request.path.startswith("/api/"):
            return None
        if isinstance(exception, Http404):
            return problem_response(request, Problem(404, "not_found", "Nothing is found at this path."))
        structlog.get_logger(__name__).exception("request_failed", path=request.path)
        return problem_response(
            request, Problem(500, "unavailable", "The request failed on our side; quote the trace id when you ask.")
        )


class UserTimeZoneMiddleware:
    """The console shows the signed-in person's time zone, and its scripts may do what the shell needs.

    It runs inside of the policy's own middleware, which writes the header from what the response carries.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith("/console/") and request.user.is_authenticated:
            timezone.activate(_zone(request.user.time_zone))
        else:
            timezone.deactivate()
        response = self.get_response(request)
        if request.path.startswith("/console/"):
            response._csp_update = {"script-src": settings.CONSOLE_SCRIPT_SRC}  # type: ignore[attr-defined]
        return response


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


def _judge_path(request: HttpRequest) -> None:
    if "\0" in request.path:
        raise Problem(404, "not_found", "Nothing is found at this path: no code holds a NUL character.")


def _judge_body(request: HttpRequest) -> None:
    if request.method not in {"POST", "PUT", "PATCH"}:
        return
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length.isdigit():
        raise Problem(411, "invalid", "Send a Content-Length: bodies of unknown length are not read.")
    limit = 32 * _MB if _LARGE_BODIES.match(request.path) else _MB
    if int(length) > limit:
        raise Problem(
            413, "too_large", f"The body has {length} bytes; this path takes {limit} at most. Send smaller batches."
        )


def _is_problem(response: HttpResponseBase) -> bool:
    return response.get("Content-Type", "").startswith("application/problem+json")


def _problem_of(response: HttpResponseBase) -> Problem:
    known = {
        400: ("invalid", "The request cannot be read."),
        403: ("forbidden", "This is not allowed."),
        404: ("not_found", "Nothing is found at this path."),
        405: ("method_not_allowed", "This path does not take that method."),
        413: ("too_large", "The body is too large."),
    }
    code, detail = known.get(response.status_code, ("invalid", "The request cannot be answered."))
    return Problem(response.status_code, code, detail)
