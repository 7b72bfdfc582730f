"""Who may do what: users, teams, API clients and their keys, idempotency records and the audit trail."""

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from rest_framework_api_key.models import AbstractAPIKey

from apps.lib.clock import Now


class Team(models.Model):
    """A group of people that owns causes: ERP, e-commerce, middleware, warehouse, pricing."""

    code = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """A person who signs in to the console; the role is the Django group (see capabilities.py)."""

    teams = models.ManyToManyField(Team, blank=True, related_name="members")
    time_zone = models.CharField(max_length=60, default="UTC")


class ApiClient(models.Model):
    """A system that calls the API: its scopes, and the objects it is limited to (empty = all)."""

    name = models.CharField(max_length=100, unique=True)
    scopes = ArrayField(models.CharField(max_length=40), default=list)
    channels = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    accounts = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    warehouses = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    sources = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    requests_per_s = models.PositiveIntegerField(default=100)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name


class ApiKey(AbstractAPIKey):
    """A hashed `prefix.secret` of a client; the secret is shown once."""

    client = models.ForeignKey(ApiClient, on_delete=models.CASCADE, related_name="keys")

    class Meta(AbstractAPIKey.Meta):
        verbose_name = "API key"
        verbose_name_plural = "API keys"


class IdempotencyRecord(models.Model):
    """One answer per (actor, Idempotency-Key): what was asked (hash) and, once done, what was answered."""

    actor = models.CharField(max_length=60)
    key = models.CharField(max_length=255)
    request_sha256 = models.BinaryField(max_length=32)
    locked_until = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True)
    response = models.BinaryField(null=True)
    content_type = models.CharField(max_length=100, default="")
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["actor", "key"], name="idempotency_actor_key"),
            models.CheckConstraint(
                condition=models.Q(status__isnull=True) | models.Q(response__isnull=False),
                name="idempotency_done_has_answer",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.key}"


class AuditEvent(models.Model):
    """Append-only (a trigger refuses updates and deletes): who did what to which object, and why."""

    at = models.DateTimeField(db_default=Now(), db_index=True)
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=60)
    object = models.CharField(max_length=200)
    detail = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["object", "at"], name="audit_object")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor} {self.action} {self.object}"
