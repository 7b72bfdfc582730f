"""What price requests may hold and what the answers look like."""

import re
from datetime import date, datetime
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from apps.access.api.fields import CodeField, PlainDecimalField, StrictSerializer
from apps.lib.money import is_currency
from apps.pricing.quotes import LINES_MAX

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


@extend_schema_field(OpenApiTypes.STR)
class MomentField(serializers.Field[datetime | date, Any, str, Any]):
    """A plain date, or an instant with its offset."""

    def to_internal_value(self, data: Any) -> datetime | date:
        try:
            if isinstance(data, str) and _DAY.fullmatch(data):
                return date.fromisoformat(data)
            if isinstance(data, str) and _INSTANT.fullmatch(data):
                return datetime.fromisoformat(data.upper())
        except ValueError as error:
            raise ValidationError(f"{data} is no day or time of the calendar.") from error
        raise ValidationError("Send a date such as 2026-01-31, or an instant with its offset: 2026-01-31T12:00:00Z.")

    def to_representation(self, value: datetime | date) -> str:
        return value.isoformat()


@extend_schema_field(OpenApiTypes.STR)
class CurrencyField(serializers.Field[str, Any, str, Any]):
    """An ISO 4217 code in capitals."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or not is_currency(data):
            raise ValidationError("A currency is an ISO 4217 code in capitals, such as USD.")
        return data

    def to_representation(self, value: str) -> str:
        return value


@extend_schema_field(OpenApiTypes.STR)
class LineIdField(serializers.Field[str | int, Any, str | int, Any]):
    """The caller's own name of a line, given back as it came: up to 200 characters, or an integer."""

    def to_internal_value(self, data: Any) -> str | int:
        if isinstance(data, str) and len(data) <= 200:
            return data
        if isinstance(data, int) and not isinstance(data, bool) and abs(data) < 2**53:
            return data
        raise ValidationError("A line's id is a string of at most 200 characters, or an integer.")

    def to_representation(self, value: str | int) -> str | int:
        return value


@extend_schema_field(OpenApiTypes.BOOL)
class FlagField(serializers.Field[bool, Any, bool, Any]):
    """true or false; as text only in a query."""

    def to_internal_value(self, data: Any) -> bool:
        if data is True or data is False:
            return bool(data)
        if data in ("true", "false") and self.context.get("query"):
            return bool(data == "true")
        raise ValidationError("Send true or false.")

    def to_representation(self, value: bool) -> bool:
        return value


class ContextFields(StrictSerializer):
    """Who asks, where and when; absent and null are the same."""

    account = CodeField(required=False, allow_null=True)
    ship_to = CodeField(required=False, allow_null=True)
    branch = CodeField(required=False, allow_null=True)
    warehouse = CodeField(required=False, allow_null=True)
    channel = CodeField(required=False, allow_null=True)
    contract = CodeField(required=False, allow_null=True)
    quote = CodeField(required=False, allow_null=True)
    currency = CurrencyField()
    on = MomentField(required=False, allow_null=True)
    explain = FlagField(required=False, default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for name in ("contract", "quote"):
            if attrs.get(name):
                raise ValidationError({name: f"No {name} is known as {attrs[name]!r}; leave it out."})
        return attrs


class LineRequest(StrictSerializer):
    id = LineIdField(required=False, allow_null=True)
    sku = CodeField()
    quantity = PlainDecimalField()
    uom = CodeField()


class ResolveRequest(ContextFields):
    lines = LineRequest(many=True, allow_empty=False, max_length=LINES_MAX)  # type: ignore[call-arg]


class PriceQuery(ContextFields):
    """One line as a query; without quantity it is 1, without uom the item's base unit."""

    quantity = PlainDecimalField(required=False)
    uom = CodeField(required=False)


class OnePriceRequest(PriceQuery):
    sku = CodeField()


class BreakAnswer(serializers.Serializer[Any]):
    min_quantity = serializers.CharField()
    uom = serializers.CharField()
    unit_price = serializers.CharField()


class AdjustmentAnswer(serializers.Serializer[Any]):
    code = serializers.CharField()
    amount = serializers.CharField()


class TraceAnswer(serializers.Serializer[Any]):
    level = serializers.CharField()
    scope = serializers.ChoiceField(["item", "family", "category", "all"])
    book = serializers.CharField()
    version = serializers.IntegerField()
    price_ref = serializers.CharField()
    uom = serializers.CharField()
    per = serializers.CharField()
    min_quantity = serializers.CharField()
    amount = serializers.CharField()
    currency = serializers.CharField()
    effective_from = serializers.DateTimeField()
    effective_to = serializers.DateTimeField(allow_null=True)
    outcome = serializers.ChoiceField(["won", "tied", "lost"])
    reason = serializers.CharField()
    detail = serializers.CharField()


class LineAnswer(serializers.Serializer[Any]):
    """Prices, and all that tells where they come from, are null unless status is ok."""

    id = LineIdField(allow_null=True)
    sku = serializers.CharField()
    status = serializers.ChoiceField(
        [
            "ok",
            "unknown_account",
            "unknown_item",
            "unknown_unit",
            "invalid_quantity",
            "not_a_whole_pack",
            "no_price",
            "restricted",
            "on_hold",
            "blocked",
        ]
    )
    reason = serializers.CharField(allow_null=True)
    detail = serializers.CharField(allow_null=True)
    unit_price = serializers.CharField(allow_null=True, help_text="Per price_uom, up to six decimals.")
    price_uom = serializers.CharField(allow_null=True, help_text="The unit asked for.")
    extended_price = serializers.CharField(allow_null=True, help_text="With the currency's minor digits.")
    currency = serializers.CharField()
    tax_class = serializers.CharField(allow_null=True)
    tax_included = serializers.BooleanField(allow_null=True)
    level = serializers.CharField(allow_null=True)
    book = serializers.CharField(allow_null=True)
    version = serializers.IntegerField(allow_null=True)
    breaks = BreakAnswer(many=True)
    adjustments = AdjustmentAnswer(many=True)
    warnings = serializers.ListField(child=serializers.CharField())
    price_ref = serializers.CharField(allow_null=True, help_text="Names the entry and its version for ever.")
    valid_until = serializers.DateTimeField(allow_null=True)
    next_change_at = serializers.DateTimeField(allow_null=True)
    trace = TraceAnswer(many=True, required=False, help_text="Only with explain.")


class ResolveAnswer(serializers.Serializer[Any]):
    lines = LineAnswer(many=True)
