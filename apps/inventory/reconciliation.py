"""Counts against the ledger: a snapshot is loaded whole, judged, and booked as one correction per position.

on hand = counted + the ledger's changes that the snapshot does not contain. Everything is set-based on a staging
table, so a million rows need a constant number of statements and no memory of ours.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from apps.inventory import mass_change, shortfalls
from apps.inventory.count_sql import (
    CLOSE_PICKS,
    COPY_LINES,
    CORRECT,
    CREATE_POSITIONS,
    DROP,
    EVIDENCE,
    FILL,
    KEEP_UNREAD,
    LOCK,
    MARK_DIRTY,
    MISSING,
    SIGN_CHANGES,
    STAGE,
    WRITE_LEDGER,
    WRITE_POSITIONS,
)
from apps.inventory.models import StockCount, StockCountPart
from apps.lib.errors import Block
from apps.masterdata.models import System, Warehouse

Measure = Literal["on_hand", "sellable"]


@dataclass(frozen=True, slots=True)
class CountPart:
    """One part of a snapshot as it arrived. `warehouse_ids` are those that `complete` covers (empty: those in it)."""

    source_id: int
    snapshot: str
    as_of: datetime
    complete: bool
    message: int
    recorded_at: datetime
    part: int = 1
    parts: int = 1
    watermarks: dict[str, int] | None = None
    warehouse_ids: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class LoadedPart:
    """`messages` are the inbox messages of all parts, in order, once the last has arrived; None before.

    `duplicate`: another message already brought this part, and this one is not looked at.
    """

    count_id: int
    state: str
    messages: tuple[int, ...] | None
    duplicate: bool = False


class CountLine(NamedTuple):
    """One counted row, in base units beside the quantity and unit as entered. `line` is unique in its message."""

    message: int
    line: str
    recorded_at: datetime
    item_id: int
    warehouse_id: int
    quantity: Decimal
    unit_id: int
    base_quantity: Decimal
    held: Decimal | None = None


@dataclass(frozen=True, slots=True)
class UnreadLine:
    """A line that could not be read. None: nobody knows yet which item, or which warehouse, it speaks of."""

    item_id: int | None = None
    warehouse_id: int | None = None


@dataclass(frozen=True, slots=True)
class CountResult:
    """What became of a count. `block` is set where it is held: the record that waits for approve or reject.

    `positions` were counted; of those `corrected` changed and `superseded` stand on a newer count. `missing` are
    the positions that a complete count does not name, `evidence` the lines of warehouses that follow another source.
    """

    state: str
    positions: int = 0
    corrected: int = 0
    missing: int = 0
    superseded: int = 0
    evidence: int = 0
    block: Block | None = None


def load_part(part: CountPart) -> LoadedPart:
    """Remember that a part arrived; the first one creates the count. Idempotent by (source, snapshot, part)."""
    with transaction.atomic():
        count, _ = StockCount.objects.get_or_create(
            source_id=part.source_id,
            snapshot=part.snapshot,
            defaults={
                "parts": part.parts,
                "as_of": part.as_of,
                "watermarks": part.watermarks or {},
                "complete": part.complete,
                "warehouses": list(part.warehouse_ids),
            },
        )
        count = StockCount.objects.select_for_update().get(pk=count.pk)
        known, _ = StockCountPart.objects.get_or_create(
            count=count, part=part.part, defaults={"message": part.message, "recorded_at": part.recorded_at}
        )
        messages = tuple(count.loaded.order_by("part").values_list("message", flat=True))
    duplicate = known.message != part.message
    return LoadedPart(count.pk, count.state, messages if len(messages) >= count.parts else None, duplicate)


def apply_count(
    count_id: int,
    lines: Iterable[CountLine],
    measure: Measure = "on_hand",
    *,
    unread: Collection[UnreadLine] = (),
) -> CountResult:
    """Book the snapshot's corrections, or hold it, in the caller's transaction.

    Give all lines of all parts, and an `unread` for each that could not be read. Every position an unread line may
    speak of keeps its number: its own where item and warehouse are known (also where other lines of that position
    could be read: their sum would be too low), any missing one of the warehouse where the item is not, any missing
    one of the item where the warehouse is not. Once no line is unread, the same count zeroes what is missing; a count
    of which nothing could be read concludes nothing.

    Safe to repeat: against the balance as of its watermark a snapshot that is booked
    already corrects by zero; lines that were blocked before are booked then. Locks the positions in id order.
    """
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        count = StockCount.objects.select_for_update().select_related("source").get(pk=count_id)
        if count.state == StockCount.State.REJECTED:
            return CountResult(count.state)
        known = _parameters(count, measure)
        _stage(cursor, lines)
        evidence = _count(cursor, EVIDENCE, known)
        missing = _stage_positions(cursor, count, known, unread)
        cursor.execute(CREATE_POSITIONS)
        cursor.execute(LOCK)
        cursor.execute(CORRECT, known)
        if not count.approved_by:  # again on a replay too: a line that can be read now may zero what was spared
            why = mass_change.judge(cursor)
            if why:
                return _held(count, why)
        return _book(cursor, count, known, evidence=evidence, missing=missing)


def _book(
    cursor: CursorWrapper, count: StockCount, known: dict[str, Any], *, evidence: int, missing: int
) -> CountResult:
    cursor.execute(CLOSE_PICKS, known)
    cursor.execute(SIGN_CHANGES)
    signs = cursor.fetchall()
    cursor.execute(WRITE_LEDGER, known)
    cursor.execute(WRITE_POSITIONS, known)
    cursor.execute(MARK_DIRTY)
    cursor.execute(
        "SELECT count(*), count(*) FILTER (WHERE changes AND NOT superseded), count(*) FILTER (WHERE superseded) "
        "FROM counted_position"
    )
    positions, corrected, superseded = cursor.fetchone()
    shortfalls.follow(
        [shortfalls.Shortfall(key, count.source_id, *place) for key, rose, *place in signs if not rose],
        [key for key, rose, *_ in signs if rose],
    )
    applied = positions == 0 or superseded < positions
    count.state = StockCount.State.APPLIED if applied else StockCount.State.SUPERSEDED
    cursor.execute(
        "UPDATE inventory_stockcount SET state = %s, applied_at = coalesce(applied_at, sync_now()) WHERE id = %s",
        [count.state, count.pk],
    )
    cursor.execute(DROP)
    return CountResult(count.state, positions, corrected, missing, superseded, evidence)


def _held(count: StockCount, why: str) -> CountResult:
    StockCount.objects.filter(pk=count.pk).update(state=StockCount.State.HELD, held_why=why)
    with connection.cursor() as cursor:
        cursor.execute(DROP)
    return CountResult(StockCount.State.HELD, block=mass_change.block(count, why))


def _stage(cursor: CursorWrapper, lines: Iterable[CountLine]) -> None:
    cursor.execute(DROP)
    cursor.execute(STAGE)
    with connection.wrap_database_errors, cursor.copy(COPY_LINES) as staging:
        for line in lines:
            staging.write_row(line)


def _stage_positions(
    cursor: CursorWrapper, count: StockCount, known: dict[str, Any], unread: Collection[UnreadLine]
) -> int:
    spared = {
        "spared_items": [line.item_id for line in unread],
        "spared_warehouses": [line.warehouse_id for line in unread],
    }
    cursor.execute(FILL)
    missing = 0
    if count.complete:
        covered = _covered(cursor, count, concludes_from_nothing=not unread)
        missing = _count(cursor, MISSING, {**known, **spared, "covered": covered})
    if unread:
        cursor.execute(KEEP_UNREAD, spared)
    cursor.execute("ANALYZE counted_position")
    return missing


def _covered(cursor: CursorWrapper, count: StockCount, *, concludes_from_nothing: bool) -> list[int]:
    """A complete count that names no warehouses covers those in it; an empty one those that follow its source."""
    cursor.execute("SELECT DISTINCT warehouse_id FROM counted_position")
    found = [key for (key,) in cursor.fetchall()]
    if not found and not concludes_from_nothing:
        return []
    if count.warehouses:
        return list(count.warehouses)
    return found or list(Warehouse.objects.filter(counts_source=count.source).values_list("pk", flat=True))


def _parameters(count: StockCount, measure: Measure) -> dict[str, Any]:
    systems = dict(System.objects.filter(code__in=count.watermarks).values_list("code", "pk"))
    last = count.loaded.order_by("message").values_list("message", "recorded_at").last()
    message, recorded_at = last if last else (0, count.as_of)
    known = {code: int(value) for code, value in count.watermarks.items() if code in systems}
    return {
        "count": count.pk,
        "source": count.source_id,
        "source_code": count.source.code,
        "as_of": count.as_of,
        "marked": [systems[code] for code in known],
        "marks": list(known.values()),
        "codes": list(known),
        "sellable": measure == "sellable",
        "message": message,
        "recorded_at": recorded_at,
    }


def _count(cursor: CursorWrapper, sql: str, parameters: dict[str, Any]) -> int:
    cursor.execute(sql, parameters)
    return int(cursor.rowcount)
