"""The Celery application: the clock and the runner of the loops in schedule.py."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sync_console.settings")

app = Celery("sync_console")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
