"""Events and a caller for the tests of the inbox and of processing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from apps.access.keys import create_key, forget_keys
from apps.access.models import ApiClient

Event = dict[str, Any]


def event(event_id: str, **changes: object) -> Event:
    """A stock movement that only lacks somewhere to go; `changes` set attributes, None takes one away."""
    made: Event = {
        "specversion": "1.0",
        "id": event_id,
        "source": "erp",
        "type": "stock.moved",
        "time": "2026-01-31T12:00:00Z",
        "data": {"sku": "AB-1", "warehouse": "W1", "kind": "receipt", "quantity": "5", "uom": "EA"},
    }
    made.update(changes)
    return {name: value for name, value in made.items() if value is not None}


@pytest.fixture
def api_key() -> Callable[..., str]:
    """Make a key with all scopes, or those given."""

    def make(*scopes: str, **limits: list[str]) -> str:
        forget_keys()
        client = ApiClient.objects.create(
            name=f"client {ApiClient.objects.count()}", scopes=list(scopes) or ["all"], requests_per_s=10_000, **limits
        )
        return create_key(client)

    return make


class Api:
    """The API as a caller outside sees it."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.client = Client(raise_request_exception=False)

    def post(self, body: object, content_type: str = "application/json", **headers: str) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(
            "/api/v1/events", raw, content_type=content_type, headers={"Authorization": f"Bearer {self.key}", **headers}
        )

    def get(self, path: str, **query: str) -> Any:
        return self.client.get(f"/api/v1{path}", query, headers={"Authorization": f"Bearer {self.key}"})


@pytest.fixture
def api(db: None, api_key: Callable[..., str]) -> Api:
    return Api(api_key())


@pytest.fixture(autouse=True, scope="session")
def _flush_append_only_tables() -> Iterator[None]:
    """Let the flush after a transactional test empty the ledger, whose trigger refuses it otherwise."""
    from django.db import connection, transaction

    def flush(statements: list[str]) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for statement in statements:
                cursor.execute(statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection.ops, "execute_sql_flush", flush)
        yield
