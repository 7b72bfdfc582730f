"""Counts that would change too much at once: held for a person, because absence is not deletion."""

from django.db.backends.utils import CursorWrapper

from apps.inventory.models import StockCount
from apps.lib.errors import Block
from apps.lib.quantity import plain

LEAST_POSITIONS = 20
ZEROED_SHARE = 30  # percent of the positions with stock in one counted warehouse
UNITS_CHANGE = 50  # percent of the units counted before

_JUDGE = """
SELECT warehouse.code, counted.*
FROM (
    SELECT warehouse_id,
           count(*) FILTER (WHERE balance > 0) AS stocked,
           count(*) FILTER (WHERE balance > 0 AND counted = 0) AS zeroed,
           count(*) FILTER (WHERE line NOT LIKE 'missing:%') AS named,
           sum(greatest(balance, 0)) AS before,
           sum(counted) AS after
    FROM counted_position WHERE NOT superseded GROUP BY warehouse_id
) counted
JOIN masterdata_warehouse warehouse ON warehouse.id = counted.warehouse_id
WHERE counted.stocked > 0
ORDER BY warehouse.code
"""


def judge(cursor: CursorWrapper) -> str:
    """Why the staged count must be held, in words, or an empty text. Reads counted_position after CORRECT."""
    cursor.execute(_JUDGE)
    rows = cursor.fetchall()
    if rows and not any(named for _, _, _, _, named, _, _ in rows):
        return f"it is empty, and {sum(row[2] for row in rows)} positions have stock"
    for code, _, stocked, zeroed, _, before, after in rows:
        if zeroed >= LEAST_POSITIONS and zeroed * 100 >= stocked * ZEROED_SHARE:
            return f"{zeroed} of {stocked} positions with stock in warehouse {code} would become 0"
        if abs(after - before) * 100 > before * UNITS_CHANGE:
            return f"the units in warehouse {code} would go from {plain(before)} to {plain(after)}"
    return ""


def block(count: StockCount, why: str) -> Block:
    """The record that waits: fixed by approve or reject, and replayed with its message."""
    return Block(
        reason="MASS_CHANGE_HELD",
        entity_type="count",
        field="snapshot",
        value=count.snapshot,
        subject=count.snapshot,
        detail=(
            f"Count {count.snapshot} of {count.source.code} was held: {why}. "
            f"Check the feed, then approve or reject the count."
        ),
        context={"count": str(count.pk)},
    )
