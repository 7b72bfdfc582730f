"""The way of one event: its movements or prices, the first plan that had seen each, and that plan's acknowledgement.

Lineage is a query over rows that exist for their own sake; there is no second log to keep in step.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from apps.sources.models import InboxMessage


@dataclass(frozen=True, slots=True)
class Step:
    """One effect of the event: a stock position or price subject, and the generation the event gave it."""

    kind: str  # stock, price
    subject_id: int
    generation: int
    label: str
    change: str
    happened_at: datetime | None


@dataclass(frozen=True, slots=True)
class PlanStep:
    """Where one publication first took the effect into account, and how far that got."""

    kind: str
    subject_id: int
    channel: str
    listing: str
    publication_id: int
    planned_at: datetime
    version: int
    outcome: str  # unchanged, due, in_flight, unknown, blocked, acknowledged, confirmed
    value: dict[str, Any]
    attempt: int | None
    attempt_started_at: datetime | None
    acked_at: datetime | None
    confirmed_at: datetime | None


def steps_of(message: InboxMessage) -> list[Step]:
    """The stock movements of a message, in ledger order, then the prices it set."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVEMENTS, [message.pk])
        stock = [Step("stock", *row) for row in cursor.fetchall()]
    prices = [
        Step("price", effect["subject_id"], effect["generation"], effect["subject"], effect["change"], None)
        for effect in message.effects or []
        if effect.get("kind") == "price" and "subject_id" in effect
    ]
    return stock + prices


def plans_of(steps: list[Step]) -> list[PlanStep]:
    """For each step and publication the first plan that had seen its generation; one query."""
    if not steps:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            _PLANS,
            [[s.kind for s in steps], [s.subject_id for s in steps], [s.generation for s in steps]],
        )
        return [PlanStep(*(*row[:8], _decoded(row[8]), *row[9:])) for row in cursor.fetchall()]


_MOVEMENTS = """
SELECT p.id, m.generation, i.sku || ' at ' || w.code,
       m.kind || ' ' || trim_scale(m.quantity) || ' ' || u.code, m.happened_at
FROM inventory_stockmovement m
JOIN masterdata_item i ON i.id = m.item_id
JOIN masterdata_warehouse w ON w.id = m.warehouse_id
JOIN masterdata_unit u ON u.id = m.unit_id
JOIN inventory_stockposition p ON p.item_id = m.item_id AND p.warehouse_id = m.warehouse_id
WHERE m.message = %s
ORDER BY m.id
LIMIT 1000
"""

# `unchanged`: the plan before it had led to the same version, which had been acknowledged by then.
_PLANS = """
WITH step AS (
    SELECT DISTINCT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS s(kind, subject, generation)
), first_plan AS (
    SELECT DISTINCT ON (s.kind, s.subject, s.generation, n.publication_id)
           s.kind, s.subject, n.publication_id, n.id, n.planned_at, n.desired_version
    FROM step s
    JOIN channels_plannedinput n ON n.kind = s.kind AND n.subject = s.subject AND n.generation >= s.generation
    ORDER BY s.kind, s.subject, s.generation, n.publication_id, n.generation, n.id
)
SELECT f.kind, f.subject, y.code, coalesce(g.external_id, p.subject), p.id, f.planned_at, f.desired_version,
       CASE
         WHEN a.id IS NOT NULL AND a.finished_at <= f.planned_at THEN 'unchanged'
         WHEN a.id IS NOT NULL AND p.observed = p.acked AND p.observed_at >= a.finished_at THEN 'confirmed'
         WHEN a.id IS NOT NULL THEN 'acknowledged'
         WHEN p.blocked_at IS NOT NULL THEN 'blocked'
         WHEN p.leased_until > sync_now() THEN 'in_flight'
         WHEN p.must_verify THEN 'unknown'
         ELSE 'due'
       END,
       coalesce(a.value, p.desired), a.id, a.started_at, a.finished_at,
       CASE WHEN p.observed = p.acked AND p.observed_at >= a.finished_at THEN p.observed_at END
FROM first_plan f
JOIN channels_publication p ON p.id = f.publication_id
JOIN masterdata_system y ON y.id = p.channel_id
LEFT JOIN channels_listing g ON g.id = p.listing_id
LEFT JOIN LATERAL (
    SELECT a.id, a.value, a.started_at, a.finished_at
    FROM channels_publicationattempt a
    WHERE a.publication_id = p.id AND a.version >= f.desired_version AND a.outcome IN ('acknowledged', 'verified')
    ORDER BY a.version, a.fence
    LIMIT 1
) a ON true
ORDER BY y.code, p.subject
"""


def _decoded(value: str | dict[str, Any]) -> dict[str, Any]:
    """Django reads jsonb as text outside its own model fields."""
    found: dict[str, Any] = json.loads(value) if isinstance(value, str) else value
    return found
