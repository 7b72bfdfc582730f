"""In which order items' availability changed: numbers given in one serialised step, so that a reader skips nothing.

A sequence would not do: of two writers the one with the higher number may commit first, and a reader that has seen it
never looks for the lower one. Here one runner at a time gives the numbers and commits before the next one begins.
"""

from collections.abc import Collection
from typing import NamedTuple

from django.db import connection

# A rule that is known already, of the item or of a kit's component, changes the answer when it begins to count.
_ADVANCE = """
INSERT INTO inventory_availabilityversion (item_id, version, recheck_at)
SELECT item.id, last.version + row_number() OVER (ORDER BY item.id),
       (SELECT min(rule.effective_from) FROM inventory_stockingrule rule
        WHERE rule.effective_from > sync_now() AND (rule.item_id = item.id OR rule.item_id IN (
            SELECT part.component_id FROM masterdata_itemcomponent part WHERE part.kit_id = item.id)))
FROM masterdata_item item, (SELECT coalesce(max(version), 0) AS version FROM inventory_availabilityversion) last
WHERE item.id = ANY(%s)
ON CONFLICT (item_id) DO UPDATE SET version = excluded.version, recheck_at = excluded.recheck_at
"""


class VersionedItem(NamedTuple):
    """An item at its latest version; 0 where nothing has changed since it was created."""

    item_id: int
    sku: str
    version: int


def advance(item_ids: Collection[int]) -> None:
    """Give these items new versions. The caller holds the planner's lock until its transaction ends."""
    if item_ids:
        with connection.cursor() as cursor:
            cursor.execute(_ADVANCE, [sorted(item_ids)])


def due(limit: int) -> list[int]:
    """Items whose answer changes by itself, now."""
    return _ids(
        "SELECT item_id FROM inventory_availabilityversion WHERE recheck_at <= sync_now() "
        "ORDER BY recheck_at, item_id LIMIT %s",
        [limit],
    )


def latest() -> int:
    """The highest version that is given."""
    return _ids("SELECT coalesce(max(version), 0) FROM inventory_availabilityversion", [])[0]


def after(version: int, limit: int) -> list[VersionedItem]:
    """The items that changed after `version`, oldest change first."""
    return _items("v.version > %s ORDER BY v.version LIMIT %s", [version, limit])


def every(last_item_id: int, limit: int) -> list[VersionedItem]:
    """All items in the order of their ids, from after `last_item_id` on."""
    return _items("item.id > %s ORDER BY item.id LIMIT %s", [last_item_id, limit])


def _items(which: str, parameters: list[int]) -> list[VersionedItem]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT item.id, item.sku, coalesce(v.version, 0) FROM masterdata_item item "
            f"LEFT JOIN inventory_availabilityversion v ON v.item_id = item.id WHERE {which}",
            parameters,
        )
        return [VersionedItem(*row) for row in cursor.fetchall()]


def _ids(sql: str, parameters: list[int]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [value for (value,) in cursor.fetchall()]
