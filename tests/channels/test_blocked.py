"""Refused publications: a person's retry sends again, a repeated refusal regresses, new credentials heal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kombu.exceptions import OperationalError

from apps.channels import blocked, publisher, tasks
from apps.channels.fixes import Retry
from apps.channels.models import Channel, Publication
from apps.channels.panels import panel
from apps.exceptions import triage
from apps.exceptions.models import BlockedRecord, Cause
from tests.channels.conftest import Side, overdue, promise

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def market(open_side: Callable[..., Side]) -> Side:
    side = open_side("MARKET")
    side.seed("A")
    return side


def refused(side: Side) -> Publication:
    publication = promise(side, "NEW", 8)
    publisher.publish(side.channel.pk)
    publication.refresh_from_db()
    assert publication.blocked_at is not None
    return publication


def test_a_replay_sends_again_under_a_new_version(market: Side) -> None:
    publication = refused(market)
    market.seed("NEW")
    triage.request_replay(Cause.objects.get().pk, by="ann")
    assert blocked.retry_waiting() == 1
    publication.refresh_from_db()
    assert (publication.blocked_at, publication.desired_version) == (None, 2)
    assert BlockedRecord.objects.get().state == "resolved"
    publisher.publish(market.channel.pk)
    publication.refresh_from_db()
    assert (market.shows("NEW"), publication.acked_version) == (8, 2)


def test_a_second_refusal_regresses_the_cause(market: Side) -> None:
    publication = refused(market)
    triage.request_replay(Cause.objects.get().pk, by="ann")
    publisher.publish_all(wait=True)
    publication.refresh_from_db()
    assert publication.blocked_at is not None
    assert Cause.objects.get().state == "regressed"
    assert sorted(BlockedRecord.objects.values_list("state", flat=True)) == ["open", "resolved"]


def test_retry_sends_nothing_by_itself(market: Side) -> None:
    publication = refused(market)
    sent = len(market.writes())
    blocked.retry([publication.pk])
    assert len(market.writes()) == sent


def test_the_retry_fix_writes_nothing_and_says_what_happens(market: Side) -> None:
    refused(market)
    result = Retry().apply(Cause.objects.get(), {}, "ann")
    assert result.summary == "Send 1 refused updates to MARKET again."
    assert Cause.objects.get().state == "new"


def test_the_panel_shows_what_the_channel_said(market: Side) -> None:
    publication = refused(market)
    shown = panel(publication.pk)
    assert shown["title"] == "Stock of NEW on MARKET"
    assert "UNKNOWN_LISTING: There is no listing NEW." in shown["raw"]
    assert shown["canonical"]["desired"] == {"quantity": "8"}
    assert panel(0)["raw"] == ""


def test_without_a_broker_the_publish_loop_works_in_its_own_process(
    market: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication = promise(market, "A", 8)

    def down(*_: Any, **__: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(tasks.publish_channel, "apply_async", down)
    tasks.publish()
    publisher._running[market.channel.pk].join(10)
    publication.refresh_from_db()
    assert publication.acked_version == 1


def test_the_publish_loop_hands_out_one_message_per_channel_with_work(
    market: Side, open_side: Callable[..., Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    promise(market, "A", 8)
    open_side("SHOP")  # nothing due there
    sent: list[Any] = []
    monkeypatch.setattr(tasks.publish_channel, "apply_async", lambda args, **options: sent.append((args, options)))
    tasks.publish()
    [(arguments, options)] = sent
    assert arguments == (market.channel.pk,)
    assert options == {"retry": False, "expires": 60, "ignore_result": True}


def test_credentials_that_work_again_send_what_was_refused(market: Side) -> None:
    publication = promise(market, "A", 8)
    market.fault({"kind": "unauthorized", "times": 1})
    publisher.publish(market.channel.pk)
    assert Cause.objects.get().reason == "CREDENTIALS_REJECTED"
    assert Channel.objects.get().breaker == "open"
    triage.heal("CREDENTIALS_REJECTED", ["MARKET"], by="ann")
    overdue(market.channel)
    publisher.publish_all(wait=True)
    publication.refresh_from_db()
    assert (market.shows("A"), publication.blocked_at) == (8, None)
    assert Cause.objects.get().state == "resolved"
