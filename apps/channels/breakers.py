"""The breaker of each channel: after failures in a row it is left alone, then one probe decides."""

from dataclasses import dataclass
from typing import Final

from django.db import connection

from apps.channels.timing import BREAKER_FAILURES, backoff_s, breaker_s, lease_s

# A probe is one publisher's alone: the row says until when it is his.
_GATE = """
WITH seen AS (
    SELECT system_id, breaker, breaker_until, state = 'live' AND coalesce(not_before <= sync_now(), true) AS open
    FROM channels_channel WHERE system_id = %(channel)s),
probe AS (
    UPDATE channels_channel c SET
        breaker = 'half_open', breaker_until = sync_now() + make_interval(secs => %(lease)s)
    FROM seen
    WHERE c.system_id = seen.system_id AND seen.open AND c.breaker <> 'closed' AND c.breaker_until <= sync_now()
    RETURNING c.system_id)
SELECT seen.open AND seen.breaker = 'closed', EXISTS (SELECT 1 FROM probe) FROM seen
"""
_SETTLE = """
UPDATE channels_channel SET
    failures_in_a_row = CASE WHEN %(failed)s THEN failures_in_a_row + 1 ELSE 0 END,
    breaker = CASE WHEN NOT %(failed)s THEN 'closed'
                   WHEN breaker <> 'closed' OR failures_in_a_row + 1 >= %(limit)s THEN 'open' ELSE breaker END,
    breaker_until = CASE WHEN NOT %(failed)s THEN NULL
                         WHEN breaker <> 'closed' OR failures_in_a_row + 1 >= %(limit)s
                         THEN sync_now() + make_interval(secs => %(pause)s) ELSE breaker_until END,
    last_ack_at = CASE WHEN %(acked)s THEN sync_now() ELSE last_ack_at END
WHERE system_id = %(channel)s
  AND (%(failed)s OR %(acked)s OR failures_in_a_row > 0 OR breaker <> 'closed')
"""


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether requests may go out now; as a probe, exactly one may."""

    open: bool
    probe: bool = False


SHUT: Final = Gate(False)


def gate(channel_id: int, deadline_s: float) -> Gate:
    """Live, not asked to wait, and the breaker closed or ready for one probe (which is then ours)."""
    with connection.cursor() as cursor:
        cursor.execute(_GATE, {"channel": channel_id, "lease": lease_s(deadline_s)})
        row = cursor.fetchone()
    return Gate(bool(row[0] or row[1]), bool(row[1])) if row else SHUT


def settle(channel_id: int, *, failed: bool, acked: bool, failures: int) -> None:
    """Count one request. A failure is a request that proved nothing; a refusal is an answer."""
    pause_s = breaker_s(failures + 1)
    with connection.cursor() as cursor:
        cursor.execute(
            _SETTLE,
            {"channel": channel_id, "failed": failed, "acked": acked, "limit": BREAKER_FAILURES, "pause": pause_s},
        )


def trip(channel_id: int, *, failures: int = BREAKER_FAILURES) -> None:
    """Leave the channel alone at once: what is wrong (credentials, settings) is wrong with every request."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_channel SET breaker = 'open', failures_in_a_row = greatest(failures_in_a_row, %s), "
            "breaker_until = sync_now() + make_interval(secs => %s) WHERE system_id = %s",
            [failures, breaker_s(failures), channel_id],
        )


def pause(channel_id: int, retry_after_s: float) -> float:
    """The channel asked us to slow down: nobody calls it until then. Returns the pause with its jitter."""
    wait_s = (retry_after_s or backoff_s(1)) + backoff_s(1) / 10
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_channel SET not_before = greatest(not_before, sync_now() + make_interval(secs => %s)) "
            "WHERE system_id = %s",
            [wait_s, channel_id],
        )
    return wait_s
