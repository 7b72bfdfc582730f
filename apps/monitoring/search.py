"""Finding events by what a person has in hand: an event id, a subject, a SKU, or an order."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

FOUND_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class FoundEvent:
    message_id: int
    source: str
    event_id: str
    type: str
    subject: str
    state: str
    received_at: datetime


def events_matching(text: str, limit: int = FOUND_MAX) -> list[FoundEvent]:
    """Newest first: events of that id or subject, and those that moved stock of that SKU or order.

    Each way is one indexed look-up, or bounded by a limit of its own; with no text the newest events.
    """
    wanted = " ".join(text.replace("\x00", "").split())[:200]
    with connection.cursor() as cursor:
        if wanted:
            cursor.execute(_MATCHING, {"text": wanted, "limit": limit})
        else:
            cursor.execute(_NEWEST, {"limit": limit})
        return [FoundEvent(*row) for row in cursor.fetchall()]


_COLUMNS: Final = "m.id, y.code, m.event_id, m.type, m.subject, m.state, m.received_at"

_NEWEST: Final = f"""
SELECT {_COLUMNS} FROM sources_inboxmessage m JOIN masterdata_system y ON y.id = m.source_id
ORDER BY m.id DESC LIMIT %(limit)s
"""

# An event id is looked up within each source, because the unique index begins with it.
_MATCHING: Final = f"""
WITH found AS (
    (SELECT m.id FROM sources_source s
     JOIN sources_inboxmessage m ON m.source_id = s.system_id AND m.event_id = %(text)s)
    UNION
    (SELECT v.message FROM masterdata_item i JOIN inventory_stockmovement v ON v.item_id = i.id
     WHERE i.sku = %(text)s ORDER BY v.happened_at DESC LIMIT %(limit)s)
    UNION
    (SELECT b.origin_id FROM exceptions_blockedrecord b
     WHERE b.origin = 'inbox' AND b.subject = %(text)s ORDER BY b.id DESC LIMIT %(limit)s)
    UNION
    (SELECT r.id FROM (SELECT id, subject FROM sources_inboxmessage ORDER BY id DESC LIMIT 20000) r
     WHERE r.subject = %(text)s LIMIT %(limit)s)
)
SELECT {_COLUMNS} FROM found
JOIN sources_inboxmessage m ON m.id = found.id
JOIN masterdata_system y ON y.id = m.source_id
ORDER BY m.id DESC LIMIT %(limit)s
"""
