"""Channels of a running sandbox as rows of ours, with short deadlines, and clients for their control sides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.db import connection

from apps.channels.connectors import CONNECTORS
from apps.channels.credentials import seal
from apps.channels.models import Channel, Listing, Publication
from apps.integrations.jsonhttp.form import preset
from apps.integrations.sandbox.server import Sandbox
from apps.masterdata.models import Item, System, Unit

DEADLINE_S = 0.5
GRADES = {"SHOP": "A", "MARKET": "B", "FEED": "C"}


@dataclass(frozen=True)
class Side:
    """One sandbox channel, seen from its control side, and its row here."""

    channel: Channel
    control: httpx2.Client

    def fault(self, *faults: dict[str, Any]) -> None:
        answer = self.control.put("/faults", json=list(faults))
        assert answer.status_code == 200, answer.text

    def seed(self, *codes: str, quantity: int = 5, price: str = "10.00", currency: str = "USD") -> None:
        listings = [{"code": code, "quantity": quantity, "price": price, "currency": currency} for code in codes]
        answer = self.control.post("/seed", json={"listings": listings})
        assert answer.status_code == 200, answer.text

    def edit(self, listing: str, **values: Any) -> None:
        answer = self.control.post("/edit", json={"listing": listing, **values})
        assert answer.status_code == 200, answer.text

    def forget(self, *listings: str) -> None:
        assert self.control.post("/forget", json={"listings": list(listings)}).status_code == 200

    def state(self, listing: str) -> dict[str, Any]:
        found: dict[str, Any] = self.control.get("/state").json()["listings"][listing]
        return found

    def shows(self, listing: str) -> int | None:
        quantity: int | None = self.state(listing)["quantity"]
        return quantity

    def held(self, listing: str) -> list[int | None]:
        """Every quantity the listing came to hold, oldest first."""
        changes = self.control.get("/history", params={"listing": listing}).json()
        return [row["quantity"] for row in changes["changes"]]

    def requests(self) -> int:
        return len(self.control.get("/requests", params={"limit": 500}).json()["requests"])

    def writes(self) -> list[dict[str, Any]]:
        rows = self.control.get("/requests", params={"limit": 500}).json()["requests"]
        return [row for row in rows if row["method"] != "GET"]


@pytest.fixture(autouse=True)
def quick(settings: Any) -> None:
    settings.PUBLISH_BACKOFF_S = 0.0


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "sandbox", market_rate=10_000, market_burst=10_000) as running:
        yield running


@pytest.fixture
def each(db: None) -> Unit:
    return Unit.objects.create(code="EA", name="each")


@pytest.fixture
def open_side(sandbox: Sandbox, each: Unit) -> Iterator[Callable[..., Side]]:
    """Make the row of a sandbox channel; keyword arguments are fields of Channel, `form` replaces settings."""
    clients: list[httpx2.Client] = []

    def opened(code: str, *, form: Mapping[str, object] | None = None, **fields: Any) -> Side:
        address = sandbox.channels[code]
        values = {
            "base_url": address.url,
            "deadline_s": DEADLINE_S,
            "settles_after_s": 0,
            **(form or {}),
        }
        channel = Channel.objects.create(
            system=System.objects.create(code=code, name=code.title()),
            connector=next(iter(CONNECTORS)),
            grade=GRADES[code],
            state="live",
            settings=preset(code.lower(), **values),
            credentials=seal({"secret": address.token}),
            currency="USD",
            **{
                "requests_per_s": 10_000,
                "burst": 10_000,
                "batch_size": 1 if code == "SHOP" else 50,
                **fields,
            },
        )
        clients.append(httpx2.Client(base_url=address.control, timeout=10, trust_env=False))
        return Side(channel, clients[-1])

    yield opened
    for client in clients:
        client.close()


def promise(
    side: Side, code: str, quantity: int | str, *, kind: str = "stock", location: str = "", **fields: Any
) -> Publication:
    """A listing, and what the channel should show for it."""
    unit = Unit.objects.get(code="EA")
    item, _ = Item.objects.get_or_create(sku=f"SKU-{code}", defaults={"name": code, "base_unit": unit})
    listing, _ = Listing.objects.get_or_create(
        channel=side.channel, external_id=code, defaults={"item": item, "unit": unit}
    )
    value = {"quantity": str(quantity)} if kind == "stock" else {"amount": str(quantity), "currency": "USD"}
    return Publication.objects.create(
        channel=side.channel,
        kind=kind,
        subject=f"{code}|{location}",
        listing=listing,
        location=location,
        desired=value,
        **fields,
    )


def want(publication: Publication, quantity: int) -> None:
    """A newer desired stock, as the planner writes it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_publication SET desired = jsonb_build_object('quantity', %s::text), "
            "desired_version = desired_version + 1, blocked_at = NULL, desired_at = sync_now(), "
            "decreases = coalesce(%s < (acked->>'quantity')::numeric, false) WHERE id = %s",
            [str(quantity), quantity, publication.pk],
        )


def overdue(channel: Channel) -> None:
    """Let every wait be over: leases, back-offs, pauses and the breaker."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_publication SET leased_until = sync_now() - interval '1 second' "
            "WHERE channel_id = %s AND leased_until IS NOT NULL",
            [channel.pk],
        )
        cursor.execute(
            "UPDATE channels_publication SET next_attempt_at = sync_now() WHERE channel_id = %s", [channel.pk]
        )
        cursor.execute(
            "UPDATE channels_channel SET not_before = NULL, last_read_back_at = NULL, "
            "breaker_until = CASE WHEN breaker <> 'closed' THEN sync_now() END WHERE system_id = %s",
            [channel.pk],
        )
