"""A simulated channel: its token, its request log, its faults, and the dispatch between API and control."""

from __future__ import annotations

import hmac
import json
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from .calls import Call, TurnedAway
from .faults import FaultBoard, answer_under
from .listings import Listings, utc_now
from .wire import Answer, Delivery, Refused, Request, error_answer, refuse

CONTROL_PREFIX = "_control"
LOG_LIMIT = 500
LOGGED_BODY_LIMIT = 32 * 1024
LOGGED_HEADERS = ("Idempotency-Key", "X-Request-ID", "traceparent")
PAGE_LIMIT = 200


@dataclass
class Served:
    """One API request as the channel remembers it."""

    number: int
    at: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int | None = None
    fault: str | None = None

    def describe(self) -> dict[str, Any]:
        """The request as GET /requests shows it; status is null where nothing was answered."""
        kept = self.body[:LOGGED_BODY_LIMIT]
        return {
            "number": self.number,
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "fault": self.fault,
            "headers": self.headers,
            "body": _readable(kept),
            "body_truncated": len(kept) < len(self.body),
        }


class Channel(ABC):
    """One sales channel over HTTP. Subclasses say how a request is understood."""

    code: str

    def __init__(self, token: str) -> None:
        self.lock = threading.RLock()
        self.faults = FaultBoard()
        self.changed: Callable[[], None] = _nobody_told
        self.listings = Listings(self._has_changed)
        self.requests = 0
        self.log: deque[Served] = deque(maxlen=LOG_LIMIT)
        self._token = token

    @abstractmethod
    def understand(self, request: Request) -> Call:
        """The request as a call; Refused with the channel's own answer where it makes no sense."""

    def limit(self) -> Answer | None:
        """An answer for a client that is too fast; None lets it through."""
        return None

    def extra_headers(self) -> tuple[tuple[str, str], ...]:
        """Headers on each API answer of this channel."""
        return ()

    def snapshot(self) -> dict[str, Any]:
        """What survives a restart."""
        with self.lock:
            return self.listings.snapshot()

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Take over what `snapshot` gave."""
        self.listings.restore(stored)

    def serve(self, request: Request) -> Answer:
        """Answer one API request: token, then rate, then faults, then the channel's own rules."""
        with self.lock:
            served = self._remember(request)
            answer = self._turned_away(request) or self._carried_out(request, served)
            if answer.delivery not in (Delivery.HOLD, Delivery.RESET):
                served.status = answer.status
            return answer.with_headers(*self.extra_headers())

    def _carried_out(self, request: Request, served: Served) -> Answer:
        try:
            call = self.understand(request)
        except Refused as refused:
            call = TurnedAway(self.listings, refused.answer, writes=request.method != "GET")
        fault = self.faults.take(call)
        served.fault = fault.kind if fault else None
        return answer_under(fault, call)

    def _turned_away(self, request: Request) -> Answer | None:
        sent = request.headers.get("Authorization", "")
        if not hmac.compare_digest(sent.encode(), f"Bearer {self._token}".encode()):
            answer = error_answer(401, None, "unauthorized", f"{self.code} wants its bearer token.")
            return answer.with_headers(("WWW-Authenticate", f'Bearer realm="{self.code}"'))
        return self.limit()

    def _remember(self, request: Request) -> Served:
        self.requests += 1
        headers = {name: request.headers[name] for name in LOGGED_HEADERS if name in request.headers}
        served = Served(self.requests, utc_now(), request.method, request.target, headers, request.body)
        self.log.append(served)
        return served

    def _has_changed(self) -> None:
        self.changed()


def page_of(request: Request) -> tuple[str, int]:
    """`?cursor=&limit=` as (code to start after, size)."""
    raw = request.argument("limit") or "100"
    if not (raw.isascii() and raw.isdigit() and 1 <= int(raw[:6]) <= PAGE_LIMIT):
        refuse(422, "limit", "invalid", f"limit is {raw!r}: a whole number from 1 to {PAGE_LIMIT}.")
    return request.argument("cursor") or "", int(raw)


def object_body(request: Request) -> dict[str, Any]:
    """The body as a JSON object."""
    document = request.document()
    if not isinstance(document, dict):
        refuse(422, None, "invalid", "The body must be a JSON object.")
    return document


def only_fields(document: Mapping[str, Any], allowed: set[str]) -> None:
    """Refuse (422) a field the channel does not know."""
    unknown = sorted(set(document) - allowed)
    if unknown:
        refuse(422, unknown[0], "unknown_field", f"Unknown field {unknown[0]}: use {', '.join(sorted(allowed))}.")


def no_such_path(request: Request) -> NoReturn:
    """Refuse (404) a path that the channel does not have."""
    refuse(404, None, "not_found", f"There is no {request.method} {request.target.split('?')[0]}.")


def _readable(body: bytes) -> object:
    if not body:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")


def _nobody_told() -> None:
    return None
