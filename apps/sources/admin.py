"""Sources and their policies, the inbox and what was refused, for the console."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from apps.access import audit
from apps.access.admin_permissions import CapabilityAdminMixin
from apps.lib.clock import now
from apps.sources.forms import MappingForm
from apps.sources.models import InboxMessage, Mapping, RejectedMessage, Source


class ReadOnlyAdmin(CapabilityAdminMixin, ModelAdmin):
    """What the product wrote is looked at, never edited."""

    view_capability: ClassVar[str] = "events:read"
    show_full_result_count = False
    list_per_page = 50

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [field.name for field in self.opts.fields if field.get_internal_type() != "BinaryField"]


@admin.register(Source)
class SourceAdmin(CapabilityAdminMixin, ModelAdmin):
    view_capability = "events:read"
    change_capability = "masterdata:write"
    list_display = ("system", "kind", "last_seen_at", "accepted", "duplicates", "rejected")
    list_filter = ("kind",)
    search_fields = ("system__code", "system__name")
    list_select_related = ("system",)
    readonly_fields = ("last_seen_at", "accepted", "duplicates", "rejected")
    fieldsets = (
        (None, {"fields": ("system", "kind", "silent_after_s")}),
        ("Codes", {"fields": ("accepts_our_codes", "folds_case")}),
        ("Stock", {"fields": ("stock_facts", "on_hand_falls_at")}),
        ("Received", {"fields": ("last_seen_at", "accepted", "duplicates", "rejected")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Source | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "system") if obj is not None else self.readonly_fields


@admin.register(InboxMessage)
class InboxMessageAdmin(ReadOnlyAdmin):
    list_display = ("event_id", "source", "type", "state", "happened_at", "received_at", "lineage")
    list_filter = ("state", "source")
    search_fields = ("=event_id", "=type", "=subject")
    search_help_text = "The whole event id, type or subject"
    list_select_related = ("source__system",)
    ordering = ("-received_at",)
    exclude = ("body_sha256",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboxMessage]:
        messages: QuerySet[InboxMessage] = super().get_queryset(request)
        return messages.defer("effects", "error")

    @admin.display(description="Lineage")
    def lineage(self, message: InboxMessage) -> SafeString:
        url = reverse("admin:lineage_of", args=[message.source.system.code, message.event_id])
        return format_html('<a class="sc-link" href="{}">Follow it</a>', url)


@admin.register(RejectedMessage)
class RejectedMessageAdmin(ReadOnlyAdmin):
    list_display = ("received_at", "code", "source", "event_id", "detail")
    list_filter = ("code",)
    search_fields = ("=event_id", "=source")
    search_help_text = "The whole event id or source"
    ordering = ("-received_at",)
    exclude = ("body",)

    @admin.display(description="As received")
    def as_received(self, message: RejectedMessage) -> str:
        return bytes(message.body).decode("utf-8", "replace")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*super().get_readonly_fields(request, obj), "as_received"]


@admin.register(Mapping)
class MappingAdmin(CapabilityAdminMixin, ModelAdmin):
    """Saving writes a new version; the older ones stay readable."""

    form = MappingForm
    view_capability = "events:read"
    change_capability = "masterdata:write"
    list_display = ("name", "source", "event_type", "file_pattern", "version", "is_current", "created_at", "created_by")
    list_filter = ("is_current", "source")
    search_fields = ("name", "event_type", "file_pattern")
    list_select_related = ("source__system",)
    fieldsets = (
        (None, {"fields": ("source", "name", "event_type", "position")}),
        ("File", {"fields": ("file_pattern", "encoding", "time_zone", "row_filter")}),
        ("Rules", {"fields": ("fields", "envelope", "grouping", "tables", "prelude")}),
        ("Try it", {"fields": ("sample_row",)}),
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.is_current)

    def save_model(self, request: HttpRequest, obj: Mapping, form: Any, change: bool) -> None:
        if change:
            Mapping.objects.filter(pk=obj.pk).update(is_current=False)
            obj.pk, obj.version = None, obj.version + 1
            obj._state.adding = True
        obj.created_by, obj.created_at = request.user.get_username(), now()
        super().save_model(request, obj, form, change=False)
        audit.record(obj.created_by, "mapping saved", f"{obj.source} {obj.name}", version=obj.version)
