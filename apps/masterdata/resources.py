"""What each kind of master data looks like as a sheet: columns by code, applied through its upserts."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from import_export.fields import Field

from apps.masterdata.accounts import AccountUpsert, ShipToLine, upsert_accounts
from apps.masterdata.blocks import broken_rule
from apps.masterdata.branches import BranchUpsert, upsert_branches
from apps.masterdata.cells import CellError, Row
from apps.masterdata.changes import UNSET, Sender, Unset, UpsertResult, actor_of
from apps.masterdata.cross_references import CrossReferenceUpsert, upsert_cross_references
from apps.masterdata.importing import UpsertResource
from apps.masterdata.items import IdentifierLine, ItemUpsert, UnitLine, upsert_items
from apps.masterdata.models import (
    Account,
    Branch,
    CrossReference,
    Identifier,
    Item,
    ItemUnit,
    ShipTo,
    Unit,
    Warehouse,
)
from apps.masterdata.systems import SystemSender, find_sender
from apps.masterdata.units import UnitUpsert, upsert_units
from apps.masterdata.warehouses import WarehouseUpsert, upsert_warehouses

Keys = set[tuple[str, ...]]


def column(name: str, path: str = "") -> Field:
    return Field(attribute=path or name, column_name=name)


def _first(keys: Keys) -> list[str]:
    return sorted({key[0] for key in keys})


class UnitResource(UpsertResource):
    class Meta:
        model = Unit
        fields = ("code", "name", "decimals")

    def upsert_of(self, row: Row) -> UnitUpsert:
        decimals = row.whole("decimals")
        return UnitUpsert(
            code=row.code("code"), name=row.required("name"), decimals=UNSET if decimals is None else decimals
        )

    def apply(self, upserts: Sequence[UnitUpsert], sender: Sender) -> list[UpsertResult]:
        return upsert_units(upserts, sender)

    def existing(self, keys: Keys) -> dict[tuple[str, ...], Any]:
        return {(row.code,): row for row in Unit.objects.filter(code__in=_first(keys))}


class BranchResource(UpsertResource):
    company = column("company", "company__code")
    timezone = column("timezone", "time_zone")

    class Meta:
        model = Branch
        fields = ("code", "name", "company", "region", "timezone", "currency")

    def upsert_of(self, row: Row) -> BranchUpsert:
        return BranchUpsert(
            code=row.code("code"),
            name=row.required("name"),
            company=row.text("company"),
            region=row.text("region"),
            timezone=row.text("timezone"),
            currency=row.text("currency"),
        )

    def apply(self, upserts: Sequence[BranchUpsert], sender: Sender) -> list[UpsertResult]:
        return upsert_branches(upserts, sender)

    def existing(self, keys: Keys) -> dict[tuple[str, ...], Any]:
        return {(row.code,): row for row in Branch.objects.filter(code__in=_first(keys)).select_related("company")}


class WarehouseResource(UpsertResource):
    branch = column("branch", "branch__code")
    timezone = column("timezone", "time_zone")
    calendar = column("calendar", "calendar__code")

    class Meta:
        model = Warehouse
        fields = (
            "code",
            "name",
            "kind",
            "sellable",
            "branch",
            "country",
            "region",
            "timezone",
            "calendar",
            "cutoff",
            "priority",
        )

    def upsert_of(self, row: Row) -> WarehouseUpsert:
        return WarehouseUpsert(
            code=row.code("code"),
            name=row.required("name"),
            kind=row.required("kind"),
            sellable=row.flag("sellable"),
            branch=row.text("branch"),
            country=row.text("country"),
            region=row.text("region"),
            timezone=row.text("timezone"),
            calendar=row.text("calendar"),
            cutoff=row.clock("cutoff"),
            priority=row.whole("priority"),
        )

    def apply(self, upserts: Sequence[WarehouseUpsert], sender: Sender) -> list[UpsertResult]:
        return upsert_warehouses(upserts, sender)

    def existing(self, keys: Keys) -> dict[tuple[str, ...], Any]:
        rows = Warehouse.objects.filter(code__in=_first(keys)).select_related("branch", "calendar")
        return {(row.code,): row for row in rows}


class AccountResource(UpsertResource):
    groups = Field(column_name="groups")
    parent = column("parent", "parent__code")
    branch = column("branch", "branch__code")

    class Meta:
        model = Account
        fields = (
            "code",
            "name",
            "status",
            "groups",
            "type",
            "parent",
            "branch",
            "currency",
            "tax_exempt",
            "min_life_days",
            "price_policy",
        )

    def dehydrate_groups(self, account: Account) -> str:
        return ";".join(account.groups)

    def upsert_of(self, row: Row) -> AccountUpsert:
        return AccountUpsert(
            code=row.code("code"),
            name=row.required("name"),
            status=row.required("status"),
            groups=row.codes("groups"),
            type=row.text("type"),
            parent=row.text("parent"),
            branch=row.text("branch"),
            currency=row.text("currency"),
            tax_exempt=row.flag("tax_exempt"),
            min_life_days=row.whole("min_life_days"),
            price_policy=row.required("price_policy"),
        )

    def apply(self, upserts: Sequence[AccountUpsert], sender: Sender) -> list[UpsertResult]:
        return upsert_accounts(upserts, sender)

    def existing(self, keys: Keys) -> dict[tuple[str, ...], Any]:
        rows = Account.objects.filter(code__in=_first(keys)).select_related("branch", "parent")
        return {(row.code,): row for row in rows}


class ShipToResource(UpsertResource):
    key = ("account", "code")
    account = column("account", "account__code")
    branch = column("branch", "branch__code")
    timezone = column("timezone", "time_zone")

    class Meta:
        model = ShipTo
        fields = ("account", "code", "name", "branch", "country", "region", "timezone", "status")

    def upsert_of(self, row: Row) -> AccountUpsert:
        line = ShipToLine(
            code=row.code("code"),
            name=row.text("name"),
            branch=row.text("branch"),
            country=row.text("country"),
            region=row.text("region"),
            timezone=row.text("timezone"),
            status=row.required("status"),
        )
        return AccountUpsert(code=row.code("account"), ship_tos=[line], lines_mode="merge")

    def apply(self, upserts: Sequence[AccountUpsert], sender: Sender) -> list[UpsertResult]:
        known = set(Account.objects.filter(code__in=[each.code for each in upserts]).values_list("code", flat=True))
        told = iter(upsert_accounts([each for each in upserts if each.code in known], sender))
        return [next(told) if each.code in known else _no_parent("account", each.code) for each in upserts]

    def existing(self, keys: Keys) -> dict[tuple[str, ...], Any]:
        rows = ShipTo.objects.filter(account__code__in=_first(keys)).select_related("account", "branch")
        return {(row.account.code, row.code): row for row in rows if (row.account.code, row.code) in keys}


class ItemResource(UpsertResource):
    key = ("sku",)
    base_uom = column("base_uom", "base_unit__code")
    replaced_by = column("replaced_by", "replaced_by__sku")

    class Meta:
        model = Item
        fields = (
            "sku",
            "name",
            "kind",
            "status",
            "base_uom",
            "brand",
            "family",
            "category",
            "tax_class",
            "replaced_by",
            "lot_tracked",
            "hazard_class",
        )

    def upsert_of(self, row: Row) -> ItemUpsert:
        return ItemUpsert(
            sku=row.code("sku"),
            name=row.required("name"),
            kind=row.required("kind"),
            status=row.required("status"),
            base_uom=row.required("base_uom"),
            brand=row.text("brand"),
            family=row.text("family"),
            category=row.text("category"),
            tax_class=row.text("tax_class"),
            replaced_by=row.text("replaced_by"),
            lot_tracked=row.flag("lot_tracked"),
            hazard_class=row.text("hazard_class"),
        )

    def apply(self, upserts: Sequence[ItemUpsert], sender: Sender) -> list[UpsertResult]:
        return upsert_items(upserts, sender)

    def existing(self, keys: Keys) -> dict[tuple[str, ...], Any]:
        rows = Item.objects.filter(sku__in=_first(keys)).select_related("base_unit", "replaced_by")
        return {(row.sku,): row for row in rows}


class _ItemLineResource(UpsertResource):
    """Lines of items that exist; a line in the file is added or changed, the others stay."""

    def apply(self, upserts: Sequence[ItemUpsert], sender: Sender) -> list[UpsertResult]:
        known = set(Item.objects.filter(sku__in=[each.sku for each in upserts]).values_list("sku", flat=True))
        told = iter(upsert_items([each for each in upserts if each.sku in known], sender))
        return [next(told) if each.sku in known else _no_parent("item", each.sku) for each in upserts]


class ItemUnitResource(_ItemLineResource):
    key = ("sku", "uom")
    sku = column("sku", "item__sku")
    uom = column("uom", "unit__code")

    class Meta:
        model = ItemUnit
        fields = ("sku", "uom", "numerator", "denominator", "sellable", "order_minimum", "order_multiple")

    def upsert_of(self, row: Row) -> ItemUpsert:
        numerator, denominator = row.whole("numerator"), row.whole("denominator")
        line = UnitLine(
            uom=row.code("uom"),
            numerator=UNSET if numerator is None else numerator,
            denominator=UNSET if denominator is None else denominator,
            sellable=row.flag("sellable"),
            order_minimum=_positive(row, "order_minimum"),
            order_multiple=_positive(row, "order_multiple"),
        )
        return ItemUpsert(sku=row.code("sku"), units=[line], lines_mode="merge")

    def existing(self, keys: Keys) -> dict[tuple[str, ...], Any]:
        rows = ItemUnit.objects.filter(item__sku__in=_first(keys)).select_related("item", "unit")
        return {(row.item.sku, row.unit.code): row for row in rows if (row.item.sku, row.unit.code) in keys}


class IdentifierResource(_ItemLineResource):
    key = ("sku", "scheme", "value")
    sku = column("sku", "item__sku")
    uom = column("uom", "unit__code")

    class Meta:
        model = Identifier
        fields = ("sku", "scheme", "value", "uom", "party")

    def upsert_of(self, row: Row) -> ItemUpsert:
        uom, party = row.text("uom"), row.text("party")
        line = IdentifierLine(
            scheme=row.code("scheme"),
            value=row.code("value"),
            uom=None if isinstance(uom, Unset) else uom,
            party=None if isinstance(party, Unset) else party,
        )
        return ItemUpsert(sku=row.code("sku"), identifiers=[line], lines_mode="merge")

    def existing(self, keys: Keys) -> dict[tuple[str, ...], Any]:
        rows: QuerySet[Identifier] = Identifier.objects.filter(item__sku__in=_first(keys))
        return {(row.item.sku, row.scheme, row.value): row for row in rows.select_related("item", "unit")}


class CrossReferenceResource(UpsertResource):
    key = ("system", "kind", "code")
    system = column("system", "system__code")

    class Meta:
        model = CrossReference
        fields = ("system", "kind", "code", "target", "ignored", "reason")

    def upsert_of(self, row: Row) -> tuple[str, CrossReferenceUpsert]:
        ignored = row.flag("ignored") is True
        target, reason = row.text("target"), row.text("reason")
        upsert = CrossReferenceUpsert(
            kind=row.code("kind"),
            code=row.code("code"),
            target="" if ignored else str(target or ""),
            ignored=ignored,
            reason=str(reason or ""),
        )
        return row.code("system"), upsert

    def apply(self, upserts: Sequence[tuple[str, CrossReferenceUpsert]], sender: Sender) -> list[UpsertResult]:
        told: dict[int, UpsertResult] = {}
        for system in sorted({system for system, _ in upserts}):
            mine = [position for position, each in enumerate(upserts) if each[0] == system]
            speaker = find_sender(system)
            if speaker is None:
                told |= {position: _no_parent("system", system) for position in mine}
                continue
            chosen = [upserts[position][1] for position in mine]
            origin = CrossReference.Origin.PERSON
            done = upsert_cross_references(chosen, speaker, by=actor_of(sender), origin=origin)
            told |= dict(zip(mine, done, strict=True))
        return [told[position] for position in range(len(upserts))]

    def existing(self, keys: Keys) -> dict[tuple[str, ...], Any]:
        wanted = Q(system__code__in=_first(keys)) & Q(code__in={key[2] for key in keys})
        rows = CrossReference.objects.filter(wanted).select_related("system")
        return {(row.system.code, row.kind, row.code): row for row in rows}


def _positive(row: Row, name: str) -> Any:
    value = row.decimal(name)
    if value is not None and not isinstance(value, Unset) and value <= 0:
        raise CellError(name, f"{name} is {value}; write a number above 0, or leave it empty.")
    return value


def _no_parent(noun: str, code: str) -> UpsertResult:
    names = {"item": "sku", "account": "account", "system": "system"}
    detail = f"There is no {noun} {code!r}; import or create it first."
    return UpsertResult(code, "blocked", (broken_rule("import", f"/{names[noun]}", "unknown", detail),))


def refusal_of(data: dict[str, Any]) -> list[str]:
    """What the upsert would say against a cross reference from a form; nothing is written."""
    ignored = bool(data.get("ignored"))
    upsert = CrossReferenceUpsert(
        kind=data["kind"],
        code=data["code"],
        target="" if ignored else data.get("target", ""),
        ignored=ignored,
        reason=data.get("reason", ""),
    )
    with transaction.atomic():
        told = upsert_cross_references([upsert], SystemSender(data["system"].pk, data["system"].code))
        transaction.set_rollback(True)
    return [block.detail for result in told for block in result.blocks]
