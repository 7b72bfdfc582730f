"""Events and a caller for the tests of the inbox and of processing."""

from __future__ import annotations

import json
from collections.abc import Callable
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


CATALOG: list[Event] = [
    event("u1", type="unit.upserted", data={"code": "EA", "name": "Each"}),
    event("u2", type="unit.upserted", data={"code": "CASE", "name": "Case"}),
    event("w1", type="warehouse.upserted", data={"code": "W1", "name": "Main"}),
    event(
        "i1",
        type="item.upserted",
        data={
            "sku": "AB-1",
            "name": "Bolt",
            "base_uom": "EA",
            "units": [{"uom": "CASE", "numerator": 12, "denominator": 1}],
        },
    ),
]


def moved(event_id: str, kind: str, quantity: str, uom: str = "EA", **changes: object) -> Event:
    """A movement of AB-1 at W1; `data` in `changes` adds to its data."""
    data = {"sku": "AB-1", "warehouse": "W1", "kind": kind, "quantity": quantity, "uom": uom}
    extra = changes.pop("data", {})
    assert isinstance(extra, dict)
    return event(event_id, data={**data, **extra}, **changes)


def send(*events: Event) -> None:
    """Receive and process."""
    from apps.sources.inbox import receive
    from apps.sources.processing import drain

    receipt = receive(events)
    assert not receipt.rejected, receipt.rejected
    drain()


def states() -> dict[str, str]:
    """Event id → state."""
    from apps.sources.models import InboxMessage

    return dict(InboxMessage.objects.values_list("event_id", "state"))


def on_hand(sku: str = "AB-1") -> str:
    from apps.inventory.models import StockPosition
    from apps.lib.quantity import plain

    return ", ".join(
        f"{position.warehouse.code} {plain(position.on_hand)}"
        for position in StockPosition.objects.filter(item__sku=sku).select_related("warehouse").order_by("warehouse")
    )
