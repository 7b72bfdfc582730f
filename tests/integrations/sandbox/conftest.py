"""A running sandbox per test, with clients for both sides of each channel."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from apps.integrations.sandbox.server import Sandbox

NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # plain http only: reading the bundle took half of each test


@dataclass(frozen=True)
class Side:
    """A channel's API and its control side, as two HTTP clients."""

    api: httpx2.Client
    control: httpx2.Client

    def shown(self, listing: str) -> Any:
        """The quantity that the channel shows."""
        return self.control.get("/state").json()["listings"][listing]["quantity"]

    def fault(self, *faults: dict[str, Any]) -> None:
        """Put these faults in place."""
        answer = self.control.put("/faults", json=list(faults))
        assert answer.status_code == 200, answer.text

    def close(self) -> None:
        """Let go of the connections."""
        self.api.close()
        self.control.close()


def connect(sandbox: Sandbox, code: str) -> Side:
    """Clients for one channel of a running sandbox."""
    address = sandbox.channels[code]
    bearer = {"Authorization": f"Bearer {address.token}"}
    return Side(
        httpx2.Client(base_url=address.url, headers=bearer, timeout=10, verify=NO_AUTHORITIES),
        httpx2.Client(base_url=address.control, timeout=10, verify=NO_AUTHORITIES),
    )


def seed(side: Side, *codes: str, **values: Any) -> None:
    """Give a channel these listings."""
    listings = [{"code": code, "title": f"Item {code}", **values} for code in codes]
    answer = side.control.post("/seed", json={"listings": listings})
    assert answer.status_code == 200, answer.text


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "sandbox") as running:
        yield running


@pytest.fixture
def shop(sandbox: Sandbox) -> Iterator[Side]:
    side = connect(sandbox, "SHOP")
    seed(side, "A", "B", "C", quantity=5, price="19.99", currency="USD")
    yield side
    side.close()


@pytest.fixture
def market(sandbox: Sandbox) -> Iterator[Side]:
    side = connect(sandbox, "MARKET")
    seed(side, "MK-1", "MK-2", "MK-3", "MK-4", quantity=1, price="120.00", currency="USD", case_size=12)
    yield side
    side.close()


@pytest.fixture
def feed(sandbox: Sandbox) -> Iterator[Side]:
    side = connect(sandbox, "FEED")
    seed(side, "F-1", "F-2", quantity=0, currency="USD")
    yield side
    side.close()
