"""The console's world, filled once a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client

from apps.access.models import User
from tests.console import world


@pytest.fixture(autouse=True, scope="session")
def _flush_append_only_tables() -> Iterator[None]:
    """Let the flush after a transactional test empty the ledger, whose trigger refuses it otherwise."""

    # On the class: a browser's event loop makes Django hand out another connection in the same thread.
    def flush(operations: object, statements: list[str]) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for statement in statements:
                cursor.execute(statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(connection.ops), "execute_sql_flush", flush)
        yield


@pytest.fixture
def people(db: None) -> dict[str, User]:
    cache.clear()
    return world.people()


@pytest.fixture
def filled(people: dict[str, User]) -> dict[str, User]:
    """People, a catalogue, facts that pass and block, and a channel."""
    world.catalogue()
    world.facts()
    world.channel()
    world.daily_life(people)
    return people


@pytest.fixture
def as_role(people: dict[str, User]) -> dict[str, Client]:
    """A signed-in client for each role."""
    clients = {}
    for role, user in people.items():
        clients[role] = Client()
        clients[role].force_login(user)
    return clients
