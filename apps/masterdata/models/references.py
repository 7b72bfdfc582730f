"""Other systems: who they are, what their codes mean here, and which of them owns which field."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper

from apps.lib.clock import Now


class System(models.Model):
    """The identity of an outside system; a Source and a Channel extend it one-to-one."""

    code = models.CharField(max_length=100, unique=True)
    name = models.CharField(max_length=200)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code


class CrossReference(models.Model):
    """A code of another system → ours, or "ignore this code", with the reason."""

    class Kind(models.TextChoices):
        ITEM = "item"
        WAREHOUSE = "warehouse"
        UNIT = "unit"
        ACCOUNT = "account"
        BRANCH = "branch"
        PRICE_BOOK = "price_book"
        TAX_CLASS = "tax_class"
        LOT = "lot"

    class Origin(models.TextChoices):
        EVENT = "event"
        ALIAS = "alias"
        PERSON = "person"

    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="cross_references")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    code = models.CharField(max_length=100, help_text="Their code.")
    # Our code, as text: price books, tax classes and lots live in other layers, and codes are never renamed.
    target = models.CharField(max_length=100, blank=True, default="", help_text="Our code.")
    ignored = models.BooleanField(default=False)
    reason = models.CharField(max_length=500, blank=True, default="")
    origin = models.CharField(max_length=6, choices=Origin.choices, default=Origin.PERSON)
    created_by = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["system", "kind", "code"]
        constraints = [
            models.UniqueConstraint(fields=["system", "kind", "code"], name="cross_reference_code"),
            models.CheckConstraint(
                condition=Q(ignored=True, target="") | (Q(ignored=False) & ~Q(target="")),
                name="cross_reference_maps_or_ignores",
            ),
            models.CheckConstraint(condition=Q(ignored=False) | ~Q(reason=""), name="cross_reference_ignored_why"),
        ]
        indexes = [
            models.Index(fields=["kind", "target"], name="cross_reference_target"),
            models.Index(F("system"), F("kind"), Upper("code"), name="cross_reference_upper"),
        ]

    def __str__(self) -> str:
        return f"{self.system} {self.kind} {self.code} → {self.target or 'ignored'}"


class Authority(models.Model):
    """Which system owns a field group of an entity; what another says is kept as a FieldDifference."""

    class Group(models.TextChoices):
        IDENTITY = "identity"
        UNITS = "units"
        CONTENT = "content"
        COST = "cost"
        PRICES = "prices"
        TERMS = "terms"
        PLANNING = "planning"

    entity = models.CharField(max_length=20, help_text="item, account, warehouse, branch, unit, price_book")
    group = models.CharField(max_length=10, choices=Group.choices)
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="owns")

    class Meta:
        verbose_name_plural = "authorities"
        constraints = [models.UniqueConstraint(fields=["entity", "group"], name="authority_one_owner")]

    def __str__(self) -> str:
        return f"{self.entity}.{self.group}: {self.system}"


class FieldDifference(models.Model):
    """What a system that does not own a field says it is (NOT_AUTHORITATIVE): kept and shown, never applied."""

    entity = models.CharField(max_length=20)
    code = models.CharField(max_length=100, help_text="Our code of the entity.")
    field = models.CharField(max_length=300)
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="+")
    theirs = models.JSONField(null=True)
    ours = models.JSONField(null=True)
    event = models.CharField(max_length=200, blank=True, default="")
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["entity", "code", "field", "system"], name="difference_one_per_field")
        ]

    def __str__(self) -> str:
        return f"{self.entity} {self.code}.{self.field} by {self.system}"
