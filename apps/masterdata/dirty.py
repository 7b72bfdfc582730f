"""Items whose selling changed since the planner last looked: marked by their writer, cleared by generation."""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from django.db import connection

# Fields of an item that change what its listings show: how much may be sold, in which unit, at which price.
SELLING: Final = frozenset({"kind", "status", "base_uom", "base_unit", "units", "components", "family", "category"})

_MARK = """
INSERT INTO masterdata_itemdirty AS mark (item_id, generation, marked_at)
SELECT item, 1, sync_now() FROM unnest(%s::bigint[]) AS item ORDER BY item
ON CONFLICT (item_id) DO UPDATE SET generation = mark.generation + 1
"""
# A conversion reaches every unit it is connected with, and by an item's own factors the rest of that item's units.
_ITEMS_OF_UNITS = """
WITH RECURSIVE reached (unit) AS (
    SELECT unnest(%s::bigint[])
    UNION
    SELECT CASE WHEN edge.unit_id = reached.unit THEN edge.to_unit_id ELSE edge.unit_id END
    FROM reached JOIN masterdata_unitconversion edge ON reached.unit IN (edge.unit_id, edge.to_unit_id)
)
SELECT id FROM masterdata_item WHERE base_unit_id IN (SELECT unit FROM reached)
UNION SELECT item_id FROM masterdata_itemunit WHERE unit_id IN (SELECT unit FROM reached)
"""
# A mark that is locked is being raised by a writer, who may wait for the planner: it is left, and taken again.
_CLEAR = """
WITH mine AS MATERIALIZED (
    SELECT mark.item_id FROM masterdata_itemdirty mark
    JOIN unnest(%s::bigint[], %s::bigint[]) AS done (item, generation)
      ON done.item = mark.item_id AND done.generation = mark.generation
    ORDER BY mark.item_id FOR UPDATE OF mark SKIP LOCKED
)
DELETE FROM masterdata_itemdirty mark USING mine WHERE mark.item_id = mine.item_id
"""


class DirtyItem(NamedTuple):
    """An item to plan again, at the generation that was read."""

    item_id: int
    generation: int


def mark(item_ids: Collection[int]) -> None:
    """Their listings are to be planned again; called in the transaction that changed them."""
    if item_ids:
        with connection.cursor() as cursor:
            cursor.execute(_MARK, [sorted(set(item_ids))])


def mark_units(unit_ids: Collection[int]) -> None:
    """The same for every item that a conversion of these units may reach."""
    with connection.cursor() as cursor:
        cursor.execute(_ITEMS_OF_UNITS, [sorted(unit_ids)])
        reached = [item for (item,) in cursor.fetchall()]
    mark(reached)


def take(limit: int) -> list[DirtyItem]:
    """The longest-waiting marks. They stay until `clear` deletes them at exactly this generation."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT item_id, generation FROM masterdata_itemdirty ORDER BY marked_at, item_id LIMIT %s", [limit]
        )
        return [DirtyItem(*row) for row in cursor.fetchall()]


def clear(done: Sequence[DirtyItem]) -> None:
    """Delete the marks whose generation is still the one that was planned; a newer one stays."""
    if done:
        with connection.cursor() as cursor:
            cursor.execute(_CLEAR, [[one.item_id for one in done], [one.generation for one in done]])
