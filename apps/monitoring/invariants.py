"""What must always hold, each as one query for the rows that break it; run every five minutes in production."""

from dataclasses import dataclass
from typing import Final

from django.db import connection


@dataclass(frozen=True, slots=True)
class Invariant:
    name: str
    breaks: str  # a query; each row it returns is a breach: (what, detail)


@dataclass(frozen=True, slots=True)
class Breach:
    invariant: str
    subject: str
    detail: str


INVARIANTS: Final = (
    Invariant(
        "a position is the sum of its ledger",
        """
        SELECT p.item_id || ' at ' || p.warehouse_id, p.on_hand || ' on hand, ledger says ' || coalesce(l.on_hand, 0)
        FROM inventory_stockposition p
        LEFT JOIN (SELECT item_id, warehouse_id, sum(on_hand_delta) AS on_hand, sum(held_delta) AS held
                   FROM inventory_stockmovement GROUP BY 1, 2) l USING (item_id, warehouse_id)
        WHERE p.on_hand <> coalesce(l.on_hand, 0) OR p.held <> coalesce(l.held, 0)
        """,
    ),
    Invariant(
        "open picks add up to what the position calls unbacked",
        """
        SELECT p.item_id || ' at ' || p.warehouse_id, p.unbacked || ' unbacked, picks say ' || coalesce(k.open, 0)
        FROM inventory_stockposition p
        LEFT JOIN (SELECT position_id, sum(open) AS open FROM inventory_openpick GROUP BY 1) k ON k.position_id = p.id
        WHERE p.unbacked <> coalesce(k.open, 0)
        """,
    ),
    Invariant(
        "no cause books twice",
        """
        SELECT message || ' ' || line, count(*) || ' ledger rows' FROM inventory_stockmovement
        WHERE kind <> 'count' GROUP BY message, line HAVING count(*) > 1
        """,
    ),
    Invariant(
        "a blocked message has an open record",
        """
        SELECT m.source_id || ' ' || m.event_id, 'blocked, but nothing waits in the queue' FROM sources_inboxmessage m
        WHERE m.state = 'blocked' AND NOT EXISTS (
            SELECT FROM exceptions_blockedrecord r
            WHERE r.origin = 'inbox' AND r.origin_id = m.id AND r.state IN ('open', 'replaying'))
        """,
    ),
    Invariant(
        "a quarantined message has an open record",
        """
        SELECT m.source_id || ' ' || m.event_id, 'quarantined, but nothing waits' FROM sources_inboxmessage m
        WHERE m.state = 'quarantined' AND NOT EXISTS (
            SELECT FROM exceptions_blockedrecord r
            WHERE r.origin = 'inbox' AND r.origin_id = m.id AND r.state IN ('open', 'replaying'))
        """,
    ),
    Invariant(
        "a cause counts its open records",
        """
        SELECT c.id::text, c.open_records || ' counted, ' || count(r.id) || ' there' FROM exceptions_cause c
        LEFT JOIN exceptions_blockedrecord r ON r.cause_id = c.id AND r.state IN ('open', 'replaying')
        GROUP BY c.id HAVING c.open_records <> count(r.id)
        """,
    ),
    Invariant(
        "a shortfall is what the promises lack",
        """
        SELECT item_id || ' at ' || warehouse_id, 'available ' || available || ', shortfall ' || shortfall
        FROM inventory_stockposition WHERE shortfall < greatest(0, -available)
        """,
    ),
    Invariant(
        "what is acknowledged was sent, and what was sent was desired",
        """
        SELECT id::text, acked_version || ' acked, ' || sent_version || ' sent, ' || desired_version || ' desired'
        FROM channels_publication WHERE acked_version > sent_version OR sent_version > desired_version
        """,
    ),
    Invariant(
        "every acknowledgement has the attempt that earned it",
        """
        SELECT p.id::text, 'version ' || p.acked_version || ' is acknowledged without an attempt'
        FROM channels_publication p
        WHERE p.acked_version > 0 AND p.acked_at > sync_now() - interval '60 days' AND NOT EXISTS (
            SELECT FROM channels_publicationattempt a WHERE a.publication_id = p.id
            AND a.version = p.acked_version AND a.outcome IN ('acknowledged', 'verified'))
        """,
    ),
)


def breaches(limit_each: int = 20) -> list[Breach]:
    """Every breach of every invariant; empty when all hold. In one snapshot, so that a running write cannot show."""
    found = []
    with connection.cursor() as cursor:
        for invariant in INVARIANTS:
            cursor.execute(f"SELECT * FROM ({invariant.breaks}) broken LIMIT {int(limit_each)}")
            found += [Breach(invariant.name, str(subject), str(detail)) for subject, detail in cursor.fetchall()]
    return found
