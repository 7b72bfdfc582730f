"""Positions whose stock went below zero: a visible exception per position, gone when the stock is there again."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from apps.exceptions import triage
from apps.inventory.models import StockPosition
from apps.lib.errors import Block
from apps.lib.quantity import plain
from apps.masterdata.models import Item, System, Warehouse

ORIGIN = "position"
SETTLED_BY = "stock"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A position that `source` took below zero; `on_hand` is the negative number."""

    position_id: int
    source_id: int
    item_id: int
    warehouse_id: int
    on_hand: Decimal


def follow(fell: Sequence[Shortfall], rose: Sequence[int]) -> None:
    """Open NEGATIVE_STOCK for positions that fell below zero, settle it for those that came back.

    Called in the writing transaction, under the positions' locks.
    """
    if rose:
        triage.settle(ORIGIN, sorted(rose), by=SETTLED_BY)
    if fell:
        triage.block(_requests(fell))


def retry(origin_ids: Sequence[int]) -> None:
    """Look again at positions whose exception is replayed: what is still below zero blocks again."""
    short = StockPosition.objects.filter(pk__in=origin_ids, on_hand__lt=0).values_list(
        "pk", "item_id", "warehouse_id", "on_hand", "watermarks", "warehouse__movements_source_id"
    )
    codes = {code for *_, watermarks, _ in short for code in watermarks}
    systems = dict(System.objects.filter(code__in=codes).values_list("code", "pk"))
    still = [
        Shortfall(key, followed or min(systems[code] for code in watermarks), item, warehouse, on_hand)
        for key, item, warehouse, on_hand, watermarks, followed in short
        if followed or watermarks
    ]
    healed = sorted(set(origin_ids) - {found.position_id for found in still})
    if healed:
        triage.settle(ORIGIN, healed, by=SETTLED_BY)
    if still:
        triage.block(_requests(still))


def retry_waiting(limit: int = 1_000) -> int:
    """Look again at the positions whose replay was asked for; returns how many."""
    ids = triage.waiting(ORIGIN, limit)
    if ids:
        with transaction.atomic():
            retry(ids)
    return len(ids)


def _requests(short: Sequence[Shortfall]) -> list[triage.BlockRequest]:
    skus = dict(Item.objects.filter(pk__in={one.item_id for one in short}).values_list("pk", "sku"))
    codes = dict(Warehouse.objects.filter(pk__in={one.warehouse_id for one in short}).values_list("pk", "code"))
    sources = dict(System.objects.filter(pk__in={one.source_id for one in short}).values_list("pk", "code"))
    return [
        triage.BlockRequest(
            origin=ORIGIN,
            origin_id=one.position_id,
            block=_block(skus[one.item_id], codes[one.warehouse_id], one.on_hand),
            source=sources[one.source_id],
        )
        for one in short
    ]


def _block(sku: str, warehouse: str, on_hand: Decimal) -> Block:
    return Block(
        reason="NEGATIVE_STOCK",
        entity_type="warehouse",
        field="warehouse",
        value=warehouse,
        subject=sku,
        detail=(
            f"Item {sku} in warehouse {warehouse} has {plain(on_hand)} on hand: more went out than came in. "
            f"Count the position, or find the receipt that has not arrived."
        ),
    )
