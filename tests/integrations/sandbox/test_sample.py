"""The sample distributor: what the contract counts, the same every time, and loading again changes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import call_command

from apps.channels import planner
from apps.channels.models import Channel, Publication
from apps.exceptions.models import Cause
from apps.integrations.sandbox import sample, sample_blocked, sample_events
from apps.integrations.sandbox.sample_catalogue import items
from apps.integrations.sandbox.sample_channels import CHANNELS
from apps.integrations.sandbox.server import Sandbox
from apps.inventory.models import StockMovement, StockPosition
from apps.lib.identifiers import normalise
from apps.monitoring.invariants import breaches
from apps.sources.models import InboxMessage

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def addresses(tmp_path: Path) -> Iterator[Path]:
    with Sandbox(tmp_path / "sandbox") as sandbox:
        file = tmp_path / "ports.json"
        file.write_text(json.dumps(sandbox.addresses()))
        yield file


def test_the_seed_gives_the_same_events_every_time() -> None:
    def said() -> str:
        goods, erp, wms = items(), sample_events.Sender("erp"), sample_events.Sender("wms")
        events = [
            *sample_events.master_data(erp, goods),
            *sample_events.prices(erp, goods),
            *sample_events.stock(erp, goods, NOON),
            *sample_events.movements(wms, goods, NOON),
            *sample_blocked.blocked(erp, wms, goods, NOON),
        ]
        assert len({(event["source"], event["id"]) for event in events}) == len(events)
        return hashlib.sha256(json.dumps(events).encode()).hexdigest()

    assert said() == said()
    assert [item.sku for item in items()[:3]] == ["HB-1001", "HB-1002", "HB-1003"]


def test_identifiers_carry_their_check_digit() -> None:
    for item in items():
        for value in (item.gtin, item.case_gtin):
            assert not value or normalise("gtin", value) == value


@pytest.mark.django_db(transaction=True)
def test_it_holds_what_the_contract_counts_and_loads_once(addresses: Path, tmp_path: Path) -> None:
    call_command("load_sample", sandbox=addresses)
    found = sample.counts()
    assert asdict(found) == {
        "warehouses": 3,
        "items": 1_200,
        "units": 5,
        "accounts": 60,
        "books": 6,
        "channels": 3,
        "sources": 2,
        "causes": 40,
        "records": 600,
    }
    assert Cause.objects.values("reason").distinct().count() >= 10
    assert set(Cause.objects.values_list("severity", flat=True)) >= {"critical", "high", "medium"}
    # Only the shelves that were oversold are below zero, and every message came to an end or waits in the queue.
    assert StockPosition.objects.filter(on_hand__lt=0).count() == 5
    assert InboxMessage.objects.filter(state="pending").count() == 0
    assert breaches() == []

    before = InboxMessage.objects.count(), StockMovement.objects.count()
    call_command("load_sample", sandbox=addresses)
    assert sample.counts() == found
    assert (InboxMessage.objects.count(), StockMovement.objects.count()) == before

    _only_addresses_move(tmp_path)
    assert (InboxMessage.objects.count(), StockMovement.objects.count()) == before

    while planner.plan():
        pass
    assert Publication.objects.filter(blocked_at__isnull=False).count() == 0
    assert Publication.objects.filter(kind="price").count() > 500
    assert sample.counts() == found  # planning it raises nothing new
    assert breaches() == []


def _only_addresses_move(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "elsewhere") as sandbox:
        file = tmp_path / "elsewhere.json"
        file.write_text(json.dumps(sandbox.addresses()))
        call_command("load_sample", sandbox=file, urls_only=True)
        moved = {channel.system.code: channel.settings["base_url"] for channel in Channel.objects.all()}
        assert moved == {channel.code: sandbox.channels[channel.code].url for channel in CHANNELS}
