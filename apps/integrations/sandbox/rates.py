"""A token bucket, and the headers in which a channel tells its client about it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable


class TokenBucket:
    """Refills at `per_second` up to `burst`; one request takes one token."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.configure(per_second, burst)

    def configure(self, per_second: float, burst: int) -> None:
        """Set a new rate; the bucket starts full."""
        with self._lock:
            self.per_second = per_second
            self.burst = burst
            self._tokens = float(burst)
            self._filled_at = self._clock()

    def take(self) -> int | None:
        """Take a token: None when there was one, else the whole seconds until there is."""
        with self._lock:
            self._refill()
            if self._tokens >= 1:
                self._tokens -= 1
                return None
            return max(1, math.ceil((1 - self._tokens) / self.per_second))

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Limit, remaining, and the whole seconds until the bucket is full again."""
        with self._lock:
            self._refill()
            reset_s = math.ceil((self.burst - self._tokens) / self.per_second)
            return (
                ("X-RateLimit-Limit", str(self.burst)),
                ("X-RateLimit-Remaining", str(int(self._tokens))),
                ("X-RateLimit-Reset", str(reset_s)),
            )

    def _refill(self) -> None:
        now = self._clock()
        gained = (now - self._filled_at) * self.per_second
        self._tokens = min(float(self.burst), self._tokens + gained)
        self._filled_at = now
