"""The loops of access."""

from celery import shared_task

from apps.access import idempotency


@shared_task(name="apps.access.tasks.tidy", ignore_result=True)
def tidy() -> None:
    idempotency.forget_old_answers()
