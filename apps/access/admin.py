"""People, teams, API clients and the audit trail, for administrators."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm

from apps.access.admin_permissions import CapabilityAdminMixin
from apps.access.forms import ApiClientForm, PersonChangeForm, PersonCreationForm
from apps.access.keys import create_key, forget_keys
from apps.access.models import ApiClient, ApiKey, AuditEvent, Team, User

# The role is the group; its capabilities are in capabilities.py, so nobody edits permissions of groups by hand.
if admin.site.is_registered(Group):
    admin.site.unregister(Group)


class AccessAdmin(CapabilityAdminMixin, ModelAdmin):
    view_capability: ClassVar[str] = "access:write"
    change_capability: ClassVar[str] = "access:write"


@admin.register(User)
class PersonAdmin(CapabilityAdminMixin, UserAdmin, ModelAdmin):  # type: ignore[type-arg]
    view_capability = "access:write"
    change_capability = "access:write"
    form = PersonChangeForm
    add_form = PersonCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "roles", "is_active", "last_login")
    list_filter = ("is_active", "groups", "teams")
    search_fields = ("username", "email")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password", "email", "time_zone")}),
        ("What this person may do", {"fields": ("is_active", "is_staff", "groups", "teams")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "email", "usable_password", "password1", "password2")}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="Roles")
    def roles(self, person: User) -> str:
        return ", ".join(sorted(group.name for group in person.groups.all()))

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            obj.is_staff = True  # whoever is added here is added to use the console
        super().save_model(request, obj, form, change)


@admin.register(Team)
class TeamAdmin(AccessAdmin):
    view_capability = "exceptions:read"
    list_display = ("code", "name")
    search_fields = ("code", "name")


@admin.register(ApiClient)
class ApiClientAdmin(AccessAdmin):
    form = ApiClientForm
    list_display = ("name", "shown_scopes", "requests_per_s", "active", "created_at")
    list_filter = ("active",)
    search_fields = ("name",)
    readonly_fields = ("key_list",)
    actions = ("new_key", "revoke_keys")

    # Not an inline: a key's primary key holds its hash, which has no business in a page.
    @admin.display(description="Keys")
    def key_list(self, client: ApiClient) -> str:
        rows = client.keys.order_by("-created").values_list("prefix", "created", "revoked", "expiry_date")
        lines = [
            (prefix, f"{created:%Y-%m-%d %H:%M}", "revoked" if revoked else f"until {expiry or 'revoked'}")
            for prefix, created, revoked, expiry in rows
        ]
        return format_html_join("", "<div><code>{}…</code> made {}, {}</div>", lines) if lines else "none"

    @admin.display(description="Scopes")
    def shown_scopes(self, client: ApiClient) -> str:
        return ", ".join(client.scopes)

    # Actions of the list, since those are POSTs: a link must not make or revoke a key.
    @admin.action(description="Make a new key", permissions=["change"])
    def new_key(self, request: HttpRequest, clients: QuerySet[ApiClient]) -> None:
        for client in clients:
            self._show_new_key(request, client)

    @admin.action(description="Revoke all keys", permissions=["change"])
    def revoke_keys(self, request: HttpRequest, clients: QuerySet[ApiClient]) -> None:
        for client in clients:
            revoked = ApiKey.objects.filter(client=client, revoked=False).update(revoked=True)
            _audit(request, "api_key.revoked", client, {"client": client.name, "keys": revoked})
            said = f"{revoked} keys of {client.name} are revoked; they stop working within 5 seconds."
            messages.success(request, said)
        forget_keys()

    def save_model(self, request: HttpRequest, obj: ApiClient, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        forget_keys()
        if not change:
            self._show_new_key(request, obj)

    def _show_new_key(self, request: HttpRequest, client: ApiClient) -> None:
        key = create_key(client)
        _audit(request, "api_key.created", client, {"client": client.name, "prefix": key.partition(".")[0]})
        messages.warning(request, f"The new key of {client.name}, shown this once: {key}")


@admin.register(AuditEvent)
class AuditEventAdmin(CapabilityAdminMixin, ModelAdmin):
    view_capability = "access:write"
    list_display = ("at", "actor", "action", "object")
    list_filter = ("action",)
    search_fields = ("actor", "object")
    ordering = ("-id",)


def _audit(request: HttpRequest, done: str, client: ApiClient, detail: dict[str, Any]) -> None:
    AuditEvent.objects.create(
        actor=request.user.get_username(), action=done, object=f"client:{client.pk}", detail=detail
    )
