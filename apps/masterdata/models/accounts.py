"""Customers: bill-to accounts, their ship-tos, licences and identifiers."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Upper

from apps.lib.clock import Now
from apps.masterdata.models.warehouses import Branch


class Account(models.Model):
    class Status(models.TextChoices):
        ACTIVE = "active"
        ON_HOLD = "on_hold"
        CLOSED = "closed"

    class PricePolicy(models.TextChoices):
        FIRST_HIT = "first_hit"
        BEST_CONTRACT = "best_contract"
        BEST_CONTRACT_AND_PROMOTION = "best_contract_and_promotion"
        BEST_ALL = "best_all"

    code = models.CharField(max_length=100, unique=True)
    name = models.CharField(max_length=300)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    groups = ArrayField(
        models.CharField(max_length=100), default=list, blank=True, help_text="Price groups, first wins."
    )
    type = models.CharField(max_length=100, blank=True, default="")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="children")
    branch = models.ForeignKey(Branch, null=True, blank=True, on_delete=models.SET_NULL, related_name="accounts")
    currency = models.CharField(max_length=3, blank=True, default="")
    tax_exempt = models.BooleanField(default=False)
    min_life_days = models.PositiveIntegerField(null=True, blank=True)
    price_policy = models.CharField(max_length=30, choices=PricePolicy.choices, default=PricePolicy.FIRST_HIT)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["code"]
        indexes = [
            GinIndex(OpClass(Upper("code"), name="gin_trgm_ops"), name="account_code_trgm"),
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="account_name_trgm"),
            models.Index(Upper("code"), name="account_code_upper"),
        ]

    def __str__(self) -> str:
        return self.code


class ShipTo(models.Model):
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="ship_tos")
    code = models.CharField(max_length=100)
    name = models.CharField(max_length=300, blank=True, default="")
    branch = models.ForeignKey(Branch, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    country = models.CharField(max_length=2, blank=True, default="")
    region = models.CharField(max_length=100, blank=True, default="")
    time_zone = models.CharField(max_length=60, blank=True, default="")
    status = models.CharField(max_length=10, choices=Account.Status.choices, default=Account.Status.ACTIVE)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "code"], name="ship_to_account_code")]

    def __str__(self) -> str:
        return f"{self.account}/{self.code}"


class AccountLicence(models.Model):
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="licences")
    code = models.CharField(max_length=100)
    expires_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "code"], name="licence_account_code")]

    def __str__(self) -> str:
        return self.code


class AccountIdentifier(models.Model):
    """A code others know an account by (GLN, DUNS, their own customer number)."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="identifiers")
    scheme = models.CharField(max_length=40)
    value = models.CharField(max_length=100)
    party = models.CharField(max_length=100, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scheme", "party", "value"], name="account_identifier_scheme_party_value")
        ]

    def __str__(self) -> str:
        return f"{self.scheme} {self.value}"
