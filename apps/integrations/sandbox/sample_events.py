"""What the sample's ERP and WMS say: events in the order they happened, with fixed ids."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from apps.integrations.sandbox import sample_partners as partners
from apps.integrations.sandbox.sample_catalogue import SampleItem
from apps.integrations.sandbox.sample_chance import chance

Event = dict[str, Any]

OPENED: Final = datetime(2024, 1, 8, 8, tzinfo=UTC)  # when the master data was set up
REPRICED: Final = datetime(2026, 1, 1, 6, tzinfo=UTC)
NEXT_PRICES_ON: Final = "2028-01-01"
COUNTED_BEFORE: Final = timedelta(days=7)
EUR_PERCENT: Final = 94
STOCKED: Final = {"DC-1": 100, "DC-2": 62, "DC-3": 71}  # percent of the goods a warehouse keeps
LINES_A_PART: Final = 500


@dataclass
class Sender:
    """One upstream system, numbering what it says. Ids are fixed by name, so that loading again adds nothing."""

    source: str
    _said: dict[str, int] = field(default_factory=dict)

    def say(self, event_type: str, data: Any, at: datetime, name: str = "", **attributes: str) -> Event:
        if not name:
            self._said[event_type] = self._said.get(event_type, 0) + 1
            name = f"{event_type}-{self._said[event_type]:05d}"
        return {
            "specversion": "1.0",
            "id": f"sample-{name}",
            "source": self.source,
            "type": event_type,
            "time": at.isoformat().replace("+00:00", "Z"),
            "data": data,
            **attributes,
        }


def master_data(erp: Sender, goods: Sequence[SampleItem]) -> Iterator[Event]:
    """Units, branches, warehouses, accounts, then items: kits and successors after what they name."""
    masters: tuple[tuple[str, Sequence[Event]], ...] = (
        ("unit", partners.UNITS),
        ("branch", partners.BRANCHES),
        ("warehouse", partners.WAREHOUSES),
        ("account", partners.accounts()),
    )
    for kind, records in masters:
        for data in records:
            yield erp.say(f"{kind}.upserted", data, OPENED, f"{kind}-{data['code']}")
    for item in goods:
        yield erp.say("item.upserted", _item(item), OPENED, f"item-{item.sku}")
    for item in goods:
        if item.replaced_by:
            follower = {"sku": item.sku, "status": item.status, "replaced_by": item.replaced_by}
            yield erp.say("item.upserted", follower, REPRICED, f"successor-{item.sku}")


def prices(erp: Sender, goods: Sequence[SampleItem]) -> Iterator[Event]:
    """Six books: two whole lists with a past and a future, three channel books, one branch book."""
    for terms in partners.BOOKS:
        yield erp.say("price_book.upserted", terms, OPENED, f"book-{terms['code']}")
    for book, percent in (("LIST-USD", 100), ("LIST-EUR", EUR_PERCENT)):
        lines = [line for item in goods for line in _list_lines(item, percent, book[-3:])]
        parts = [lines[first : first + LINES_A_PART] for first in range(0, len(lines), LINES_A_PART)]
        for number, part in enumerate(parts, 1):
            data = {"book": book, "as_of": _z(REPRICED), "complete": False, "lines": part}
            yield erp.say("price_list.counted", data, REPRICED, f"list-{book}-{number}")
    for book, currency, percent, every in (
        ("SHOP-WEB", "USD", 97, 3),
        ("MARKET-EU", "EUR", 108, 4),
        ("FEED-PARTNER", "USD", 90, 7),
        ("LIST-WEST", "USD", 103, 9),
    ):
        factor = percent * (EUR_PERCENT if currency == "EUR" else 100)
        for item in goods[::every]:
            data = {"book": book, "sku": item.sku, "uom": item.base, "currency": currency,
                    "amount": _money(item.list_cents * factor // 10_000), "effective_from": "2026-01-01"}  # fmt: skip
            yield erp.say("price.set", data, REPRICED, f"price-{book}-{item.sku}")


def stock(erp: Sender, goods: Sequence[SampleItem], today: datetime) -> Iterator[Event]:
    """One whole count per warehouse. Watermark 0: every movement with a sequence comes on top of it."""
    as_of = today - COUNTED_BEFORE
    for warehouse, percent in STOCKED.items():
        lines = []
        for item in goods:
            luck = chance(f"stock {warehouse} {item.sku}")
            if item.kind == "stock" and luck.randrange(100) < percent:
                quantity = str(_on_hand(item, luck.randrange(100)))
                lines.append({"sku": item.sku, "warehouse": warehouse, "quantity": quantity, "uom": item.base})
        parts = [lines[first : first + LINES_A_PART] for first in range(0, len(lines), LINES_A_PART)]
        for number, part in enumerate(parts, 1):
            data: Event = {
                "snapshot": f"sample-opening-{warehouse}",
                "part": number,
                "parts": len(parts),
                "rows": len(lines),
                "as_of": _z(as_of),
                "watermarks": {"erp": 0, "wms": 0},
                "complete": True,
                "warehouses": [warehouse],
                "lines": part,
            }
            yield erp.say("stock.counted", data, as_of, f"count-{warehouse}-{number}")


def movements(wms: Sender, goods: Sequence[SampleItem], today: datetime) -> Iterator[Event]:
    """A week of work in the warehouses: receipts, picks and their ships, returns, adjustments, holds."""
    busy = [item for item in goods if item.kind == "stock" and item.status == "active" and item.sku[-1] in "1357"]
    moves: list[dict[str, Any]] = []
    for number, item in enumerate(busy):
        luck = chance(f"move {item.sku}")
        here = {"sku": item.sku, "warehouse": "DC-1", "uom": item.base}
        order = {"order": f"SO-{70_001 + number}", "line": "1"}
        quantity = str(luck.randint(1, 4))
        moves.append({**here, "kind": "receipt", "quantity": str(luck.randint(20, 120)), "reference": f"PO-{number}"})
        moves.append({**here, **order, "kind": "pick", "quantity": quantity})
        if number % 4:
            moves.append({**here, **order, "kind": "ship", "quantity": quantity})
        if number % 9 == 0:
            moves.append({**here, "kind": "return", "quantity": "1", "condition": "inspect"})
        if number % 11 == 0:
            moves.append({**here, "kind": "adjustment", "quantity": "-1"})
        if number % 13 == 0:
            moves.append({**here, "kind": "hold", "quantity": "2"})
    step = (COUNTED_BEFORE - timedelta(hours=2)) / len(moves)
    for number, data in enumerate(moves, 1):
        at = today - COUNTED_BEFORE + timedelta(hours=1) + step * number
        yield wms.say("stock.moved", data, at, f"moved-{number:05d}", sequence=str(number), subject=data["sku"])


def _item(item: SampleItem) -> Event:
    factors = [{"uom": uom, "numerator": top, "denominator": bottom} for uom, top, bottom in item.units]
    identifiers = [{"scheme": "gtin", "value": item.gtin, "uom": item.base}] if item.gtin else []
    if item.case_gtin:
        identifiers.append({"scheme": "gtin", "value": item.case_gtin, "uom": "CASE"})
    if item.vendor_part:
        identifiers.append({"scheme": "vendor_part", "value": item.vendor_part, "party": item.brand})
    data: Event = {
        "sku": item.sku,
        "name": item.name,
        "kind": item.kind,
        "base_uom": item.base,
        "units": factors,
        "identifiers": identifiers,
        "brand": item.brand,
        "family": item.family,
        "category": item.category,
        # A successor comes later in the same line: the status follows in an event of its own.
        "status": "active" if item.replaced_by else item.status,
        "hazard_class": item.hazard_class or None,
        "cost": _money(item.list_cents * 62 // 100),
        "cost_currency": "USD",
    }
    if item.components:
        data["components"] = [{"sku": sku, "quantity": str(number), "uom": "EA"} for sku, number in item.components]
    return data


def next_price(item: SampleItem) -> bool:
    """Whether the list already names the item's price of NEXT_PRICES_ON."""
    return chance(f"next price {item.sku}").randrange(8) == 0


def _list_lines(item: SampleItem, percent: int, currency: str) -> Iterator[Event]:
    """The price of the years before, the present one, for some the next; breaks for what sells by the hundred."""
    now = max(1, item.list_cents * percent // 100)
    shared = {"sku": item.sku, "uom": item.base, "currency": currency}
    yield {**shared, "amount": _money(max(1, now * 95 // 100)), "effective_from": "2024-01-08",
           "effective_to": "2026-01-01"}  # fmt: skip
    rises = next_price(item)
    yield {**shared, "amount": _money(now), "effective_from": "2026-01-01",
           **({"effective_to": NEXT_PRICES_ON} if rises else {})}  # fmt: skip
    if rises:
        yield {**shared, "amount": _money(max(1, now * 104 // 100)), "effective_from": NEXT_PRICES_ON}
    luck = chance(f"price {item.sku}")
    if item.kind == "stock" and luck.randrange(3) == 0:
        for quantity, cut in (("10", 95), ("100", 88)):
            yield {**shared, "amount": _money(max(1, now * cut // 100)), "min_quantity": quantity,
                   "effective_from": "2026-01-01"}  # fmt: skip
    case = item.factor("CASE")
    if case is not None and luck.randrange(4) == 0:
        cents = max(1, now * 90 * case[0] // case[1] // 100)
        yield {**shared, "uom": "CASE", "amount": _money(cents), "effective_from": "2026-01-01"}


def _on_hand(item: SampleItem, roll: int) -> int:
    """Some nothing, many a little, few a lot; dear goods are kept in smaller numbers."""
    if roll < 6:
        return 0
    box = item.factor("BOX") or (10, 1)
    return 12 + roll * max(2, box[0] // box[1]) * (1 if item.list_cents > 2_000 else 6) // 2


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _z(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
