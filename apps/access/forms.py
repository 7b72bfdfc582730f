"""Forms of people and API clients."""

from typing import Any

from django import forms
from django.contrib.auth.models import Group
from unfold.forms import UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from apps.access.capabilities import ROLES, SCOPES
from apps.access.clients import UnknownScope, check_scopes
from apps.access.models import ApiClient, User

_SCOPE_CHOICES = [("all", "all"), *((scope, scope) for scope in sorted(SCOPES))]


def _roles() -> Any:
    return Group.objects.filter(name__in=ROLES).order_by("name")


class PersonCreationForm(UserCreationForm):  # type: ignore[misc]
    class Meta:
        model = User
        fields = ("username", "email")


class PersonChangeForm(UserChangeForm):  # type: ignore[misc]
    """The role decides what a person may do, so only roles are offered as groups."""

    class Meta:
        model = User
        fields = "__all__"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "groups" in self.fields:
            self.fields["groups"].queryset = _roles()
            self.fields["groups"].label = "Roles"
            self.fields["groups"].help_text = ""


class ApiClientForm(forms.ModelForm):  # type: ignore[type-arg]
    scopes = forms.MultipleChoiceField(
        choices=_SCOPE_CHOICES,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="What the client may do; all is everything.",
    )

    class Meta:
        model = ApiClient
        fields = ("name", "active", "scopes", "requests_per_s", "channels", "accounts", "warehouses", "sources")

    def clean_scopes(self) -> list[str]:
        try:
            return check_scopes(self.cleaned_data["scopes"])
        except UnknownScope as error:
            raise forms.ValidationError(str(error)) from error

    def clean_requests_per_s(self) -> int:
        rate: int = self.cleaned_data["requests_per_s"]
        if not 1 <= rate <= 1_000_000:
            raise forms.ValidationError("1 to 1,000,000 requests per second.")
        return rate
