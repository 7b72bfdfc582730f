"""The shapes of the exceptions API, in and out."""

from datetime import datetime
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from apps.access.api.fields import StrictSerializer
from apps.exceptions.models import BlockedRecord, Cause


class InstantField(serializers.DateTimeField):
    """An instant needs its offset: a time without one could be anybody's."""

    def to_internal_value(self, value: Any) -> Any:
        try:
            instant = datetime.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            instant = None
        if instant is None or instant.tzinfo is None:
            raise ValidationError("An instant with its offset is expected, such as 2026-01-31T12:00:00Z.")
        return instant


class SuggestionSerializer(serializers.Serializer[Any]):
    fix = serializers.CharField()
    target = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    score = serializers.FloatField(min_value=0, max_value=1)


class SlaSerializer(serializers.Serializer[Any]):
    due_at = serializers.DateTimeField()
    late = serializers.BooleanField()


class CauseSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    reason = serializers.CharField()
    title = serializers.CharField()
    sentence = serializers.CharField()
    state = serializers.ChoiceField(Cause.State.choices)
    severity = serializers.CharField()
    value = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    channel = serializers.CharField()
    records = serializers.IntegerField(help_text="Records that wait now, open or replaying.")
    affected = serializers.IntegerField(help_text="Records it has blocked so far.")
    money_at_risk = serializers.CharField(allow_null=True, help_text="null: not known")
    owner = serializers.CharField(allow_null=True, help_text="user name")
    team = serializers.CharField(allow_null=True, help_text="team code")
    sla = SlaSerializer(allow_null=True)
    snoozed_until = serializers.DateTimeField(allow_null=True)
    first_seen_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_by = serializers.CharField()
    suggestions = SuggestionSerializer(many=True)


class FixFieldSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    kind = serializers.CharField()
    required = serializers.BooleanField()  # type: ignore[assignment]
    help = serializers.CharField()
    choices = serializers.ListField(child=serializers.CharField())
    secret = serializers.BooleanField()


class FixSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    fields_ = FixFieldSerializer(many=True)

    def get_fields(self) -> Any:
        fields = super().get_fields()
        fields["fields"] = fields.pop("fields_")
        return fields


class TimelineSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    action = serializers.CharField()
    text = serializers.CharField()
    detail = serializers.DictField()


class CauseDetailSerializer(CauseSerializer):
    detail = serializers.CharField(help_text="The first record's sentence.")
    what_to_do = serializers.CharField()
    fixes = FixSerializer(many=True)
    timeline = TimelineSerializer(many=True)


class CausePageSerializer(serializers.Serializer[Any]):
    results = CauseSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class RecordSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    cause = serializers.IntegerField()
    reason = serializers.CharField()
    origin = serializers.CharField()
    origin_id = serializers.IntegerField()
    line = serializers.CharField()
    subject = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    channel = serializers.CharField()
    field = serializers.CharField()
    value = serializers.CharField()
    detail = serializers.CharField()
    context = serializers.DictField()  # type: ignore[assignment]
    state = serializers.ChoiceField(BlockedRecord.State.choices)
    blocked_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_by = serializers.CharField()


class RecordPageSerializer(serializers.Serializer[Any]):
    results = RecordSerializer(many=True)
    next = serializers.CharField(allow_null=True)


class StillBlockedSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField()
    count = serializers.IntegerField()


class PreviewSerializer(serializers.Serializer[Any]):
    preview_token = serializers.CharField()
    summary = serializers.CharField()
    total = serializers.IntegerField(help_text="Records that wait.")
    records = serializers.IntegerField(help_text="Records tried.")
    sampled = serializers.BooleanField(help_text="True where fewer than all were tried.")
    clears = serializers.IntegerField()
    still_blocked = StillBlockedSerializer(many=True)
    deltas = serializers.ListField(child=serializers.DictField())
    approvals = serializers.ListField(child=serializers.DictField())


class ReplaySerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    cause = serializers.IntegerField()
    requested_by = serializers.CharField()
    requested_at = serializers.DateTimeField()
    reason = serializers.CharField()
    records = serializers.IntegerField()
    waiting = serializers.IntegerField()
    blocked = serializers.IntegerField()
    resolved = serializers.IntegerField()
    ignored = serializers.IntegerField()
    superseded = serializers.IntegerField()
    finished = serializers.BooleanField()


class ResolutionSerializer(serializers.Serializer[Any]):
    cause = serializers.IntegerField()
    state = serializers.CharField()
    summary = serializers.CharField()
    replay = ReplaySerializer(allow_null=True)


class FixInputSerializer(serializers.Serializer[Any]):
    """`fix` and, beside it, that fix's own fields, which the fix checks."""

    fix = serializers.CharField(max_length=40)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValidationError({"non_field_errors": [ErrorDetail("An object is expected here.", "invalid")]})
        known = super().to_internal_value({key: data[key] for key in data if key in self.fields})
        return {**known, "fields": {key: value for key, value in data.items() if key not in self.fields}}


class ResolveInputSerializer(FixInputSerializer):
    reason = serializers.CharField(max_length=500, help_text="Why; it is kept in the history.")
    replay = serializers.BooleanField(default=True)
    preview_token = serializers.CharField(max_length=200, required=False, allow_null=True)


class ReplayInputSerializer(StrictSerializer):
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")
    records = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1),
        required=False,
        max_length=10_000,
        min_length=1,
        help_text="Ids of records; without it all that are open.",
    )


class AssignInputSerializer(StrictSerializer):
    user = serializers.CharField(required=False, allow_null=True, max_length=150, help_text="user name")
    team = serializers.CharField(required=False, allow_null=True, max_length=40, help_text="team code")


class SnoozeInputSerializer(StrictSerializer):
    until = InstantField(help_text="An instant with its offset.")
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class DismissInputSerializer(StrictSerializer):
    reason = serializers.CharField(max_length=500)


class CommentInputSerializer(StrictSerializer):
    text = serializers.CharField(max_length=4_000)


class CommentSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    author = serializers.CharField()
    text = serializers.CharField()
    at = serializers.DateTimeField()
