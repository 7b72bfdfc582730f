"""Servers, settings and clocks for every test. Servers start before Django reads its settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from localdev.testing import prepare_environment  # noqa: E402

prepare_environment()
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # playwright keeps an event loop in the main thread

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sync_console.settings")

import django  # noqa: E402

django.setup()

import redis  # noqa: E402
import time_machine  # noqa: E402


@pytest.fixture
def frozen_now(db: None) -> Iterator[Callable[[datetime], None]]:
    """Return a function that stops both clocks, Python's and this connection's `sync_now()`, at an instant.

    Call it again to move both. Another connection (a thread, a process) keeps the real time.
    """
    from django.db import connection

    travels: list[time_machine.travel] = []

    def stop_travels() -> None:
        while travels:
            travels.pop().stop()

    def freeze(instant: datetime) -> None:
        if instant.tzinfo is None:
            raise ValueError(f"frozen_now({instant}) needs a time zone")
        stop_travels()
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('sync.now', %s, false)", [instant.isoformat()])
        travel = time_machine.travel(instant, tick=False)
        travel.start()
        travels.append(travel)

    yield freeze
    stop_travels()
    if connection.connection is not None and not connection.needs_rollback:
        with connection.cursor() as cursor:
            cursor.execute("RESET sync.now")


@pytest.fixture
def valkey() -> Iterator[redis.Redis]:
    """Return a client of this test's own Valkey database, empty before and after."""
    with redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=5) as client:
        client.flushdb()
        yield client
        client.flushdb()
