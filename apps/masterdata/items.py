"""Items as sources, imports and people send them: created, changed, or blocked whole; never half."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import transaction

from apps.lib.errors import Block
from apps.masterdata import dirty
from apps.masterdata.blocks import broken_rule, wrong_factor
from apps.masterdata.changes import UNSET, LinesMode, Sender, Unset, UpsertResult, actor_of, sent_lines, waves
from apps.masterdata.dirty import SELLING
from apps.masterdata.healing import heal_codes, heal_conversions, heal_identifiers
from apps.masterdata.item_lines import ComponentLine, IdentifierLine, ItemLines, ItemLists, UnitLine
from apps.masterdata.models import Item
from apps.masterdata.resolving import Codes, Ignored, ItemRef, UnitRef
from apps.masterdata.rows import Change, Field, Rows

__all__ = ["ComponentLine", "IdentifierLine", "ItemUpsert", "UnitLine", "upsert_items"]

# Which of these items have stock (or anything else counted in base units).
HasStock = Callable[[Collection[int]], Collection[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemUpsert:
    """`item.upserted`: absent fields (UNSET) stay, None clears. Codes are the sender's."""

    sku: str
    name: str | Unset = UNSET
    kind: str | Unset = UNSET
    base_uom: str | Unset = UNSET
    units: Sequence[UnitLine] | Unset | None = UNSET
    identifiers: Sequence[IdentifierLine] | Unset | None = UNSET
    aliases: Sequence[str] | Unset | None = UNSET
    components: Sequence[ComponentLine] | Unset | None = UNSET
    brand: str | Unset | None = UNSET
    family: str | Unset | None = UNSET
    category: str | Unset | None = UNSET
    tax_class: str | Unset | None = UNSET
    status: str | Unset = UNSET
    replaced_by: str | Unset | None = UNSET
    lot_tracked: bool | Unset = UNSET
    hazard_class: str | Unset | None = UNSET
    attributes: Mapping[str, Any] | Unset | None = UNSET
    lines_mode: LinesMode = "replace"
    event: str = ""


FIELDS: Final = (
    Field("name", "name", "identity"),
    Field("kind", "kind", "identity"),
    Field("status", "status", "identity"),
    Field("replaced_by", "replaced_by_id", "identity", None, shown="replaced_by.sku"),
    Field("lot_tracked", "lot_tracked", "identity"),
    Field("base_uom", "base_unit_id", "units", shown="base_unit.code"),
    Field("brand", "brand", "content", ""),
    Field("family", "family", "content", ""),
    Field("category", "category", "content", ""),
    Field("hazard_class", "hazard_class", "content", ""),
    Field("attributes", "attributes", "content", dict),
    Field("tax_class", "tax_class", "terms", ""),
)
# Fields whose value is taken as it was sent.
PLAIN: Final = (
    "name",
    "kind",
    "status",
    "lot_tracked",
    "brand",
    "family",
    "category",
    "hazard_class",
    "attributes",
    "tax_class",
)


def upsert_items(
    upserts: Sequence[ItemUpsert], sender: Sender, *, has_stock: HasStock | None = None
) -> list[UpsertResult]:
    """One result per upsert, in order; a constant number of queries per batch. Heals what waited for them.

    Locks the items until the caller's transaction ends. `has_stock` decides whether a base unit may change;
    without it, no base unit of an existing item does.
    """
    results: dict[int, UpsertResult] = {}
    with transaction.atomic():
        for wave in waves(upsert.sku.strip() for upsert in upserts):
            batch = _Batch(sender, has_stock)
            for position, result in zip(wave, batch.run([upserts[position] for position in wave]), strict=True):
                results[position] = result
    return [results[position] for position in range(len(upserts))]


@dataclass(slots=True)
class _Plan:
    upsert: ItemUpsert
    change: Change[Item]
    lines: ItemLines
    old_base: str = ""
    newborn_successor: str = ""
    refers_to: list[tuple[str, str]] = field(default_factory=list)  # (field, the sender's code of an item)


class _Batch:
    def __init__(self, sender: Sender, has_stock: HasStock | None) -> None:
        self._sender = sender
        self._has_stock = has_stock
        self._codes = Codes(sender.system_id, sender.accepts_our_codes, sender.folds_case)
        self._rows: Rows[Item] = Rows(Item, "item", "sku", FIELDS, sender)
        self._new: dict[str, _Plan] = {}

    def run(self, upserts: Sequence[ItemUpsert]) -> list[UpsertResult]:
        self._load(upserts)
        plans = [self._plan(upsert) for upsert in upserts]
        self._new = {plan.change.code: plan for plan in plans if plan.change.created and plan.change.alive}
        self._check_base_units(plans)
        self._lists.check(plan.lines for plan in plans)
        self._check_references(plans)
        self._set_successors(plans)
        self._write([plan for plan in plans if plan.change.alive])
        return [self._rows.result(plan.change) for plan in plans]

    def _load(self, upserts: Sequence[ItemUpsert]) -> None:
        self._codes.load(
            items={code for upsert in upserts for code in _item_codes(upsert)},
            units={code for upsert in upserts for code in _unit_codes(upsert)},
        )
        ours = [code for upsert in upserts if isinstance(code := self._codes.our_code("item", upsert.sku), str)]
        self._rows.load(ours, "base_unit", "replaced_by")
        self._lists = ItemLists(self._rows, self._codes, self._sender)
        existing = [self._rows.change(code).row.pk for code in ours]
        self._lists.load([pk for pk in existing if pk is not None], upserts)

    def _plan(self, upsert: ItemUpsert) -> _Plan:
        code = self._codes.our_code("item", upsert.sku)
        if not isinstance(code, str):
            change: Change[Item] = Change(upsert.sku, Item(), created=True, ignored=isinstance(code, Ignored))
            if code is None:
                change.blocks.append(self._codes.unknown("item", upsert.sku, self._sender.code))
            return _Plan(upsert, change, ItemLines(change))
        change = self._rows.change(code, upsert.event)
        old_base = "" if change.created else change.row.base_unit.code
        plan = _Plan(upsert, change, ItemLines(change), old_base)
        self._rows.require(change, "name", upsert.name)
        for name in PLAIN:
            value = getattr(upsert, name)
            self._rows.set(change, name, dict(value) if isinstance(value, Mapping) else value)
        plan.lines.base_unit = self._set_base_unit(plan)
        self._lists.plan(plan.lines, upsert)
        plan.refers_to = [("components", line.sku) for line, _ in plan.lines.components or ()]
        if isinstance(upsert.replaced_by, str):
            plan.refers_to.append(("replaced_by", upsert.replaced_by))
        return plan

    def _set_base_unit(self, plan: _Plan) -> UnitRef | None:
        """Resolves and sets the base unit; the one that counts from now on."""
        change, sent = plan.change, plan.upsert.base_uom
        kept = None if change.created else UnitRef(change.row.base_unit_id, plan.old_base, 0)
        if not self._rows.require(change, "base_uom", sent) or isinstance(sent, Unset):
            return kept
        unit = self._codes.unit(sent)
        if unit is None or isinstance(unit, Ignored):
            context = {"sku": change.code}
            change.blocks.append(
                self._codes.unknown("unit", sent, self._sender.code, subject=change.code, context=context)
            )
            return kept
        self._rows.set(change, "base_uom", unit.id, unit.code)
        return unit if "base_uom" in change.changed else kept

    def _check_base_units(self, plans: Sequence[_Plan]) -> None:
        """What is counted in a base unit would mean something else in another."""
        moved = [p for p in plans if p.change.alive and not p.change.created and "base_uom" in p.change.changed]
        if not moved:
            return
        ids = [plan.change.row.pk for plan in moved]
        stocked = set(self._has_stock(ids) if self._has_stock is not None else ids)
        for plan in moved:
            sku, old = plan.change.code, plan.old_base
            base = plan.lines.base_unit.code if plan.lines.base_unit is not None else ""
            if plan.change.row.pk in stocked:
                detail = (
                    f"Item {sku} has stock counted in {old}; its base unit cannot become {base}. "
                    f"Bring its stock to zero first, or send it as a new SKU."
                )
                plan.change.blocks.append(wrong_factor(detail, sku=sku, uom=old, base_uom=base))
            elif isinstance(plan.upsert.units, Unset) and self._lists.units.of(plan.change.row.pk):
                detail = f"Item {sku}: its units are factors to {old}; send them again with the base unit {base}."
                plan.change.blocks.append(wrong_factor(detail, sku=sku, uom=old, base_uom=base))

    def _check_references(self, plans: Sequence[_Plan]) -> None:
        """Items may refer to items of the same batch, as long as those are not blocked themselves."""
        settled = False
        while not settled:
            settled = True
            for plan in plans:
                if not plan.change.alive:
                    continue
                refused = [self._refuse(plan, name, code) for name, code in plan.refers_to]
                if blocks := [block for block in refused if block is not None]:
                    plan.change.blocks += blocks
                    settled = False

    def _refuse(self, plan: _Plan, name: str, code: str) -> Block | None:
        ours = self._codes.our_code("item", code)
        if ours == plan.change.code:
            detail = f"Item {ours} names itself in {name}; name another item."
            return broken_rule("item.upserted", f"/{name}", "itself", detail, subject=plan.change.code)
        if self._codes.item(code) is not None and not isinstance(ours, Ignored):
            return None
        if isinstance(ours, str) and ours in self._new and self._new[ours].change.alive:
            return None
        return self._codes.unknown("item", code, self._sender.code, subject=plan.change.code)

    def _set_successors(self, plans: Sequence[_Plan]) -> None:
        """A successor in the same batch has no id yet: it is set by _write."""
        for plan in plans:
            successor = plan.upsert.replaced_by
            if not plan.change.alive or isinstance(successor, Unset):
                continue
            found = self._codes.item(successor) if successor is not None else None
            if isinstance(found, ItemRef):
                self._rows.set(plan.change, "replaced_by", found.id, found.sku)
            elif successor is None:
                self._rows.set(plan.change, "replaced_by", None)
            elif self._rows.may(plan.change, "identity", "replaced_by", theirs=successor, ours=lambda: None):
                plan.newborn_successor = successor

    def _write(self, plans: Sequence[_Plan]) -> None:
        self._rows.write(plan.change for plan in plans)
        if waiting := [plan for plan in plans if plan.newborn_successor]:
            for plan in waiting:
                plan.change.row.replaced_by_id = self._item_id(plan.newborn_successor)
                plan.change.changes("replaced_by")
            self._rows.write(plan.change for plan in waiting)
        self._lists.write([plan.lines for plan in plans], self._item_id)
        moved = [plan.change for plan in plans if plan.change.created or SELLING & set(plan.change.changed)]
        dirty.mark([change.row.pk for change in moved])
        self._heal(plans)

    def _item_id(self, code: str) -> int:
        found = self._codes.item(code)
        if found is not None and not isinstance(found, Ignored):
            return found.id
        ours = self._codes.our_code("item", code)
        assert isinstance(ours, str)
        return int(self._new[ours].change.row.pk)

    def _heal(self, plans: Sequence[_Plan]) -> None:
        by = actor_of(self._sender)
        heal_codes("item", [plan.change.code for plan in plans if plan.change.created], by=by)
        heal_codes(
            "item", [alias for plan in plans for alias in plan.lines.aliases or ()], source=self._sender.code, by=by
        )
        heal_identifiers(self._lists.freed_identifiers(), by)
        if any({"units", "base_uom"} & set(plan.change.changed) for plan in plans if not plan.change.created):
            heal_conversions(by)


def _item_codes(upsert: ItemUpsert) -> list[str]:
    successor = [upsert.replaced_by] if isinstance(upsert.replaced_by, str) else []
    return [upsert.sku, *successor, *(line.sku for line in sent_lines(upsert.components))]


def _unit_codes(upsert: ItemUpsert) -> list[str]:
    base = [upsert.base_uom] if isinstance(upsert.base_uom, str) else []
    lines = [line.uom for line in sent_lines(upsert.units)]
    identified = [line.uom for line in sent_lines(upsert.identifiers) if line.uom is not None]
    return [*base, *lines, *identified, *(line.uom for line in sent_lines(upsert.components))]
