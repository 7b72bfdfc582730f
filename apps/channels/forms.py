"""The console's form of a channel: the connector's settings, and a secret that is written but never shown."""

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings as django_settings
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.channels.connectors import CONNECTORS, Access, InvalidSettings, open_connector
from apps.channels.credentials import seal, unseal
from apps.channels.models import Channel
from apps.lib.codes import normalise_code
from apps.lib.money import is_currency
from apps.lib.readable import IndentedJSON
from apps.masterdata.systems import ensure_system


class ChannelForm(forms.ModelForm):  # type: ignore[type-arg]
    code = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget, help_text="Names it for ever.")
    name = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget)
    connector = forms.ChoiceField(choices=[(name, name) for name in CONNECTORS], widget=UnfoldAdminSelectWidget)
    secret = forms.CharField(
        required=False,
        widget=UnfoldAdminPasswordWidget,
        help_text="Token, key or password. Stored encrypted and never shown again; empty keeps the stored one.",
    )

    class Meta:
        model = Channel
        fields = (
            *("connector", "grade", "settings", "currency", "publishes_prices"),
            *("percentage", "buffer", "end_when", "cap", "handling_days"),
            *("requests_per_s", "burst", "batch_size", "max_in_flight", "read_back_every_s"),
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["settings"].encoder = IndentedJSON  # type: ignore[attr-defined]
        if self.instance.pk:
            self.fields["code"].disabled = True
            self.initial["code"] = self.instance.system.code
            self.initial["name"] = self.instance.system.name
            self.fields["name"].disabled = True  # the system's name is master data

    def clean_code(self) -> str:
        try:
            code = normalise_code(self.cleaned_data["code"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        if not self.instance.pk and Channel.objects.filter(system__code=code).exists():
            raise forms.ValidationError(f"A channel {code} exists; choose another code or change that one.")
        return code

    def clean_currency(self) -> str:
        currency: str = self.cleaned_data["currency"]
        if currency and not is_currency(currency):
            raise forms.ValidationError(f"{currency} is no ISO 4217 currency.")
        return currency

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("publishes_prices") and not data.get("currency"):
            self.add_error("currency", "A channel that shows prices needs a currency.")
        if isinstance(data.get("settings"), dict) and data.get("connector"):
            private = tuple(django_settings.ALLOW_PRIVATE_NETWORKS)
            try:
                access = Access(str(data.get("code", "")), data["settings"], self.secrets(), private)
                open_connector(access, data["connector"])
            except InvalidSettings as error:
                for where, what in error.errors:
                    field = "secret" if where == "/auth" and "secret" in what else "settings"
                    self.add_error(field, f"{where or '/'}: {what}")
        return data

    def secrets(self) -> dict[str, str]:
        """The secret entered, else the stored one: but that one is told to nobody else than before."""
        entered = self.cleaned_data.get("secret")
        if entered:
            return {"secret": entered}
        moved = _receiver(self.instance.settings) != _receiver(self.cleaned_data["settings"])
        if self.instance.pk and self.instance.credentials and moved:
            self.add_error("secret", "The address or the way to sign in changed: enter the secret again.")
            return {}
        return unseal(bytes(self.instance.credentials)) if self.instance.pk else {}

    def save(self, commit: bool = True) -> Channel:
        channel: Channel = super().save(commit=False)
        if not channel.pk:
            channel.system_id = ensure_system(self.cleaned_data["code"], self.cleaned_data["name"])
        if self.cleaned_data.get("secret"):
            channel.credentials = seal({"secret": self.cleaned_data["secret"]})
        if commit:
            channel.save()
        return channel


def _receiver(settings: Any) -> tuple[str, Any]:
    """Who is told the secret, and how: the origin of the base URL, and the authentication."""
    if not isinstance(settings, dict):
        return "", None
    address = urlsplit(str(settings.get("base_url", "")))
    return f"{address.scheme}://{address.netloc}", settings.get("auth")
