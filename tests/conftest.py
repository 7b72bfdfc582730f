"""Servers, settings and clocks for every test. Servers start before Django reads its settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler.loadfile import LoadFileScheduling

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


@pytest.fixture(autouse=True, scope="session")
def _flush_as_installed() -> Iterator[None]:
    """After a transactional test the tables are as the migrations leave them: empty, but for what ships.

    Append-only triggers refuse to be emptied and stand aside for the flush; roles, teams and shipped mappings are
    rows of migrations, which no flush brings back.
    """
    from django.db import connection, transaction

    # On the class: a browser's event loop makes Django hand out another connection in the same thread.
    def flush(operations: object, statements: list[str]) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for statement in statements:
                cursor.execute(statement)
        if statements:
            _install_what_ships()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(connection.ops), "execute_sql_flush", flush)
        yield


def _install_what_ships() -> None:
    from django.apps import apps
    from django.db import transaction

    from apps.masterdata.models import System
    from apps.sources.models import Mapping, Source
    from apps.sources.presets import install

    roles = import_module("apps.access.migrations.0002_roles")
    with transaction.atomic():
        roles.create(apps, None)
        install(System, Source, Mapping)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """A file at a time to a worker; all that speaks to the contract's one demo goes to the same worker."""

    class OneDemo(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "tests/contract" if nodeid.startswith("tests/contract/") else super()._split_scope(nodeid)

    return OneDemo(config, log)
