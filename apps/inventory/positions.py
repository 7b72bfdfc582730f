"""Stock positions under lock: created on first use, read, and written once per batch."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import orjson
from django.db.backends.utils import CursorWrapper

from apps.inventory.effects import Position, Snapshot
from apps.inventory.picks import Key, PickSums
from apps.lib.postgres_text import plain_array, text_array

Place = tuple[int, int]  # (item, warehouse)

_CREATE = """
INSERT INTO inventory_stockposition
    (item_id, warehouse_id, on_hand, held, allocated, reserved, unbacked, shortfall, generation, watermarks)
SELECT place.item, place.warehouse, 0, 0, 0, 0, 0, 0, 0, '{}'
FROM unnest(%s::bigint[], %s::bigint[]) AS place (item, warehouse)
WHERE NOT EXISTS (
    SELECT 1 FROM inventory_stockposition known
    WHERE known.item_id = place.item AND known.warehouse_id = place.warehouse)
ORDER BY place.item, place.warehouse
ON CONFLICT (item_id, warehouse_id) DO NOTHING
"""
_LOCK = """
SELECT stock.item_id, stock.warehouse_id, stock.id, stock.generation, stock.on_hand, stock.held,
       stock.watermarks::text, stock.counted_by_id, stock.held_counted_by_id
FROM inventory_stockposition stock
JOIN unnest(%s::bigint[], %s::bigint[]) AS place (item, warehouse)
  ON stock.item_id = place.item AND stock.warehouse_id = place.warehouse
ORDER BY stock.id
FOR NO KEY UPDATE OF stock
"""
_SNAPSHOTS = "SELECT id, as_of, watermarks::text FROM inventory_stockcount WHERE id = ANY(%s)"
_PICKS = """
SELECT position_id, "order", order_line, picked, unpicked, shipped, first_at, ended_at
FROM inventory_openpick WHERE position_id = ANY(%(any)s::bigint[]) AND (open > 0 OR "order" = '')
UNION
SELECT known.position_id, known."order", known.order_line, picked, unpicked, shipped, first_at, ended_at
FROM inventory_openpick known
JOIN unnest(%(positions)s::bigint[], %(orders)s::text[]) AS asked (position, code)
  ON known.position_id = asked.position AND known."order" = asked.code
"""
# HOT: no column of an index changes. A fact may take what is available below zero, and then says by how much.
_UPDATE = """
UPDATE inventory_stockposition stock SET
    on_hand = stock.on_hand + change.on_hand,
    held = stock.held + change.held,
    unbacked = stock.unbacked + change.unbacked,
    shortfall = greatest(0, stock.held + change.held + stock.allocated + stock.reserved + stock.unbacked
                            + change.unbacked - stock.on_hand - change.on_hand),
    generation = change.generation,
    as_of = greatest(stock.as_of, change.as_of),
    watermarks = change.watermarks::jsonb
FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[], %s::bigint[], %s::timestamptz[], %s::text[])
    AS change (id, on_hand, held, unbacked, generation, as_of, watermarks)
WHERE stock.id = change.id
"""
_WRITE_PICKS = """
INSERT INTO inventory_openpick AS known
    (position_id, "order", order_line, picked, unpicked, shipped, first_at, ended_at)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::numeric[], %s::numeric[], %s::numeric[],
                     %s::timestamptz[], %s::timestamptz[])
ON CONFLICT (position_id, "order", order_line) DO UPDATE SET
    picked = excluded.picked, unpicked = excluded.unpicked, shipped = excluded.shipped,
    first_at = excluded.first_at, ended_at = excluded.ended_at
"""


def lock(cursor: CursorWrapper, places: Collection[Place]) -> dict[Place, Position]:
    """The positions of `places`, created where missing and locked in id order until the transaction ends.

    New ones are inserted first, in one fixed order and before any lock is taken, so that two batches never
    wait for each other in a circle.
    """
    ordered = sorted(places)
    arrays = [plain_array([place[0] for place in ordered]), plain_array([place[1] for place in ordered])]
    cursor.execute(_CREATE, arrays)
    cursor.execute(_LOCK, arrays)
    rows = cursor.fetchall()
    snapshots = _snapshots(cursor, {count for row in rows for count in row[7:] if count is not None})
    return {
        (item, warehouse): Position(
            key,
            generation,
            on_hand,
            held,
            watermarks=orjson.loads(watermarks),
            counted=snapshots.get(counted_by),
            held_counted=snapshots.get(held_by),
        )
        for item, warehouse, key, generation, on_hand, held, watermarks, counted_by, held_by in rows
    }


def read_picks(cursor: CursorWrapper, positions: Sequence[Position], asked: Iterable[tuple[int, str]]) -> None:
    """Give each position its open picks, and those of the orders asked for by (position id, order)."""
    wanted = sorted({(key, order) for key, order in asked if order})
    cursor.execute(
        _PICKS,
        {
            "any": plain_array(position.id for position in positions),
            "positions": plain_array(key for key, _ in wanted),
            "orders": text_array(order for _, order in wanted),
        },
    )
    picks = {position.id: position.picks for position in positions}
    for key, order, line, picked, unpicked, shipped, first_at, ended_at in cursor.fetchall():
        picks[key].add((order, line), PickSums(picked, unpicked, shipped, first_at, ended_at))


def write(cursor: CursorWrapper, positions: Sequence[Position]) -> None:
    """Write what a batch changed: the positions, their dirty marks and their open picks, one statement each."""
    touched = [position for position in positions if position.rows]
    if not touched:
        return
    cursor.execute(
        _UPDATE,
        [
            plain_array([position.id for position in touched]),
            plain_array([position.on_hand_change for position in touched]),
            plain_array([position.held_change for position in touched]),
            plain_array([position.unbacked_change for position in touched]),
            plain_array([position.generation for position in touched]),
            plain_array([position.as_of for position in touched]),
            text_array([orjson.dumps(position.watermarks).decode() for position in touched]),
        ],
    )
    _write_picks(cursor, [(p.id, key, sums) for p in touched for key, sums in p.picks.changed()])


def _write_picks(cursor: CursorWrapper, rows: Sequence[tuple[int, Key, PickSums]]) -> None:
    if not rows:
        return
    cursor.execute(
        _WRITE_PICKS,
        [
            plain_array([key for key, _, _ in rows]),
            text_array([order for _, (order, _), _ in rows]),
            text_array([line for _, (_, line), _ in rows]),
            plain_array([sums.picked for _, _, sums in rows]),
            plain_array([sums.unpicked for _, _, sums in rows]),
            plain_array([sums.shipped for _, _, sums in rows]),
            plain_array([sums.first_at for _, _, sums in rows]),
            plain_array([sums.ended_at for _, _, sums in rows]),
        ],
    )


def _snapshots(cursor: CursorWrapper, counts: Collection[int]) -> dict[int | None, Snapshot]:
    if not counts:
        return {}
    cursor.execute(_SNAPSHOTS, [sorted(counts)])
    rows: list[tuple[int, datetime, str]] = cursor.fetchall()
    return {key: Snapshot(as_of, orjson.loads(watermarks)) for key, as_of, watermarks in rows}
