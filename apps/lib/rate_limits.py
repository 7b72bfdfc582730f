"""Token buckets: how fast we may call a channel, shared by all processes through Valkey.

A bucket is a hint, not a record: when Valkey is away each process goes on with a slower bucket of its own.
"""

import math
import threading
import time
from collections.abc import Callable
from typing import cast

from prometheus_client import Counter
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

LONGEST_PENALTY_S = 24 * 3600.0
STORE_TIMEOUT_S = 1.0
STORE_PAUSE_S = 5.0  # after an error Valkey is left alone, so that a hung one costs one second, not one a call

store_errors = Counter("sync_rate_limit_store_errors_total", "Rate limit calls that Valkey did not answer")

# KEYS: bucket. ARGV: tokens wanted, rate per second, burst, penalty in seconds. Answers microseconds to wait.
# Time is Valkey's own, so the clocks of the workers do not matter. A cost above the burst waits for a full
# bucket and leaves a debt. A penalty empties the bucket until its end; a shorter one never shortens a longer.
_SCRIPT = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local wanted, rate, burst, penalty = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local state = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(state[1]) or burst, tonumber(state[2]) or now
local wait = 0
if penalty > 0 then
  if now + penalty > at then
    tokens, at = math.min(tokens, 0), now + penalty
  end
  wait = at - now
elseif now < at then
  wait = at - now + math.max(0, math.min(wanted, burst) - tokens) / rate
else
  tokens, at = math.min(burst, tokens + (now - at) * rate), now
  local missing = math.min(wanted, burst) - tokens
  if missing > 0 then
    wait = missing / rate
  else
    tokens = tokens - wanted
  end
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', at))
redis.call('PEXPIRE', KEYS[1], math.ceil(1000 * (math.max(0, at - now) + (burst - tokens) / rate + 60)))
return math.ceil(wait * 1000000)
"""


def store(url: str) -> "Redis":
    """A client for buckets: it answers within a second or not at all, and never retries."""
    return Redis.from_url(
        url,
        socket_timeout=STORE_TIMEOUT_S,
        socket_connect_timeout=STORE_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


class LocalBucket:
    """A token bucket of this process, with the same rules as the shared one. Thread-safe."""

    def __init__(self, rate_per_s: float, burst: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        _check(rate_per_s, burst)
        self._rate = rate_per_s
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._at = clock()
        self._lock = threading.Lock()

    def take(self, tokens: float = 1) -> float:
        """0 when granted, else the seconds after which asking again makes sense; then nothing is taken."""
        least = min(tokens, self._burst)
        with self._lock:
            now = self._clock()
            if now < self._at:
                return self._at - now + max(0.0, least - self._tokens) / self._rate
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
            self._at = now
            if self._tokens < least:
                return (least - self._tokens) / self._rate
            self._tokens -= tokens
            return 0.0

    def penalise(self, retry_after_s: float) -> None:
        """Grant nothing for so long; afterwards the bucket fills from empty."""
        until = self._clock() + _bounded(retry_after_s)
        with self._lock:
            if until > self._at:
                self._tokens, self._at = min(self._tokens, 0.0), until


class TokenBucket:
    """A bucket shared through Valkey under a key. Never raises and never blocks longer than a second."""

    def __init__(
        self, redis: "Redis", key: str, rate_per_s: float, burst: float, *, fallback_share: float = 0.5
    ) -> None:
        """`fallback_share`: which part of rate and burst this process uses when it is on its own."""
        _check(rate_per_s, burst)
        self._key = key
        self._rate = rate_per_s
        self._burst = burst
        self._script = redis.register_script(_SCRIPT)
        self._local = LocalBucket(rate_per_s * fallback_share, max(1.0, burst * fallback_share))
        self._alone_until = -math.inf

    def take(self, tokens: float = 1) -> float:
        """0 when granted, else the seconds after which asking again makes sense; then nothing is taken."""
        wait_s = self._asked(tokens, penalty_s=0)
        return self._local.take(tokens) if wait_s is None else wait_s

    def penalise(self, retry_after_s: float) -> None:
        """The channel told us to slow down: no process is granted anything for so long."""
        self._local.penalise(retry_after_s)
        self._asked(0, penalty_s=_bounded(retry_after_s))

    def _asked(self, tokens: float, *, penalty_s: float) -> float | None:
        """Valkey's answer in seconds, or None where there is none."""
        if time.monotonic() < self._alone_until:
            return None
        try:
            answer = self._script(keys=[self._key], args=[tokens, self._rate, self._burst, penalty_s])
        except (RedisError, OSError):
            store_errors.inc()
            self._alone_until = time.monotonic() + STORE_PAUSE_S
            return None
        return cast("int", answer) / 1_000_000


def _bounded(retry_after_s: float) -> float:
    return min(max(0.0, retry_after_s), LONGEST_PENALTY_S)


def _check(rate_per_s: float, burst: float) -> None:
    if rate_per_s <= 0 or burst < 1:
        raise ValueError(f"A bucket of {rate_per_s} a second and burst {burst} grants nothing; use more.")
