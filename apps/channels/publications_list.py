"""A channel's publications as people and the API see them: derived state, desired beside acknowledged and observed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection

STATES: Final = ("due", "in_flight", "unknown", "acknowledged", "confirmed", "drifted", "blocked")
PAGE_SIZE: Final = 50
EXPORT_MAX: Final = 200_000


@dataclass(frozen=True, slots=True)
class PublicationRow:
    """One promise; `state` follows from its versions and instants, it is stored nowhere."""

    id: int
    listing: str
    sku: str
    kind: str
    state: str
    desired: dict[str, Any]
    acked: dict[str, Any] | None
    observed: dict[str, Any] | None
    desired_version: int
    acked_version: int
    desired_at: datetime
    acked_at: datetime | None
    observed_at: datetime | None
    last_error: str
    cause_id: int | None


def publications_of(
    channel_id: int,
    *,
    state: str = "",
    kind: str = "",
    search: str = "",
    after: int = 0,
    limit: int = PAGE_SIZE,
) -> list[PublicationRow]:
    """In id order after `after`; `search` is a listing, a subject or a SKU, from its beginning."""
    conditions = ["p.channel_id = %(channel)s", "p.id > %(after)s"]
    if kind:
        conditions.append("p.kind = %(kind)s")
    if search:
        conditions.append("(p.subject ILIKE %(search)s OR g.external_id ILIKE %(search)s OR i.sku ILIKE %(search)s)")
    where = " AND ".join(conditions)
    outer = "WHERE state = %(state)s" if state else ""
    escaped = search.replace("\x00", "").replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    parameters: dict[str, int | str] = {
        "channel": channel_id,
        "after": after,
        "kind": kind,
        "state": state,
        "search": f"{escaped}%",
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM ({_ROWS} WHERE {where}) rows {outer} ORDER BY id LIMIT %(limit)s", parameters)
        return [_row(row) for row in cursor.fetchall()]


def counts_of(channel_id: int) -> Mapping[str, int]:
    """How many publications of the channel are in each state."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {STATE}, count(*) FROM channels_publication p WHERE p.channel_id = %s GROUP BY 1", [channel_id]
        )
        return dict(cursor.fetchall())


def _row(row: Sequence[Any]) -> PublicationRow:
    """The database hands jsonb over as text here."""
    values = [json.loads(text) if isinstance(text, str) else text for text in row[5:8]]
    return PublicationRow(*[*row[:5], *values, *row[8:]])


# The first that holds. A value that was acknowledged and is observed otherwise has drifted.
STATE: Final = """
CASE WHEN p.blocked_at IS NOT NULL THEN 'blocked'
     WHEN p.leased_until > sync_now() THEN 'in_flight'
     WHEN p.must_verify THEN 'unknown'
     WHEN p.desired_version > p.acked_version THEN 'due'
     WHEN p.observed IS NOT NULL AND p.observed_at >= p.acked_at AND p.observed <> p.acked THEN 'drifted'
     WHEN p.observed IS NOT NULL AND p.observed_at >= p.acked_at THEN 'confirmed'
     ELSE 'acknowledged' END"""

_ROWS: Final = f"""
SELECT p.id, coalesce(g.external_id, p.subject) AS listing, coalesce(i.sku, '') AS sku, p.kind, {STATE} AS state,
       p.desired, p.acked, p.observed, p.desired_version, p.acked_version, p.desired_at, p.acked_at, p.observed_at,
       p.last_error,
       (SELECT b.cause_id FROM exceptions_blockedrecord b
        WHERE b.origin = 'publication' AND b.origin_id = p.id AND b.state IN ('open', 'replaying')
        ORDER BY b.id LIMIT 1) AS cause_id
FROM channels_publication p
LEFT JOIN channels_listing g ON g.id = p.listing_id
LEFT JOIN masterdata_item i ON i.id = g.item_id"""
