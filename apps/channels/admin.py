"""Channels and their listings in the console."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from import_export.admin import ImportExportMixin
from import_export.formats.base_formats import CSV, XLSX
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.import_export.forms import ExportForm, ImportForm
from unfold.decorators import action

from apps.access.admin_permissions import CapabilityAdminMixin
from apps.access.audit import record as audit
from apps.access.people import person_may
from apps.channels import drafts, listings, switching
from apps.channels.forms import ChannelForm
from apps.channels.models import Channel, ChannelWarehouse, Listing
from apps.channels.resources import ListingResource
from apps.exceptions.triage import heal
from apps.lib.clock import Now
from apps.lib.errors import Problem

SWITCHES = {
    "go_live": ("Go live", "What is planned is sent to the channel from now on."),
    "pause": ("Pause", "Nothing is sent until it is resumed; what becomes due waits."),
    "resume": ("Resume", "What is due by now is sent."),
}


class ChannelWarehouseInline(CapabilityAdminMixin, TabularInline):
    view_capability = "channels:read"
    change_capability = "channels:write"
    deletable = True
    model = ChannelWarehouse
    extra = 0
    autocomplete_fields = ()
    raw_id_fields = ("warehouse",)


@admin.register(Channel)
class ChannelAdmin(CapabilityAdminMixin, ModelAdmin):
    """Any change of what a channel may show marks all its listings to be planned again."""

    view_capability = "channels:read"
    change_capability = "channels:write"
    form = ChannelForm
    inlines = [ChannelWarehouseInline]
    list_display = ("system", "state", "grade", "connector", "currency", "breaker", "last_ack_at")
    list_filter = ("state", "grade", "connector")
    list_select_related = ("system",)
    search_fields = ("system__code", "system__name")
    readonly_fields = ("state", "breaker", "not_before", "last_ack_at", "last_read_back_at")
    actions_detail = ("go_live", "pause", "resume")
    fieldsets = (
        (None, {"fields": (("code", "name"), ("connector", "grade"), "state")}),
        ("Connection", {"fields": ("settings", "secret")}),
        ("Prices", {"fields": (("currency", "publishes_prices"),)}),
        (
            "Stock policy, in this order",
            {"fields": ("handling_days", "percentage", "buffer", "end_when", "cap")},
        ),
        (
            "Limits",
            {"fields": (("requests_per_s", "burst"), ("batch_size", "max_in_flight"), "read_back_every_s")},
        ),
        ("Health", {"fields": (("breaker", "not_before"), ("last_ack_at", "last_read_back_at"))}),
    )

    def save_model(self, request: HttpRequest, obj: Channel, form: ChannelForm, change: bool) -> None:
        """Only the form's fields are written: the publisher writes the others at the same time."""
        with transaction.atomic():
            if change:
                written = {name: getattr(obj, name) for name in ChannelForm.Meta.fields}
                Channel.objects.filter(pk=obj.pk).update(**written, credentials=obj.credentials, updated_at=Now())
            else:
                obj.save(force_insert=True)
            if form.cleaned_data.get("secret"):
                heal("CREDENTIALS_REJECTED", [form.cleaned_data["code"]], by=request.user.get_username())
            deed = "channels.changed" if change else "channels.created"
            audit(request.user.get_username(), deed, f"channel:{obj}", fields=form.changed_data)

    def save_related(self, request: HttpRequest, form: ChannelForm, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        listings.mark_channel(form.instance.pk)

    def get_urls(self) -> list[URLPattern]:
        switch = path(
            "<path:object_id>/switch/<str:verb>/",
            self.admin_site.admin_view(self.switch_view),
            name="channels_channel_switch",
        )
        urls: list[URLPattern] = super().get_urls()
        return [switch, *urls]

    def switch_view(self, request: HttpRequest, object_id: str, verb: str) -> HttpResponse:
        """Ask first (GET), then do it (POST)."""
        channel = get_object_or_404(Channel.objects.select_related("system"), pk=object_id)
        back = redirect(reverse("admin:channels_channel_change", args=[object_id]))
        if verb not in SWITCHES or not person_may(request.user, "channels:write"):
            messages.error(request, "Your role does not allow this. Ask a channel admin.")
            return back
        title, effect = SWITCHES[verb]
        if request.method != "POST":
            context = {**self.admin_site.each_context(request), "channel": channel, "effect": effect, "verb": title}
            return render(request, "channels/switch.html", {**context, "title": f"{title}: {channel.system.name}"})
        try:
            _switch(channel, verb, request.user.get_username())
            messages.success(request, f"{channel}: {effect}")
        except Problem as problem:
            messages.error(request, problem.detail)
        return back

    @action(description="Go live", url_path="go-live")  # type: ignore[untyped-decorator]
    def go_live(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect(reverse("admin:channels_channel_switch", args=[object_id, "go_live"]))

    @action(description="Pause", url_path="pause")  # type: ignore[untyped-decorator]
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect(reverse("admin:channels_channel_switch", args=[object_id, "pause"]))

    @action(description="Resume", url_path="resume")  # type: ignore[untyped-decorator]
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect(reverse("admin:channels_channel_switch", args=[object_id, "resume"]))


@admin.register(Listing)
class ListingAdmin(CapabilityAdminMixin, ImportExportMixin, ModelAdmin):
    view_capability = "channels:read"
    change_capability = "channels:write"
    resource_classes = [ListingResource]
    import_form_class = ImportForm
    export_form_class = ExportForm
    list_display = ("external_id", "channel", "item", "unit", "status", "created_at")
    list_filter = ("status", ("channel", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("channel__system", "item", "unit")
    search_fields = ("external_id__istartswith", "item__sku__istartswith")
    search_help_text = "Listing or SKU (how it begins)"
    show_full_result_count = False
    raw_id_fields = ("item",)
    ordering = ("channel", "external_id")

    def get_readonly_fields(self, request: HttpRequest, obj: Listing | None = None) -> tuple[str, ...]:
        return ("channel", "external_id", "item", "created_at") if obj is not None else ("created_at",)

    def save_model(self, request: HttpRequest, obj: Listing, form: Any, change: bool) -> None:
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            listings.mark([obj.pk])

    def get_import_formats(self) -> list[type]:
        return [CSV, XLSX]

    def get_export_formats(self) -> list[type]:
        return [CSV, XLSX]


def _switch(channel: Channel, verb: str, by: str) -> None:
    if verb == "go_live":
        drafts.go_live(channel.pk, by=by)
    elif verb == "pause":
        switching.pause(channel.system.code, by=by)
    else:
        switching.resume(channel.system.code, by=by)
