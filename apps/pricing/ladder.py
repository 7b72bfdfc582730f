"""The price ladder as data: its levels, what competes on them, what is asked and what is answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from apps.masterdata.conversion import UnitGraph

Level = Literal[
    "quote", "contract_ship_to", "contract_bill_to", "special", "group", "type", "channel", "branch", "list"
]
Scope = Literal["item", "family", "category", "all"]
Status = Literal["ok", "unknown_unit", "invalid_quantity", "not_a_whole_pack", "no_price", "blocked"]

# Most specific first. The first level with a price for the quantity answers; promotions are no level.
LADDER: tuple[Level, ...] = (
    "quote",
    "contract_ship_to",
    "contract_bill_to",
    "special",
    "group",
    "type",
    "channel",
    "branch",
    "list",
)
SCOPES: tuple[Scope, ...] = ("item", "family", "category", "all")

PRICE_AMBIGUOUS = "PRICE_AMBIGUOUS"
MISSING_PRICE = "MISSING_PRICE"
NOT_A_WHOLE_PACK = "NOT_A_WHOLE_PACK"
LADDER_NOT_MONOTONE = "LADDER_NOT_MONOTONE"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One price entry that could price the line: `amount` for `per` uom, from `min_quantity` uom on.

    Valid in [effective_from, effective_to); both are instants, the book's time zone is already applied.
    Smaller `priority` comes first. `reach` orders books of one level: branch 0, region 1, everywhere 2.
    """

    level: Level
    book: str
    version: int
    entry_id: int
    uom: str
    amount: Decimal
    currency: str
    effective_from: datetime
    effective_to: datetime | None = None
    per: Decimal = Decimal(1)
    min_quantity: Decimal = Decimal(0)
    sku: str | None = None
    scope: Scope = "item"
    reach: int = 0
    priority: int = 0
    merge_allowed: bool = True
    zero_ok: bool = False
    tax_included: bool = False

    @property
    def price(self) -> Fraction:
        """Exactly what one uom costs."""
        return Fraction(self.amount) / Fraction(self.per)

    @property
    def opens_ladder(self) -> bool:
        """Whether it is no quantity break: it holds from the first unit on."""
        return self.min_quantity <= 1


@dataclass(frozen=True, slots=True)
class PriceContext:
    """What every line of a request shares. `channel_below_branch` is the channel's own choice."""

    currency: str
    at: datetime
    convert_breaks: bool = False
    channel_below_branch: bool = False
    credit: bool = False

    @property
    def ladder(self) -> tuple[Level, ...]:
        """The levels in the order in which they are asked."""
        if not self.channel_below_branch:
            return LADDER
        swapped: Mapping[Level, Level] = {"channel": "branch", "branch": "channel"}
        return tuple(swapped.get(level, level) for level in LADDER)


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One line as asked. Minimum and multiple are those of the item's unit."""

    sku: str
    quantity: Decimal
    uom: str
    units: UnitGraph = field(compare=False)
    order_minimum: Decimal | None = None
    order_multiple: Decimal | None = None


@dataclass(frozen=True, slots=True)
class QuantityBreak:
    """From so many of the unit asked for, one of it costs so much."""

    min_quantity: Decimal
    uom: str
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class TraceLine:
    """What became of one candidate and why."""

    candidate: Candidate
    outcome: Literal["won", "tied", "lost"]
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class LineResult:
    """The answer for one line. Prices are None unless status is ok.

    `valid_until`: when another entry (or none) takes over. `next_change_at`: when anything shown changes.
    """

    sku: str
    status: Status
    price_uom: str
    currency: str
    reason: str | None = None
    detail: str | None = None
    unit_price: Decimal | None = None
    extended_price: Decimal | None = None
    winner: Candidate | None = None
    breaks: tuple[QuantityBreak, ...] = ()
    warnings: tuple[str, ...] = ()
    valid_until: datetime | None = None
    next_change_at: datetime | None = None
    trace: tuple[TraceLine, ...] = ()

    @property
    def level(self) -> Level | None:
        """The level that answered."""
        return self.winner.level if self.winner else None

    @property
    def book(self) -> str | None:
        """The book that answered."""
        return self.winner.book if self.winner else None

    @property
    def version(self) -> int | None:
        """The version of the entry that answered."""
        return self.winner.version if self.winner else None

    @property
    def tax_included(self) -> bool | None:
        """Whether the price is gross."""
        return self.winner.tax_included if self.winner else None
