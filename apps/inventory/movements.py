"""Recording what happened to stock: ledger rows, the positions they move, and dirty marks, set by set."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from apps.inventory import dirty, positions, shortfalls
from apps.inventory.effects import PICKING, Effect, Position
from apps.lib.postgres_text import NULL, copy_text, plain_array
from apps.masterdata.models import System, Warehouse

ZERO = Decimal(0)
Key = tuple[int, str]

_KNOWN = """
SELECT booked.message, booked.line
FROM unnest(%s::timestamptz[], %s::bigint[]) AS asked (recorded_at, message)
JOIN LATERAL (
    SELECT ledger.message, ledger.line FROM inventory_stockmovement ledger
    WHERE ledger.recorded_at = asked.recorded_at AND ledger.message = asked.message OFFSET 0
) booked ON true
"""
LEDGER_COLUMNS = (
    "message, line, recorded_at, source_id, sequence, item_id, warehouse_id, kind, quantity, unit_id, base_quantity, "
    'on_hand_delta, held_delta, unbacked_delta, generation, happened_at, "order", order_line, lot, reference'
)
_COPY = f"COPY inventory_stockmovement ({LEDGER_COLUMNS}) FROM STDIN"
_EVIDENCE = """
INSERT INTO inventory_stockevidence
    (message, line, source_id, item_id, warehouse_id, kind, base_quantity, happened_at)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[],
                     %s::numeric[], %s::timestamptz[])
ON CONFLICT (message, line) DO NOTHING
"""


class NewMovement(NamedTuple):
    """One fact about stock, in base units beside the quantity and unit as entered.

    Only an adjustment may be negative. `recorded_at`, `message`, `line` identify it for ever. `falls_at` is its
    source's policy: whether on hand falls at the ship or at the pick.
    """

    message: int
    line: str
    recorded_at: datetime
    source_id: int
    sequence: int | None
    item_id: int
    warehouse_id: int
    kind: str
    quantity: Decimal
    unit_id: int
    base_quantity: Decimal
    happened_at: datetime
    order: str = ""
    order_line: str = ""
    lot: str = ""
    reference: str = ""
    condition: str = ""
    falls_at: str = "ship"


class Recorded(NamedTuple):
    """What became of one movement.

    `already`: it was booked before, and nothing changed. `evidence`: the warehouse follows another source.
    `shortfall` is how far the position's on hand is below zero after the batch. `unreleased` is what a release
    asked for beyond what was held.
    """

    message: int
    line: str
    status: Literal["applied", "already", "evidence"]
    position_id: int | None = None
    generation: int | None = None
    on_hand_delta: Decimal = ZERO
    shortfall: Decimal = ZERO
    unreleased: Decimal = ZERO


def record(movements: Sequence[NewMovement]) -> list[Recorded]:
    """Book the movements in the order given; the answers are in the same order.

    A constant number of statements, whatever the number of movements. Joins the caller's transaction. Holds the
    locks of the positions (taken in id order) until it ends, so record everything of a transaction in one call.
    Idempotent by (recorded_at, message, line). Opens and settles NEGATIVE_STOCK per position.
    """
    if not movements:
        return []
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        followed = _followed_sources({movement.warehouse_id for movement in movements})
        facts = [fact for fact in movements if followed[fact.warehouse_id] in (None, fact.source_id)]
        if len(facts) < len(movements):
            _keep_evidence(
                cursor, [fact for fact in movements if followed[fact.warehouse_id] not in (None, fact.source_id)]
            )
        booked = _book(cursor, facts) if facts else {}
        return [_recorded(movement, followed, booked) for movement in movements]


class _Booked(NamedTuple):
    position: Position
    effect: Effect


def _book(cursor: CursorWrapper, facts: Sequence[NewMovement]) -> dict[int, _Booked]:
    """Apply what is new under the positions' locks; the answers are by identity of the movement."""
    stock = positions.lock(cursor, {(fact.item_id, fact.warehouse_id) for fact in facts})
    new = list(_not_yet_booked(cursor, facts))
    if not new:
        return {}
    _read_picks(cursor, new, stock)
    codes = _source_codes({fact.source_id for fact in new})
    booked: dict[int, _Booked] = {}
    rows: list[str] = []
    for fact in new:
        position = stock[fact.item_id, fact.warehouse_id]
        effect = position.apply(fact, codes[fact.source_id])
        booked[id(fact)] = _Booked(position, effect)
        rows.append(_ledger_row(fact, effect))
    with connection.wrap_database_errors, cursor.copy(_COPY) as ledger:
        ledger.write("".join(rows))
    touched = [position for position in stock.values() if position.rows]
    positions.write(cursor, touched)
    dirty.mark(cursor, [(position.id, position.generation) for position in touched])
    _follow_shortfalls(new, booked)
    return booked


def _ledger_row(fact: NewMovement, effect: Effect) -> str:
    """LEDGER_COLUMNS in COPY's text format."""
    sequence = NULL if fact.sequence is None else fact.sequence
    return (
        f"{fact.message}\t{copy_text(fact.line)}\t{fact.recorded_at}\t{fact.source_id}\t{sequence}\t{fact.item_id}"
        f"\t{fact.warehouse_id}\t{fact.kind}\t{fact.quantity}\t{fact.unit_id}\t{fact.base_quantity}"
        f"\t{effect.on_hand}\t{effect.held}\t{effect.unbacked}\t{effect.generation}\t{fact.happened_at}"
        f"\t{copy_text(fact.order)}\t{copy_text(fact.order_line)}\t{copy_text(fact.lot)}\t{copy_text(fact.reference)}\n"
    )


def _not_yet_booked(cursor: CursorWrapper, facts: Sequence[NewMovement]) -> Iterator[NewMovement]:
    """Under the lock of a position nobody else can be booking the same fact: what is not there is new."""
    asked = sorted({(fact.recorded_at, fact.message) for fact in facts})
    cursor.execute(_KNOWN, [plain_array([at for at, _ in asked]), plain_array([message for _, message in asked])])
    seen: set[Key] = set(cursor.fetchall())
    for fact in facts:
        key = (fact.message, fact.line)
        if key not in seen:
            seen.add(key)
            yield fact


def _read_picks(cursor: CursorWrapper, facts: Sequence[NewMovement], stock: dict[positions.Place, Position]) -> None:
    picking = [
        (stock[fact.item_id, fact.warehouse_id], fact.order)
        for fact in facts
        if fact.kind in PICKING and fact.falls_at != "pick"
    ]
    if picking:
        concerned = {position.id: position for position, _ in picking}
        positions.read_picks(cursor, list(concerned.values()), [(position.id, order) for position, order in picking])


def _follow_shortfalls(facts: Sequence[NewMovement], booked: dict[int, _Booked]) -> None:
    fell: list[shortfalls.Shortfall] = []
    rose: list[int] = []
    last = {(fact.item_id, fact.warehouse_id): fact for fact in facts}
    for fact in last.values():
        position = booked[id(fact)].position
        after = position.on_hand + position.on_hand_change
        if after < 0 <= position.on_hand:
            fell.append(shortfalls.Shortfall(position.id, fact.source_id, fact.item_id, fact.warehouse_id, after))
        elif position.on_hand < 0 <= after:
            rose.append(position.id)
    shortfalls.follow(fell, rose)


def _recorded(movement: NewMovement, followed: dict[int, int | None], booked: dict[int, _Booked]) -> Recorded:
    found = booked.get(id(movement))
    if found is None:
        evidence = followed[movement.warehouse_id] not in (None, movement.source_id)
        return Recorded(movement.message, movement.line, "evidence" if evidence else "already")
    position, effect = found
    return Recorded(
        movement.message,
        movement.line,
        "applied",
        position.id,
        effect.generation,
        effect.on_hand,
        max(ZERO, -(position.on_hand + position.on_hand_change)),
        effect.unreleased,
    )


def _followed_sources(warehouses: Collection[int]) -> dict[int, int | None]:
    """Per warehouse the one source whose movements count there, or None: any source's."""
    return dict(Warehouse.objects.filter(pk__in=warehouses).values_list("pk", "movements_source_id"))


def _keep_evidence(cursor: CursorWrapper, facts: Sequence[NewMovement]) -> None:
    cursor.execute(
        _EVIDENCE,
        [
            [fact.message for fact in facts],
            [fact.line for fact in facts],
            [fact.source_id for fact in facts],
            [fact.item_id for fact in facts],
            [fact.warehouse_id for fact in facts],
            [fact.kind for fact in facts],
            [fact.base_quantity for fact in facts],
            [fact.happened_at for fact in facts],
        ],
    )


def _source_codes(sources: Collection[int]) -> dict[int, str]:
    return dict(System.objects.filter(pk__in=sources).values_list("pk", "code"))
