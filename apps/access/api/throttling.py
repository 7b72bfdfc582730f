"""The rate of a key: one token bucket per key and process."""

import math
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from apps.access.api.permissions import client_of
from apps.access.keys import Caller
from apps.lib.errors import Problem

if TYPE_CHECKING:
    from rest_framework.views import APIView


class Bucket:
    """Refills at `rate` a second up to one second's worth."""

    __slots__ = ("rate", "seen_at", "tokens")

    def __init__(self, rate: float, instant: float) -> None:
        self.rate = rate
        self.tokens = max(1.0, rate)
        self.seen_at = instant

    def take(self, instant: float) -> float:
        """0 where a token was taken, else the seconds until one is there."""
        self.tokens = min(max(1.0, self.rate), self.tokens + (instant - self.seen_at) * self.rate)
        self.seen_at = instant
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) / self.rate


_buckets: dict[int, Bucket] = {}
_lock = threading.Lock()


def take(caller: Caller, clock: Callable[[], float] = time.monotonic) -> float:
    """One request of `caller`: 0 where it may go on, else how many seconds to wait."""
    instant = clock()
    with _lock:
        bucket = _buckets.get(caller.client_id)
        rate = caller.requests_per_s / settings.WEB_PROCESSES
        if bucket is None or bucket.rate != rate:
            bucket = _buckets[caller.client_id] = Bucket(rate, instant)
        return bucket.take(instant)


class KeyRateThrottle(BaseThrottle):
    """DRF's face of `take`; people at the console are not throttled."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        client = client_of(request)
        waited_s = take(client) if client is not None else 0.0
        if client is not None and waited_s > 0:
            raise refused(client, waited_s)
        return True


def refused(caller: Caller, waited_s: float) -> Problem:
    """429, with when to come back and what is allowed (the RateLimit header fields of the IETF draft)."""
    after_s = max(1, math.ceil(waited_s))
    return Problem(
        429,
        "throttled",
        f"The key of {caller.name} may send {caller.requests_per_s} requests a second; try again in {after_s} s.",
        headers={
            "Retry-After": str(after_s),
            "RateLimit": f'"key";r=0;t={after_s}',
            "RateLimit-Policy": f'"key";q={caller.requests_per_s};w=1',
        },
    )
