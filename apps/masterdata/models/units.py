"""Units of measure and the conversions that hold for every item."""

from django.db import models
from django.db.models import F, Q


class Unit(models.Model):
    """A unit of measure; `decimals` is how many places a quantity in it may have (0: whole ones only)."""

    code = models.CharField(max_length=100, unique=True)
    name = models.CharField(max_length=200)
    decimals = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["code"]
        constraints = [models.CheckConstraint(condition=Q(decimals__lte=6), name="unit_decimals")]

    def __str__(self) -> str:
        return self.code


class UnitConversion(models.Model):
    """For every item without a factor of its own: 1 `unit` = numerator/denominator `to_unit`."""

    unit = models.ForeignKey(Unit, on_delete=models.CASCADE, related_name="conversions")
    to_unit = models.ForeignKey(Unit, on_delete=models.CASCADE, related_name="+")
    numerator = models.PositiveBigIntegerField()
    denominator = models.PositiveBigIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["unit", "to_unit"], name="conversion_unit_to_unit"),
            models.CheckConstraint(condition=Q(numerator__gt=0, denominator__gt=0), name="conversion_factor_not_zero"),
            models.CheckConstraint(condition=~Q(unit=F("to_unit")), name="conversion_of_two_units"),
        ]

    def __str__(self) -> str:
        return f"1 {self.unit} = {self.numerator}/{self.denominator} {self.to_unit}"
