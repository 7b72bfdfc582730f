"""A small world for prices: units, items and books, made through the owning apps' own doors."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from apps.masterdata.models import Item, ItemUnit, Unit
from apps.pricing.entries import NewPrice, PriceOutcome, set_prices
from apps.pricing.models import PriceBook, PriceEntry

HAPPENED = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class World:
    each: Unit
    case: Unit
    item: Item
    other: Item
    book: PriceBook

    def price(self, amount: str | None, start: datetime | date | None = None, **more: object) -> NewPrice:
        fields: dict[str, object] = {
            "book_id": self.book.pk,
            "unit_id": self.each.pk,
            "item_id": self.item.pk,
            "currency": self.book.currency,
            "amount": None if amount is None else Decimal(amount),
            "happened_at": HAPPENED,
            "effective_from": start,
            **more,
        }
        return NewPrice(**fields)  # type: ignore[arg-type]

    def set(self, amount: str | None, start: datetime | date | None = None, **more: object) -> PriceOutcome:
        return set_prices([self.price(amount, start, **more)])[0]

    def current(self, **only: object) -> list[str]:
        """Each current entry as "amount from..to vN", days only."""
        rows = PriceEntry.objects.filter(superseded_at=None, **only).order_by("item", "valid_from", "unit")
        return [shown(row) for row in rows]


def shown(row: PriceEntry) -> str:
    def day(instant: datetime | None) -> str:
        if instant is None:
            return ""
        midnight = (instant.hour, instant.minute) == (0, 0)
        return instant.date().isoformat() if midnight else instant.isoformat(timespec="minutes").replace("+00:00", "Z")

    return f"{row.amount.normalize():f} {day(row.valid_from)}..{day(row.valid_to)} v{row.version}"


@pytest.fixture
def world(db: None) -> World:
    each = Unit.objects.create(code="EACH", name="Each")
    case = Unit.objects.create(code="CASE", name="Case")
    item = Item.objects.create(sku="A-1", name="Valve", base_unit=each, family="VALVES", category="PARTS")
    other = Item.objects.create(sku="B-2", name="Pump", base_unit=each, family="PUMPS", category="PARTS")
    ItemUnit.objects.create(item=item, unit=case, numerator=12)
    book = PriceBook.objects.create(code="LIST", level="list", currency="USD")
    return World(each, case, item, other, book)


@pytest.fixture
def make_book(world: World) -> Callable[..., PriceBook]:
    def make(code: str, level: str = "list", **fields: object) -> PriceBook:
        return PriceBook.objects.create(**{"code": code, "level": level, "currency": "USD", **fields})

    return make
