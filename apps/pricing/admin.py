"""Price books and prices in the console. Prices are never edited: a new one is set, by form or file."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from import_export.admin import ExportMixin, ImportExportMixin
from import_export.formats.base_formats import CSV, XLSX
from unfold.admin import ModelAdmin
from unfold.contrib.import_export.forms import ExportForm, ImportForm

from apps.access.admin_permissions import CapabilityAdminMixin
from apps.lib.clock import Now
from apps.lib.quantity import plain
from apps.masterdata.changes import Person
from apps.pricing.forms import NewPriceForm, PriceBookForm
from apps.pricing.models import Cost, ExchangeRate, PriceBook, PriceEntry
from apps.pricing.price_books import upsert_book
from apps.pricing.price_rows import COLUMNS
from apps.pricing.resources import PriceBookResource, PriceEntryResource

_SHOWN = (
    "book",
    "item",
    "family",
    "category",
    "unit",
    "per",
    "min_quantity",
    "method",
    "amount",
    "base",
    "currency",
    "zero_ok",
    "valid_from",
    "valid_to",
    "version",
    "recorded_at",
    "superseded_at",
    "message",
)


@admin.register(PriceBook)
class PriceBookAdmin(CapabilityAdminMixin, ExportMixin, ModelAdmin):
    view_capability = "prices:read"
    change_capability = "prices:write"
    form = PriceBookForm
    resource_classes = [PriceBookResource]
    export_form_class = ExportForm
    list_display = ("code", "name", "level", "currency", "priority", "time_zone", "tax_included", "updated_at")
    list_filter = ("level", "currency", "tax_included")
    search_fields = ("code", "name")
    raw_id_fields = ("account", "branch", "channel", "parent")

    def get_readonly_fields(self, request: HttpRequest, obj: PriceBook | None = None) -> tuple[str, ...]:
        return ("code",) if obj is not None else ()

    def get_export_formats(self) -> list[type]:
        return [CSV, XLSX]

    def save_model(self, request: HttpRequest, obj: PriceBook, form: PriceBookForm, change: bool) -> None:
        upsert_book(form.upsert(), Person(request.user.get_username()))
        obj.pk = PriceBook.objects.values_list("pk", flat=True).get(code=form.upsert().code)


class WhenFilter(admin.SimpleListFilter):
    """Prices that count now, later, no more, or that were replaced by a newer version."""

    title = "when"
    parameter_name = "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("current", "Current"), ("future", "Future"), ("past", "Past"), ("replaced", "Replaced versions")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PriceEntry]) -> QuerySet[PriceEntry]:
        if self.value() == "replaced":
            return queryset.filter(superseded_at__isnull=False)
        live = queryset.filter(superseded_at__isnull=True)
        match self.value():
            case "current":
                return live.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=Now()), valid_from__lte=Now())
            case "future":
                return live.filter(valid_from__gt=Now())
            case "past":
                return live.filter(valid_to__lte=Now())
        return live


@admin.register(PriceEntry)
class PriceEntryAdmin(CapabilityAdminMixin, ImportExportMixin, ModelAdmin):
    view_capability = "prices:read"
    change_capability = "prices:write"
    resource_classes = [PriceEntryResource]
    import_form_class = ImportForm
    export_form_class = ExportForm
    list_display = ("book", "priced", "price", "from_quantity", "valid_from", "valid_to", "version")
    list_filter = (WhenFilter, "book__level", "currency", "method", ("book", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("book", "item", "unit")
    search_fields = ("item__sku__istartswith", "book__code__istartswith", "family__iexact", "category__iexact")
    search_help_text = "SKU or book (how it begins), family, category"
    show_full_result_count = False
    ordering = ("-id",)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_change_permission(request)

    def has_import_permission(self, request: HttpRequest) -> bool:
        return super().has_change_permission(request)

    def get_import_formats(self) -> list[type]:
        return [CSV, XLSX]

    def get_export_formats(self) -> list[type]:
        return [CSV, XLSX]

    def get_fields(self, request: HttpRequest, obj: PriceEntry | None = None) -> tuple[str, ...]:
        return COLUMNS if obj is None else _SHOWN

    def get_readonly_fields(self, request: HttpRequest, obj: PriceEntry | None = None) -> tuple[str, ...]:
        return () if obj is None else _SHOWN

    def get_form(self, request: HttpRequest, obj: PriceEntry | None = None, change: bool = False, **kwargs: Any) -> Any:
        return NewPriceForm if obj is None else super().get_form(request, obj, change, **kwargs)

    def save_form(self, request: HttpRequest, form: NewPriceForm, change: bool) -> PriceEntry:
        """The form's price is set here."""
        form.apply()
        return form.entry()

    def save_model(self, request: HttpRequest, obj: PriceEntry, form: NewPriceForm, change: bool) -> None:
        """Nothing is left to save."""

    @admin.display(description="priced", ordering="item__sku")
    def priced(self, entry: PriceEntry) -> str:
        return entry.item.sku if entry.item is not None else entry.family or entry.category

    @admin.display(description="price", ordering="amount")
    def price(self, entry: PriceEntry) -> str:
        per = "" if entry.per == 1 else f"{plain(entry.per)} "
        how = "" if entry.method == "fixed" else f"{entry.get_method_display()} "
        return f"{how}{plain(entry.amount)} {entry.currency} per {per}{entry.unit.code}"

    @admin.display(description="from quantity", ordering="min_quantity")
    def from_quantity(self, entry: PriceEntry) -> str:
        return plain(entry.min_quantity)


class _ShownOnly(CapabilityAdminMixin, ModelAdmin):
    view_capability = "prices:read"


@admin.register(Cost)
class CostAdmin(_ShownOnly):
    list_display = ("item", "basis", "warehouse", "amount", "currency", "per", "unit", "effective_from")
    list_filter = ("basis", "currency")
    list_select_related = ("item", "warehouse", "unit")
    search_fields = ("item__sku__istartswith",)


@admin.register(ExchangeRate)
class ExchangeRateAdmin(_ShownOnly):
    list_display = ("from_currency", "to_currency", "rate", "effective_from")
    list_filter = ("from_currency", "to_currency")
