"""What cannot be processed: causes, the records they block, and what people said and did about them."""

from django.conf import settings
from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import ExpressionWrapper, Q
from django.db.models.fields.json import KT
from django.db.models.functions import Upper

from apps.lib.clock import Now

# Live causes before closed ones, in every order of the queue.
CLOSED = ExpressionWrapper(Q(closed_at__isnull=False), output_field=models.BooleanField())


class Cause(models.Model):
    """One reason for which records wait, identified by its fingerprint, fixed once."""

    class State(models.TextChoices):
        NEW = "new"
        ONGOING = "ongoing"
        ESCALATING = "escalating"
        REGRESSED = "regressed"
        SNOOZED = "snoozed"
        RESOLVED = "resolved"
        DISMISSED = "dismissed"

    LIVE = (State.NEW, State.ONGOING, State.ESCALATING, State.REGRESSED, State.SNOOZED)

    fingerprint = models.BinaryField(max_length=32, unique=True)
    reason = models.CharField(max_length=40, db_index=True)
    entity_type = models.CharField(max_length=40)
    field = models.CharField(max_length=100)
    value = models.CharField(max_length=500)
    source = models.CharField(max_length=100, blank=True, default="")
    channel = models.CharField(max_length=100, blank=True, default="")
    sentence = models.CharField(max_length=1000)
    detail = models.TextField(blank=True, default="")
    severity = models.CharField(max_length=10, default="medium")
    state = models.CharField(max_length=12, choices=State.choices, default=State.NEW)
    # Kept by triage.py under this row's lock, so that a queue of 100,000 records lists without counting them.
    open_records = models.PositiveIntegerField(default=0)
    total_records = models.PositiveIntegerField(default=0)
    # Counts what a preview depends on (records, state): an older preview is stale.
    revision = models.PositiveBigIntegerField(default=0, db_default=0)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="causes"
    )
    team = models.ForeignKey("access.Team", null=True, blank=True, on_delete=models.SET_NULL, related_name="causes")
    snoozed_until = models.DateTimeField(null=True, blank=True)
    sla_due_at = models.DateTimeField(null=True, blank=True)
    first_seen_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["resolved", "dismissed"], closed_at__isnull=False)
                | (~Q(state__in=["resolved", "dismissed"]) & Q(closed_at__isnull=True)),
                name="cause_closed_has_instant",
            ),
        ]
        indexes = [
            models.Index(
                fields=["-last_seen_at", "id"], name="cause_live", condition=~Q(state__in=["resolved", "dismissed"])
            ),
            models.Index(fields=["reason", "value"], name="cause_reason_value"),
            models.Index(CLOSED, "sla_due_at", "id", name="cause_queue"),
        ]

    def __str__(self) -> str:
        return self.sentence


class Replay(models.Model):
    """One request to process a cause's records again; progress is counted from its records."""

    cause = models.ForeignKey(Cause, on_delete=models.PROTECT, related_name="replays")
    requested_by = models.CharField(max_length=200)
    reason = models.CharField(max_length=500, blank=True, default="")
    records = models.PositiveIntegerField()
    requested_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"replay {self.pk} of {self.records} records"


class BlockedRecord(models.Model):
    """One record (or one line of it) of an origin that waits for its cause to be fixed.

    `origin` names the owning loop (ORIGINS in reasons.py), `origin_id` its row there.
    """

    class State(models.TextChoices):
        OPEN = "open"
        REPLAYING = "replaying"
        RESOLVED = "resolved"
        IGNORED = "ignored"
        SUPERSEDED = "superseded"

    WAITING = (State.OPEN, State.REPLAYING)

    cause = models.ForeignKey(Cause, on_delete=models.PROTECT, related_name="records")
    origin = models.CharField(max_length=30)
    origin_id = models.BigIntegerField()
    line = models.CharField(max_length=40, blank=True, default="")
    subject = models.CharField(max_length=200, blank=True, default="")
    source = models.CharField(max_length=100, blank=True, default="")
    channel = models.CharField(max_length=100, blank=True, default="")
    field = models.CharField(max_length=200, blank=True, default="")
    value = models.CharField(max_length=500, blank=True, default="")
    detail = models.TextField(default="")
    context = models.JSONField(default=dict)
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    replay = models.ForeignKey(
        Replay, null=True, blank=True, on_delete=models.SET_NULL, related_name="items", db_index=False
    )
    blocked_at = models.DateTimeField(db_default=Now())
    # What it misses may arrive while it is being blocked, unseen by both sides: looked at again a few times.
    recheck_at = models.DateTimeField(null=True, blank=True)
    rechecks = models.PositiveSmallIntegerField(default=0, db_default=0)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["origin", "origin_id", "line", "cause"],
                name="blocked_once_per_cause",
                condition=Q(state__in=["open", "replaying"]),
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "replaying"], closed_at__isnull=True)
                | Q(state__in=["resolved", "ignored", "superseded"], closed_at__isnull=False),
                name="blocked_closed_has_instant",
            ),
        ]
        indexes = [
            models.Index(fields=["cause", "state", "-id"], name="blocked_cause"),
            models.Index(fields=["origin", "origin_id"], name="blocked_origin"),
            models.Index(fields=["origin", "id"], name="blocked_replaying", condition=Q(state="replaying")),
            models.Index(
                fields=["origin", "recheck_at"],
                name="blocked_recheck",
                condition=Q(state="open", recheck_at__isnull=False),
            ),
            models.Index(fields=["replay", "state"], name="blocked_replay", condition=Q(replay__isnull=False)),
            # What people search for: a SKU or an order number, from its beginning.
            models.Index(OpClass(Upper("subject"), name="text_pattern_ops"), name="blocked_subject"),
            models.Index(
                OpClass(Upper(KT("context__sku")), name="text_pattern_ops"),
                name="blocked_sku",
                condition=Q(context__has_key="sku"),
            ),
            models.Index(
                OpClass(Upper(KT("context__order")), name="text_pattern_ops"),
                name="blocked_order",
                condition=Q(context__has_key="order"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.origin} {self.origin_id} {self.line}".strip()


class Comment(models.Model):
    cause = models.ForeignKey(Cause, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT)
    by = models.CharField(max_length=200, default="", help_text="The author's user name, or the API client's.")
    text = models.TextField()
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.text[:60]


class Activity(models.Model):
    """Append-only history of a cause: created, assigned, snoozed, fixed, replayed, resolved, dismissed."""

    cause = models.ForeignKey(Cause, on_delete=models.CASCADE, related_name="activities")
    at = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=200)
    action = models.CharField(max_length=40)
    detail = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "activities"
        indexes = [models.Index(fields=["cause", "-at"], name="activity_cause")]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor}"
