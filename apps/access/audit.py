"""The audit trail: who did what to which object, and why; append-only."""

from apps.access.models import AuditEvent


def record(actor: str, action: str, object_name: str, **detail: object) -> None:
    """Write it in the transaction of the deed, so that neither exists without the other."""
    AuditEvent.objects.create(actor=actor[:150], action=action[:60], object=object_name[:200], detail=detail)
