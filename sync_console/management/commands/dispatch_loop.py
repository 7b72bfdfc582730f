"""Runs overdue loops when no worker does: with the broker lost, everything still moves."""

import signal
import threading
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from sync_console.dispatch import dispatch_forever


class Command(BaseCommand):
    help = "Run loops that no Celery worker has run for a while, until stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()

        def on_signal(number: int, frame: FrameType | None) -> None:
            stop.set()

        signal.signal(signal.SIGTERM, on_signal)
        signal.signal(signal.SIGINT, on_signal)
        self.stdout.write("Dispatch loop running.")
        dispatch_forever(stop)
