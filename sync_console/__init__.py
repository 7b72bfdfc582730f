"""Wiring: settings, URLs, Celery, schedule."""

from sync_console.celery import app as celery_app

__all__ = ["celery_app"]
