"""Positions that changed since the planner last took them: marked in the writing transaction, cleared by generation."""

from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection
from django.db.backends.utils import CursorWrapper

from apps.lib.postgres_text import plain_array

# The first mark's time stays: it is how long the change has waited. And no index changes (HOT).
_MARK = """
INSERT INTO inventory_stockdirty (position_id, generation, marked_at)
SELECT position, generation, sync_now() FROM unnest(%s::bigint[], %s::bigint[]) AS mark (position, generation)
ON CONFLICT (position_id) DO UPDATE SET generation = excluded.generation
"""
_TAKE = """
SELECT mark.position_id, stock.item_id, stock.warehouse_id, mark.generation
FROM inventory_stockdirty mark JOIN inventory_stockposition stock ON stock.id = mark.position_id
ORDER BY mark.marked_at, mark.position_id LIMIT %s
"""
_CLEAR = """
DELETE FROM inventory_stockdirty mark
USING unnest(%s::bigint[], %s::bigint[]) AS done (position, generation)
WHERE mark.position_id = done.position AND mark.generation = done.generation
"""


class DirtyPosition(NamedTuple):
    """A position to plan again, at the generation that was read."""

    position_id: int
    item_id: int
    warehouse_id: int
    generation: int


def mark(cursor: CursorWrapper, generations: Sequence[tuple[int, int]]) -> None:
    """Mark (position, generation) pairs; called in the transaction that wrote them, under the positions' locks."""
    if generations:
        cursor.execute(_MARK, _columns(generations))


def take(limit: int) -> list[DirtyPosition]:
    """The longest-waiting marks. They stay until `clear` deletes them at exactly this generation."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [limit])
        return [DirtyPosition(*row) for row in cursor.fetchall()]


def clear(done: Sequence[tuple[int, int]]) -> int:
    """Delete the marks whose generation is still the one that was planned; a newer one stays. Returns how many."""
    if not done:
        return 0
    ordered = sorted(done)
    with connection.cursor() as cursor:
        cursor.execute(_CLEAR, _columns(ordered))
        return int(cursor.rowcount)


def _columns(generations: Sequence[tuple[int, int]]) -> list[str]:
    return [plain_array([key for key, _ in generations]), plain_array([value for _, value in generations])]
