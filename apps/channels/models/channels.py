"""Channels and their listings."""

from django.db import models
from django.db.models import Q

from apps.lib.clock import Now
from apps.masterdata.models import Item, System, Unit, Warehouse


class Channel(models.Model):
    """A storefront, marketplace, portal or feed: how it is reached, what it may show and how fast it may be told."""

    class Grade(models.TextChoices):
        A = "A", "A: conditional writes"
        B = "B", "B: readable"
        C = "C", "C: write-only"

    class State(models.TextChoices):
        DRAFT = "draft"
        LIVE = "live"
        PAUSED = "paused"
        RETIRED = "retired"

    class Breaker(models.TextChoices):
        CLOSED = "closed"
        OPEN = "open"
        HALF_OPEN = "half_open"

    system = models.OneToOneField(System, on_delete=models.PROTECT, primary_key=True, related_name="channel")
    connector = models.CharField(max_length=40, help_text="Key of CONNECTORS in apps/channels/connectors.py.")
    grade = models.CharField(max_length=1, choices=Grade.choices)
    state = models.CharField(max_length=7, choices=State.choices, default=State.DRAFT)
    settings = models.JSONField(default=dict, blank=True, help_text="The connector's form.")
    credentials = models.BinaryField(default=bytes, blank=True, editable=False)  # encrypted with CREDENTIAL_KEYS
    currency = models.CharField(max_length=3, blank=True, default="")
    publishes_prices = models.BooleanField(default=True)
    # Stock policy, in the fixed order of DOMAIN.md §2
    percentage = models.DecimalField(max_digits=5, decimal_places=2, default=100)
    buffer = models.DecimalField(max_digits=20, decimal_places=6, default=0)
    end_when = models.DecimalField(max_digits=20, decimal_places=6, default=0)
    cap = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)
    handling_days = models.PositiveSmallIntegerField(default=0)
    # Limits
    requests_per_s = models.DecimalField(max_digits=8, decimal_places=3, default=10)
    burst = models.PositiveIntegerField(default=10)
    batch_size = models.PositiveIntegerField(default=1)
    max_in_flight = models.PositiveSmallIntegerField(default=4)
    read_back_every_s = models.PositiveIntegerField(default=300)
    # Health
    not_before = models.DateTimeField(null=True, blank=True, help_text="The channel asked us to wait until then.")
    breaker = models.CharField(max_length=9, choices=Breaker.choices, default=Breaker.CLOSED)
    breaker_until = models.DateTimeField(null=True, blank=True)
    failures_in_a_row = models.PositiveIntegerField(default=0)
    draining_by = models.CharField(max_length=32, blank=True, default="", help_text="Which run publishes it now.")
    draining_until = models.DateTimeField(null=True, blank=True)
    last_ack_at = models.DateTimeField(null=True, blank=True)
    last_read_back_at = models.DateTimeField(null=True, blank=True)
    read_back_cursor = models.CharField(max_length=500, blank=True, default="")
    read_back_started_at = models.DateTimeField(
        null=True, blank=True, help_text="When the sweep that stopped at the cursor read its first page."
    )
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(percentage__gte=0, percentage__lte=100), name="channel_percentage"),
            models.CheckConstraint(
                condition=Q(buffer__gte=0, end_when__gte=0) & (Q(cap__isnull=True) | Q(cap__gte=0)),
                name="channel_policy_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(max_in_flight__gte=1, batch_size__gte=1, requests_per_s__gt=0), name="channel_limits"
            ),
        ]

    def __str__(self) -> str:
        return self.system.code


class ChannelWarehouse(models.Model):
    """A warehouse whose stock the channel sells; `location` is the channel's own code where it keeps several."""

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="warehouses")
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="+")
    location = models.CharField(max_length=100, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "warehouse"], name="channel_warehouse")]

    def __str__(self) -> str:
        return f"{self.channel} ← {self.warehouse}"


class Listing(models.Model):
    """What a channel sells an item as: key is channel + external id; several may exist for one item."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        PAUSED = "paused"
        RETIRED = "retired"

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="listings", db_index=False)
    external_id = models.CharField(max_length=200)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="listings")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+", help_text="The sell unit.")
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.ACTIVE)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "external_id"], name="listing_external_id")]

    def __str__(self) -> str:
        return f"{self.channel_id}/{self.external_id}"
