"""Bodies of the master data API, for validation and for its OpenAPI document."""

from typing import Any

from rest_framework import serializers

from apps.access.api.fields import CodeField, StrictSerializer


class AccountQuestionSerializer(StrictSerializer):
    account = CodeField()
    ship_to = CodeField(required=False)
    channel = CodeField(required=False)


class _Shown(serializers.Serializer[Any]):
    pass


class UnitLineSerializer(_Shown):
    uom = serializers.CharField()
    numerator = serializers.IntegerField()
    denominator = serializers.IntegerField()
    sellable = serializers.BooleanField()
    order_minimum = serializers.CharField(allow_null=True)
    order_multiple = serializers.CharField(allow_null=True)


class IdentifierSerializer(_Shown):
    scheme = serializers.CharField()
    value = serializers.CharField()
    uom = serializers.CharField()
    party = serializers.CharField(allow_null=True)


class AliasSerializer(_Shown):
    source = serializers.CharField()  # type: ignore[assignment]
    code = serializers.CharField()


class ComponentSerializer(_Shown):
    sku = serializers.CharField()
    quantity = serializers.CharField()
    uom = serializers.CharField()


class ItemSerializer(_Shown):
    sku = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    status = serializers.CharField()
    base_uom = serializers.CharField()
    units = UnitLineSerializer(many=True)
    identifiers = IdentifierSerializer(many=True)
    aliases = AliasSerializer(many=True)
    components = ComponentSerializer(many=True)
    brand = serializers.CharField()
    family = serializers.CharField()
    category = serializers.CharField()
    tax_class = serializers.CharField()
    replaced_by = serializers.CharField(allow_null=True)
    lot_tracked = serializers.BooleanField()
    hazard_class = serializers.CharField()
    attributes = serializers.DictField()
    updated_at = serializers.DateTimeField()


class ItemListSerializer(_Shown):
    results = ItemSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class LicenceSerializer(_Shown):
    code = serializers.CharField()
    expires_on = serializers.DateField(allow_null=True)


class AccountIdentifierSerializer(_Shown):
    scheme = serializers.CharField()
    value = serializers.CharField()
    party = serializers.CharField(allow_null=True)


class ShipToSerializer(_Shown):
    code = serializers.CharField()
    name = serializers.CharField()
    branch = serializers.CharField(allow_null=True)
    country = serializers.CharField()
    region = serializers.CharField()
    timezone = serializers.CharField(allow_null=True)
    status = serializers.CharField()


class AccountSerializer(_Shown):
    code = serializers.CharField()
    name = serializers.CharField()
    status = serializers.CharField()
    groups = serializers.ListField(child=serializers.CharField())
    type = serializers.CharField()
    parent = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    branch = serializers.CharField(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    tax_exempt = serializers.BooleanField()
    min_life_days = serializers.IntegerField(allow_null=True)
    price_policy = serializers.CharField()
    licences = LicenceSerializer(many=True)
    identifiers = AccountIdentifierSerializer(many=True)
    ship_tos = ShipToSerializer(many=True)
    updated_at = serializers.DateTimeField()


class ReasonSerializer(_Shown):
    code = serializers.CharField()
    detail = serializers.CharField()


class AccountAnswerSerializer(_Shown):
    account = serializers.CharField()
    status = serializers.CharField(help_text="ok, unknown_account, unknown_ship_to, unknown_channel, on_hold or closed")
    reasons = ReasonSerializer(many=True)
    currency = serializers.CharField(allow_null=True)
    tax_exempt = serializers.BooleanField(allow_null=True)
    price_policy = serializers.CharField(allow_null=True)
    contracts = serializers.ListField(child=serializers.CharField())
    ship_tos = ShipToSerializer(many=True)


class WarehouseSerializer(_Shown):
    code = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    sellable = serializers.BooleanField()
    branch = serializers.CharField(allow_null=True)
    country = serializers.CharField()
    region = serializers.CharField()
    timezone = serializers.CharField()
    calendar = serializers.CharField(allow_null=True)
    cutoff = serializers.CharField(allow_null=True)
    priority = serializers.IntegerField()


class WarehouseListSerializer(_Shown):
    results = WarehouseSerializer(many=True)
    next = serializers.CharField(allow_null=True)
