"""Master data in the console: search, filter, edit, import and export."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from import_export.admin import ExportMixin, ImportExportMixin
from import_export.formats.base_formats import CSV, XLSX
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.import_export.forms import ExportForm, ImportForm

from apps.access.admin_permissions import CapabilityAdminMixin
from apps.lib.clock import Now
from apps.lib.identifiers import InvalidIdentifier, normalise
from apps.masterdata import dirty, resources
from apps.masterdata.authority import Owners
from apps.masterdata.filters import search_accounts, search_items
from apps.masterdata.healing import heal_codes, heal_conversions
from apps.masterdata.models import (
    Account,
    AccountIdentifier,
    AccountLicence,
    Authority,
    Branch,
    Calendar,
    Company,
    CrossReference,
    FieldDifference,
    Identifier,
    Item,
    ItemComponent,
    ItemUnit,
    ShipTo,
    System,
    Unit,
    UnitConversion,
    Warehouse,
)

UPLOAD_MAX = 10 * 1024 * 1024


class SheetImportForm(ImportForm):
    def clean_import_file(self) -> Any:
        file = self.cleaned_data["import_file"]
        if file.size > UPLOAD_MAX:
            said = f"The file has {file.size:,} bytes; the browser takes {UPLOAD_MAX:,}."
            raise ValidationError(f"{said} Load it with: python manage.py import_feed SOURCE FILE")
        return file


class MasterDataRules(CapabilityAdminMixin):
    """Comes first among the bases: the capability table decides, also about import and export."""

    view_capability: ClassVar[str] = "masterdata:read"
    change_capability: ClassVar[str] = "masterdata:write"
    list_per_page = 50
    # entity (as Authority names it) and its field groups, whose fields are read-only where a system owns them
    entity: ClassVar[str] = ""
    owned: ClassVar[dict[str, tuple[str, ...]]] = {}

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        fixed = tuple(super().get_readonly_fields(request, obj))  # type: ignore[misc]
        if obj is None or not self.owned:
            return fixed
        owners = Owners(self.entity)
        return fixed + tuple(name for group, names in self.owned.items() if owners.owner(group) for name in names)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if hasattr(obj, "updated_at"):
            obj.updated_at = Now()
        super().save_model(request, obj, form, change)  # type: ignore[misc]
        if not change and self.entity:
            heal_codes(self.entity, [str(obj)], by=request.user.get_username())


class MasterDataAdmin(MasterDataRules, ModelAdmin):
    pass


class SheetAdmin(MasterDataRules, ImportExportMixin, ModelAdmin):
    import_form_class = SheetImportForm
    export_form_class = ExportForm
    formats = (CSV, XLSX)
    skip_admin_log = True
    show_change_form_export = False

    def get_import_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_import_resource_kwargs(request, **kwargs), "actor": request.user.get_username()}


class LineSheetAdmin(SheetAdmin):
    """Lines are edited on the page of what they belong to; here they are searched, imported and exported."""

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_import_permission(self, request: HttpRequest) -> bool:
        return super().has_change_permission(request)


class LineInline(CapabilityAdminMixin, TabularInline):
    """Lines of a list; read-only where a system owns their field group."""

    view_capability: ClassVar[str] = "masterdata:read"
    change_capability: ClassVar[str] = "masterdata:write"
    deletable: ClassVar[bool] = True
    extra = 0
    tab = True
    owner: ClassVar[tuple[str, str]] = ("item", "identity")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_change_permission(request, obj) and not Owners(self.owner[0]).owner(self.owner[1])


class ItemUnitInline(LineInline):
    model = ItemUnit
    owner = ("item", "units")
    autocomplete_fields = ("unit",)


class IdentifierForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Identifier
        fields = ("scheme", "value", "unit", "party")

    def clean(self) -> dict[str, Any] | None:
        data = super().clean() or self.cleaned_data
        try:
            data["value"] = normalise(data.get("scheme", ""), data.get("value", ""))
        except InvalidIdentifier as error:
            raise ValidationError({"value": error.detail}) from error
        return data


class IdentifierInline(LineInline):
    model = Identifier
    form = IdentifierForm
    autocomplete_fields = ("unit",)


class ItemComponentInline(LineInline):
    model = ItemComponent
    fk_name = "kit"
    autocomplete_fields = ("component", "unit")


@admin.register(Item)
class ItemAdmin(SheetAdmin):
    entity = "item"
    owned = {
        "identity": ("name", "kind", "status", "replaced_by", "lot_tracked"),
        "content": ("brand", "family", "category", "hazard_class", "attributes"),
        "terms": ("tax_class",),
    }
    resource_classes = [resources.ItemResource]
    list_display = ("sku", "name", "base_unit", "kind", "status", "family", "brand")
    list_filter = ("status", "kind", "lot_tracked")
    list_select_related = ("base_unit",)
    search_fields = ("sku", "name")
    search_help_text = "SKU, name, identifier or alias"
    autocomplete_fields = ("base_unit", "replaced_by")
    readonly_fields = ("called", "differences", "updated_at")
    inlines = (ItemUnitInline, IdentifierInline, ItemComponentInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Item]:
        rows: QuerySet[Item] = super().get_queryset(request)
        return rows.select_related("base_unit", "replaced_by")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        fields = super().get_readonly_fields(request, obj)
        # Stock is counted in it: it moves by event only, where the ledger can say that there is none.
        return fields if obj is None else (*fields, "sku", "base_unit")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Item], search_term: str
    ) -> tuple[QuerySet[Item], bool]:
        return (search_items(queryset, search_term) if search_term.strip() else queryset), False

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        lines_changed = any(formset.has_changed() for formset in formsets)
        if lines_changed or dirty.SELLING & set(form.changed_data):
            dirty.mark([form.instance.pk])
        if lines_changed:
            heal_conversions(request.user.get_username())

    @admin.display(description="Called by other systems")
    def called(self, item: Item) -> str:
        rows = CrossReference.objects.filter(kind="item", target=item.sku).values_list("system__code", "code")
        return ", ".join(f"{system}: {code}" for system, code in rows.order_by("system__code", "code")) or "–"

    @admin.display(description="Others say (not applied)")
    def differences(self, item: Item) -> str:
        rows = FieldDifference.objects.filter(entity="item", code=item.sku).select_related("system").order_by("field")
        said = [f"{row.system.code} says {row.field} is {row.theirs!r}, ours is {row.ours!r}" for row in rows]
        return "; ".join(said) or "–"


@admin.register(ItemUnit)
class ItemUnitAdmin(LineSheetAdmin):
    resource_classes = [resources.ItemUnitResource]
    list_display = ("item", "unit", "numerator", "denominator", "sellable", "order_minimum", "order_multiple")
    list_filter = ("sellable", "unit")
    list_select_related = ("item", "unit", "item__base_unit")
    search_fields = ("item__sku", "unit__code")


@admin.register(Identifier)
class IdentifierAdmin(LineSheetAdmin):
    resource_classes = [resources.IdentifierResource]
    list_display = ("item", "unit", "scheme", "value", "party")
    list_filter = ("scheme",)
    list_select_related = ("item", "unit")
    search_fields = ("value", "item__sku")


class ShipToInline(LineInline):
    model = ShipTo
    owner = ("account", "identity")
    deletable = False
    autocomplete_fields = ("branch",)


class AccountLicenceInline(LineInline):
    model = AccountLicence
    owner = ("account", "terms")


class AccountIdentifierInline(LineInline):
    model = AccountIdentifier
    owner = ("account", "identity")


@admin.register(Account)
class AccountAdmin(SheetAdmin):
    entity = "account"
    owned = {
        "identity": ("name", "type", "parent", "branch"),
        "terms": ("status", "groups", "currency", "tax_exempt", "min_life_days", "price_policy"),
    }
    resource_classes = [resources.AccountResource]
    list_display = ("code", "name", "status", "type", "branch", "currency", "price_policy")
    list_filter = ("status", "price_policy", "tax_exempt", "branch")
    list_select_related = ("branch",)
    search_fields = ("code", "name")
    search_help_text = "Code, name, ship-to or another system's code"
    autocomplete_fields = ("parent", "branch")
    readonly_fields = ("updated_at",)
    inlines = (ShipToInline, AccountLicenceInline, AccountIdentifierInline)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Account], search_term: str
    ) -> tuple[QuerySet[Account], bool]:
        return (search_accounts(queryset, search_term) if search_term.strip() else queryset), False


@admin.register(ShipTo)
class ShipToAdmin(LineSheetAdmin):
    resource_classes = [resources.ShipToResource]
    list_display = ("account", "code", "name", "branch", "country", "status")
    list_filter = ("status", "country")
    list_select_related = ("account", "branch")
    search_fields = ("code", "name", "account__code")


@admin.register(Unit)
class UnitAdmin(SheetAdmin):
    entity = "unit"
    owned = {"identity": ("name", "decimals")}
    resource_classes = [resources.UnitResource]
    list_display = ("code", "name", "decimals")
    search_fields = ("code", "name")


@admin.register(UnitConversion)
class UnitConversionAdmin(MasterDataAdmin):
    deletable = True
    list_display = ("unit", "numerator", "denominator", "to_unit")
    list_select_related = ("unit", "to_unit")
    search_fields = ("unit__code", "to_unit__code")
    autocomplete_fields = ("unit", "to_unit")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        dirty.mark_units([obj.unit_id, obj.to_unit_id])
        heal_conversions(request.user.get_username())

    def delete_model(self, request: HttpRequest, obj: UnitConversion) -> None:
        dirty.mark_units([obj.unit_id, obj.to_unit_id])
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[UnitConversion]) -> None:
        dirty.mark_units([unit for pair in queryset.values_list("unit_id", "to_unit_id") for unit in pair])
        super().delete_queryset(request, queryset)


@admin.register(Warehouse)
class WarehouseAdmin(SheetAdmin):
    entity = "warehouse"
    owned = {
        "identity": ("name", "kind", "sellable", "branch", "country", "region", "time_zone"),
        "planning": ("calendar", "cutoff", "priority"),
    }
    resource_classes = [resources.WarehouseResource]
    list_display = ("code", "name", "kind", "sellable", "branch", "country", "priority")
    list_filter = ("kind", "sellable", "branch")
    list_select_related = ("branch",)
    search_fields = ("code", "name")
    autocomplete_fields = ("branch", "movements_source", "counts_source")
    readonly_fields = ("updated_at",)


@admin.register(Branch)
class BranchAdmin(SheetAdmin):
    entity = "branch"
    owned = {"identity": ("name", "company", "region", "time_zone"), "terms": ("currency",)}
    resource_classes = [resources.BranchResource]
    list_display = ("code", "name", "company", "region", "currency")
    list_filter = ("company",)
    list_select_related = ("company",)
    search_fields = ("code", "name")


@admin.register(Company, Calendar)
class CodeAndNameAdmin(MasterDataAdmin):
    list_display = ("code", "name")
    search_fields = ("code", "name")


@admin.register(System)
class SystemAdmin(MasterDataAdmin):
    """Systems begin as a source or a channel; here they are named."""

    list_display = ("code", "name")
    search_fields = ("code", "name")
    readonly_fields = ("code",)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class CrossReferenceForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = CrossReference
        fields = ("system", "kind", "code", "target", "ignored", "reason")

    def clean(self) -> dict[str, Any] | None:
        """Asks the upsert, inside a transaction that is rolled back, so that page and API refuse the same."""
        data = super().clean() or self.cleaned_data
        if self.errors:
            return data
        for message in resources.refusal_of(data):
            self.add_error(None, message)
        return data


@admin.register(CrossReference)
class CrossReferenceAdmin(SheetAdmin):
    form = CrossReferenceForm
    resource_classes = [resources.CrossReferenceResource]
    list_display = ("system", "kind", "code", "target", "ignored", "origin", "created_by", "created_at")
    list_filter = ("kind", "ignored", "origin", "system")
    list_select_related = ("system",)
    search_fields = ("code", "target", "reason")
    autocomplete_fields = ("system",)
    deletable = True

    def save_model(self, request: HttpRequest, obj: CrossReference, form: Any, change: bool) -> None:
        obj.origin, obj.created_by = CrossReference.Origin.PERSON, request.user.get_username()
        super().save_model(request, obj, form, change)
        heal_codes(obj.kind, [obj.code], source=obj.system.code, by=request.user.get_username())


@admin.register(Authority)
class AuthorityAdmin(MasterDataAdmin):
    deletable = True
    list_display = ("entity", "group", "system")
    list_filter = ("entity", "group", "system")
    autocomplete_fields = ("system",)


@admin.register(FieldDifference)
class FieldDifferenceAdmin(CapabilityAdminMixin, ExportMixin, ModelAdmin):
    view_capability = "masterdata:read"
    export_form_class = ExportForm
    formats = (CSV, XLSX)
    list_display = ("entity", "code", "field", "system", "theirs", "ours", "seen_at")
    list_filter = ("entity", "system")
    list_select_related = ("system",)
    search_fields = ("code", "field")
    ordering = ("-seen_at",)
