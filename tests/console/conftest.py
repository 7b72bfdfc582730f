"""The console's world, filled once a test."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.test import Client

from apps.access.models import User
from tests.console import world


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
