"""The codes and units of one source's batch: loaded in a constant number of queries, then asked line by line."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from apps.lib.errors import Block, Blocked
from apps.lib.quantity import parse_decimal
from apps.masterdata.blocks import unusable_conversion
from apps.masterdata.conversion import ConversionError, UnitGraph
from apps.masterdata.resolving import Codes, Ignored, ItemRef, UnitRef, WarehouseRef, conversions
from apps.sources.received import Effect, Received, SourceRef

T = TypeVar("T")


class IgnoredCode(Exception):
    """A person decided that this code of this source is of no interest."""

    def __init__(self, ignored: Ignored) -> None:
        super().__init__(ignored.reason)
        self.ignored = ignored

    @property
    def effect(self) -> Effect:
        return {
            "kind": "ignored",
            "subject": f"{self.ignored.kind} {self.ignored.code}",
            "change": self.ignored.reason,
            "generation": None,
        }


class Quantity(NamedTuple):
    """A quantity as entered, and in base units."""

    entered: Decimal
    unit: UnitRef
    base: Decimal


class StockLine(NamedTuple):
    """Whose stock a line speaks of, where, and how much."""

    item: ItemRef
    warehouse: WarehouseRef
    quantity: Quantity


class Resolution:
    """What the codes of one source mean. `load` first; the questions raise Blocked or IgnoredCode."""

    def __init__(self, source: SourceRef) -> None:
        self.source = source
        self.codes = Codes(source.system_id, source.accepts_our_codes, source.folds_case)
        self._graphs: dict[int, UnitGraph] = {}

    def load(
        self,
        *,
        items: Iterable[str] = (),
        warehouses: Iterable[str] = (),
        units: Iterable[str] = (),
        price_books: Iterable[str] = (),
        graphs: bool = True,
    ) -> None:
        skus = set(items)
        self.codes.load(items=skus, warehouses=warehouses, units=units, price_books=price_books)
        found = (self.codes.item(sku) for sku in skus) if graphs else ()
        missing = {ref.id for ref in found if isinstance(ref, ItemRef)} - self._graphs.keys()
        if missing:
            self._graphs |= conversions(missing)

    def item(self, code: str, line: str = "") -> ItemRef:
        found = self.codes.item(code)
        if isinstance(found, Ignored):
            raise IgnoredCode(found)
        if found is None:
            raise Blocked(self.unknown("item", code, line, subject=code))
        return found

    def warehouse(self, code: str, line: str = "", *, subject: str = "") -> WarehouseRef:
        found = self.codes.warehouse(code)
        if isinstance(found, Ignored):
            raise IgnoredCode(found)
        if found is None:
            raise Blocked(self.unknown("warehouse", code, line, subject=subject))
        return found

    def unit(self, code: str, line: str = "", *, sku: str = "") -> UnitRef:
        found = self.codes.unit(code)
        if isinstance(found, Ignored):
            raise IgnoredCode(found)
        if found is None:
            raise Blocked(self.unknown("unit", code, line, subject=sku, context={"sku": sku} if sku else None))
        return found

    def stock_line(self, sku: str, warehouse: str, value: object, uom: str, line: str = "") -> StockLine:
        """The codes and the quantity of one line. Blocked names everything that is wrong with it, not the first only.

        A line with a code that is ignored is of no interest, whatever else it says.
        """
        try:
            known = self.item(sku, line)
            return StockLine(known, self.warehouse(warehouse, line), self.quantity(known, value, uom, line))
        except Blocked:
            return self._each_judged(sku, warehouse, value, uom, line)

    def _each_judged(self, sku: str, warehouse: str, value: object, uom: str, line: str) -> StockLine:
        """The line again, asking on after the first thing that is wrong."""
        item = self._or_block(lambda: self.item(sku, line))
        subject = sku if isinstance(item, Blocked) else item.sku
        place = self._or_block(lambda: self.warehouse(warehouse, line, subject=subject))
        if isinstance(item, Blocked):
            quantity: Quantity | UnitRef | Blocked = self._or_block(lambda: self.unit(uom, line, sku=subject))
        else:
            quantity = self._or_block(lambda: self.quantity(item, value, uom, line))
        wrong = [block for found in (item, place, quantity) if isinstance(found, Blocked) for block in found.blocks]
        if wrong:
            raise Blocked(*wrong)
        assert isinstance(item, ItemRef)
        assert isinstance(place, WarehouseRef)
        assert isinstance(quantity, Quantity)
        return StockLine(item, place, quantity)

    @staticmethod
    def _or_block(ask: Callable[[], T]) -> T | Blocked:
        try:
            return ask()
        except Blocked as blocked:
            return blocked

    def quantity(self, item: ItemRef, value: object, uom: str, line: str = "") -> Quantity:
        """The quantity in base units, exact."""
        unit = self.unit(uom, line, sku=item.sku)
        entered = parse_decimal(value)
        return Quantity(entered, unit, self._base(item, entered, unit.code, line))

    def in_base(self, item: ItemRef, value: object, uom: str | None) -> Decimal:
        """The quantity in base units; without `uom` it is one already."""
        unit = self.unit(uom, sku=item.sku).code if uom is not None else item.base_unit
        return self._base(item, parse_decimal(value), unit, "")

    def _base(self, item: ItemRef, entered: Decimal, uom: str, line: str) -> Decimal:
        try:
            return self._graphs[item.id].to_base(entered, uom)
        except ConversionError as error:
            block = unusable_conversion(
                error, sku=item.sku, base_uom=item.base_unit, line=line, subject=item.sku, uom=uom
            )
            raise Blocked(block) from error

    def unknown(
        self, kind: str, code: str, line: str = "", *, subject: str = "", context: dict[str, str] | None = None
    ) -> Block:
        return self.codes.unknown(kind, code, self.source.code, line, subject=subject, context=context)


def by_source(messages: Sequence[Received]) -> dict[SourceRef, list[Received]]:
    """The messages of each sender, in the order given."""
    groups: dict[SourceRef, list[Received]] = defaultdict(list)
    for message in messages:
        groups[message.source].append(message)
    return groups


def moment(text: str) -> datetime | date:
    """What was sent: an instant, or a plain date whose midnight depends on what it speaks of."""
    return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text.upper())


def instant_in(text: str, zone: str) -> datetime:
    """An instant as it is; a plain date is midnight in `zone`."""
    found = moment(text)
    if isinstance(found, datetime):
        return found
    return datetime.combine(found, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)
