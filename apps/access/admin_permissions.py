"""What a role may do on a model's page: the capability table decides, never Django's per-model permissions."""

from typing import ClassVar

from django.db.models import Model
from django.http import HttpRequest

from apps.access.people import person_may


class CapabilityAdminMixin:
    """Goes first among the bases of a ModelAdmin or an inline, also before an import or export mixin.

    Name the capabilities; without `change_capability` it only shows.

    Nothing with history is deleted (retire, close or revoke it instead): `deletable` is for rows
    that are mere settings, such as a conversion or a line inside a form.
    """

    view_capability: ClassVar[str]
    change_capability: ClassVar[str] = ""
    deletable: ClassVar[bool] = False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return person_may(request.user, self.view_capability)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(self.change_capability) and person_may(request.user, self.change_capability)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.deletable and self.has_change_permission(request)

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)
