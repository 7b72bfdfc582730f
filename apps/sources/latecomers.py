"""Partial upserts that came before the record they change: tried again once the record is there."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from django.db import connection

from apps.exceptions import triage
from apps.sources.claims import ORIGIN, SETTLED_BY
from apps.sources.received import Outcome, Received

# How masterdata and pricing call the rule that a new record needs a field (apps/masterdata/rows.py).
_RULE = "required"


def replay_early(messages: Mapping[int, Received], outcomes: Iterable[Outcome]) -> None:
    """Replay what was blocked because a record was new, if it was made just now; one read where none was."""
    created: dict[str, set[str]] = defaultdict(set)
    for outcome in outcomes:
        for effect in outcome.effects:
            if effect.get("change") == "created":
                created[messages[outcome.message_id].type].add(str(effect["subject"]))
    if not created:
        return
    pairs = [(type_, code) for type_, codes in created.items() for code in sorted(codes)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.id, array_agg(b.id) FROM exceptions_cause c"
            " JOIN exceptions_blockedrecord b ON b.cause_id = c.id AND b.state = 'open'"
            " JOIN unnest(%s::text[], %s::text[]) AS made (type, code)"
            "   ON made.type = c.entity_type AND made.code = b.subject"
            " WHERE c.reason = 'SCHEMA_VIOLATION' AND c.value = %s AND b.origin = %s GROUP BY c.id ORDER BY c.id",
            [[type_ for type_, _ in pairs], [code for _, code in pairs], _RULE, ORIGIN],
        )
        waiting = cursor.fetchall()
    for cause_id, record_ids in waiting:
        triage.request_replay(cause_id, by=SETTLED_BY, reason="the record is there now", record_ids=record_ids)
