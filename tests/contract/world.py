"""A client of a running demo that knows only the contract, and a small world of codes nobody else uses."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx2

Json = dict[str, Any]
BUSINESS_TIME = "2026-01-05T12:00:00Z"


class Api:
    """HTTP calls with a key, relative to `/api/v1`, never following a redirect."""

    def __init__(self, demo: Json, key: str | None = None) -> None:
        self.demo = demo
        self.key = key or str(demo["api_key"])
        self.base = str(demo["url"]) + "/api/v1"
        self.http = httpx2.Client(timeout=60, follow_redirects=False, trust_env=False)

    def call(self, method: str, path: str, *, anonymous: bool = False, **options: Any) -> httpx2.Response:
        """Send one request; `headers`, `json`, `content` and `params` as httpx takes them."""
        headers = dict(options.pop("headers", {}))
        if not anonymous:
            headers.setdefault("Authorization", f"Bearer {self.key}")
        url = path if path.startswith("http") else self.base + path
        return self.http.request(method, url, headers=headers, **options)

    def get(self, path: str, **options: Any) -> httpx2.Response:
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        if body is not None:
            options["json"] = body
        return self.call("POST", path, **options)

    def read(self, path: str, **params: Any) -> Json:
        """The object behind a GET that must succeed, read past any cache."""
        answer = self.get(path, params=params, headers={"Cache-Control": "no-cache"})
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        found: Json = answer.json()
        return found


def until(ask: Callable[[], Any], accept: Callable[[Any], bool], seconds: float = 10.0) -> Any:
    """Ask until the answer is accepted; after `seconds` the last answer is returned as it is."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if accept(answer) or time.monotonic() > deadline:
            return answer
        time.sleep(0.1)


class World:
    """Fresh codes of one test: a source, a unit EACH, and whatever the test adds to it."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.mark = uuid.uuid4().hex[:10].upper()
        self.source = self.code("src")
        self.each = self.code("EACH")
        self.number = 0

    def code(self, name: str) -> str:
        """`name` made unique to this test."""
        return f"{name}-{self.mark}"

    def event(self, type_: str, data: Json, **attributes: Any) -> Json:
        """One CloudEvent of this world's source; attributes given as None are left out."""
        self.number += 1
        event = {
            "specversion": "1.0",
            "id": f"{self.mark}-{self.number}",
            "source": self.source,
            "type": type_,
            "time": BUSINESS_TIME,
            "data": data,
        } | attributes
        return {name: value for name, value in event.items() if value is not None}

    def send(self, *events: Json) -> None:
        """Send a batch that must be accepted whole, in one request."""
        answer = self.api.post("/events", list(events))
        assert answer.status_code == 202, answer.text
        assert answer.json() == {"accepted": len(events), "duplicates": 0, "rejected": []}

    def fate(self, event: Json) -> Json:
        """What became of an event once it is no longer pending."""
        path = f"/events/{event['source']}/{event['id']}"
        found: Json = until(
            lambda: self.api.read(path), lambda answer: answer["status"] not in ("pending", "replaying"), 10
        )
        return found

    def becomes(self, event: Json, status: str, seconds: float = 10) -> Json:
        """Wait until the event has the status, and say so where it never does."""
        path = f"/events/{event['source']}/{event['id']}"
        found: Json = until(lambda: self.api.read(path), lambda answer: answer["status"] == status, seconds)
        assert found["status"] == status, found
        return found

    def apply(self, *events: Json) -> None:
        """Send events one after the other of which every one must end processed."""
        self.send(*events)
        for event in events:
            self.becomes(event, "processed")

    def do(self, type_: str, data: Json, **attributes: Any) -> Json:
        """Build one event, send it, and wait until it is processed."""
        event = self.event(type_, data, **attributes)
        self.apply(event)
        return event

    def try_(self, type_: str, data: Json, **attributes: Any) -> Json:
        """Build one event, send it, and return what became of it."""
        event = self.event(type_, data, **attributes)
        self.send(event)
        return self.fate(event)

    def found(self, units: Sequence[Json] = (), decimals: int = 0, **item: Any) -> tuple[str, str]:
        """A unit, one item and one warehouse: (sku, warehouse)."""
        sku, warehouse = self.code("SKU"), self.code("WH")
        self.apply(
            self.event("unit.upserted", {"code": self.each, "name": "Each", "decimals": decimals}),
            self.event("warehouse.upserted", {"code": warehouse, "name": "Warehouse", "timezone": "UTC"}),
            self.event(
                "item.upserted",
                {"sku": sku, "name": "Thing", "base_uom": self.each, "units": list(units)} | item,
            ),
        )
        return sku, warehouse

    def move(self, sku: str, warehouse: str, kind: str, quantity: Any, **more: Any) -> Json:
        """A stock.moved event in the unit EACH; `sequence` and `time` go to the envelope."""
        envelope = {name: more.pop(name) for name in ("sequence", "time", "source", "id") if name in more}
        data = {"sku": sku, "warehouse": warehouse, "kind": kind, "quantity": quantity, "uom": self.each} | more
        return self.event("stock.moved", data, **envelope)

    def position(self, sku: str, warehouse: str) -> tuple[str, str]:
        """(on hand, available) of one warehouse."""
        for row in self.api.read(f"/availability/{sku}")["by_warehouse"]:
            if row["warehouse"] == warehouse:
                return row["on_hand"], row["available"]
        return "0", "0"

    def position_becomes(self, sku: str, warehouse: str, on_hand: str, available: str) -> None:
        """Wait for (on hand, available), and show the last one where it does not come."""
        wanted = (on_hand, available)
        assert until(lambda: self.position(sku, warehouse), lambda seen: seen == wanted) == wanted

    def cause(self, reason: str, search: str | None = None, state: str | None = None) -> Json:
        """The one cause of a reason that mentions `search` (this world's mark by default)."""
        params: Json = {"search": search or self.mark, "reason": reason}
        if state:
            params["state"] = state
        rows = until(
            lambda: self.api.read("/exceptions/causes", **params)["results"],
            lambda found: len(found) == 1,
        )
        assert len(rows) == 1, (params, rows)
        found: Json = rows[0]
        return found

    def cause_state(self, id_: int) -> str:
        """The state of a cause now."""
        return str(self.api.read(f"/exceptions/causes/{id_}")["state"])

    def act(self, id_: int, action: str, body: Json, key: str | None = None) -> httpx2.Response:
        """POST an action on a cause with a fresh Idempotency-Key."""
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return self.api.post(f"/exceptions/causes/{id_}/{action}", body, headers=headers)


def read_demo(path: Path) -> Json:
    """demo.json as an object."""
    found: Json = json.loads(path.read_text())
    return found


def problem(answer: httpx2.Response, status: int, code: str) -> Json:
    """Check that an answer is a complete problem of this status and code, and return it."""
    assert answer.status_code == status, (answer.status_code, answer.text[:500])
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json"
    body: Json = answer.json()
    assert {"type", "title", "status", "code", "detail", "instance", "trace_id", "errors"} <= set(body), body
    assert (body["status"], body["code"]) == (status, code), body
    assert body["detail"]
    for error in body["errors"]:
        assert {"code", "detail", "pointer"} <= set(error), body
    return body
