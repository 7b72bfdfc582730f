"""The loops of monitoring."""

from celery import shared_task

from apps.monitoring import health


@shared_task(ignore_result=True)
def check_invariants() -> None:
    health.check_invariants()
