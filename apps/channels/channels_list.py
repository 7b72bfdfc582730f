"""How each channel stands: grade, health, and how many of its publications are in each state."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

from apps.channels.models import Channel
from apps.channels.publications_list import STATE


@dataclass(frozen=True, slots=True)
class ChannelState:
    code: str
    name: str
    state: str
    grade: str
    due: int
    unknown: int
    blocked: int
    drifted: int
    total: int
    oldest_due_at: datetime | None
    breaker: str
    breaker_until: datetime | None
    failures: int
    not_before: datetime | None
    last_ack_at: datetime | None
    last_error: str

    @property
    def is_failing(self) -> bool:
        return self.state == "live" and (self.breaker != Channel.Breaker.CLOSED or self.failures > 0)


def channel_states() -> list[ChannelState]:
    """Every channel with the number of its publications in each state; one query over the partial indexes."""
    with connection.cursor() as cursor:
        cursor.execute(_CHANNELS)
        return [ChannelState(*row) for row in cursor.fetchall()]


_CHANNELS: Final = f"""
SELECT y.code, y.name, c.state, c.grade,
       coalesce(p.due, 0), coalesce(p.unknown, 0), coalesce(p.blocked, 0), coalesce(p.drifted, 0),
       coalesce(p.total, 0), p.oldest_due_at,
       c.breaker, c.breaker_until, c.failures_in_a_row, c.not_before, c.last_ack_at, coalesce(p.last_error, '')
FROM channels_channel c
JOIN masterdata_system y ON y.id = c.system_id
LEFT JOIN (
    SELECT channel_id,
           count(*) FILTER (WHERE state IN ('due', 'in_flight')) AS due,
           count(*) FILTER (WHERE state = 'unknown') AS unknown,
           count(*) FILTER (WHERE state = 'blocked') AS blocked,
           count(*) FILTER (WHERE state = 'drifted') AS drifted,
           count(*) AS total,
           min(desired_at) FILTER (WHERE state IN ('due', 'in_flight', 'unknown')) AS oldest_due_at,
           max(last_error) FILTER (WHERE last_error <> '') AS last_error
    FROM (SELECT p.*, {STATE} AS state FROM channels_publication p) states
    GROUP BY channel_id) p ON p.channel_id = c.system_id
WHERE c.state <> 'retired'
ORDER BY y.code
"""
