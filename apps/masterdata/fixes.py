"""What a person can do about a code nobody knows, or a unit without a factor: map, create, ignore, convert."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from apps.exceptions.fixes import FixField, FixResult, Suggestion
from apps.exceptions.models import BlockedRecord, Cause
from apps.lib.codes import InvalidCode, normalise_code
from apps.lib.errors import FieldError, Problem
from apps.masterdata import creation
from apps.masterdata.blocks import UNKNOWN
from apps.masterdata.changes import Person, UpsertResult
from apps.masterdata.cross_references import CrossReferenceUpsert, upsert_cross_references
from apps.masterdata.items import ItemUpsert, UnitLine, upsert_items
from apps.masterdata.models import CrossReference, Item, ItemUnit
from apps.masterdata.resolving import Codes, ItemRef, UnitRef
from apps.masterdata.suggestions import nearest_ours
from apps.masterdata.systems import find_sender
from apps.masterdata.units import UnitUpsert, set_conversion, upsert_units

_KINDS: Final = {reason: kind for kind, (reason, _, _) in UNKNOWN.items()}
_SAME_CHOICES = 3


class Map:
    """This code of this source means one of ours, from now on."""

    name: ClassVar[str] = "map"
    label: ClassVar[str] = "Map the code"
    fields: ClassVar[tuple[FixField, ...]] = (
        FixField("target", "Means our", "code", help="The code of ours it means; nothing new is created."),
    )

    def suggest(self, cause: Cause) -> list[Suggestion]:
        return self.suggest_many([cause])[cause.pk]

    def suggest_many(self, causes: Sequence[Cause]) -> dict[int, list[Suggestion]]:
        """What other sources mean by the same code, then the nearest of ours; two queries a kind."""
        found: dict[int, list[Suggestion]] = {cause.pk: [] for cause in causes}
        for kind, members in _by_kind(causes).items():
            elsewhere = _meant_elsewhere(kind, members)
            readable = {code for cause in members if (code := _readable(cause.value))}
            near = nearest_ours(kind, readable) if kind in _searched() else {}
            for cause in members:
                scores = dict(elsewhere.get(_readable(cause.value), {}))
                for each in near.get(_readable(cause.value), ()):
                    scores.setdefault(each.target, (f"{each.target} · {each.label}", each.score))
                found[cause.pk] = [Suggestion(target, label, score) for target, (label, score) in scores.items()]
        return found

    def apply(self, cause: Cause, fields: Mapping[str, Any], actor: str) -> FixResult:
        _only(fields, "target")
        kind, target = _kind(cause), _code(fields, "target")
        upsert = CrossReferenceUpsert(kind=kind, code=cause.value, target=target)
        _applied(_refer(cause, upsert, actor))
        return FixResult(f"{cause.value} of {_system(cause)} means our {kind.replace('_', ' ')} {target}")


class Create:
    """The code is right, and the record is missing here: create it."""

    name: ClassVar[str] = "create"
    label: ClassVar[str] = "Create it"
    # The rest of the entity's upsert data is taken as well.
    open_fields: ClassVar[bool] = True
    fields: ClassVar[tuple[FixField, ...]] = (
        FixField("name", "Name"),
        FixField("base_uom", "Base unit", "code", required=False, help="An item needs one of our units."),
    )

    def suggest(self, cause: Cause) -> list[Suggestion]:
        return []

    def suggest_many(self, causes: Sequence[Cause]) -> dict[int, list[Suggestion]]:
        return {}

    def apply(self, cause: Cause, fields: Mapping[str, Any], actor: str) -> FixResult:
        """`fields` are the entity's upsert data; the code is the cause's, unless ours is another (then mapped)."""
        kind = _kind(cause)
        code = creation.create(kind, {**creation.named(kind, cause.value), **fields}, actor)
        if code != _readable(cause.value):
            _applied(_refer(cause, CrossReferenceUpsert(kind=kind, code=cause.value, target=code), actor))
        return FixResult(f"created {kind} {code}")


class Ignore:
    """What this source says under this code is never ours to apply."""

    name: ClassVar[str] = "ignore"
    label: ClassVar[str] = "Ignore this code of this source"
    fields: ClassVar[tuple[FixField, ...]] = (
        FixField("reason", "Why", required=False, help="Shown wherever the code is ignored."),
    )

    def suggest(self, cause: Cause) -> list[Suggestion]:
        return []

    def suggest_many(self, causes: Sequence[Cause]) -> dict[int, list[Suggestion]]:
        return {}

    def apply(self, cause: Cause, fields: Mapping[str, Any], actor: str) -> FixResult:
        _only(fields, "reason")
        reason = str(fields.get("reason") or "").strip() or f"ignored by {actor}"
        upsert = CrossReferenceUpsert(kind=_kind(cause), code=cause.value, ignored=True, reason=reason)
        _applied(_refer(cause, upsert, actor))
        return FixResult(f"{cause.value} of {_system(cause)} is ignored: {reason}", outcome="ignore")


class Conversion:
    """How much one unit is: of one item with `sku`, else for every item."""

    name: ClassVar[str] = "conversion"
    label: ClassVar[str] = "Add the conversion"
    fields: ClassVar[tuple[FixField, ...]] = (
        FixField("sku", "Only for item", "code", required=False, help="Empty: for every item."),
        FixField("uom", "One", "code", required=False, help="The unit that has no factor; empty: the cause's."),
        FixField("numerator", "is", "int"),
        FixField("denominator", "divided by", "int", required=False, help="Base units; 1 where it is left out."),
    )

    def suggest(self, cause: Cause) -> list[Suggestion]:
        return self.suggest_many([cause])[cause.pk]

    def suggest_many(self, causes: Sequence[Cause]) -> dict[int, list[Suggestion]]:
        """The factor most other items have for the same two units; the score is their share."""
        units = {cause.pk: _units_of(cause) for cause in causes}
        pairs = {pair for pair in units.values() if pair is not None}
        factors: dict[tuple[str, str], dict[tuple[int, int], int]] = defaultdict(lambda: defaultdict(int))
        known = ItemUnit.objects.filter(unit__code__in={uom for uom, _ in pairs}) if pairs else ItemUnit.objects.none()
        for uom, base, n, d in known.values_list("unit__code", "item__base_unit__code", "numerator", "denominator"):
            factors[uom, base][n, d] += 1
        return {pk: _likely_factor(pair, factors.get(pair, {})) if pair else [] for pk, pair in units.items()}

    def apply(self, cause: Cause, fields: Mapping[str, Any], actor: str) -> FixResult:
        _only(fields, "sku", "uom", "numerator", "denominator")
        numerator, denominator = _whole(fields, "numerator"), _whole(fields, "denominator", otherwise=1)
        context = _context(cause)
        uom = self._unit(cause, _code(fields, "uom", otherwise=context.get("uom") or cause.value), actor)
        said = f"1 {uom} = {numerator}/{denominator}" if denominator != 1 else f"1 {uom} = {numerator}"
        if fields.get("sku"):
            sku = _code(fields, "sku")
            line = UnitLine(uom=uom, numerator=numerator, denominator=denominator)
            upsert = ItemUpsert(sku=sku, units=[line], lines_mode="merge")
            if not Item.objects.filter(sku=sku).exists():
                raise _invalid("sku", f"There is no item {sku}; name one of ours, or leave it out.")
            _applied(upsert_items([upsert], Person(actor))[0])
            return FixResult(f"{said} base units of {sku}")
        base = _base_unit(cause, context)
        if base == uom:
            raise _invalid("uom", f"{uom} is the base unit of these items: its factor is 1 and needs no conversion.")
        set_conversion(uom, base, numerator, denominator, by=actor)
        return FixResult(f"{said} {base} for every item")

    def _unit(self, cause: Cause, code: str, actor: str) -> str:
        """Our code of the unit. One nobody knows (UNKNOWN_UNIT) is created; theirs may be mapped to another."""
        sender = find_sender(cause.source or cause.channel)
        codes = Codes(sender.system_id if sender is not None else None)
        codes.load(units=[code])
        found = codes.unit(code)
        ours = found.code if isinstance(found, UnitRef) else code
        if found is None:
            if cause.reason != "UNKNOWN_UNIT":
                raise _invalid("uom", f"{code} is not one of our units; create or map it first.")
            _applied(upsert_units([UnitUpsert(code=code, name=code)], Person(actor))[0])
        if cause.reason == "UNKNOWN_UNIT" and _readable(cause.value) != ours:
            _applied(_refer(cause, CrossReferenceUpsert(kind="unit", code=cause.value, target=ours), actor))
        return ours


def _by_kind(causes: Sequence[Cause]) -> dict[str, list[Cause]]:
    groups: dict[str, list[Cause]] = defaultdict(list)
    for cause in causes:
        if cause.reason in _KINDS:
            groups[_KINDS[cause.reason]].append(cause)
    return groups


def _searched() -> frozenset[str]:
    return frozenset({"item", "account", "warehouse", "unit", "branch"})


def _meant_elsewhere(kind: str, causes: Sequence[Cause]) -> dict[str, dict[str, tuple[str, float]]]:
    """Code → target → (label, score) where another system's cross reference knows the same code."""
    rows = CrossReference.objects.filter(
        kind=kind, ignored=False, code__in={_readable(cause.value) for cause in causes}
    ).values_list("code", "target", "system__code")
    found: dict[str, dict[str, tuple[str, float]]] = defaultdict(dict)
    for code, target, system in rows.order_by("code", "target"):
        found[code].setdefault(target, (f"{target} · {system} means this by {code}", 0.95))
    return found


def _likely_factor(pair: tuple[str, str], counted: Mapping[tuple[int, int], int]) -> list[Suggestion]:
    total = sum(counted.values())
    best = sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))[:_SAME_CHOICES]
    uom, base = pair
    return [
        Suggestion(
            f"{n}/{d}",
            f"1 {uom} = {n if d == 1 else f'{n}/{d}'} {base}, as {count} items have it",
            round(count / total, 4),
        )
        for (n, d), count in best
    ]


def _units_of(cause: Cause) -> tuple[str, str] | None:
    """(uom, base unit) of an INVALID_CONVERSION cause, whose value is "uom → base"."""
    uom, arrow, base = cause.value.partition(" → ")
    return (uom, base) if arrow and cause.reason == "INVALID_CONVERSION" else None


def _context(cause: Cause) -> dict[str, str]:
    record = BlockedRecord.objects.filter(cause=cause).order_by("-id").first()
    context: dict[str, str] = dict(record.context) if record is not None else {}
    if (pair := _units_of(cause)) is not None:
        context.setdefault("uom", pair[0])
        context.setdefault("base_uom", pair[1])
    return context


def _base_unit(cause: Cause, context: Mapping[str, str]) -> str:
    """The base unit of the items that wait; a general conversion needs one answer for all of them."""
    if context.get("base_uom"):
        return context["base_uom"]
    waiting = BlockedRecord.objects.filter(cause=cause, state__in=BlockedRecord.WAITING)
    skus = {str(each.get("sku", "")) for each in waiting.values_list("context", flat=True)[:1000]} - {""}
    sender = find_sender(cause.source or cause.channel)
    codes = Codes(sender.system_id if sender is not None else None)
    codes.load(items=skus)
    bases = {ref.base_unit for sku in skus if isinstance(ref := codes.item(sku), ItemRef)}
    if len(bases) != 1:
        several = ", ".join(sorted(bases)) or "none that is known"
        raise _invalid("sku", f"The items that wait have the base units {several}; name one item by its sku.")
    return bases.pop()


def _kind(cause: Cause) -> str:
    if cause.reason not in _KINDS:
        raise Problem(400, "invalid", f"{cause.reason} is not about an unknown code; choose another fix.")
    return _KINDS[cause.reason]


def _system(cause: Cause) -> str:
    return cause.source or cause.channel


def _refer(cause: Cause, upsert: CrossReferenceUpsert, actor: str) -> UpsertResult:
    sender = find_sender(_system(cause))
    if sender is None:
        raise Problem(400, "invalid", f"The cause names no system ({_system(cause)!r}) whose code this would be.")
    origin = CrossReference.Origin.PERSON
    return upsert_cross_references([upsert], sender, by=actor, origin=origin)[0]


def _applied(result: UpsertResult) -> None:
    if result.status != "blocked":
        return
    errors = [FieldError(block.reason, block.detail, "/" + block.field.strip("/")) for block in result.blocks]
    raise Problem(400, "invalid", result.blocks[0].detail, errors)


def _readable(text: str) -> str:
    try:
        return normalise_code(text)
    except InvalidCode:
        return ""


def _code(fields: Mapping[str, Any], name: str, otherwise: str = "") -> str:
    value = fields.get(name) or otherwise
    if not isinstance(value, str):
        raise _invalid(name, f"{name} is a code: a text of 1 to 100 characters.")
    try:
        return normalise_code(value)
    except InvalidCode as error:
        raise _invalid(name, f"{name}: {error.detail}") from error


def _whole(fields: Mapping[str, Any], name: str, otherwise: int | None = None) -> int:
    value = fields.get(name)
    if value in (None, "") and otherwise is not None:
        return otherwise
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value.strip()) < 19:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**63:
        raise _invalid(name, f"{name} is {str(value)[:40]!r}; send a whole number above 0.")
    return value


def _only(fields: Mapping[str, Any], *known: str) -> None:
    if unknown := sorted(set(fields) - set(known)):
        detail = f"Nobody knows the field {unknown[0][:100]!r}; known: {', '.join(known)}."
        raise Problem(400, "unknown_field", detail, [FieldError("unknown_field", detail, f"/{unknown[0][:100]}")])


def _invalid(name: str, detail: str) -> Problem:
    return Problem(400, "invalid", detail, [FieldError("invalid", detail, f"/{name}")])
