"""Upstream systems and everything they sent: the inbox, the raw bytes, refusals, mappings and feed runs."""

from django.db import models
from django.db.models import Q

from apps.lib.clock import Now
from apps.masterdata.models import System


class Source(models.Model):
    """An upstream system (ERP, WMS, CRM, or a channel that sends orders)."""

    class Kind(models.TextChoices):
        ERP = "erp"
        WMS = "wms"
        CRM = "crm"
        OTHER = "other"

    class OnHandFalls(models.TextChoices):
        SHIP = "ship"
        PICK = "pick"

    class StockFacts(models.TextChoices):
        MOVEMENTS = "movements"
        DOCUMENTS = "documents"
        BOTH = "both"

    system = models.OneToOneField(System, on_delete=models.PROTECT, primary_key=True, related_name="source")
    kind = models.CharField(max_length=5, choices=Kind.choices, default=Kind.OTHER)
    accepts_our_codes = models.BooleanField(default=True)
    folds_case = models.BooleanField(default=False, help_text="Codes of this source are compared in upper case.")
    stock_facts = models.CharField(max_length=9, choices=StockFacts.choices, default=StockFacts.BOTH)
    on_hand_falls_at = models.CharField(max_length=4, choices=OnHandFalls.choices, default=OnHandFalls.SHIP)
    silent_after_s = models.PositiveIntegerField(default=14_400)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    accepted = models.BigIntegerField(default=0)
    duplicates = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.system.code


class InboxMessage(models.Model):
    """One accepted message, kept for ever: what it was, its hash, and what became of it.

    The bytes are in RawMessage, which is dropped after 400 days.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        PROCESSED = "processed"
        BLOCKED = "blocked"
        SUPERSEDED = "superseded"
        IGNORED = "ignored"
        QUARANTINED = "quarantined"

    # No constraint in the database: the transaction that inserts messages looked their source up and updates it, and
    # PROTECT refuses to delete it. Checking it for every message took a quarter of PostgreSQL's time for a batch.
    source = models.ForeignKey(
        Source, on_delete=models.PROTECT, related_name="messages", db_index=False, db_constraint=False
    )
    event_id = models.CharField(max_length=200)
    type = models.CharField(max_length=60)
    subject = models.CharField(max_length=200, blank=True, default="")
    stream = models.CharField(max_length=100, blank=True, default="")
    sequence = models.BigIntegerField(null=True)
    happened_at = models.DateTimeField(help_text="The source's `time`.")
    received_at = models.DateTimeField(db_default=Now())
    body_sha256 = models.BinaryField(max_length=32)
    trace_id = models.CharField(max_length=32, blank=True, default="")
    state = models.CharField(max_length=11, choices=State.choices, db_default=State.PENDING, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(db_default=0, default=0)
    due_at = models.DateTimeField(null=True, db_default=Now())
    finished_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True, db_default="", default="")
    # What it changed, other than stock (whose effects are its ledger rows): [{kind, subject, change, generation}]
    effects = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "event_id"], name="inbox_source_event"),
            models.CheckConstraint(
                condition=Q(state="pending", due_at__isnull=False) | (~Q(state="pending") & Q(due_at__isnull=True)),
                name="inbox_pending_is_due",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["processed", "superseded", "ignored"], finished_at__isnull=False)
                | Q(state__in=["pending", "blocked", "quarantined"], finished_at__isnull=True),
                name="inbox_finished_has_instant",
            ),
        ]
        indexes = [
            models.Index(fields=["due_at", "id"], name="inbox_due", condition=Q(state="pending")),
            models.Index(fields=["due_at", "id"], name="inbox_suspect", condition=Q(state="pending", attempts__gt=0)),
            models.Index(fields=["-received_at"], name="inbox_received"),
        ]

    def __str__(self) -> str:
        return f"{self.source_id} {self.event_id}"


class RawMessage(models.Model):
    """The bytes as received. Holds the month, so the table can be partitioned without a rewrite."""

    # No constraint in the database: the row is made by the statement that makes the message, and checking each
    # one again took a fifth of the time of a batch.
    message = models.OneToOneField(
        InboxMessage, on_delete=models.CASCADE, primary_key=True, related_name="raw", db_constraint=False
    )
    received_at = models.DateTimeField(db_default=Now())
    body = models.BinaryField()
    # The event as a person corrected it; what was received stays beside it.
    corrected = models.BinaryField(null=True)
    corrected_by = models.CharField(max_length=200, blank=True, db_default="", default="")

    def __str__(self) -> str:
        return f"{self.message_id}"


class RejectedMessage(models.Model):
    """A message whose envelope was refused; kept raw for 30 days."""

    source = models.CharField(max_length=200, blank=True, default="")
    event_id = models.CharField(max_length=200, blank=True, default="")
    code = models.CharField(max_length=30)
    detail = models.TextField()
    body = models.BinaryField()
    received_at = models.DateTimeField(db_default=Now(), db_index=True)

    def __str__(self) -> str:
        return f"{self.code} {self.source} {self.event_id}"


class EntityCursor(models.Model):
    """The newest absolute fact applied per source and entity: an older one never overwrites it."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+")
    entity = models.TextField(help_text='entity type and key, as in item:["AB-1"]')
    sequence = models.BigIntegerField(null=True)
    stream = models.CharField(max_length=100, blank=True, db_default="", default="")
    happened_at = models.DateTimeField()
    message = models.BigIntegerField()
    # Field → [sequence, stream, time, message], where upserts are partial: an older one sets what no newer has said.
    fields = models.JSONField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "entity"], name="cursor_source_entity")]

    def __str__(self) -> str:
        return f"{self.source_id} {self.entity}"


class StockDocument(models.Model):
    """A stock document (shipment, return) and the form it was first heard in: the other form books nothing."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=12)
    number = models.CharField(max_length=100)
    form = models.CharField(max_length=8)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "kind", "number"], name="stock_document_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


class PriceListPart(models.Model):
    """A part of a price list that has arrived; the last one counts the whole."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+", db_index=False)
    book = models.CharField(max_length=100, help_text="The source's code.")
    as_of = models.CharField(max_length=40, help_text="As sent.")
    part = models.PositiveIntegerField()
    message = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "book", "as_of", "part"], name="price_list_part_once")]

    def __str__(self) -> str:
        return f"{self.book} {self.as_of} part {self.part}"


class Mapping(models.Model):
    """How a source's rows become events: one CEL expression per target field. Saved as a new version each time."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="mappings")
    name = models.CharField(max_length=60)
    version = models.PositiveIntegerField(default=1)
    is_current = models.BooleanField(default=True)
    file_pattern = models.CharField(
        max_length=200, blank=True, help_text="Shell pattern of the file names it reads; empty: only when named."
    )
    encoding = models.CharField(max_length=20, default="utf-8")
    time_zone = models.CharField(max_length=60, default="UTC")
    event_type = models.CharField(max_length=60)
    row_filter = models.CharField(max_length=500, blank=True, default="", help_text="CEL; false = row ignored.")
    fields = models.JSONField(help_text="Target field → CEL expression over `row`.")
    envelope = models.JSONField(default=dict, blank=True, help_text="time, subject, sequence → CEL expression.")
    grouping = models.JSONField(
        default=dict, blank=True, help_text="For snapshots and per-code reduction: what rows are gathered by."
    )
    tables = models.JSONField(default=dict, blank=True, help_text="Tables for lookup(): name → {key: value}.")
    prelude = models.JSONField(
        default=list, blank=True, help_text="What the rows take for granted, as [{type, data}]; sent once."
    )
    position = models.PositiveSmallIntegerField(default=100, help_text="Mappings of one run apply in this order.")
    created_by = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["source", "position", "name", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["source", "name", "version"], name="mapping_version"),
            models.UniqueConstraint(
                fields=["source", "name"], name="mapping_one_current", condition=Q(is_current=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.name} v{self.version}"


class FeedRun(models.Model):
    """One file read by a mapping: rows read = applied + duplicate + ignored + blocked."""

    mapping = models.ForeignKey(Mapping, on_delete=models.PROTECT, related_name="runs")
    file_name = models.CharField(max_length=300)
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    rows = models.PositiveIntegerField(default=0)
    applied = models.PositiveIntegerField(default=0)
    duplicate = models.PositiveIntegerField(default=0)
    ignored = models.PositiveIntegerField(default=0)
    blocked = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True)
                | Q(rows=models.F("applied") + models.F("duplicate") + models.F("ignored") + models.F("blocked")),
                name="feed_rows_add_up",
            )
        ]

    def __str__(self) -> str:
        return f"{self.file_name} {self.started_at:%Y-%m-%d %H:%M}"
