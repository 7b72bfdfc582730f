"""The loops of this app, as Celery runs them."""

from celery import shared_task

from apps.sources import processing, tidying


@shared_task
def process() -> int:
    return processing.drain()


@shared_task
def tidy() -> int:
    return tidying.tidy()
