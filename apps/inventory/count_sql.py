"""The statements that book a counted snapshot, in the order in which reconciliation.py runs them."""

from typing import Final

DROP: Final = "DROP TABLE IF EXISTS counted_line, counted_position"
STAGE: Final = """
CREATE TEMPORARY TABLE counted_line (
    message bigint, line text, recorded_at timestamptz, item_id bigint, warehouse_id bigint,
    quantity numeric, unit_id bigint, base_quantity numeric, held numeric
) ON COMMIT DROP
"""
COPY_LINES: Final = "COPY counted_line FROM STDIN"

# Lines of a warehouse that follows another source's counts are kept as evidence and leave the count.
EVIDENCE: Final = """
WITH foreign_line AS (
    DELETE FROM counted_line line USING masterdata_warehouse warehouse
    WHERE warehouse.id = line.warehouse_id AND warehouse.counts_source_id <> %(source)s
    RETURNING line.*
)
INSERT INTO inventory_stockevidence
    (message, line, source_id, item_id, warehouse_id, kind, base_quantity, happened_at)
SELECT message, line, %(source)s, item_id, warehouse_id, 'count', base_quantity, %(as_of)s FROM foreign_line
ON CONFLICT (message, line) DO NOTHING
"""

# One row per position: several lines (lots, bins) are added up, and the first one's identity books the correction.
FILL: Final = """
CREATE TEMPORARY TABLE counted_position ON COMMIT DROP AS
SELECT (array_agg(message ORDER BY message, line))[1] AS message,
       (array_agg(line ORDER BY message, line))[1] AS line,
       (array_agg(recorded_at ORDER BY message, line))[1] AS recorded_at,
       item_id, warehouse_id,
       CASE WHEN min(unit_id) = max(unit_id) THEN sum(quantity) ELSE sum(base_quantity) END AS quantity,
       CASE WHEN min(unit_id) = max(unit_id) THEN min(unit_id) END AS unit_id,
       sum(base_quantity) AS counted, sum(held) AS held,
       NULL::bigint AS position_id, 0::bigint AS generation, 0::numeric AS balance,
       0::numeric AS on_hand_change, 0::numeric AS held_change, 0::numeric AS unbacked_change,
       false AS superseded, false AS changes
FROM counted_line GROUP BY item_id, warehouse_id
"""
MISSING: Final = """
INSERT INTO counted_position
    (message, line, recorded_at, item_id, warehouse_id, quantity, counted, generation, balance, on_hand_change,
     held_change, unbacked_change, superseded, changes)
SELECT %(message)s, 'missing:' || stock.id, %(recorded_at)s, stock.item_id, stock.warehouse_id, 0, 0, 0, 0, 0, 0, 0,
       false, false
FROM inventory_stockposition stock
JOIN masterdata_warehouse warehouse ON warehouse.id = stock.warehouse_id
WHERE stock.warehouse_id = ANY(%(covered)s)
  AND (warehouse.counts_source_id IS NULL OR warehouse.counts_source_id = %(source)s)
  AND NOT EXISTS (SELECT 1 FROM counted_position seen
                  WHERE seen.item_id = stock.item_id AND seen.warehouse_id = stock.warehouse_id)
  AND NOT EXISTS (SELECT 1 FROM unnest(%(spared_items)s::bigint[], %(spared_warehouses)s::bigint[])
                           AS unread (item, place)
                  WHERE coalesce(unread.item, stock.item_id) = stock.item_id
                    AND coalesce(unread.place, stock.warehouse_id) = stock.warehouse_id)
"""
# Where one line of a position could not be read, the sum of its other lines is too low to be booked.
KEEP_UNREAD: Final = """
DELETE FROM counted_position counted
USING unnest(%(spared_items)s::bigint[], %(spared_warehouses)s::bigint[]) AS unread (item, place)
WHERE counted.item_id = unread.item AND counted.warehouse_id = unread.place
"""
CREATE_POSITIONS: Final = """
INSERT INTO inventory_stockposition
    (item_id, warehouse_id, on_hand, held, allocated, reserved, unbacked, shortfall, generation, watermarks)
SELECT item_id, warehouse_id, 0, 0, 0, 0, 0, 0, 0, '{}' FROM counted_position counted
WHERE NOT EXISTS (SELECT 1 FROM inventory_stockposition known
                  WHERE known.item_id = counted.item_id AND known.warehouse_id = counted.warehouse_id)
ORDER BY item_id, warehouse_id
ON CONFLICT (item_id, warehouse_id) DO NOTHING
"""
LOCK: Final = """
SELECT count(*) FROM (
    SELECT stock.id FROM inventory_stockposition stock JOIN counted_position counted
      ON counted.item_id = stock.item_id AND counted.warehouse_id = stock.warehouse_id
    ORDER BY stock.id FOR NO KEY UPDATE OF stock
) locked
"""
_MARK: Final = "SELECT * FROM unnest(%(marked)s::bigint[], %(marks)s::bigint[]) AS mark (source_id, sequence)"

# `balance` is the on hand as of the watermark. A row is in the snapshot by the watermark of its own source;
# without one, when it happened no later than the count. Earlier corrections always are.
CORRECT: Final = f"""
WITH mark AS ({_MARK}), later AS (
    SELECT ledger.item_id, ledger.warehouse_id, sum(ledger.on_hand_delta) AS on_hand, sum(ledger.held_delta) AS held
    FROM inventory_stockmovement ledger LEFT JOIN mark ON mark.source_id = ledger.source_id
    WHERE ledger.kind <> 'count'
      AND ledger.warehouse_id IN (SELECT warehouse_id FROM counted_position)
      AND CASE WHEN mark.sequence IS NULL OR ledger.sequence IS NULL THEN ledger.happened_at > %(as_of)s
               ELSE ledger.sequence > mark.sequence END
    GROUP BY ledger.item_id, ledger.warehouse_id
)
UPDATE counted_position counted SET
    position_id = stock.id,
    generation = stock.generation + 1,
    balance = stock.on_hand - coalesce(later.on_hand, 0),
    on_hand_change = counted.counted + CASE WHEN %(sellable)s THEN coalesce(counted.held, stock.held) ELSE 0 END
                     - stock.on_hand + coalesce(later.on_hand, 0),
    held_change = CASE WHEN counted.held IS NULL THEN 0
                       ELSE greatest(0, counted.held + coalesce(later.held, 0)) - stock.held END,
    unit_id = coalesce(counted.unit_id, item.base_unit_id),
    superseded = coalesce(stock.counted_at > %(as_of)s, false)
FROM inventory_stockposition stock
JOIN masterdata_item item ON item.id = stock.item_id
LEFT JOIN later ON later.item_id = stock.item_id AND later.warehouse_id = stock.warehouse_id
WHERE stock.item_id = counted.item_id AND stock.warehouse_id = counted.warehouse_id
"""

# A pick that a watermark covers is off the counted number already. Also says which positions change at all.
CLOSE_PICKS: Final = f"""
WITH mark AS ({_MARK}), uncovered AS (
    SELECT pick.id, coalesce(sum(CASE WHEN ledger.kind = 'pick' THEN ledger.base_quantity
                                      ELSE -ledger.base_quantity END), 0) AS open
    FROM inventory_openpick pick
    JOIN counted_position counted ON counted.position_id = pick.position_id AND NOT counted.superseded
    LEFT JOIN inventory_stockmovement ledger
      ON ledger.item_id = counted.item_id AND ledger.warehouse_id = counted.warehouse_id
     AND ledger.kind IN ('pick', 'unpick', 'ship')
     AND ledger."order" = pick."order" AND ledger.order_line = pick.order_line
     AND NOT EXISTS (SELECT 1 FROM mark
                     WHERE mark.source_id = ledger.source_id AND ledger.sequence <= mark.sequence)
    WHERE pick.open > 0
    GROUP BY pick.id
), closed AS (
    UPDATE inventory_openpick pick SET unpicked = pick.unpicked + pick.open - greatest(0, uncovered.open)
    FROM uncovered WHERE uncovered.id = pick.id AND pick.open > greatest(0, uncovered.open)
    RETURNING pick.position_id, pick.id
), ended AS (
    SELECT closed.position_id, sum(before.open - greatest(0, uncovered.open)) AS quantity
    FROM closed JOIN uncovered ON uncovered.id = closed.id JOIN inventory_openpick before ON before.id = closed.id
    GROUP BY closed.position_id
)
UPDATE counted_position counted SET
    unbacked_change = -coalesce(ended.quantity, 0),
    changes = counted.on_hand_change <> 0 OR counted.held_change <> 0 OR coalesce(ended.quantity, 0) <> 0
FROM counted_position same LEFT JOIN ended ON ended.position_id = same.position_id
WHERE same.item_id = counted.item_id AND same.warehouse_id = counted.warehouse_id
"""
SIGN_CHANGES: Final = """
SELECT stock.id, stock.on_hand < 0, stock.item_id, stock.warehouse_id, stock.on_hand + counted.on_hand_change
FROM inventory_stockposition stock JOIN counted_position counted ON counted.position_id = stock.id
WHERE counted.changes AND NOT counted.superseded
  AND (stock.on_hand < 0) <> (stock.on_hand + counted.on_hand_change < 0)
"""
WRITE_LEDGER: Final = """
INSERT INTO inventory_stockmovement
    (message, line, recorded_at, source_id, sequence, item_id, warehouse_id, kind, quantity, unit_id, base_quantity,
     on_hand_delta, held_delta, unbacked_delta, generation, happened_at, "order", order_line, lot, reference)
SELECT message, line, recorded_at, %(source)s, NULL, item_id, warehouse_id, 'count', quantity, unit_id, counted,
       on_hand_change, held_change, unbacked_change, generation, %(as_of)s, '', '', '', ''
FROM counted_position WHERE changes AND NOT superseded
ORDER BY position_id
"""
WRITE_POSITIONS: Final = """
UPDATE inventory_stockposition stock SET
    on_hand = stock.on_hand + counted.on_hand_change,
    held = stock.held + counted.held_change,
    unbacked = stock.unbacked + counted.unbacked_change,
    shortfall = greatest(0, stock.held + counted.held_change + stock.allocated + stock.reserved + stock.unbacked
                            + counted.unbacked_change - stock.on_hand - counted.on_hand_change),
    generation = CASE WHEN counted.changes THEN counted.generation ELSE stock.generation END,
    as_of = greatest(stock.as_of, %(as_of)s),
    counted_at = %(as_of)s,
    counted_by_id = %(count)s,
    held_counted_by_id = CASE WHEN counted.held IS NULL THEN stock.held_counted_by_id ELSE %(count)s END,
    watermarks = jsonb_build_object(%(source_code)s::text, NULL) || stock.watermarks || coalesce((
        SELECT jsonb_object_agg(seen.code, greatest(seen.sequence, (stock.watermarks ->> seen.code)::bigint))
        FROM unnest(%(codes)s::text[], %(marks)s::bigint[]) AS seen (code, sequence)), '{}')
FROM counted_position counted
WHERE counted.position_id = stock.id AND NOT counted.superseded
"""
MARK_DIRTY: Final = """
INSERT INTO inventory_stockdirty (position_id, generation, marked_at)
SELECT position_id, generation, sync_now() FROM counted_position WHERE changes AND NOT superseded
ON CONFLICT (position_id) DO UPDATE SET generation = excluded.generation
"""
