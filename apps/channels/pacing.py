"""How fast a channel may be called: one token bucket per channel, shared by all processes through Valkey."""

import threading
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

from apps.lib.rate_limits import TokenBucket, store

if TYPE_CHECKING:
    from redis import Redis

    from apps.channels.models import Channel

_buckets: dict[int, tuple[float, float, TokenBucket]] = {}
_lock = threading.Lock()


def bucket_of(channel: "Channel") -> TokenBucket:
    """The channel's bucket at its present rate and burst."""
    rate, burst = float(channel.requests_per_s), float(max(1, channel.burst))
    with _lock:
        known = _buckets.get(channel.pk)
        if known is None or known[:2] != (rate, burst):
            key = f"sync:channel:{channel.pk}:{rate}:{burst}"
            known = _buckets[channel.pk] = (rate, burst, TokenBucket(_store(), key, rate, burst))
        return known[2]


@cache
def _store() -> "Redis":
    return store(settings.REDIS_URL)
