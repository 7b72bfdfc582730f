"""How long the publication loops wait: back-off with jitter, breaker and lease; tests shorten it in settings."""

import random

from django.conf import settings

BREAKER_FAILURES = 5
LONGEST_S = 300.0


def backoff_s(attempts: int) -> float:
    """Seconds until the next try: doubling from PUBLISH_BACKOFF_S, at most five minutes, half of it random."""
    longest = min(LONGEST_S, _base_s() * 2.0 ** min(max(attempts - 1, 0), 20))
    return longest * (0.5 + random.random() / 2)  # noqa: S311


def breaker_s(failures: int) -> float:
    """Seconds a channel is left alone after so many failures in a row."""
    return min(LONGEST_S, 5 * _base_s() * 2.0 ** min(max(failures - BREAKER_FAILURES, 0), 20))


def lease_s(deadline_s: float) -> float:
    """Longer than any request that may still be sent under it: a full deadline is kept in hand, and a margin."""
    return 2 * deadline_s + 5


def _base_s() -> float:
    return float(getattr(settings, "PUBLISH_BACKOFF_S", 1.0))
