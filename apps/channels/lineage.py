"""From a send back to the facts behind it: the newest ledger row that each stock publication was planned from."""

import logging
from collections.abc import Sequence

from django.db import connection

from apps.channels.claims import Batch

log = logging.getLogger(__name__)

_MESSAGES = """
SELECT DISTINCT ON (i.publication_id) i.publication_id, m.message
FROM channels_plannedinput i
JOIN inventory_stockposition s ON s.id = i.subject
JOIN inventory_stockmovement m
  ON m.item_id = s.item_id AND m.warehouse_id = s.warehouse_id AND m.generation = i.generation
WHERE i.kind = 'stock' AND i.publication_id = ANY(%s)
  AND i.planned_at > sync_now() - interval '1 hour'
ORDER BY i.publication_id, i.id DESC
"""


def log_claims(channel: str, batches: Sequence[Batch]) -> None:
    """One line per request about to leave, naming the inbox messages behind its newest values."""
    if not batches or not log.isEnabledFor(logging.DEBUG):
        return
    behind = messages_behind([item.publication_id for batch in batches for item in batch.items if item.kind == "stock"])
    for batch in batches:
        messages = [behind[item.publication_id] for item in batch.items if item.publication_id in behind]
        log.debug("sending", extra={"channel": channel, "batch": str(batch.id), "messages": messages})


def messages_behind(publication_ids: Sequence[int]) -> dict[int, int]:
    """Publication → the inbox message of the newest movement it was planned from, within the last hour."""
    if not publication_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_MESSAGES, [list(publication_ids)])
        return dict(cursor.fetchall())
