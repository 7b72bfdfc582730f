"""Idempotency-Key: one effect and one answer per client and key, kept 30 days."""

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

from django.db import connection, transaction
from django.http import HttpResponse, HttpResponseBase
from django.http.request import RawPostDataException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.api.problems import exception_handler
from apps.access.api.renderers import encode
from apps.access.keys import Caller
from apps.lib.errors import Problem
from apps.lib.strict_json import MalformedJSON, canonical, parse

KEY_LENGTH = 255
# Longer than any request may take: a claim this old belongs to a process that died.
LEASE_S = 120
KEPT_DAYS = 30

Handler = Callable[..., HttpResponseBase]


@dataclass(frozen=True, slots=True)
class _Claim:
    """`answer` is what was answered before; None means that the request is ours to carry out, until `lease`."""

    record: int
    answer: HttpResponse | None
    lease: datetime | None = None


def idempotent(handler: Handler) -> Handler:
    """Decorates an APIView's method (under any schema decorator): carried out once per client and key.

    The answer is written in the transaction of the work, so that neither exists without the other; a refusal
    under 500 is kept too, and a failure (500 and up) is not: it may be tried again with the same key.
    """

    @wraps(handler)
    def guarded(view: APIView, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        claim = _claim(_actor(request), _key(request), _digest(request))
        if claim.answer is not None:
            return claim.answer
        try:
            with transaction.atomic():
                answer = _plain(handler(view, request, *args, **kwargs))
                if answer.status_code < 500:
                    _keep(claim, answer)
                    return answer
                transaction.set_rollback(True)
        except Exception as error:
            return _refusal(view, request, claim, error)
        _release(claim)
        return answer

    return guarded


def forget_old_answers() -> int:
    """Delete answers older than KEPT_DAYS; how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM access_idempotencyrecord WHERE created_at < (SELECT sync_now()) - %s * interval '1 day'",
            [KEPT_DAYS],
        )
        return int(cursor.rowcount)


def _actor(request: Request) -> str:
    user: object = request.user
    return user.actor if isinstance(user, Caller) else f"user:{request.user.pk}"


def _key(request: Request) -> str:
    key = request.headers.get("Idempotency-Key", "").strip()
    if not key:
        raise Problem(
            400,
            "idempotency_key_missing",
            "Send the header Idempotency-Key: 1 to 255 characters, new for each thing you want done.",
        )
    if len(key) > KEY_LENGTH or not key.isprintable():
        raise Problem(
            400, "invalid", f"Idempotency-Key has {len(key)} characters; send 1 to {KEY_LENGTH} printable ones."
        )
    return key


def _digest(request: Request) -> bytes:
    """What was asked: method, path and query, and the body as JSON means it."""
    asked_for = _body(request)
    asked = f"{request.method} {request.get_full_path()}\n".encode()
    return hashlib.sha256(asked + asked_for).digest()


def _body(request: Request) -> bytes:
    try:
        body = request._request.body
    except RawPostDataException:  # the check of a console session's CSRF token has parsed it already
        return canonical(request.data)
    with contextlib.suppress(MalformedJSON):  # else the bytes themselves, which the handler refuses
        body = canonical(parse(body)) if body else b""
    return body


def _claim(actor: str, key: str, digest: bytes) -> _Claim:
    """Ours, answered before, or refused: other body 422, still running 409."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO access_idempotencyrecord AS r (actor, key, request_sha256, locked_until, content_type) "
            "VALUES (%s, %s, %s, sync_now() + %s * interval '1 second', '') "
            "ON CONFLICT (actor, key) DO UPDATE SET locked_until = excluded.locked_until "
            "WHERE r.status IS NULL AND r.locked_until < sync_now() AND r.request_sha256 = excluded.request_sha256 "
            "RETURNING id, locked_until",
            [actor, key, digest, LEASE_S],
        )
        claimed = cursor.fetchone()
        if claimed is not None:
            return _Claim(claimed[0], None, claimed[1])
        cursor.execute(
            "SELECT id, request_sha256, status, response, content_type FROM access_idempotencyrecord "
            "WHERE actor = %s AND key = %s",
            [actor, key],
        )
        found = cursor.fetchone()
    if found is None:  # released between the two statements
        raise _running(key)
    record, asked, status, body, content_type = found
    if bytes(asked) != digest:
        raise Problem(
            422,
            "idempotency_key_reused",
            f"Idempotency-Key {key[:60]!r} was sent with another request; take a new key for a new request.",
        )
    if status is None:
        raise _running(key)
    return _Claim(record, _replayed(status, bytes(body), content_type))


def _running(key: str) -> Problem:
    detail = f"The request with Idempotency-Key {key[:60]!r} is still running; ask again in a second."
    return Problem(409, "in_progress", detail, headers={"Retry-After": "1"})


def _replayed(status: int, body: bytes, content_type: str) -> HttpResponse:
    answer = HttpResponse(body, status=status, content_type=content_type)
    answer["Idempotency-Replayed"] = "true"
    return answer


def _plain(response: HttpResponseBase) -> HttpResponse:
    """The answer as bytes, as the one JSON renderer writes them."""
    if isinstance(response, Response):
        body = b"" if response.data is None else encode(response.data)
        answer = HttpResponse(body, status=response.status_code, content_type="application/json")
        for name, value in response.headers.items():
            if name.lower() != "content-type":
                answer[name] = value
        return answer
    assert isinstance(response, HttpResponse)
    return response


def _refusal(view: APIView, request: Request, claim: _Claim, error: Exception) -> HttpResponse:
    """The work was rolled back: a refusal is the answer, anything else is a bug and goes on its way."""
    response = exception_handler(error, {"view": view, "request": request})
    if response is None:
        _release(claim)
        raise error
    answer = _plain(response)
    if answer.status_code < 500 and getattr(error, "code", "") != "in_progress":
        _keep(claim, answer)
    else:
        _release(claim)
    return answer


def _keep(claim: _Claim, answer: HttpResponse) -> None:
    """Remember the answer; where the lease was lost meanwhile, the work is rolled back with this error."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE access_idempotencyrecord SET status = %s, response = %s, content_type = %s, locked_until = NULL "
            "WHERE id = %s AND status IS NULL AND locked_until = %s",
            [answer.status_code, answer.content, answer.headers.get("Content-Type", ""), claim.record, claim.lease],
        )
        if cursor.rowcount != 1:
            raise Problem(409, "in_progress", "This request took too long and was started again; ask for its answer.")


def _release(claim: _Claim) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM access_idempotencyrecord WHERE id = %s AND status IS NULL AND locked_until = %s",
            [claim.record, claim.lease],
        )
