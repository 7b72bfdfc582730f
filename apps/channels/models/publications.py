"""Publications: what a channel should show, was told, and really shows; and the attempts between."""

from django.db import models
from django.db.models import F, Q

from apps.channels.models.channels import Channel, Listing
from apps.lib.clock import Now

# What the publisher looks for; the index below is partial on it.
DUE = (Q(desired_version__gt=F("acked_version")) | Q(must_verify=True)) & Q(blocked_at__isnull=True)


class Publication(models.Model):
    """One promise per (channel, kind, subject). Due means desired_version > acked_version or must_verify.

    `subject` is open: a listing × channel location for stock, a listing × account group for prices, later an
    order or a shipment. Values are small JSON objects of plain strings: {"quantity": "36"} in the listing's
    sell unit, {"amount": "12.37", "currency": "USD"} for one sell unit.
    """

    class Kind(models.TextChoices):
        STOCK = "stock"
        PRICE = "price"

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="publications", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    subject = models.CharField(max_length=300, help_text="listing's external id | location or account group")
    listing = models.ForeignKey(
        Listing, null=True, on_delete=models.PROTECT, related_name="publications", db_index=False
    )
    location = models.CharField(max_length=100, blank=True, default="")
    desired = models.JSONField()
    desired_version = models.BigIntegerField(default=1)
    desired_at = models.DateTimeField(db_default=Now())
    decreases = models.BooleanField(default=False, help_text="The desired stock is below what was acknowledged.")
    trace = models.JSONField(default=dict, help_text="How the planner came to the value.")
    recheck_at = models.DateTimeField(null=True, help_text="The instant at which the value may change by itself.")
    sent_version = models.BigIntegerField(default=0)
    acked = models.JSONField(null=True)
    acked_version = models.BigIntegerField(default=0)
    acked_at = models.DateTimeField(null=True)
    observed = models.JSONField(null=True)
    observed_at = models.DateTimeField(null=True)
    token = models.CharField(
        max_length=100, blank=True, default="", help_text="The channel's own version of what it was last known to hold."
    )
    must_verify = models.BooleanField(default=False, help_text="The outcome of a send is unknown: read back first.")
    fence = models.BigIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(db_default=Now())
    attempts = models.PositiveIntegerField(default=0, help_text="Since the last acknowledgement.")
    blocked_at = models.DateTimeField(null=True)
    has_exception = models.BooleanField(default=False, help_text="A record in the exception queue speaks of it.")
    last_error = models.CharField(max_length=1000, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "kind", "subject"], name="publication_subject"),
            models.CheckConstraint(condition=Q(desired_version__gt=0), name="publication_desired_positive"),
            models.CheckConstraint(
                condition=Q(acked_version__lte=F("sent_version"), sent_version__lte=F("desired_version")),
                name="publication_acked_sent_desired",
            ),
        ]
        indexes = [
            models.Index(
                fields=["channel", "-decreases", "next_attempt_at"],
                name="publication_due",
                condition=(Q(desired_version__gt=F("acked_version")) | Q(must_verify=True))
                & Q(blocked_at__isnull=True),
            ),
            models.Index(fields=["recheck_at"], name="publication_recheck", condition=Q(recheck_at__isnull=False)),
            models.Index(
                fields=["channel", "leased_until"], name="publication_leased", condition=Q(leased_until__isnull=False)
            ),
            models.Index(fields=["listing"], name="publication_of_listing"),
        ]

    def __str__(self) -> str:
        return f"{self.channel_id} {self.kind} {self.subject}"


class PublicationAttempt(models.Model):
    """One send of one publication: committed before the request leaves, its result after."""

    class Outcome(models.TextChoices):
        STARTED = "started"
        ACKNOWLEDGED = "acknowledged"
        VERIFIED = "verified"
        REJECTED = "rejected"
        THROTTLED = "throttled"
        NOT_SENT = "not_sent"
        UNKNOWN = "unknown"
        CONFLICT = "conflict"
        FENCED = "fenced"

    publication = models.ForeignKey(Publication, on_delete=models.CASCADE, related_name="attempt_log", db_index=False)
    fence = models.BigIntegerField()
    version = models.BigIntegerField()
    value = models.JSONField()
    idempotency_key = models.CharField(max_length=64)
    batch = models.UUIDField(null=True, help_text="Attempts of one request share it.")
    trace_id = models.CharField(max_length=32, blank=True, default="")
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=12, choices=Outcome.choices, default=Outcome.STARTED)
    http_status = models.PositiveSmallIntegerField(null=True)
    detail = models.CharField(max_length=2000, blank=True, default="", help_text="The channel's own words, masked.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["publication", "fence"], name="attempt_fence")]
        indexes = [models.Index(fields=["started_at"], name="attempt_started")]

    def __str__(self) -> str:
        return f"{self.publication_id} v{self.version} {self.outcome}"


class PlannedInput(models.Model):
    """Which generation of a stock position or price subject a publication was last planned from.

    Written also where the plan changed nothing: the trace of an event ends at the first plan that had seen its
    generation.
    """

    class Kind(models.TextChoices):
        STOCK = "stock"
        PRICE = "price"

    publication = models.ForeignKey(Publication, on_delete=models.CASCADE, related_name="inputs")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    subject = models.BigIntegerField(help_text="Id of the stock position or price subject.")
    generation = models.BigIntegerField()
    desired_version = models.BigIntegerField(help_text="Of the publication, after this plan.")
    planned_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["publication", "kind", "subject", "generation"], name="planned_once")
        ]
        indexes = [models.Index(fields=["kind", "subject", "generation"], name="planned_subject")]

    def __str__(self) -> str:
        return f"{self.publication_id} from {self.kind} {self.subject}@{self.generation}"


class ListingDirty(models.Model):
    """Listings to plan again for what no stock or price write says: policy, unit, warehouse or listing changed."""

    listing = models.OneToOneField(Listing, on_delete=models.CASCADE, primary_key=True)
    generation = models.BigIntegerField(default=1)
    marked_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.listing_id}@{self.generation}"
