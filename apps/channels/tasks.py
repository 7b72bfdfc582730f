"""The publication loops as Celery tasks: hints only, the work is in rows."""

from celery import shared_task

from apps.channels import planner, publisher, readback


@shared_task(name="apps.channels.tasks.plan", ignore_result=True)
def plan() -> None:
    planner.plan()


@shared_task(name="apps.channels.tasks.publish", ignore_result=True)
def publish() -> None:
    """One message per channel with work, so that none waits for another; without a broker, threads of this process."""
    publisher.hand_out(publish_channel)


@shared_task(name="apps.channels.tasks.publish_channel", ignore_result=True)
def publish_channel(channel_id: int) -> None:
    publisher.publish(channel_id)


@shared_task(name="apps.channels.tasks.read_back", ignore_result=True)
def read_back() -> None:
    readback.read_back_due()
