"""What availability requests may hold and what the answers look like."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from apps.access.api.fields import CodeField, PlainDecimalField, StrictSerializer
from apps.access.keys import Caller
from apps.lib.errors import Problem

LOOKUP_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about items, within the caller's limits."""

    channel: str | None = None
    warehouses: tuple[str, ...] | None = None
    account: str | None = None
    on: date | None = None
    quantity: Decimal | None = None
    uom: str | None = None

    @classmethod
    def limited(
        cls,
        caller: Caller | None,
        *,
        channel: str | None = None,
        warehouses: Collection[str] | None = None,
        account: str | None = None,
        on: date | None = None,
        quantity: Decimal | None = None,
        uom: str | None = None,
    ) -> "Question":
        """The question, narrowed to the caller's warehouses; what the key may not see is not found."""
        if caller is not None:
            _refuse_outside("channel", {channel} if channel else (), caller.channels)
            _refuse_outside("account", {account} if account else (), caller.accounts)
            _refuse_outside("warehouse", warehouses or (), caller.warehouses)
            if warehouses is None and caller.warehouses:
                warehouses = caller.warehouses
        return cls(channel, None if warehouses is None else tuple(sorted(set(warehouses))), account, on, quantity, uom)


def _refuse_outside(kind: str, asked: Collection[str], limit: Collection[str]) -> None:
    outside = sorted(set(asked) - set(limit)) if limit else []
    if outside:
        raise Problem(404, "not_found", f"No {kind} {outside[0]!r} is found for this key.")


class LineField(StrictSerializer):
    sku = CodeField()
    quantity = PlainDecimalField(positive=True)
    uom = CodeField()


class LookupRequest(StrictSerializer):
    """`skus` or `lines`, not both."""

    skus = serializers.ListField(child=CodeField(), required=False, max_length=LOOKUP_MAX)
    lines = LineField(many=True, required=False)
    channel = CodeField(required=False)
    warehouses = serializers.ListField(child=CodeField(), required=False, min_length=1, max_length=LOOKUP_MAX)
    account = CodeField(required=False)
    ship_to = CodeField(required=False)
    holder = CodeField(required=False)
    on = serializers.DateField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("skus" in attrs) == ("lines" in attrs):
            raise ValidationError("Send either skus or lines.")
        if len(attrs.get("lines", ())) > LOOKUP_MAX:
            raise ValidationError({"lines": f"At most {LOOKUP_MAX} lines are looked up at once."})
        return attrs


class WarehouseField(serializers.Serializer[Any]):
    warehouse = serializers.CharField()
    available = serializers.CharField()
    on_hand = serializers.CharField()
    held = serializers.CharField()
    allocated = serializers.CharField()
    reserved = serializers.CharField()
    unbacked = serializers.CharField(help_text="Picked without an allocation, not yet shipped.")
    safety_stock = serializers.CharField()
    inbound = serializers.CharField()
    sellable = serializers.BooleanField(help_text="Only sellable warehouses count in `available`.")


class BackorderField(serializers.Serializer[Any]):
    rule = serializers.ChoiceField(["none", "up_to", "until", "unlimited"])
    limit = serializers.CharField(allow_null=True)
    until = serializers.DateField(allow_null=True)
    lead_time_days = serializers.IntegerField(allow_null=True)


class ScheduleField(serializers.Serializer[Any]):
    on = serializers.DateField()
    quantity = serializers.CharField()


class AvailabilityField(serializers.Serializer[Any]):
    """One item's answer; earliest_on and schedule only where a quantity was asked for."""

    sku = serializers.CharField()
    status = serializers.ChoiceField(["ok", "unknown", "retired", "restricted", "non_stock", "not_listed"])
    uom = serializers.CharField(allow_null=True)
    available = serializers.CharField()
    common = serializers.CharField()
    by_warehouse = WarehouseField(many=True)
    as_of = serializers.DateTimeField(allow_null=True)
    source_watermarks = serializers.DictField(child=serializers.IntegerField(allow_null=True))
    stale = serializers.BooleanField()
    next_change_at = serializers.DateTimeField(allow_null=True)
    earliest_on = serializers.DateField(required=False, allow_null=True)
    schedule = ScheduleField(many=True, required=False)
    backorder = BackorderField()
    replaced_by = serializers.CharField(allow_null=True)
    explain_url = serializers.CharField()


class LookupAnswer(serializers.Serializer[Any]):
    items = AvailabilityField(many=True)
