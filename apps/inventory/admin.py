"""Stock in the console: positions, the ledger, evidence and counts to look at; stocking rules to change."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from import_export.admin import ExportMixin
from import_export.formats.base_formats import CSV, XLSX
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.import_export.forms import ExportForm

from apps.access.admin_permissions import CapabilityAdminMixin
from apps.inventory.models import (
    OpenPick,
    StockCount,
    StockEvidence,
    StockingRule,
    StockMovement,
    StockPosition,
)
from apps.inventory.resources import StockMovementResource, StockPositionResource
from apps.inventory.stocking import FIELDS, RuleUpsert, upsert_rules


class ReadOnlyAdmin(CapabilityAdminMixin, ModelAdmin):
    """Facts are looked at, never edited: what changes them is an event."""

    view_capability = "availability:read"
    show_full_result_count = False  # counting a ledger costs more than its page


class ExportedAdmin(ExportMixin, ReadOnlyAdmin):
    export_form_class = ExportForm

    def get_export_formats(self) -> list[type]:
        return [CSV, XLSX]


class StockFilter(admin.SimpleListFilter):
    """Positions by what people look for: stock, none, below zero, more promised than there is."""

    title = "stock"
    parameter_name = "stock"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("some", "In stock"), ("none", "Empty"), ("negative", "Below zero"), ("short", "Promised too much")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StockPosition]) -> QuerySet[StockPosition]:
        conditions: dict[str, dict[str, Any]] = {
            "some": {"on_hand__gt": 0},
            "none": {"on_hand": 0},
            "negative": {"on_hand__lt": 0},
            "short": {"available__lt": 0},
        }
        return queryset.filter(**conditions.get(self.value() or "", {}))


class OpenPickInline(CapabilityAdminMixin, TabularInline):
    model = OpenPick
    view_capability = "availability:read"
    fields = readonly_fields = ("order", "order_line", "picked", "unpicked", "shipped", "open", "first_at", "ended_at")
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[OpenPick]:
        rows: QuerySet[OpenPick] = super().get_queryset(request)
        return rows.filter(open__gt=0)


@admin.register(StockPosition)
class StockPositionAdmin(ExportedAdmin):
    resource_classes = [StockPositionResource]
    list_display = (
        "item",
        "warehouse",
        "on_hand",
        "held",
        "allocated",
        "reserved",
        "unbacked",
        "available",
        "as_of",
        "counted_at",
    )
    list_filter = (StockFilter, "warehouse")
    list_select_related = ("item", "warehouse")
    search_fields = ("item__sku", "item__name")
    inlines = (OpenPickInline,)


@admin.register(StockMovement)
class StockMovementAdmin(ExportedAdmin):
    resource_classes = [StockMovementResource]
    list_display = (
        "happened_at",
        "item",
        "warehouse",
        "kind",
        "quantity",
        "unit",
        "on_hand_delta",
        "source",
        "sequence",
        "order",
        "generation",
    )
    list_filter = ("kind", "warehouse", "source")
    list_select_related = ("item", "warehouse", "unit", "source")
    search_fields = ("=item__sku", "=order", "=reference")
    ordering = ("-id",)


@admin.register(StockEvidence)
class StockEvidenceAdmin(ReadOnlyAdmin):
    list_display = ("happened_at", "item", "warehouse", "kind", "base_quantity", "source")
    list_filter = ("kind", "warehouse", "source")
    list_select_related = ("item", "warehouse", "source")
    search_fields = ("=item__sku",)
    ordering = ("-id",)


@admin.register(StockCount)
class StockCountAdmin(ReadOnlyAdmin):
    list_display = ("snapshot", "source", "as_of", "complete", "state", "applied_at", "held_why")
    list_filter = ("state", "source", "complete")
    list_select_related = ("source",)
    search_fields = ("snapshot",)
    ordering = ("-as_of", "-id")


@admin.register(StockingRule)
class StockingRuleAdmin(CapabilityAdminMixin, ModelAdmin):
    view_capability = "availability:read"
    change_capability = "masterdata:write"
    list_display = ("item", "warehouse", "safety_stock", "backorder", "lead_time_days", "effective_from")
    list_filter = ("backorder", "warehouse")
    list_select_related = ("item", "warehouse")
    search_fields = ("item__sku", "item__name")
    raw_id_fields = ("item",)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("item", "warehouse", "effective_from") if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: StockingRule, form: Any, change: bool) -> None:
        values = {name: getattr(obj, name) for name in FIELDS}
        upsert_rules([RuleUpsert(obj.item_id, obj.warehouse_id, obj.effective_from, values)])
        obj.pk = StockingRule.objects.values_list("pk", flat=True).get(
            item=obj.item_id, warehouse=obj.warehouse_id, effective_from=obj.effective_from
        )
