"""Price books, their dated entries, costs and rates, and the dirty marks that say which prices changed."""

from typing import Any, Final

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Coalesce

from apps.lib.clock import Now
from apps.masterdata.models import Account, Branch, Item, System, Unit, Warehouse

MONEY: Final[dict[str, Any]] = {"max_digits": 20, "decimal_places": 6}
QUANTITY: Final[dict[str, Any]] = {"max_digits": 20, "decimal_places": 6}


class TsTzRange(Func):
    function = "tstzrange"
    output_field = DateTimeRangeField()


class PriceBook(models.Model):
    """A set of prices at one level of the ladder, in one currency."""

    class Level(models.TextChoices):
        SPECIAL = "special"
        GROUP = "group"
        TYPE = "type"
        CHANNEL = "channel"
        BRANCH = "branch"
        LIST = "list"

    code = models.CharField(max_length=100, unique=True)
    name = models.CharField(max_length=200, blank=True, default="")
    level = models.CharField(max_length=10, choices=Level.choices)
    account = models.ForeignKey(Account, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    group = models.CharField(max_length=100, blank=True, default="")
    type = models.CharField(max_length=100, blank=True, default="")
    channel = models.ForeignKey(System, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    branch = models.ForeignKey(Branch, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    region = models.CharField(max_length=100, blank=True, default="")
    currency = models.CharField(max_length=3)
    tax_included = models.BooleanField(default=False)
    priority = models.PositiveIntegerField(default=100)
    merge_allowed = models.BooleanField(default=True)
    convert = models.BooleanField(default=False)
    time_zone = models.CharField(max_length=60, default="UTC")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    spike_percent = models.DecimalField(**MONEY, null=True, blank=True)
    floor_margin_percent = models.DecimalField(**MONEY, null=True, blank=True)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(level="channel") | Q(channel__isnull=False), name="channel_book_names_its_channel"
            ),
        ]

    def __str__(self) -> str:
        return self.code


class PriceEntry(models.Model):
    """A price of a book for an item (or family, or category), a unit and a quantity break, during [from, to).

    A row is never edited: a change writes a new version and sets `superseded_at` on the old one, so that any
    past answer can be rebuilt. The exclusion constraint makes two current prices for one instant impossible.
    """

    class Method(models.TextChoices):
        FIXED = "fixed"
        DISCOUNT_PERCENT = "discount_percent"
        DISCOUNT_AMOUNT = "discount_amount"
        MARKUP_PERCENT = "markup_percent"
        MARGIN_PERCENT = "margin_percent"
        FORMULA = "formula"

    book = models.ForeignKey(PriceBook, on_delete=models.PROTECT, related_name="entries")
    item = models.ForeignKey(Item, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    family = models.CharField(max_length=100, blank=True, default="")
    category = models.CharField(max_length=100, blank=True, default="")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+", db_index=False)
    per = models.DecimalField(**QUANTITY, default=1)
    min_quantity = models.DecimalField(**QUANTITY, default=0)
    method = models.CharField(max_length=20, choices=Method.choices, default=Method.FIXED)
    amount = models.DecimalField(**MONEY)
    base = models.CharField(max_length=100, blank=True, default="")
    currency = models.CharField(max_length=3)
    zero_ok = models.BooleanField(default=False)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    recorded_at = models.DateTimeField(db_default=Now())
    superseded_at = models.DateTimeField(null=True, blank=True)
    message = models.BigIntegerField(null=True, help_text="The inbox message that set it.")

    class Meta:
        verbose_name_plural = "price entries"
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")), name="entry_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=Q(per__gt=0, min_quantity__gte=0, amount__gte=0), name="entry_numbers_in_range"
            ),
            ExclusionConstraint(
                name="entry_no_overlap",
                expressions=[
                    (F("book"), RangeOperators.EQUAL),
                    (Coalesce(F("item"), 0), RangeOperators.EQUAL),
                    (F("family"), RangeOperators.EQUAL),
                    (F("category"), RangeOperators.EQUAL),
                    (F("unit"), RangeOperators.EQUAL),
                    (F("currency"), RangeOperators.EQUAL),
                    (F("min_quantity"), RangeOperators.EQUAL),
                    (TsTzRange(F("valid_from"), F("valid_to")), RangeOperators.OVERLAPS),
                ],
                condition=Q(superseded_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(
                fields=["item", "book", "currency"], name="entry_current_item", condition=Q(superseded_at__isnull=True)
            ),
            models.Index(fields=["item", "book"], name="entry_past_item", condition=Q(superseded_at__isnull=False)),
            models.Index(fields=["book", "family", "category"], name="entry_wide", condition=Q(item__isnull=True)),
            models.Index(fields=["message"], name="entry_message", condition=Q(message__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.book}: {self.amount} {self.currency}"


class PriceSubject(models.Model):
    """A priced subject (book × item; item null: a family or category entry of the book) and its change counter."""

    book = models.ForeignKey(PriceBook, on_delete=models.CASCADE, related_name="+")
    item = models.ForeignKey(Item, null=True, on_delete=models.CASCADE, related_name="+")
    generation = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["book", "item"], name="price_subject_once", nulls_distinct=False)
        ]

    def __str__(self) -> str:
        return f"{self.book_id}/{self.item_id}@{self.generation}"


class PriceDirty(models.Model):
    """Priced subjects changed since the planner last took them."""

    subject = models.OneToOneField(PriceSubject, on_delete=models.CASCADE, primary_key=True)
    generation = models.BigIntegerField()
    marked_at = models.DateTimeField(db_default=Now(), db_index=True)

    def __str__(self) -> str:
        return f"{self.subject_id}@{self.generation}"


class Cost(models.Model):
    """What an item costs on a basis, from an instant on; never shown to a channel."""

    class Basis(models.TextChoices):
        STANDARD = "standard"
        AVERAGE = "average"
        REPLACEMENT = "replacement"
        LAST = "last"
        INTO_STOCK = "into_stock"

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="costs")
    basis = models.CharField(max_length=12, choices=Basis.choices)
    warehouse = models.ForeignKey(Warehouse, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")
    per = models.DecimalField(**QUANTITY, default=1)
    amount = models.DecimalField(**MONEY)
    currency = models.CharField(max_length=3)
    effective_from = models.DateTimeField()
    message = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item", "basis", "warehouse", "currency", "effective_from"],
                name="cost_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(amount__gte=0, per__gt=0), name="cost_in_range"),
        ]

    def __str__(self) -> str:
        return f"{self.item} {self.basis} {self.amount} {self.currency}"


class ExchangeRate(models.Model):
    """1 `from_currency` = `rate` `to_currency`, from an instant on."""

    from_currency = models.CharField(max_length=3)
    to_currency = models.CharField(max_length=3)
    rate = models.DecimalField(max_digits=20, decimal_places=10)
    effective_from = models.DateTimeField()
    message = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["from_currency", "to_currency", "effective_from"], name="rate_once"),
            models.CheckConstraint(condition=Q(rate__gt=0), name="rate_positive"),
        ]

    def __str__(self) -> str:
        return f"1 {self.from_currency} = {self.rate} {self.to_currency}"
