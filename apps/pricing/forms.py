"""Forms of the price pages; each tries the real change, rolled back, so that its rules are the form's rules."""

from typing import Any

from django import forms
from django.db import transaction
from django.db.models import F
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from apps.masterdata.changes import Person
from apps.pricing.entries import NewPrice, PriceOutcome, set_prices
from apps.pricing.models import PriceBook, PriceEntry
from apps.pricing.price_books import BookUpsert, upsert_book
from apps.pricing.price_rows import COLUMNS, Mistake, read_rows


def _text(help_text: str = "", *, required: bool = False, initial: str = "") -> forms.CharField:
    return forms.CharField(
        required=required, help_text=help_text, initial=initial, max_length=100, widget=UnfoldAdminTextInputWidget
    )


class NewPriceForm(forms.ModelForm):  # type: ignore[type-arg]
    """One price as price.set takes it."""

    book = _text("The book's code.", required=True)
    sku = _text("The item; or give a family or a category.")
    family = _text()
    category = _text()
    uom = _text("The unit the price is for.", required=True)
    per = _text("For how many of the unit; 1 where empty.")
    min_quantity = _text("From how many of the unit on; from the first where empty.")
    method = forms.ChoiceField(choices=PriceEntry.Method.choices, initial="fixed", widget=UnfoldAdminSelectWidget)
    amount = _text("Empty: the price ends.")
    currency = _text("The book's where empty.")
    zero_ok = forms.BooleanField(required=False, help_text="0 is meant.", widget=UnfoldBooleanSwitchWidget)
    effective_from = _text("A date (midnight in the book's time zone) or an instant with offset; now where empty.")
    effective_to = _text("Exclusive; open where empty.")

    class Meta:
        model = PriceEntry
        fields: tuple[str, ...] = ()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        (self.price,) = read_rows([{name: cleaned.get(name) for name in COLUMNS}])
        if isinstance(self.price, Mistake):
            self.add_error(self.price.column if self.price.column in self.fields else None, self.price.detail)
            return cleaned
        with transaction.atomic():
            outcome = set_prices([self.price])[0]
            transaction.set_rollback(True)
        if outcome.block is not None:
            self.add_error(None, outcome.block.detail)
        elif outcome.status != "applied" and outcome.effect is not None:
            self.add_error(None, f"Nothing would change: {outcome.effect['change']}.")
        return cleaned

    def _post_clean(self) -> None:
        """The row is written by set_prices, which checks it; the empty instance is not."""

    def apply(self) -> PriceOutcome:
        """Set the price; only after is_valid()."""
        assert isinstance(self.price, NewPrice)
        return set_prices([self.price])[0]

    def entry(self) -> PriceEntry:
        """The newest row of the key that was set, for the page that follows."""
        assert isinstance(self.price, NewPrice)
        rows = PriceEntry.objects.filter(**self.price.key._asdict())
        return rows.order_by(F("superseded_at").desc(nulls_first=True), "-id").first() or self.instance

    def save_m2m(self) -> None:
        """There is nothing beside the price."""


class PriceBookForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = PriceBook
        fields = (
            "code",
            "name",
            "level",
            "account",
            "group",
            "type",
            "channel",
            "branch",
            "region",
            "currency",
            "tax_included",
            "priority",
            "merge_allowed",
            "convert",
            "time_zone",
            "parent",
            "spike_percent",
            "floor_margin_percent",
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        with transaction.atomic():
            result = upsert_book(self.upsert(), Person(""))
            transaction.set_rollback(True)
        for block in result.blocks:
            self.add_error(None, block.detail)
        return cleaned

    def upsert(self) -> BookUpsert:
        """What the form changes, as an upsert: only what differs."""
        cleaned = self.cleaned_data
        named = {"time_zone": "timezone"}
        sent: dict[str, Any] = {}
        for name in self.changed_data:
            value = cleaned[name]
            code = getattr(value, "code", value)  # a record is sent as its code
            sent[named.get(name, name)] = code if code != "" or name in ("name",) else None
        sent["code"] = self.instance.code if self.instance.pk else cleaned["code"]
        if not self.instance.pk:
            sent |= {"level": cleaned["level"], "currency": cleaned["currency"]}
        return BookUpsert(**sent)
