"""What became of an event: its status, what blocks it and what it changed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.db import connection

from apps.access.api.renderers import instant
from apps.lib.errors import Problem
from apps.lib.quantity import plain

STATUSES = ("pending", "processed", "blocked", "replaying", "superseded", "ignored", "quarantined", "rejected")
ORIGIN = "inbox"

_REPLAYING = (
    "EXISTS (SELECT 1 FROM exceptions_blockedrecord b"
    " WHERE b.origin = 'inbox' AND b.origin_id = m.id AND b.state = 'replaying')"
)
_STATUS = (
    f"CASE WHEN m.state IN ('pending', 'blocked', 'quarantined') AND {_REPLAYING} THEN 'replaying' ELSE m.state END"
)


@dataclass(frozen=True, slots=True)
class EventRow:
    """One line of the list of events."""

    message_id: int
    source: str
    event_id: str
    type: str
    status: str
    received_at: datetime

    def as_json(self) -> dict[str, object]:
        return {
            "source": self.source,
            "id": self.event_id,
            "type": self.type,
            "status": self.status,
            "received_at": self.received_at,
            "url": event_url(self.source, self.event_id),
        }


def event_url(source: str, event_id: str) -> str:
    return f"/api/v1/events/{source}/{quote(event_id, safe='')}"


def lineage_url(source: str, event_id: str) -> str:
    return f"/api/v1/lineage/{source}/{quote(event_id, safe='')}"


def fate_of(source: str, event_id: str) -> dict[str, object] | None:
    """The answer of GET /events/{source}/{id}; None where no such event ever came."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT m.id, m.type, {_STATUS}, m.happened_at, m.received_at, m.effects"
            " FROM sources_inboxmessage m JOIN masterdata_system y ON y.id = m.source_id"
            " WHERE y.code = %s AND m.event_id = %s",
            [source, event_id],
        )
        row = cursor.fetchone()
    if row is None:
        return _rejected_fate(source, event_id)
    message_id, type_, status, happened_at, received_at, effects = row
    return {
        "source": source,
        "id": event_id,
        "type": type_,
        "status": status,
        "time": happened_at,
        "received_at": received_at,
        "blocked_by": blocked_by(message_id),
        "effects": stock_effects(message_id) + _decoded(effects),
        "lineage_url": lineage_url(source, event_id),
    }


def blocked_by(message_id: int) -> list[dict[str, object]]:
    """The causes an event waits for, by line."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.reason, c.id, b.line, b.detail FROM exceptions_blockedrecord b"
            " JOIN exceptions_cause c ON c.id = b.cause_id"
            " WHERE b.origin = %s AND b.origin_id = %s AND b.state IN ('open', 'replaying') ORDER BY b.id",
            [ORIGIN, message_id],
        )
        return [
            {"reason": reason, "cause_id": cause_id, **({"line": line} if line else {}), "detail": detail}
            for reason, cause_id, line, detail in cursor.fetchall()
        ]


def stock_effects(message_id: int) -> list[dict[str, object]]:
    """The ledger rows an event booked; `change` is what happened to on hand, in base units."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.kind, i.sku, w.code, s.on_hand_delta, s.held_delta, s.unbacked_delta, s.generation, s.line"
            " FROM inventory_stockmovement s JOIN masterdata_item i ON i.id = s.item_id"
            " JOIN masterdata_warehouse w ON w.id = s.warehouse_id WHERE s.message = %s ORDER BY s.id",
            [message_id],
        )
        return [
            {
                "kind": kind,
                "subject": f"{sku} at {warehouse}",
                "change": plain(on_hand),
                "generation": generation,
                "sku": sku,
                "warehouse": warehouse,
                "held_change": plain(held),
                "picked_change": plain(unbacked),
                **({"line": line} if line else {}),
            }
            for kind, sku, warehouse, on_hand, held, unbacked, generation, line in cursor.fetchall()
        ]


def newest(
    *,
    source: str | None,
    status: str | None,
    type_: str | None,
    sources: frozenset[str],
    before: int | None,
    limit: int,
) -> Sequence[EventRow]:
    """Accepted events, newest first; `sources` limits them to those a caller may see."""
    if status is not None and status not in STATUSES:
        raise Problem(400, "invalid", f"status is {status[:40]!r}; it is one of {', '.join(STATUSES)}.")
    wanted: list[tuple[str, object]] = [
        ("y.code = %s", source),
        ("m.type = %s", type_),
        ("m.id < %s", before),
        (f"{_STATUS} = %s", status),
        ("y.code = ANY(%s)", sorted(sources) or None),
    ]
    conditions = [text for text, value in wanted if value is not None]
    values: list[Any] = [value for _, value in wanted if value is not None]
    where = " AND ".join(conditions) or "true"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT m.id, y.code, m.event_id, m.type, {_STATUS}, m.received_at FROM sources_inboxmessage m"
            f" JOIN masterdata_system y ON y.id = m.source_id WHERE {where} ORDER BY m.id DESC LIMIT %s",
            [*values, limit],
        )
        return [EventRow(*row) for row in cursor.fetchall()]


def _rejected_fate(source: str, event_id: str) -> dict[str, object] | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT code, detail, received_at FROM sources_rejectedmessage"
            " WHERE source = %s AND event_id = %s ORDER BY id DESC LIMIT 1",
            [source, event_id],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    code, detail, received_at = row
    return {
        "source": source,
        "id": event_id,
        "type": "",
        "status": "rejected",
        "time": None,
        "received_at": received_at,
        "blocked_by": [],
        "effects": [],
        "rejected": {"code": code, "detail": detail, "at": instant(received_at)},
        "lineage_url": lineage_url(source, event_id),
    }


def _decoded(effects: Any) -> list[dict[str, object]]:
    value = json.loads(effects) if isinstance(effects, str) else effects
    return list(value or [])
