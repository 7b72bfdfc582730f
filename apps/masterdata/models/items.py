"""Items: what is sold, in which units, under which identifiers."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper

from apps.lib.clock import Now
from apps.masterdata.models.units import Unit


class Item(models.Model):
    class Kind(models.TextChoices):
        STOCK = "stock"
        KIT = "kit"
        NON_STOCK = "non_stock"

    class Status(models.TextChoices):
        ACTIVE = "active"
        SELL_DOWN = "sell_down"
        BLOCKED = "blocked"
        RETIRED = "retired"

    sku = models.CharField("SKU", max_length=100, unique=True)
    name = models.CharField(max_length=500)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.STOCK)
    base_unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")
    brand = models.CharField(max_length=100, blank=True, default="")
    family = models.CharField(max_length=100, blank=True, default="", db_index=True)
    category = models.CharField(max_length=100, blank=True, default="", db_index=True)
    tax_class = models.CharField(max_length=100, blank=True, default="")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    replaced_by = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="replaces")
    lot_tracked = models.BooleanField(default=False)
    hazard_class = models.CharField(max_length=40, blank=True, default="")
    attributes = models.JSONField(default=dict, blank=True)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["sku"]
        constraints = [
            models.CheckConstraint(
                condition=Q(replaced_by__isnull=True) | ~Q(replaced_by=models.F("id")), name="item_not_its_successor"
            ),
        ]
        indexes = [
            GinIndex(OpClass(Upper("sku"), name="gin_trgm_ops"), name="item_sku_trgm"),
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="item_name_trgm"),
            models.Index(Upper("sku"), name="item_sku_upper"),
        ]

    def __str__(self) -> str:
        return self.sku


class ItemDirty(models.Model):
    """Items whose listings are to be planned again; deleted only at the generation that was read."""

    item = models.OneToOneField(Item, on_delete=models.CASCADE, primary_key=True)
    generation = models.BigIntegerField(default=1)
    marked_at = models.DateTimeField(db_default=Now(), db_index=True)

    def __str__(self) -> str:
        return f"{self.item_id}@{self.generation}"


class ItemUnit(models.Model):
    """1 `unit` of the item = numerator/denominator of its base unit; how it may be ordered."""

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="units")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")
    numerator = models.PositiveBigIntegerField()
    denominator = models.PositiveBigIntegerField(default=1)
    sellable = models.BooleanField(default=True)
    order_minimum = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)
    order_multiple = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "unit"], name="item_unit"),
            models.CheckConstraint(condition=Q(numerator__gt=0, denominator__gt=0), name="item_unit_factor_not_zero"),
            models.CheckConstraint(
                condition=(Q(order_minimum__isnull=True) | Q(order_minimum__gt=0))
                & (Q(order_multiple__isnull=True) | Q(order_multiple__gt=0)),
                name="item_unit_order_rules_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"1 {self.unit} = {self.numerator}/{self.denominator} {self.item.base_unit}"


class ItemComponent(models.Model):
    """One component of a kit."""

    kit = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="components")
    component = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="used_in")
    quantity = models.DecimalField(max_digits=20, decimal_places=6)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kit", "component", "unit"], name="kit_component"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="kit_component_quantity_positive"),
            models.CheckConstraint(condition=~Q(kit=models.F("component")), name="kit_not_its_component"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} {self.unit} of {self.component}"


class Identifier(models.Model):
    """A code others know an item and unit by (GTIN, customer part number …); check digits are validated on entry."""

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="identifiers")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+")
    scheme = models.CharField(max_length=40)
    value = models.CharField(max_length=100)
    party = models.CharField(max_length=100, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scheme", "party", "value"], name="identifier_scheme_party_value"),
        ]
        indexes = [models.Index(fields=["value"], name="identifier_value")]

    def __str__(self) -> str:
        return f"{self.scheme} {self.value}"
