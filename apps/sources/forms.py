"""The form of a mapping: its rules are checked, and tried on a sample row, before they are saved."""

import zoneinfo
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.lib.readable import IndentedJSON
from apps.sources.mapping import Rules, check
from apps.sources.mapping_functions import MappingError
from apps.sources.models import Mapping
from apps.sources.routing import ROUTES


class MappingForm(forms.ModelForm):  # type: ignore[type-arg]
    sample_row = forms.JSONField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text='A row to try the rules on, as {"Column": "text"}; not saved.',
    )

    class Meta:
        model = Mapping
        fields = (
            "source",
            "name",
            "file_pattern",
            "encoding",
            "time_zone",
            "event_type",
            "position",
            "row_filter",
            "fields",
            "envelope",
            "grouping",
            "tables",
            "prelude",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("fields", "envelope", "grouping", "tables", "prelude"):
            if name in self.fields:  # a read-only page has none
                self.fields[name].encoder = IndentedJSON  # type: ignore[attr-defined]

    def clean_time_zone(self) -> str:
        name: str = self.cleaned_data["time_zone"]
        if name not in zoneinfo.available_timezones():
            raise ValidationError(f"{name!r} is no time zone; write it as in Europe/London.")
        return name

    def clean_event_type(self) -> str:
        name: str = self.cleaned_data["event_type"]
        if name not in ROUTES:
            raise ValidationError(f"{name!r} is no event type that is taken here. Known: {', '.join(sorted(ROUTES))}.")
        return name

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if self.errors:
            return found
        if "time" not in (found["envelope"] or {}):
            self.add_error("envelope", 'It needs "time": when the row\'s fact happened, as in instant(row.Date).')
            return found
        rules = Rules(
            event_type=found["event_type"],
            fields=found["fields"],
            envelope=found["envelope"],
            row_filter=found["row_filter"],
            time_zone=found["time_zone"],
            tables=found["tables"] or {},
        )
        try:
            check(rules, found.get("sample_row"))
        except MappingError as error:
            raise ValidationError(str(error)) from error
        return found
