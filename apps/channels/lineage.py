"""From a send back to the facts behind it: the newest ledger row that each stock publication was planned from."""

from collections.abc import Callable, Collection, Sequence

from django.db import connection

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


# Set by the wiring (sources are a layer beside this one): inbox messages → the trace ids they came under.
traces_of: Callable[[Collection[int]], Collection[str]] | None = None


def traces_behind(publication_ids: Sequence[int]) -> list[str]:
    """The correlation ids of the events behind the newest values of these publications."""
    if traces_of is None:
        return []
    return sorted(traces_of(set(messages_behind(publication_ids).values())))


def messages_behind(publication_ids: Sequence[int]) -> dict[int, int]:
    """Publication → the inbox message of the newest movement it was planned from, within the last hour."""
    if not publication_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_MESSAGES, [list(publication_ids)])
        return dict(cursor.fetchall())
