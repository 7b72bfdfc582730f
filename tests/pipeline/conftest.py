"""One small distributor on real servers: PostgreSQL, Valkey, and the sandbox's channels over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.test import Client

from apps.access.keys import create_key, forget_keys
from apps.access.models import ApiClient
from apps.channels import planner, publisher
from apps.channels.models import Channel
from apps.channels.onboarding import ChannelDraft, ListingDraft, keep_channel, keep_listings, preset
from apps.integrations.sandbox.server import Sandbox
from apps.masterdata.stock_sources import follow
from apps.sources import inbox, processing
from apps.sources.models import Source

CHANNELS = (("SHOP", "A", "EA", 1), ("MARKET", "B", "CASE", 50), ("FEED", "C", "EA", 50))
SKUS = ("P-1", "P-2", "P-3")


class Distributor:
    """Says events, runs the loops, and looks at the channels."""

    def __init__(self, sandbox: Sandbox, key: str) -> None:
        self.sandbox = sandbox
        self._headers = {"Authorization": f"Bearer {key}"}
        self._client = Client(raise_request_exception=False)
        self._said = 0

    def say(self, kind: str, data: dict[str, Any], *, source: str = "wms", **attributes: Any) -> dict[str, Any]:
        """An event, not sent yet."""
        self._said += 1
        event = {"specversion": "1.0", "id": f"e-{self._said}", "source": source, "type": kind,
                 "time": "2026-02-01T12:00:00Z", "data": data}  # fmt: skip
        return {**event, **attributes}

    def moved(self, sku: str, kind: str, quantity: int, warehouse: str = "N1", **more: Any) -> dict[str, Any]:
        data = {"sku": sku, "warehouse": warehouse, "kind": kind, "quantity": str(quantity), "uom": "EA"}
        attributes = {name: more.pop(name) for name in ("sequence", "id") if name in more}
        return self.say("stock.moved", {**data, **more}, **attributes)

    def post(self, path: str, body: object, **headers: str) -> Any:
        return self._client.post(
            f"/api/v1{path}", body, content_type="application/json", headers={**self._headers, **headers}
        )

    def get(self, path: str, **query: Any) -> Any:
        return self._client.get(f"/api/v1{path}", query, headers=self._headers)

    def send(self, *events: dict[str, Any]) -> dict[str, int]:
        """Post events over the API; the receipt's numbers."""
        answer = self.post("/events", list(events))
        assert answer.status_code == 202, answer.content
        body = answer.json()
        return {"accepted": body["accepted"], "duplicates": body["duplicates"], "rejected": len(body["rejected"])}

    def settle(self) -> None:
        """Run every loop until none of them has work."""
        processing.drain()
        for _ in range(20):
            planned = planner.plan()
            sent = sum(publisher.publish(channel) for channel in Channel.objects.values_list("pk", flat=True))
            if not planned and not sent:
                return
        raise AssertionError("the loops never come to rest")

    def shows(self, sku: str) -> dict[str, int | None]:
        """What each channel shows for an item, in the channel's own units."""
        return {
            code: self._control(code, "/state")["listings"][f"{code[0]}-{sku}"]["quantity"] for code, *_ in CHANNELS
        }

    def held(self, channel: str, sku: str) -> list[int | None]:
        """Every quantity a listing came to hold."""
        changes = self._control(channel, "/history", listing=f"{channel[0]}-{sku}")["changes"]
        return [change["quantity"] for change in changes]

    def faults(self, channel: str, *faults: dict[str, Any]) -> None:
        url = self.sandbox.channels[channel].control + "/faults"
        assert httpx2.put(url, json=list(faults), timeout=10, trust_env=False).status_code == 200

    def seed(self, channel: str) -> None:
        rows = [{"code": f"{channel[0]}-{sku}", "quantity": 0, "price": "1.00", "currency": "USD"} for sku in SKUS]
        url = self.sandbox.channels[channel].control + "/seed"
        assert httpx2.post(url, json={"listings": rows}, timeout=10, trust_env=False).status_code == 200

    def _control(self, channel: str, path: str, **query: Any) -> Any:
        url = self.sandbox.channels[channel].control + path
        return httpx2.get(url, params=query, timeout=10, trust_env=False).json()


@pytest.fixture
def distributor(transactional_db: None, valkey: object, tmp_path: Path, settings: Any) -> Iterator[Distributor]:
    settings.PUBLISH_BACKOFF_S = 0.0
    forget_keys()
    client = ApiClient.objects.create(name="pipeline", scopes=["all"], requests_per_s=10_000)
    with Sandbox(tmp_path / "sandbox", market_rate=10_000, market_burst=10_000) as sandbox:
        made = Distributor(sandbox, create_key(client))
        _set_up(made)
        yield made


def _set_up(made: Distributor) -> None:
    """Three items, two warehouses moved by the WMS, and a channel of each grade."""
    events = [
        made.say("unit.upserted", {"code": "EA", "name": "Each"}),
        made.say("unit.upserted", {"code": "CASE", "name": "Case"}),
        made.say("warehouse.upserted", {"code": "N1", "name": "North"}),
        made.say("warehouse.upserted", {"code": "N2", "name": "South"}),
        made.say("price_book.upserted", {"code": "LIST", "level": "list", "currency": "USD"}),
    ]
    for sku in SKUS:
        units = [{"uom": "CASE", "numerator": 12}]
        events.append(made.say("item.upserted", {"sku": sku, "name": sku, "base_uom": "EA", "units": units}))
        price = {"book": "LIST", "sku": sku, "uom": "EA", "amount": "2.50", "currency": "USD"}
        events.append(made.say("price.set", {**price, "effective_from": "2026-01-01"}))
    assert inbox.receive(events).accepted == len(events)
    processing.drain()
    wms = Source.objects.get(system__code="wms").pk
    for warehouse in ("N1", "N2"):
        follow(warehouse, movements=wms, counts=None)
    for code, grade, uom, batch in CHANNELS:
        made.seed(code)
        address = made.sandbox.channels[code]
        times = {"deadline_s": 1, "settles_after_s": 0}
        channel = keep_channel(
            ChannelDraft(
                code=code,
                name=code,
                connector="jsonhttp",
                grade=grade,
                settings=preset("jsonhttp", code.lower(), base_url=address.url, **times),
                credentials={"secret": address.token},
                currency="USD",
                requests_per_s=10_000,
                burst=10_000,
                batch_size=batch,
            ),
            ["N1", "N2"],
        )
        keep_listings(channel, [ListingDraft(f"{code[0]}-{sku}", sku, uom) for sku in SKUS])
    made.settle()
