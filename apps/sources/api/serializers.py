"""The shapes of the events API, for the OpenAPI document."""

from typing import Any

from rest_framework import serializers


class EventSerializer(serializers.Serializer[Any]):
    """A CloudEvent 1.0; `data` is described per type at /schema/events/{type}."""

    specversion = serializers.ChoiceField(choices=["1.0"])
    id = serializers.CharField(max_length=200)
    source = serializers.CharField(max_length=100, help_text="Letters, digits, '.', '-' and '_'.")  # type: ignore[assignment]
    type = serializers.CharField()
    time = serializers.DateTimeField(help_text="With an offset.")
    subject = serializers.CharField(max_length=200, required=False)
    sequence = serializers.CharField(max_length=19, required=False, help_text="An integer written as a string.")
    stream = serializers.CharField(max_length=100, required=False)
    data = serializers.DictField()  # type: ignore[assignment]


class RejectedSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    id = serializers.CharField(allow_null=True)
    code = serializers.ChoiceField(
        choices=["MISSING_ATTRIBUTE", "UNKNOWN_SOURCE", "UNSUPPORTED_TYPE", "PAYLOAD_CONFLICT"]
    )
    detail = serializers.CharField()


class ReceiptSerializer(serializers.Serializer[Any]):
    """The three add up to the number of events sent."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rejected = RejectedSerializer(many=True)


class BlockedBySerializer(serializers.Serializer[Any]):
    reason = serializers.CharField()
    cause_id = serializers.IntegerField()
    line = serializers.CharField(required=False)
    detail = serializers.CharField()


class EffectSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    subject = serializers.CharField()
    change = serializers.CharField()
    generation = serializers.IntegerField(allow_null=True)


class EventStatusSerializer(serializers.Serializer[Any]):
    source = serializers.CharField()  # type: ignore[assignment]
    id = serializers.CharField()
    type = serializers.CharField()
    status = serializers.ChoiceField(
        choices=[
            "pending",
            "processed",
            "blocked",
            "replaying",
            "superseded",
            "ignored",
            "quarantined",
            "rejected",
        ]
    )
    time = serializers.DateTimeField(allow_null=True)
    received_at = serializers.DateTimeField()
    blocked_by = BlockedBySerializer(many=True)
    effects = EffectSerializer(many=True)
    lineage_url = serializers.CharField()


class EventRowSerializer(serializers.Serializer[Any]):
    source = serializers.CharField()  # type: ignore[assignment]
    id = serializers.CharField()
    type = serializers.CharField()
    status = serializers.CharField()
    received_at = serializers.DateTimeField()
    url = serializers.CharField()


class EventListSerializer(serializers.Serializer[Any]):
    results = EventRowSerializer(many=True)
    next = serializers.CharField(allow_null=True)
