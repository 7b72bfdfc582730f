"""The loops of inventory."""

from celery import shared_task

from apps.inventory import shortfalls


@shared_task(name="apps.inventory.tasks.look_again", ignore_result=True)
def look_again() -> None:
    shortfalls.retry_waiting()
