"""Exact conversion of an item's units: rational factors, never an assumed 1, never a rounded result."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from apps.lib.quantity import INTEGER_DIGITS, LIMIT, PLACES, exact, fits_decimals, plain

UNKNOWN_UNIT = "UNKNOWN_UNIT"
INVALID_CONVERSION = "INVALID_CONVERSION"
FRACTION_NOT_ALLOWED = "FRACTION_NOT_ALLOWED"


ONE = Fraction(1)
_STEPS = tuple(Decimal(1).scaleb(-places) for places in range(PLACES + 1))


class ConversionError(ValueError):
    """A quantity that has no exact meaning in base units; `code` is the cause, `detail` the sentence."""

    def __init__(self, code: str, detail: str, *, uom: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.uom = uom


@dataclass(frozen=True, slots=True)
class ItemFactor:
    """One unit of an item: 1 uom = numerator/denominator base units."""

    uom: str
    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True)
class GeneralFactor:
    """A conversion that holds for every item: 1 uom = numerator/denominator of `to_uom`."""

    uom: str
    to_uom: str
    numerator: int
    denominator: int


class UnitGraph:
    """The units of one item. Its own factors override general ones; a path may use several general ones.

    `decimals` are the places a unit allows (a unit that is absent allows six). Building never fails:
    a wrong factor is an error only for the units that depend on it, when they are asked for.
    """

    def __init__(
        self,
        base_uom: str,
        factors: Iterable[ItemFactor] = (),
        *,
        general: Iterable[GeneralFactor] = (),
        decimals: Mapping[str, int] | None = None,
        sku: str = "",
    ) -> None:
        self.base_uom = base_uom
        self.sku = sku
        self._decimals = decimals or {}
        self._given = tuple(factors)
        self._general = tuple(general)
        # Most questions are about the base unit, which only a factor of its own could make wrong.
        self._base_is_sure = all(given.uom != base_uom for given in self._given)
        self._built = False
        self._wrong: dict[str, str] = {}
        self._factors: dict[str, Fraction] = {}

    def factor(self, uom: str) -> Fraction:
        """Base units in one uom, or ConversionError(UNKNOWN_UNIT | INVALID_CONVERSION)."""
        if uom == self.base_uom and self._base_is_sure:
            return ONE
        self._build()
        if uom in self._wrong:
            raise ConversionError(INVALID_CONVERSION, self._wrong[uom], uom=uom)
        if uom not in self._factors:
            raise ConversionError(
                UNKNOWN_UNIT,
                f"{self._item} has no conversion from {uom} to its base unit {self.base_uom}; "
                f"map the unit or add its factor.",
                uom=uom,
            )
        return self._factors[uom]

    def knows(self, uom: str) -> bool:
        """Whether the unit has exactly one meaning for this item."""
        self._build()
        return uom in self._factors and uom not in self._wrong

    def allows(self, quantity: Decimal, uom: str) -> bool:
        """Whether the unit's decimals allow the quantity as it was entered."""
        return fits_decimals(quantity, self._decimals.get(uom, PLACES))

    def to_base(self, quantity: Decimal, uom: str) -> Decimal:
        """The quantity in base units, exact, or ConversionError. The sign is kept."""
        if uom == self.base_uom and self._base_is_sure and (same := self._as_it_is(quantity)) is not None:
            return same
        factor = self.factor(uom)
        self._check_decimals(quantity, uom, f"{plain(quantity)} {uom}", asked=uom)
        base = exact(Fraction(quantity) * factor)
        entered = f"{plain(quantity)} {uom} (1 {uom} = {factor} {self.base_uom})"
        if base is None:
            raise ConversionError(
                INVALID_CONVERSION,
                f"{self._item}: {entered} is no decimal of at most {INTEGER_DIGITS} digits before and {PLACES} "
                f"after the point in {self.base_uom}; correct the factor or the quantity.",
                uom=uom,
            )
        self._check_decimals(base, self.base_uom, f"{entered} is {plain(base)} {self.base_uom}, which", asked=uom)
        return base

    def from_base(self, base: Decimal | Fraction, uom: str) -> Fraction:
        """Exactly how many uom the base quantity is."""
        return Fraction(base) / self.factor(uom)

    def convert(self, quantity: Decimal | Fraction, uom: str, to_uom: str) -> Fraction:
        """Exactly how many `to_uom` a quantity of `uom` is, without regard to allowed decimals."""
        factor = self.factor(uom)
        return Fraction(quantity) if uom == to_uom else Fraction(quantity) * factor / self.factor(to_uom)

    def whole_units(self, base: Decimal | Fraction, uom: str) -> int:
        """How many whole uom the base quantity fills (65 each are 6 packages of 10), never rounded up."""
        return self.from_base(base, uom).__floor__()

    @property
    def _item(self) -> str:
        return f"Item {self.sku}" if self.sku else "The item"

    def _as_it_is(self, quantity: Decimal) -> Decimal | None:
        """A quantity of base units that is right as it stands; None leaves the verdict to the long way."""
        if not -LIMIT < quantity < LIMIT:
            return None
        places = min(self._decimals.get(self.base_uom, PLACES), PLACES)
        return quantity.quantize(_STEPS[PLACES]) + 0 if quantity.quantize(_STEPS[places]) == quantity else None

    def _build(self) -> None:
        if not self._built:
            self._built = True
            self._factors = self._own_factors(self._given)
            self._reach_general(list(self._general))

    def _check_decimals(self, quantity: Decimal, uom: str, said: str, *, asked: str) -> None:
        if not self.allows(quantity, uom):
            allowed = self._decimals.get(uom, PLACES)
            places = "no decimals" if allowed == 0 else f"at most {allowed} decimals"
            raise ConversionError(
                FRACTION_NOT_ALLOWED, f"{self._item}: {said} is a fraction, but {uom} allows {places}.", uom=asked
            )

    def _own_factors(self, factors: Iterable[ItemFactor]) -> dict[str, Fraction]:
        known = {self.base_uom: Fraction(1)}
        for given in factors:
            value = self._ratio(given.uom, self.base_uom, given.numerator, given.denominator)
            if value is None:
                continue
            if known.setdefault(given.uom, value) != value:
                self._disagree(given.uom, known[given.uom], value)
        return known

    def _reach_general(self, general: list[GeneralFactor]) -> None:
        """Walk outward from the item's own units; whatever is reached with two factors is wrong."""
        settled = set(self._factors) | set(self._wrong)
        neighbours: dict[str, list[tuple[str, Fraction]]] = defaultdict(list)
        for given in general:
            ratio = self._ratio(given.uom, given.to_uom, given.numerator, given.denominator, settled)
            if ratio is not None:
                neighbours[given.to_uom].append((given.uom, ratio))
                neighbours[given.uom].append((given.to_uom, 1 / ratio))
        frontier = [uom for uom in self._factors if uom not in self._wrong]
        while frontier:
            here = frontier.pop()
            for uom, ratio in neighbours[here]:
                if uom in settled:
                    continue  # the item's own unit overrides
                value = self._factors[here] * ratio
                if uom not in self._factors:
                    self._factors[uom] = value
                    frontier.append(uom)
                elif self._factors[uom] != value:
                    self._disagree(uom, self._factors[uom], value)
        self._spread_doubt(neighbours, settled)

    def _spread_doubt(self, neighbours: Mapping[str, list[tuple[str, Fraction]]], settled: set[str]) -> None:
        """A unit reached through a wrong one is as wrong, unless the item's other units reach it."""
        doubtful = list(self._wrong)
        while doubtful:
            here = doubtful.pop()
            for uom, _ in neighbours.get(here, ()):
                elsewhere = here in settled and uom in self._factors
                if uom not in settled and uom not in self._wrong and not elsewhere:
                    self._wrong[uom] = self._wrong[here]
                    doubtful.append(uom)

    def _ratio(
        self, uom: str, to_uom: str, numerator: int, denominator: int, settled: Iterable[str] = ()
    ) -> Fraction | None:
        if numerator > 0 and denominator > 0:
            return Fraction(numerator, denominator)
        if uom not in settled:
            self._wrong[uom] = (
                f"{self._item}: the factor {numerator}/{denominator} from {uom} to {to_uom} is not positive; "
                f"enter how many {to_uom} one {uom} is."
            )
        return None

    def _disagree(self, uom: str, one: Fraction, other: Fraction) -> None:
        self._wrong[uom] = (
            f"{self._item}: 1 {uom} is {one} {self.base_uom} one way and {other} {self.base_uom} another; "
            f"correct the factor that is wrong."
        )
