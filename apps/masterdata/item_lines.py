"""The lists of an item: its units, identifiers, components, and the codes its sender also calls it by."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from apps.lib.errors import Block
from apps.lib.identifiers import InvalidIdentifier, normalise
from apps.lib.quantity import plain
from apps.masterdata.aliases import Aliases
from apps.masterdata.blocks import broken_rule, wrong_factor
from apps.masterdata.changes import UNSET, Sender, Unset
from apps.masterdata.lines import Key, Lines, Wanted
from apps.masterdata.models import Identifier, Item, ItemComponent, ItemUnit
from apps.masterdata.resolving import Codes, Ignored, UnitRef
from apps.masterdata.rows import Change, Rows

if TYPE_CHECKING:
    from apps.masterdata.items import ItemUpsert

FACTOR_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitLine:
    """1 `uom` = numerator/denominator base units."""

    uom: str
    numerator: int | Unset = UNSET
    denominator: int | Unset = UNSET
    sellable: bool | Unset = UNSET
    order_minimum: Decimal | Unset | None = UNSET
    order_multiple: Decimal | Unset | None = UNSET
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierLine:
    """Without `uom` it identifies the base unit; `party` is whose code it is, where it is theirs."""

    scheme: str
    value: str
    uom: str | None = None
    party: str | None = None
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentLine:
    sku: str
    quantity: Decimal
    uom: str
    removed: bool = False


@dataclass(slots=True)
class ItemLines:
    """What one upsert asks of its lists, once its codes are resolved."""

    change: Change[Item]
    base_unit: UnitRef | None = None
    units: Wanted | None = None
    identifiers: Wanted | None = None
    components: list[tuple[ComponentLine, UnitRef]] | None = None
    merges: bool = False
    aliases: tuple[str, ...] | None = None


class ItemLists:
    """The lists of all items of one batch."""

    def __init__(self, rows: Rows[Item], codes: Codes, sender: Sender) -> None:
        self._rows = rows
        self._codes = codes
        self._sender = sender
        self.units = Lines(ItemUnit, "item_id", ("unit_id",))
        self.identifiers = Lines(
            Identifier, "item_id", ("scheme", "party", "value"), unique=("scheme", "party", "value")
        )
        self.components = Lines(ItemComponent, "kit_id", ("component_id", "unit_id"))
        self.aliases = Aliases(sender)

    def load(self, item_ids: Sequence[int], upserts: Sequence["ItemUpsert"]) -> None:
        """Only the lists that were sent; units also where a base unit may move."""
        if any(not isinstance(upsert.units, Unset) or not isinstance(upsert.base_uom, Unset) for upsert in upserts):
            self.units.load(item_ids, "unit")
        if any(not isinstance(upsert.identifiers, Unset) for upsert in upserts):
            self.identifiers.load(item_ids, "unit")
        if any(not isinstance(upsert.components, Unset) for upsert in upserts):
            self.components.load(item_ids, "unit", "component")

    def plan(self, lines: ItemLines, upsert: "ItemUpsert") -> None:
        """Resolves the codes of the lists and judges each line; blocks go to the change."""
        lines.merges = upsert.lines_mode == "merge"
        if not isinstance(upsert.units, Unset):
            self._plan_units(lines, upsert.units or ())
        if not isinstance(upsert.identifiers, Unset):
            self._plan_identifiers(lines, upsert.identifiers or ())
        if not isinstance(upsert.components, Unset):
            sent = [(line, self._unit(lines, line.uom)) for line in upsert.components or ()]
            self._plan_components(lines, [(line, unit) for line, unit in sent if unit is not None])
        if not isinstance(upsert.aliases, Unset):
            lines.aliases = self.aliases.plan(lines.change, upsert.aliases or ())

    def check(self, planned: Iterable[ItemLines]) -> None:
        """What only the whole batch and the database can say: an identifier belongs to one item."""
        alive = [lines for lines in planned if lines.change.alive]
        self._check_identifiers([lines for lines in alive if lines.identifiers is not None])
        self.aliases.check([lines.change for lines in alive if lines.aliases is not None])

    def write(self, planned: Sequence[ItemLines], item_id: Callable[[str], int]) -> None:
        for lines in planned:
            pk = lines.change.row.pk
            if lines.units is not None:
                self.units.apply(pk, lines.units)
            if lines.identifiers is not None:
                self.identifiers.apply(pk, lines.identifiers)
            if lines.components is not None:
                self.components.apply(pk, _wanted_components(lines, item_id))
            if lines.aliases is not None:
                self.aliases.keep(lines.change.code, lines.aliases, merges=lines.merges)
        self.units.write()
        self.identifiers.write()
        self.components.write()
        self.aliases.write()

    def freed_identifiers(self) -> set[str]:
        return {row.value for row in self.identifiers.gone()}

    def _plan_units(self, lines: ItemLines, sent: Sequence[UnitLine]) -> None:
        existing = self.units.of(lines.change.row.pk)
        wanted: dict[Key, dict[str, Any]] = {}
        removed: list[Key] = []
        for line in sent:
            unit = self._unit(lines, line.uom)
            if unit is None:
                continue
            if line.removed:
                removed.append((unit.id,))
                continue
            values = self._unit_values(lines, line, unit, existing.get((unit.id,)))
            if wanted.setdefault((unit.id,), values) != values:
                self._wrong(lines, unit.code, f"{unit.code} is sent twice with different values; send it once.")
        asked = Wanted(wanted, removed, "merge" if lines.merges else "replace")
        theirs = [
            {"uom": line.uom, "numerator": _number(line.numerator), "denominator": _number(line.denominator)}
            for line in sent
        ]
        if self._takes(
            lines, "units", "units", self.units.differ(lines.change.row.pk, asked), theirs, self._ours_units
        ):
            lines.units = asked

    def _unit_values(
        self, lines: ItemLines, line: UnitLine, unit: UnitRef, existing: ItemUnit | None
    ) -> dict[str, Any]:
        old = existing if lines.merges or isinstance(line.numerator, Unset) else None
        is_base = lines.base_unit is not None and unit.id == lines.base_unit.id
        if isinstance(line.numerator, Unset):
            numerator = old.numerator if old is not None else 1 if is_base else 0
            denominator = old.denominator if old is not None else 1
        else:
            numerator, denominator = line.numerator, 1 if isinstance(line.denominator, Unset) else line.denominator
        if not (0 < numerator <= FACTOR_MAX and 0 < denominator <= FACTOR_MAX):
            self._wrong(
                lines, unit.code, f"the factor {numerator}/{denominator} of {unit.code} is not a positive ratio."
            )
        elif is_base and numerator != denominator:
            self._wrong(
                lines, unit.code, f"{unit.code} is the base unit: its factor is 1, not {numerator}/{denominator}."
            )
        return {
            "numerator": numerator,
            "denominator": denominator,
            "sellable": _sent(line.sellable, old.sellable if old else True),
            "order_minimum": _sent(line.order_minimum, old.order_minimum if old else None),
            "order_multiple": _sent(line.order_multiple, old.order_multiple if old else None),
        }

    def _plan_identifiers(self, lines: ItemLines, sent: Sequence[IdentifierLine]) -> None:
        wanted: dict[Key, dict[str, Any]] = {}
        removed: list[Key] = []
        for line in sent:
            unit = lines.base_unit if line.uom is None else self._unit(lines, line.uom)
            try:
                key = (line.scheme.strip(), (line.party or "").strip(), normalise(line.scheme, line.value))
            except InvalidIdentifier as error:
                detail = f"Item {lines.change.code}: {error.detail}"
                lines.change.blocks.append(
                    _identifier_block("INVALID_IDENTIFIER", line.scheme, line.value, detail, lines)
                )
                continue
            if line.removed:
                removed.append(key)
            elif unit is not None and wanted.setdefault(key, {"unit_id": unit.id}) != {"unit_id": unit.id}:
                detail = f"Item {lines.change.code}: {key[0]} {key[2]} is sent for two units; it names one unit."
                lines.change.blocks.append(_identifier_block("DUPLICATE_IDENTIFIER", key[0], key[2], detail, lines))
        asked = Wanted(wanted, removed, "merge" if lines.merges else "replace")
        theirs = [{"scheme": line.scheme, "value": line.value, "uom": line.uom, "party": line.party} for line in sent]
        differ = self.identifiers.differ(lines.change.row.pk, asked)
        if self._takes(lines, "identity", "identifiers", differ, theirs, self._ours_identifiers):
            lines.identifiers = asked

    def _plan_components(self, lines: ItemLines, sent: list[tuple[ComponentLine, UnitRef]]) -> None:
        existing = {
            (row.component.sku, row.unit.code): row.quantity for row in self.components.of(lines.change.row.pk).values()
        }
        asked = dict(existing) if lines.merges else {}
        for line, unit in sent:
            key = (str(self._codes.our_code("item", line.sku)), unit.code)
            if line.removed:
                asked.pop(key, None)
            else:
                asked[key] = line.quantity
            if line.quantity <= 0 and not line.removed:
                detail = f"Item {lines.change.code}: {plain(line.quantity)} of {line.sku} is not a quantity above 0."
                rule = broken_rule("item.upserted", "/components/*/quantity", "positive", detail)
                lines.change.blocks.append(rule)
        theirs = [{"sku": line.sku, "quantity": plain(line.quantity), "uom": line.uom} for line, _ in sent]
        if self._takes(lines, "identity", "components", asked != existing, theirs, self._ours_components):
            lines.components = sent

    def _takes(
        self,
        lines: ItemLines,
        group: str,
        name: str,
        differ: bool,
        theirs: list[dict[str, Any]],
        ours: Callable[[ItemLines], list[dict[str, Any]]],
    ) -> bool:
        if not differ:
            self._rows.differences.settle(lines.change.code, name, theirs)
            return False
        if not self._rows.may(lines.change, group, name, theirs=theirs, ours=lambda: ours(lines)):
            return False
        lines.change.changes(name)
        self._rows.differences.settle(lines.change.code, name, theirs)
        return True

    def _unit(self, lines: ItemLines, code: str) -> UnitRef | None:
        """None where the unit is ignored for this sender, or unknown, which blocks."""
        found = self._codes.unit(code)
        if found is None:
            sku = lines.change.code
            unknown = self._codes.unknown("unit", code, self._sender.code, subject=sku, context={"sku": sku})
            lines.change.blocks.append(unknown)
        return None if isinstance(found, Ignored) else found

    def _wrong(self, lines: ItemLines, uom: str, said: str) -> None:
        base = lines.base_unit.code if lines.base_unit is not None else ""
        sku = lines.change.code
        lines.change.blocks.append(wrong_factor(f"Item {sku}: {said}", sku=sku, uom=uom, base_uom=base))

    def _check_identifiers(self, planned: list[ItemLines]) -> None:
        """An identifier another item holds, in the database or earlier in this batch, blocks."""
        values = {key[2] for lines in planned if lines.identifiers is not None for key in lines.identifiers.lines}
        if not values:
            return
        rows = Identifier.objects.filter(value__in=values).values_list("scheme", "party", "value", "item__sku")
        holders = {(scheme, party, value): sku for scheme, party, value, sku in rows}
        for lines in planned:
            assert lines.identifiers is not None
            for key in lines.identifiers.lines:
                holder = holders.setdefault(key, lines.change.code)
                if holder != lines.change.code:
                    detail = (
                        f"Item {lines.change.code}: {key[0]} {key[2]} already belongs to item {holder}; "
                        f"take it away there or correct it here."
                    )
                    block = _identifier_block("DUPLICATE_IDENTIFIER", key[0], key[2], detail, lines)
                    lines.change.blocks.append(block)

    def _ours_units(self, lines: ItemLines) -> list[dict[str, Any]]:
        return [
            {"uom": row.unit.code, "numerator": row.numerator, "denominator": row.denominator}
            for row in self.units.of(lines.change.row.pk).values()
        ]

    def _ours_identifiers(self, lines: ItemLines) -> list[dict[str, Any]]:
        return [
            {"scheme": row.scheme, "value": row.value, "uom": row.unit.code, "party": row.party or None}
            for row in self.identifiers.of(lines.change.row.pk).values()
        ]

    def _ours_components(self, lines: ItemLines) -> list[dict[str, Any]]:
        return [
            {"sku": row.component.sku, "quantity": plain(row.quantity), "uom": row.unit.code}
            for row in self.components.of(lines.change.row.pk).values()
        ]


def _wanted_components(lines: ItemLines, item_id: Callable[[str], int]) -> Wanted:
    keys = [((item_id(line.sku), unit.id), line) for line, unit in lines.components or ()]
    return Wanted(
        {key: {"quantity": line.quantity} for key, line in keys if not line.removed},
        [key for key, line in keys if line.removed],
        "merge" if lines.merges else "replace",
    )


def _identifier_block(reason: str, scheme: str, value: str, detail: str, lines: ItemLines) -> Block:
    return Block(
        reason, "identifier", scheme, value, detail, subject=lines.change.code, context={"sku": lines.change.code}
    )


def _sent(value: Any, otherwise: Any) -> Any:
    return otherwise if isinstance(value, Unset) else value


def _number(value: int | Unset) -> int:
    return 1 if isinstance(value, Unset) else value
