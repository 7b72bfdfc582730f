"""What channel requests may hold and what the answers look like."""

from typing import Any

from rest_framework import serializers

from apps.access.api.fields import CodeField, PlainDecimalField, StrictSerializer
from apps.channels.connectors import CONNECTORS
from apps.channels.models import Channel
from apps.channels.publications_list import STATES


class ChannelField(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(Channel.State.values)
    grade = serializers.ChoiceField(Channel.Grade.values)
    due = serializers.IntegerField()
    unknown = serializers.IntegerField()
    blocked = serializers.IntegerField()
    drifted = serializers.IntegerField()
    total = serializers.IntegerField()
    oldest_due_at = serializers.DateTimeField(allow_null=True)
    breaker = serializers.ChoiceField(Channel.Breaker.values)
    not_before = serializers.DateTimeField(allow_null=True)
    last_ack_at = serializers.DateTimeField(allow_null=True)


class ChannelList(serializers.Serializer[Any]):
    results = ChannelField(many=True)
    next = serializers.CharField(allow_null=True)


class ChannelWarehouseField(StrictSerializer):
    warehouse = CodeField()
    location = serializers.CharField(required=False, allow_blank=True, max_length=100, default="")


class DraftRequest(StrictSerializer):
    """A channel as a draft: planned, but never sent until it goes live."""

    code = CodeField()
    name = serializers.CharField(max_length=200)
    connector = serializers.ChoiceField(list(CONNECTORS), default=next(iter(CONNECTORS)))
    grade = serializers.ChoiceField(Channel.Grade.values)
    settings = serializers.DictField()
    credentials = serializers.DictField(
        child=serializers.CharField(max_length=4_000), required=False, write_only=True, help_text='{"secret": "…"}'
    )
    currency = serializers.CharField(required=False, allow_blank=True, max_length=3, default="")
    publishes_prices = serializers.BooleanField(default=True)
    warehouses = ChannelWarehouseField(many=True, required=False)
    percentage = PlainDecimalField(required=False)
    buffer = PlainDecimalField(required=False)
    end_when = PlainDecimalField(required=False)
    cap = PlainDecimalField(required=False, allow_null=True)
    requests_per_s = PlainDecimalField(required=False, positive=True)
    burst = serializers.IntegerField(required=False, min_value=1, max_value=100_000)
    batch_size = serializers.IntegerField(required=False, min_value=1, max_value=1_000)
    max_in_flight = serializers.IntegerField(required=False, min_value=1, max_value=64)
    read_back_every_s = serializers.IntegerField(required=False, min_value=1, max_value=86_400)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        percentage = attrs.get("percentage")
        if percentage is not None and not 0 <= percentage <= 100:
            raise serializers.ValidationError({"percentage": f"{percentage} is not from 0 to 100."})
        rate = attrs.get("requests_per_s")
        if rate is not None and rate >= 100_000:
            raise serializers.ValidationError({"requests_per_s": f"{rate} is not below 100000."})
        for name in ("buffer", "end_when", "cap"):
            if attrs.get(name) is not None and attrs[name] < 0:
                raise serializers.ValidationError({name: f"{attrs[name]} is below 0."})
        return attrs


class PublicationField(serializers.Serializer[Any]):
    listing = serializers.CharField()
    sku = serializers.CharField()
    kind = serializers.ChoiceField(["stock", "price"])
    state = serializers.ChoiceField(list(STATES))
    desired = serializers.DictField(child=serializers.CharField())
    acked = serializers.DictField(child=serializers.CharField(), allow_null=True)
    observed = serializers.DictField(child=serializers.CharField(), allow_null=True)
    desired_version = serializers.IntegerField()
    acked_version = serializers.IntegerField()
    desired_at = serializers.DateTimeField()
    acked_at = serializers.DateTimeField(allow_null=True)
    observed_at = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField(allow_blank=True)


class PublicationList(serializers.Serializer[Any]):
    results = PublicationField(many=True)
    next = serializers.CharField(allow_null=True)
