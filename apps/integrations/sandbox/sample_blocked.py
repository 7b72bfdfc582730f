"""What goes wrong at the sample distributor: 600 events and positions that wait under 40 causes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle, islice
from typing import Any, Final

from apps.integrations.sandbox.sample_catalogue import SampleItem
from apps.integrations.sandbox.sample_chance import chance
from apps.integrations.sandbox.sample_events import Event, Sender, next_price

CAUSES: Final = 40
RECORDS: Final = 600

Data = dict[str, Any]
Bend = Callable[[Data], Data]


@dataclass(frozen=True, slots=True)
class Mistake:
    """So many movements of the WMS with the same thing wrong, and nothing else."""

    name: str
    records: int
    bend: Bend
    lacks: str = ""  # only items that do not come in this unit
    base: str = "EA"


def _with(**changes: Any) -> Bend:
    return lambda data: {**data, **changes}


def _without(name: str) -> Bend:
    return lambda data: {key: value for key, value in data.items() if key != name}


# Item codes as other systems write them: a dropped dash, a letter O, an old suffix, a swapped pair.
_WRONG_SKUS: Final = (
    ("HB1001", 26), ("HB-1O02", 19), ("BB-1003-2RS", 15), ("PF-01004", 12), ("cd-1005", 10), ("NG-1060X", 8),
    ("VB-1070", 7), ("MCB-1006", 5), ("AL-1007-OLD", 4), ("DB-9001", 3),
)  # fmt: skip
_OF_WMS: Final = (
    Mistake("dc-9", 94, _with(warehouse="DC-9")),
    Mistake("dc-1-east", 31, _with(warehouse="DC-1 EAST")),
    Mistake("returns", 14, _with(warehouse="RETURNS-3", kind="return")),
    Mistake("bx12", 72, _with(uom="BX12")),
    Mistake("cs", 41, _with(uom="CS")),
    Mistake("plt", 18, _with(uom="PLT")),
    Mistake("rol", 9, _with(uom="ROL", quantity="2")),
    *(Mistake(f"sku-{sku}", records, _with(sku=sku)) for sku, records in _WRONG_SKUS),
    Mistake("pallet-ea", 34, _with(uom="PALLET"), lacks="PALLET"),
    Mistake("case-m", 7, _with(uom="CASE"), lacks="CASE", base="M"),
    Mistake("box-ea", 11, _with(uom="BOX"), lacks="BOX"),
    Mistake("bin", 27, _with(bin_location="A-04-12")),
    Mistake("issue", 22, _with(kind="issue")),
    Mistake("minus", 16, _with(quantity="-4")),
    Mistake("no-uom", 9, _without("uom")),
    Mistake("half", 12, _with(quantity="2.5")),
)


def blocked(erp: Sender, wms: Sender, goods: Sequence[SampleItem], today: datetime) -> Iterator[Event]:
    """Events that are accepted and then block, spread over the last two days."""
    movements = [(mistake, data) for mistake in _OF_WMS for data in _movements(mistake, goods)]
    chance("blocked").shuffle(movements)
    step = timedelta(hours=40) / len(movements)
    counts: dict[str, int] = {}
    for place, (mistake, data) in enumerate(movements):
        counts[mistake.name] = counts.get(mistake.name, 0) + 1
        name = f"blocked-{mistake.name.lower()}-{counts[mistake.name]:03d}"
        yield wms.say("stock.moved", data, today - timedelta(hours=42) + step * place, name, subject=str(data["sku"]))
    yield from _of_erp(erp, goods, today - timedelta(hours=3))
    yield from _oversold(wms, goods, today - timedelta(hours=1))


def conflicting(erp: Sender, wms: Sender, goods: Sequence[SampleItem], today: datetime) -> Iterator[Event]:
    """Two ids that come a second time with another body."""
    sku = next(item.sku for item in goods if item.kind == "stock")
    data = {"sku": sku, "warehouse": "DC-1", "kind": "receipt", "quantity": "40", "uom": "EA"}
    yield wms.say("stock.moved", data, today, "moved-00001", sequence="1", subject=sku)
    yield erp.say("item.upserted", {"sku": sku, "brand": "Forgewell Pro"}, today, f"item-{sku}")


def _movements(mistake: Mistake, goods: Sequence[SampleItem]) -> Iterator[Data]:
    fit = [
        item
        for item in goods
        if item.kind == "stock"
        and item.status == "active"
        and item.base == mistake.base
        and not (mistake.lacks and item.factor(mistake.lacks))
    ]
    luck = chance(f"mistake {mistake.name}")
    luck.shuffle(fit)
    for item in islice(cycle(fit), mistake.records):
        kind = luck.choice(("receipt", "pick", "ship"))
        data = {"sku": item.sku, "warehouse": luck.choice(("DC-1", "DC-2", "DC-3")), "kind": kind,
                "quantity": str(luck.randint(1, 12)), "uom": item.base}  # fmt: skip
        yield mistake.bend(data)


def _of_erp(erp: Sender, goods: Sequence[SampleItem], at: datetime) -> Iterator[Event]:
    """Prices, items and accounts the ERP gets wrong."""
    data: Data
    fit = [item for item in goods if item.kind == "stock" and item.base == "EA"]
    price = {"currency": "USD", "amount": "14.90", "effective_from": "2026-06-01"}
    for book, records in (("LIST-GBP", 21), ("PROMO-Q4", 9)):
        for item in fit[:records]:
            data = {**price, "book": book, "sku": item.sku, "uom": "EA"}
            yield erp.say("price.set", data, at, f"blocked-{book.lower()}-{item.sku}")
    for item in fit[30:42]:
        data = {**price, "book": "SHOP-WEB", "sku": item.sku, "uom": "DZN"}
        yield erp.say("price.set", data, at, f"blocked-dzn-{item.sku}")
    for item in fit[42:49]:
        data = {**price, "book": "SHOP-WEB", "sku": item.sku, "uom": "EA", "effective_to": "2026-05-01"}
        yield erp.say("price.set", data, at, f"blocked-ends-first-{item.sku}")
    for item in fit[49:55]:
        data = {"sku": item.sku, "units": [{"uom": "BOX", "numerator": "12"}]}
        yield erp.say("item.upserted", data, at, f"blocked-factor-{item.sku}")
    for number in range(4):
        data = {"code": f"C-{10_071 + number}", "name": f"New customer {number + 1}", "branch": "BR-SOUTH"}
        yield erp.say("account.upserted", data, at, f"blocked-branch-{number + 1}")
    for number in range(2):
        data = {"code": f"C-{10_081 + number}", "name": f"New site {number + 1}", "parent": "C-20001"}
        yield erp.say("account.upserted", data, at, f"blocked-parent-{number + 1}")
    for item in fit[55:57]:
        wrong = item.gtin[:-1] + str((int(item.gtin[-1]) + 5) % 10)
        data = {"sku": item.sku, "identifiers": [{"scheme": "gtin", "value": wrong}]}
        yield erp.say("item.upserted", data, at, f"blocked-gtin-{item.sku}")
    for item in fit[57:59]:
        data = {"sku": item.sku, "identifiers": [{"scheme": "gtin", "value": fit[0].gtin}]}
        yield erp.say("item.upserted", data, at, f"blocked-same-gtin-{item.sku}")
    yield from _held(erp, goods, at)


def _held(erp: Sender, goods: Sequence[SampleItem], at: datetime) -> Iterator[Event]:
    """A price that would swallow the next price list's, and a count of a whole warehouse that names nothing."""
    item = next(item for item in goods if item.kind == "stock" and next_price(item))
    price = {"book": "LIST-USD", "sku": item.sku, "uom": item.base, "currency": "USD", "amount": "19.50"}
    yield erp.say("price.set", {**price, "effective_from": "2027-02-01"}, at, f"blocked-swallows-{item.sku}")
    count = {"snapshot": "sample-empty-DC-3", "as_of": at.isoformat(), "complete": True, "warehouses": ["DC-3"]}
    yield erp.say("stock.counted", {**count, "lines": []}, at, "blocked-empty-count")


def _oversold(wms: Sender, goods: Sequence[SampleItem], at: datetime) -> Iterator[Event]:
    """Five ships of more than there is: facts that are applied, and positions below zero."""
    dear = [item for item in goods if item.kind == "stock" and item.base == "EA" and item.sku[-1] == "8"]
    for item in dear[:5]:
        data = {"sku": item.sku, "warehouse": "DC-2", "kind": "ship", "quantity": "9000", "uom": "EA",
                "order": "SO-69998", "line": "1"}  # fmt: skip
        yield wms.say("stock.moved", data, at, f"oversold-{item.sku}", subject=item.sku)
