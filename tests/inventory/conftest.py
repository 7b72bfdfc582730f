"""A small distributor: two warehouses, two systems, items in eaches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from django.db import transaction

from apps.inventory.models import StockPosition
from apps.inventory.movements import NewMovement, Recorded, record
from apps.masterdata.models import Item, System, Unit, Warehouse

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass
class Distributor:
    each: Unit
    erp: System
    wms: System
    main: Warehouse
    north: Warehouse
    item: Item
    other: Item
    messages: Iterator[int] = field(default_factory=lambda: count(1))

    def fact(self, kind: str, quantity: str | int, **given: object) -> NewMovement:
        """A movement of `item` in `main` by the WMS, unless said otherwise; each has a message of its own."""
        message = next(self.messages)
        amount = Decimal(quantity)
        fields: dict[str, object] = {
            "message": message,
            "line": "",
            "recorded_at": START,
            "source_id": self.wms.pk,
            "sequence": message,
            "item_id": self.item.pk,
            "warehouse_id": self.main.pk,
            "kind": kind,
            "quantity": amount,
            "unit_id": self.each.pk,
            "base_quantity": amount,
            "happened_at": START + timedelta(minutes=message),
        }
        return NewMovement(**{**fields, **given})  # type: ignore[arg-type]

    def book(self, kind: str, quantity: str | int, **given: object) -> Recorded:
        return record([self.fact(kind, quantity, **given)])[0]

    def position(self, item: Item | None = None, warehouse: Warehouse | None = None) -> StockPosition:
        return StockPosition.objects.get(item=item or self.item, warehouse=warehouse or self.main)

    def numbers(self) -> tuple[Decimal, Decimal]:
        """(on hand, available) of the item in the main warehouse."""
        position = self.position()
        return position.on_hand, position.available


def make_distributor() -> Distributor:
    each = Unit.objects.create(code="EA", name="Each")
    return Distributor(
        each=each,
        erp=System.objects.create(code="erp", name="ERP"),
        wms=System.objects.create(code="wms", name="WMS"),
        main=Warehouse.objects.create(code="MAIN", name="Main"),
        north=Warehouse.objects.create(code="NORTH", name="North", priority=200),
        item=Item.objects.create(sku="AB-1", name="Bolt", base_unit=each),
        other=Item.objects.create(sku="AB-2", name="Nut", base_unit=each),
    )


@contextmanager
def undone() -> Iterator[None]:
    """Roll back what the block wrote, so that each generated example starts from nothing."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def shop(db: None) -> Distributor:
    return make_distributor()
