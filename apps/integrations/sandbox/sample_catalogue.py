"""The catalogue of the sample distributor: industrial and MRO goods, the same codes every time."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import product
from typing import Final

from apps.integrations.sandbox.sample_chance import chance
from apps.lib.identifiers import check_digit

ITEMS: Final = 1_200
KITS: Final = 24
SERVICES: Final = 16
COMPANY_PREFIX: Final = "0614141"
# A stick of conduit or strut is ten feet: 3.048 m, which no whole number of metres is.
STICK_M: Final = (381, 125)

Factor = tuple[str, int, int]  # 1 unit = numerator/denominator base units


@dataclass(frozen=True, slots=True)
class SampleItem:
    """One item; `list_cents` is the list price of one base unit in US cents."""

    sku: str
    name: str
    brand: str
    family: str
    category: str
    list_cents: int
    kind: str = "stock"
    base: str = "EA"
    units: tuple[Factor, ...] = ()
    gtin: str = ""
    case_gtin: str = ""
    vendor_part: str = ""
    status: str = "active"
    replaced_by: str = ""
    hazard_class: str = ""
    components: tuple[tuple[str, Decimal], ...] = field(default=())

    def factor(self, uom: str) -> tuple[int, int] | None:
        """1 `uom` in base units, or None where the item is not packed so."""
        if uom == self.base:
            return 1, 1
        return next(((numerator, denominator) for code, numerator, denominator in self.units if code == uom), None)


@dataclass(frozen=True, slots=True)
class _Line:
    """A product line: every combination of its sizes is an item."""

    code: str
    category: str
    family: str
    name: str
    sizes: tuple[tuple[str, ...], ...]
    brands: tuple[str, ...]
    cents: tuple[int, int]
    packs: tuple[int, int, int]  # base units a box, boxes a case, cases a pallet; 0: not packed so
    base: str = "EA"
    hazard_class: str = ""


_M = ("M4", "M5", "M6", "M8", "M10", "M12", "M16", "M20")
_FINISH = ("zinc plated", "stainless A2", "stainless A4")
_INCH = ('1/8"', '1/4"', '3/8"', '1/2"', '3/4"', '1"')
_GRIT = ("P40", "P60", "P80", "P120", "P180", "P240")
_SIZES = ("S", "M", "L", "XL", "XXL")

_LINES: Final = (
    _Line("HB", "Fasteners", "Hex bolts", "Hex bolt {0}x{1} {2}",
          (_M, ("20", "30", "40", "60", "80"), _FINISH), ("Forgewell", "Boltane"), (8, 240), (100, 10, 36)),
    _Line("SC", "Fasteners", "Socket screws", "Socket head cap screw {0}x{1} 12.9 {2}",
          (_M, ("12", "16", "25", "35", "50", "75", "100"), ("black oxide", "zinc plated")), ("Forgewell", "Hexcore"),
          (10, 180), (100, 10, 36)),
    _Line("WN", "Fasteners", "Washers and nuts", "{1} {0} {2}",
          (_M, ("Flat washer", "Spring washer", "Hex nut", "Lock nut"), _FINISH[:2]), ("Boltane",), (2, 45),
          (200, 10, 48)),
    _Line("CD", "Abrasives", "Cutting discs", "Cutting disc {0} mm x {1} mm {2}",
          (("115", "125", "180", "230"), ("1.0", "1.6", "2.5"), ("steel", "inox", "stone")), ("Gritline", "Abrasor"),
          (95, 420), (25, 8, 40)),
    _Line("FD", "Abrasives", "Flap discs and belts", "{1} {0} {2}",
          (_GRIT, ("Flap disc", "Sanding belt 75x533"), ("zirconia", "ceramic", "aluminium oxide")),
          ("Gritline", "Abrasor"), (180, 690), (10, 10, 40)),
    _Line("BB", "Power transmission", "Deep groove ball bearings", "Deep groove ball bearing {0}-{1} {2}",
          (("6000", "6001", "6002", "6003", "6004", "6200", "6201", "6202", "6203", "6204", "6205", "6206",
            "6301", "6302", "6303", "6304", "6305"),
           ("2RS", "ZZ"), ("C3", "CN")), ("Rollana", "Axelon"), (240, 2400), (10, 12, 30)),
    _Line("VB", "Power transmission", "V-belts", "V-belt {0} {1} mm",
          (("SPZ", "SPA", "SPB", "SPC"), ("800", "1000", "1250", "1400", "1600", "1800", "2000",
                                            "2240", "2500", "2800", "3150")),
          ("Drivemark",), (620, 4900), (5, 8, 20)),
    _Line("RC", "Power transmission", "Roller chain", "Roller chain {0} {1}, by the metre",
          (("06B", "08B", "10B", "12B", "16B"), ("simplex", "duplex", "simplex nickel plated")), ("Drivemark",),
          (950, 5200), (5, 4, 12), "M"),
    _Line("HH", "Fluid power", "Hydraulic hose", "Hydraulic hose {0} {1}, by the metre",
          (_INCH[1:], ("1SN", "2SN", "4SP", "4SH", "R7")), ("Fluidor", "Hoseway"), (420, 3900), (25, 4, 8), "M"),
    _Line("PF", "Fluid power", "Push-in fittings", "Push-in {1} {0} mm - {2}",
          (("4", "6", "8", "10", "12"), ("elbow", "tee", "straight", "bulkhead"), ("G1/8", "G1/4", "G3/8", "G1/2")),
          ("Airmatic", "Fluidor"), (160, 980), (10, 20, 30)),
    _Line("PT", "Fluid power", "Pneumatic tube", "Pneumatic tube {0} mm {1} {2}, by the metre",
          (("4", "6", "8", "10", "12"), ("polyurethane", "polyamide"), ("blue", "black", "clear")), ("Airmatic",),
          (45, 310), (50, 4, 12), "M"),
    _Line("BV", "Fluid power", "Ball valves", "Ball valve {0} {1} {2}",
          (_INCH[1:], ("brass", "stainless 304", "stainless 316"), ("full bore", "reduced bore", "3-way")),
          ("Valvora",), (780, 9800), (4, 6, 24)),
    _Line("CB", "Electrical", "Control cable", "Control cable {0}G{1} mm2 {2}, by the metre",
          (("3", "4", "5", "7", "12"), ("0.75", "1.5", "2.5", "4"), ("PVC", "halogen free")), ("Voltmark",),
          (95, 1450), (100, 2, 6), "M"),
    _Line("ST", "Electrical", "Conduit and strut", "{1} {0}, 10 ft stick",
          (_INCH[2:], ("EMT conduit", "Rigid conduit", "Strut channel")), ("Voltmark", "Racewell"), (210, 1900),
          (10, 2, 5), "M"),
    _Line("CT", "Electrical", "Cable ties", "Cable tie {0}x{1} mm {2}, pack of 100",
          (("100", "200", "300", "370"), ("2.5", "3.6", "4.8"), ("natural", "black UV")), ("Tiefix",), (190, 1600),
          (10, 10, 30)),
    _Line("MC", "Electrical", "Circuit breakers", "Miniature circuit breaker {0} {1} A {2}-pole",
          (("B", "C", "D"), ("2", "4", "6", "10", "13", "16", "20", "25", "32"), ("1", "3")), ("Ampera",),
          (640, 5400), (12, 6, 24)),
    _Line("NG", "Safety", "Hand protection", "{1} gloves {0} {2}",
          (_SIZES, ("Nitrile disposable", "Cut level C", "Cut level F", "Leather driver", "Chemical"),
           ("pair", "pack of 10")), ("Safehand", "Gardian"), (140, 2900), (10, 12, 30)),
    _Line("EP", "Safety", "Eye, ear and head protection", "{1} {0}",
          (("clear", "grey", "yellow", "vented", "foldable", "class 2"),
           ("Safety glasses", "Goggles", "Ear muffs", "Ear plugs pack of 200", "Hard hat")), ("Gardian",), (260, 3800),
          (10, 10, 20)),
    _Line("AL", "Chemicals", "Adhesives and lubricants", "{1} {0} {2}",
          (("50 ml", "250 ml", "400 ml", "1 l", "5 l"),
           ("Threadlocker", "Penetrating oil", "Bearing grease", "Cutting fluid", "Silicone spray"),
           ("standard", "food grade")), ("Lubrival", "Bondal"), (480, 8900), (6, 4, 40), "EA", "UN1950"),
    _Line("DB", "Tools", "Drill bits", "{1} drill bit {0} mm",
          (("2.0", "2.5", "3.0", "3.3", "4.0", "4.2", "5.0", "6.0", "6.8", "8.0", "8.5", "10.0", "10.2", "12.0",
            "13.0", "14.0", "16.0", "20.0"),
           ("HSS-G", "HSS-Co", "Solid carbide", "SDS-plus")), ("Borecraft",), (90, 4600), (10, 10, 40)),
    _Line("HT", "Tools", "Hand tools", "{1} {0}",
          (("size 1", "size 2", "size 3", "size 4", "size 5", "size 6", "set"),
           ("Hex key", "Combination spanner", "Torque wrench", "Screwdriver", "Pliers", "Ratchet", "Deburring tool")),
          ("Borecraft", "Gripwell"), (350, 16800), (5, 6, 20)),
    _Line("CA", "Material handling", "Casters and wheels", "{1} caster {0} mm {2}",
          (("75", "100", "125", "160", "200"), ("Swivel", "Fixed", "Swivel brake"),
           ("rubber", "polyurethane", "polyamide")),
          ("Rollana",), (720, 5200), (4, 4, 16)),
    _Line("PK", "Material handling", "Packaging", "{1} {0}",
          (("small", "medium", "large", "extra large", "heavy duty", "recycled"),
           ("Stretch film", "Packing tape", "Corrugated box", "Void fill", "Pallet cover", "Strapping")), ("Packline",),
          (110, 3400), (6, 6, 24)),
    _Line("JA", "Facility", "Wipes and absorbents", "{1} {0}",
          (("roll", "box", "bag", "drum", "refill", "starter set"),
           ("Industrial wipes", "Oil absorbent", "Universal absorbent", "Chemical absorbent", "Hand cleaner",
            "Floor degreaser")),
          ("Cleanora",), (390, 9600), (1, 6, 30)),
)  # fmt: skip


def items() -> list[SampleItem]:
    """All 1,200, components and successors before what names them."""
    goods = list(_goods(ITEMS - KITS - SERVICES))
    return [*_with_statuses(goods), *_kits(goods), *_services()]


def _goods(wanted: int) -> Iterator[SampleItem]:
    """An equal share of each line, the first combinations of its sizes; short lines leave theirs to the long."""
    names = [[line.name.format(*sizes) for sizes in product(*line.sizes)] for line in _LINES]
    if sum(map(len, names)) < wanted:
        raise ValueError(f"The product lines make {sum(map(len, names))} items; {wanted} are wanted.")
    share = len(_LINES) * [0]
    while sum(share) < wanted:
        for index, known in enumerate(names):
            share[index] += share[index] < len(known) and sum(share) < wanted
    number = 0
    for line, known, count in zip(_LINES, names, share, strict=True):
        for index in range(count):
            number += 1
            # Spread over the line, so that every size is there.
            yield _item(line, known[index * len(known) // count], index, number)


def _item(line: _Line, name: str, index: int, number: int) -> SampleItem:
    luck = chance(f"item {line.code} {index}")
    low, high = line.cents
    body = f"{COMPANY_PREFIX}{number:05d}"
    return SampleItem(
        sku=f"{line.code}-{1001 + index}",
        name=name,
        brand=luck.choice(line.brands),
        family=line.family,
        category=line.category,
        list_cents=round(low * (high / low) ** luck.random()),
        base=line.base,
        units=_packs(line, index),
        gtin=body + check_digit(body),
        case_gtin=f"1{body}" + check_digit(f"1{body}") if index % 6 != 4 else "",
        vendor_part=f"{luck.choice('ABCDEFGH')}{luck.randrange(10_000, 99_999)}-{line.code}",
        hazard_class=line.hazard_class,
    )


def _packs(line: _Line, index: int) -> tuple[Factor, ...]:
    """Every sixth item comes in no case, every third on no pallet, every eleventh in no box."""
    box, case, pallet = line.packs
    numerator, denominator = STICK_M if line.code == "ST" else (1, 1)
    packs: list[Factor] = [("EA", numerator, denominator)] if line.code == "ST" else []
    if index % 11 != 7:
        packs.append(("BOX", box * numerator, denominator))
    if index % 6 != 4:
        packs.append(("CASE", box * case * numerator, denominator))
        if index % 3 != 2:
            packs.append(("PALLET", box * case * pallet * numerator, denominator))
    return tuple(packs)


def _with_statuses(goods: list[SampleItem]) -> Iterator[SampleItem]:
    """Of every forty, one is being sold down, one is retired for the next of its line, and some are blocked."""
    for index, item in enumerate(goods):
        successor = goods[index + 1] if index + 1 < len(goods) and goods[index + 1].family == item.family else None
        if index % 40 == 12 and successor is not None:
            yield replace(item, status="retired", replaced_by=successor.sku)
        elif index % 40 == 31 and successor is not None:
            yield replace(item, status="sell_down", replaced_by=successor.sku)
        elif index % 160 == 95:
            yield replace(item, status="blocked")
        else:
            yield item


def _kits(goods: list[SampleItem]) -> Iterator[SampleItem]:
    fit = [item for index, item in enumerate(goods) if item.base == "EA" and index % 40 not in (12, 31)]
    for number in range(KITS):
        luck = chance(f"kit {number}")
        parts = sorted(luck.sample(fit, luck.randint(2, 4)), key=lambda item: item.sku)
        components = tuple((part.sku, Decimal(luck.choice((1, 1, 2, 4)))) for part in parts)
        cents = sum(int(part.list_cents * quantity) for part, (_, quantity) in zip(parts, components, strict=True))
        title = ("Bearing service kit", "Hydraulic repair kit", "Workshop starter kit", "Safety starter kit")[
            number % 4
        ]
        yield SampleItem(
            sku=f"KIT-{1001 + number}",
            name=f"{title} {number // 4 + 1}",
            brand="House",
            family="Kits",
            category=parts[0].category,
            list_cents=max(1, cents * 92 // 100),
            kind="kit",
            components=components,
        )


def _services() -> Iterator[SampleItem]:
    names = ("Cut to length", "Hose assembly", "Torque wrench calibration", "Same-day delivery")
    for number in range(SERVICES):
        yield SampleItem(
            sku=f"SV-{1001 + number}",
            name=f"{names[number % 4]}, class {number // 4 + 1}",
            brand="House",
            family="Services",
            category="Services",
            list_cents=1_500 + 750 * number,
            kind="non_stock",
        )
