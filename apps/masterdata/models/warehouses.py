"""Where goods lie and who sells them: companies, branches, calendars, warehouses."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.lib.clock import Now


def monday_to_friday() -> list[int]:
    return [0, 1, 2, 3, 4]


class Company(models.Model):
    code = models.CharField(max_length=100, unique=True)
    name = models.CharField(max_length=200)

    class Meta:
        verbose_name_plural = "companies"
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code


class Branch(models.Model):
    code = models.CharField(max_length=100, unique=True)
    name = models.CharField(max_length=200)
    company = models.ForeignKey(Company, null=True, blank=True, on_delete=models.PROTECT, related_name="branches")
    region = models.CharField(max_length=100, blank=True, default="")
    time_zone = models.CharField(max_length=60, default="UTC")
    currency = models.CharField(max_length=3, blank=True, default="")

    class Meta:
        verbose_name_plural = "branches"
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code


class Calendar(models.Model):
    """Working days: weekdays (0 = Monday) less holidays."""

    code = models.CharField(max_length=100, unique=True)
    name = models.CharField(max_length=200)
    working_weekdays = ArrayField(models.PositiveSmallIntegerField(), default=monday_to_friday)
    holidays = ArrayField(models.DateField(), default=list, blank=True)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code


class Warehouse(models.Model):
    """A place with stock; it names whose movements and whose counts are applied (empty: any source's)."""

    class Kind(models.TextChoices):
        OWN = "own"
        THIRD_PARTY = "third_party"
        VENDOR = "vendor"
        CHANNEL = "channel"
        CONSIGNMENT = "consignment"

    code = models.CharField(max_length=100, unique=True)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.OWN)
    sellable = models.BooleanField(default=True)
    branch = models.ForeignKey(Branch, null=True, blank=True, on_delete=models.SET_NULL, related_name="warehouses")
    country = models.CharField(max_length=2, blank=True, default="")
    region = models.CharField(max_length=100, blank=True, default="")
    time_zone = models.CharField(max_length=60, default="UTC")
    calendar = models.ForeignKey(Calendar, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    cutoff = models.TimeField(null=True, blank=True, help_text="After this local time, today is the next working day.")
    priority = models.PositiveSmallIntegerField(default=100)
    movements_source = models.ForeignKey(
        "masterdata.System",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The source whose movements change this stock; empty: any source's.",
    )
    counts_source = models.ForeignKey(
        "masterdata.System",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The source whose counts are authoritative; empty: any source's.",
    )
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["priority", "code"]

    def __str__(self) -> str:
        return self.code
