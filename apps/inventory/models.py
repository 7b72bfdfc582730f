"""Stock: the ledger, the position each ledger row moves, open picks, counts and stocking rules."""

from typing import Any, Final

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Greatest

from apps.lib.clock import Now
from apps.masterdata.models import Item, System, Unit, Warehouse

QUANTITY: Final[dict[str, Any]] = {"max_digits": 20, "decimal_places": 6}
# What a ledger row names was read in the transaction that books it, its item and warehouse are held by the locked
# position's own constraints, and PROTECT refuses to delete any of it. Checking four keys again for every row took
# a third of a batch.
_KNOWN: Final[dict[str, Any]] = {
    "on_delete": models.PROTECT,
    "related_name": "+",
    "db_index": False,
    "db_constraint": False,
}


class StockPosition(models.Model):
    """Item × warehouse, in base units: the sum of its ledger, and what is promised against it.

    Facts may take `available` below zero and then set `shortfall`; a promise (reservation, allocation) leaves
    `shortfall` alone, so the constraint refuses the promise that cannot be kept. Every write bumps
    `generation` under this row's lock and marks it dirty in the same transaction.
    """

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="positions", db_index=False)
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="positions")
    on_hand = models.DecimalField(**QUANTITY, default=0)
    held = models.DecimalField(**QUANTITY, default=0)
    allocated = models.DecimalField(**QUANTITY, default=0)
    reserved = models.DecimalField(**QUANTITY, default=0)
    unbacked = models.DecimalField(**QUANTITY, default=0, help_text="Picked without an allocation, not yet shipped.")
    shortfall = models.DecimalField(**QUANTITY, default=0)
    available = models.GeneratedField(
        expression=F("on_hand") - F("held") - F("allocated") - F("reserved") - F("unbacked"),
        output_field=models.DecimalField(max_digits=20, decimal_places=6),
        db_persist=True,
    )
    generation = models.BigIntegerField(default=0)
    as_of = models.DateTimeField(null=True, help_text="When the newest fact inside the numbers happened.")
    counted_at = models.DateTimeField(null=True)
    counted_by = models.ForeignKey(
        "inventory.StockCount",
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="The count it stands on: later facts that this count contains change nothing.",
    )
    held_counted_by = models.ForeignKey(
        "inventory.StockCount",
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="The last count that stated held: later facts that it contains change held by nothing.",
    )
    watermarks = models.JSONField(
        default=dict, help_text="Per source (code) the highest sequence inside the numbers; null where it sends none."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "warehouse"], name="position_item_warehouse"),
            models.CheckConstraint(
                condition=Q(held__gte=0, allocated__gte=0, reserved__gte=0, unbacked__gte=0, shortfall__gte=0),
                name="position_parts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(shortfall__gte=F("held") + F("allocated") + F("reserved") + F("unbacked") - F("on_hand")),
                name="position_promises_are_kept",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item} at {self.warehouse}"


class StockMovement(models.Model):
    """One row of the append-only ledger (a trigger refuses updates and deletes).

    `recorded_at` is when its inbox message was received: (recorded_at, message, line) is unique for ever and
    holds the month, so the table can be partitioned without a rewrite.
    """

    class Kind(models.TextChoices):
        RECEIPT = "receipt"
        PICK = "pick"
        UNPICK = "unpick"
        PACK = "pack"
        SHIP = "ship"
        ADJUSTMENT = "adjustment"
        SCRAP = "scrap"
        RETURN = "return"
        TRANSFER_OUT = "transfer_out"
        TRANSFER_IN = "transfer_in"
        HOLD = "hold"
        RELEASE = "release"
        COUNT = "count"  # the correction a snapshot books

    recorded_at = models.DateTimeField()
    message = models.BigIntegerField(help_text="The inbox message that caused it.")
    line = models.CharField(max_length=40, blank=True, default="")
    source = models.ForeignKey(System, **_KNOWN)
    sequence = models.BigIntegerField(null=True)
    item = models.ForeignKey(Item, **_KNOWN)
    warehouse = models.ForeignKey(Warehouse, **_KNOWN)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    quantity = models.DecimalField(**QUANTITY, help_text="As entered.")
    unit = models.ForeignKey(Unit, **_KNOWN)
    base_quantity = models.DecimalField(**QUANTITY)
    on_hand_delta = models.DecimalField(**QUANTITY)
    held_delta = models.DecimalField(**QUANTITY, default=0)
    unbacked_delta = models.DecimalField(**QUANTITY, default=0)
    generation = models.BigIntegerField(help_text="Of the position, after this row.")
    happened_at = models.DateTimeField()
    order = models.CharField(max_length=100, blank=True, default="")
    order_line = models.CharField(max_length=40, blank=True, default="")
    lot = models.CharField(max_length=100, blank=True, default="")
    reference = models.CharField(max_length=100, blank=True, default="")
    booked_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["recorded_at", "message", "line"], name="movement_books_once"),
        ]
        indexes = [
            models.Index(fields=["item", "warehouse", "happened_at"], name="movement_position"),
            models.Index(fields=["message"], name="movement_message"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.quantity}"


class StockEvidence(models.Model):
    """A fact about stock from a source whose facts do not count there: kept for drift, never applied."""

    message = models.BigIntegerField()
    line = models.CharField(max_length=40, blank=True, default="")
    source = models.ForeignKey(System, on_delete=models.PROTECT, related_name="+")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    warehouse = models.ForeignKey(Warehouse, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12)
    base_quantity = models.DecimalField(**QUANTITY)
    happened_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "stock evidence"
        constraints = [models.UniqueConstraint(fields=["message", "line"], name="evidence_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.base_quantity}"


class OpenPick(models.Model):
    """What was picked for an order line without an allocation; open until shipped or unpicked.

    The three sums commute, so the order in which picks and ships of one order arrive does not matter.
    """

    position = models.ForeignKey(StockPosition, on_delete=models.CASCADE, related_name="open_picks")
    order = models.CharField(max_length=100, blank=True, default="")
    order_line = models.CharField(max_length=40, blank=True, default="")
    picked = models.DecimalField(**QUANTITY, default=0)
    unpicked = models.DecimalField(**QUANTITY, default=0)
    shipped = models.DecimalField(**QUANTITY, default=0)
    open = models.GeneratedField(
        expression=Greatest(F("picked") - F("unpicked") - F("shipped"), Value(0, models.DecimalField(**QUANTITY))),
        output_field=models.DecimalField(max_digits=20, decimal_places=6),
        db_persist=True,
    )
    first_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, help_text="When it was last shipped or put back.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["position", "order", "order_line"], name="open_pick_order_line"),
            models.CheckConstraint(
                condition=Q(picked__gte=0, unpicked__gte=0, shipped__gte=0), name="open_pick_sums_not_negative"
            ),
        ]
        indexes = [models.Index(fields=["position"], name="open_pick_open", condition=Q(open__gt=0))]

    def __str__(self) -> str:
        return f"{self.order}/{self.order_line}"


class StockDirty(models.Model):
    """Positions changed since the planner last took them; deleted only at the generation that was read."""

    # No constraint in the database: a mark is made under its position's lock, and positions are never deleted.
    position = models.OneToOneField(StockPosition, on_delete=models.CASCADE, primary_key=True, db_constraint=False)
    generation = models.BigIntegerField()
    marked_at = models.DateTimeField(db_default=Now(), db_index=True)

    def __str__(self) -> str:
        return f"{self.position_id}@{self.generation}"


class AvailabilityVersion(models.Model):
    """In which order items' availability changed; given by one runner at a time, so that no reader skips one."""

    item = models.OneToOneField(Item, on_delete=models.CASCADE, primary_key=True, related_name="+")
    version = models.BigIntegerField(unique=True)
    recheck_at = models.DateTimeField(null=True, help_text="When it changes by itself.")

    class Meta:
        indexes = [
            models.Index(fields=["recheck_at"], name="availability_recheck", condition=Q(recheck_at__isnull=False))
        ]

    def __str__(self) -> str:
        return f"{self.item_id} v{self.version}"


class StockCount(models.Model):
    """A counted snapshot of a source, loaded whole, then judged, then applied or held."""

    class State(models.TextChoices):
        LOADING = "loading"
        APPLIED = "applied"
        HELD = "held"
        SUPERSEDED = "superseded"
        REJECTED = "rejected"

    source = models.ForeignKey(System, on_delete=models.PROTECT, related_name="+")
    snapshot = models.CharField(max_length=200)
    parts = models.PositiveIntegerField(default=1)
    as_of = models.DateTimeField()
    watermarks = models.JSONField(default=dict)
    complete = models.BooleanField()
    warehouses = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=State.choices, default=State.LOADING)
    applied_at = models.DateTimeField(null=True)
    approved_by = models.CharField(max_length=200, blank=True, default="", help_text="Who let a held count through.")
    held_why = models.CharField(max_length=1000, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "snapshot"], name="count_snapshot")]

    def __str__(self) -> str:
        return f"{self.source} {self.snapshot}"


class StockCountPart(models.Model):
    """One part of a snapshot that has arrived (`message` is its inbox row); lines are read from there."""

    count = models.ForeignKey(StockCount, on_delete=models.CASCADE, related_name="loaded")
    part = models.PositiveIntegerField()
    message = models.BigIntegerField()
    recorded_at = models.DateTimeField(db_default=Now(), help_text="When its inbox message was received.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["count", "part"], name="count_part")]

    def __str__(self) -> str:
        return f"part {self.part}"


class StockingRule(models.Model):
    """Safety stock and backorder terms of an item, in base units; the warehouse's own rule wins over the item's."""

    class Backorder(models.TextChoices):
        NONE = "none"
        UP_TO = "up_to"
        UNTIL = "until"
        UNLIMITED = "unlimited"

    class LookAhead(models.TextChoices):
        HORIZON = "horizon"
        LEAD_TIME = "lead_time"

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="stocking_rules")
    warehouse = models.ForeignKey(Warehouse, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    safety_stock = models.DecimalField(**QUANTITY, default=0)
    lead_time_days = models.PositiveIntegerField(null=True, blank=True)
    look_ahead = models.CharField(max_length=10, choices=LookAhead.choices, default=LookAhead.HORIZON)
    backorder = models.CharField(max_length=10, choices=Backorder.choices, default=Backorder.NONE)
    backorder_limit = models.DecimalField(**QUANTITY, null=True, blank=True)
    backorder_until = models.DateField(null=True, blank=True)
    effective_from = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item", "warehouse", "effective_from"], name="stocking_rule_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(safety_stock__gte=0), name="stocking_safety_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.item}: {self.safety_stock}"
