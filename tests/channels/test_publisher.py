"""Publishing to real HTTP servers under every fault: what is certain is written down, the rest is found out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections

from apps.channels import acknowledgements, claims, drains, publisher
from apps.channels.connectors import ItemOutcome, Outcome, Shown
from apps.channels.models import Channel, Publication, PublicationAttempt
from apps.exceptions import triage
from apps.exceptions.models import BlockedRecord, Cause
from apps.exceptions.triage import BlockRequest
from apps.lib.clock import now
from apps.lib.errors import Block
from tests.channels.conftest import Side, overdue, promise, want

pytestmark = pytest.mark.django_db(transaction=True)

UNCERTAIN = (
    "500",
    "500_after_apply",
    "timeout",
    "timeout_after_apply",
    "reset",
    "wrong_id",
    "wrong_value",
    "html",
    "error_in_200",
    "huge",
    "slow",
)


def fault(kind: str, **more: Any) -> dict[str, Any]:
    held = {"seconds": 2} if kind in ("timeout", "timeout_after_apply", "slow") else {}
    return {"kind": kind, "times": 1, "on": "write", **held, **more}


def outcomes(publication: Publication) -> list[str]:
    return list(publication.attempt_log.order_by("fence").values_list("outcome", flat=True))


@pytest.fixture
def shop(open_side: Callable[..., Side]) -> Side:
    side = open_side("SHOP")
    side.seed("A", "B", "C")
    return side


@pytest.fixture
def market(open_side: Callable[..., Side]) -> Side:
    side = open_side("MARKET")
    side.seed("MK-1", "MK-2", "MK-3", "MK-4")
    return side


def test_a_due_value_reaches_the_channel_and_is_acknowledged(shop: Side) -> None:
    publication = promise(shop, "A", 36)
    publisher.publish(shop.channel.pk)
    publication.refresh_from_db()
    assert shop.shows("A") == 36
    assert publication.acked == {"quantity": "36"}
    assert (publication.acked_version, publication.sent_version, publication.leased_until) == (1, 1, None)
    assert outcomes(publication) == ["acknowledged"]
    attempt = publication.attempt_log.get()
    assert attempt.http_status == 200
    assert attempt.trace_id == attempt.batch.hex
    [request] = shop.writes()
    assert request["headers"]["traceparent"].startswith(f"00-{attempt.trace_id}-")
    assert Channel.objects.get().last_ack_at is not None


def test_prices_go_in_the_channels_own_form(shop: Side, market: Side) -> None:
    promise(shop, "A", "12.37", kind="price")
    promise(market, "MK-1", "12.37", kind="price")
    publisher.publish(shop.channel.pk)
    publisher.publish(market.channel.pk)
    assert shop.state("A")["price"] == "12.37"
    assert market.state("MK-1")["price"] == "12.37"
    assert market.writes()[0]["body"] == {"updates": [{"listing": "MK-1", "price_minor": 1237, "currency": "USD"}]}
    assert [p.acked for p in Publication.objects.all()] == [{"amount": "12.37", "currency": "USD"}] * 2


@pytest.mark.parametrize("kind", UNCERTAIN)
@pytest.mark.parametrize("code", ["SHOP", "MARKET"])
def test_an_uncertain_answer_is_unknown_then_found_out(open_side: Callable[..., Side], code: str, kind: str) -> None:
    side = open_side(code, form={"settles_after_s": 3600})
    side.seed("A")
    publication = promise(side, "A", 36)
    side.fault(fault(kind))
    publisher.publish(side.channel.pk)
    publication.refresh_from_db()
    assert outcomes(publication)[0] == "unknown"
    if code == "MARKET":  # not conditional: nothing is done until the old request must be dead
        assert (publication.acked_version, publication.must_verify) == (0, True)
    side.fault()
    overdue(side.channel)
    publisher.publish(side.channel.pk)
    publication.refresh_from_db()
    assert side.shows("A") == 36
    assert publication.acked == {"quantity": "36"}
    assert publication.acked_version == publication.desired_version
    applied = kind in ("500_after_apply", "timeout_after_apply", "huge", "slow")
    assert outcomes(publication) == (["unknown", "verified"] if applied else ["unknown", "acknowledged"])


def test_an_applied_value_that_was_never_answered_is_not_sent_twice(shop: Side) -> None:
    publication = promise(shop, "A", 36)
    shop.fault(fault("timeout_after_apply"))
    publisher.publish(shop.channel.pk)
    overdue(shop.channel)
    publisher.publish(shop.channel.pk)
    publication.refresh_from_db()
    assert publication.acked_version == 1
    assert len(shop.writes()) == 1


def test_the_last_request_of_the_channels_window_is_the_last_for_now(
    shop: Side, monkeypatch: pytest.MonkeyPatch, valkey: object
) -> None:
    publication = promise(shop, "A", 36)
    monkeypatch.setattr("apps.integrations.jsonhttp.answers.spent_for_s", lambda form, response: 60.0)
    publisher.publish(shop.channel.pk)
    assert outcomes(publication) == ["acknowledged"]
    promise(shop, "B", 1)
    publisher.publish(shop.channel.pk)
    assert len(shop.writes()) == 1
    assert Channel.objects.get(pk=shop.channel.pk).not_before is None


def test_429_pauses_only_that_channel(shop: Side, market: Side) -> None:
    first, other = promise(shop, "A", 36), promise(market, "MK-1", 7)
    shop.fault({"kind": "429", "retry_after": 120, "on": "write"})
    publisher.publish_all(wait=True)
    first.refresh_from_db()
    other.refresh_from_db()
    assert outcomes(first) == ["throttled"]
    assert (first.acked_version, first.must_verify) == (0, False)
    assert other.acked_version == 1
    paused = Channel.objects.get(pk=shop.channel.pk)
    assert paused.not_before is not None
    assert (paused.not_before - first.attempt_log.get().finished_at).total_seconds() >= 119
    assert publisher.live_with_work() == []
    promise(shop, "B", 1)
    publisher.publish(shop.channel.pk)
    assert len(shop.writes()) == 1


def test_a_refusal_blocks_with_the_channels_own_words_and_settles_on_acknowledgement(shop: Side) -> None:
    publication = promise(shop, "A", -4)
    publisher.publish(shop.channel.pk)
    publication.refresh_from_db()
    assert outcomes(publication) == ["rejected"]
    assert publication.blocked_at is not None
    record = BlockedRecord.objects.get()
    assert (record.origin, record.origin_id, record.state) == ("publication", publication.pk, "open")
    assert "quantity is -4: it cannot be below 0." in record.detail
    cause = record.cause
    assert (cause.reason, cause.field, cause.value, cause.channel) == (
        "CHANNEL_REJECTED",
        "quantity",
        "negative",
        "SHOP",
    )
    publisher.publish(shop.channel.pk)
    assert len(shop.writes()) == 1  # what cannot heal is not retried
    want(publication, 4)
    publisher.publish(shop.channel.pk)
    assert shop.shows("A") == 4
    assert BlockedRecord.objects.get().state == "resolved"
    assert Cause.objects.get().state == "resolved"


def test_refused_credentials_are_one_cause_and_stop_the_channel(shop: Side) -> None:
    for code in ("A", "B", "C"):
        promise(shop, code, 9, observed_at="2026-01-01T00:00:00Z")
    shop.fault({"kind": "unauthorized"})
    publisher.publish(shop.channel.pk)
    assert {cause.reason for cause in Cause.objects.all()} == {"CREDENTIALS_REJECTED"}
    assert Channel.objects.get().breaker == "open"
    assert Publication.objects.filter(acked_version__gt=0).count() == 0


def test_half_a_batch_is_acknowledged_and_the_other_half_is_unknown(open_side: Callable[..., Side]) -> None:
    market = open_side("MARKET", form={"settles_after_s": 3600})
    market.seed("MK-1", "MK-2", "MK-3", "MK-4")
    rows = [promise(market, code, 8) for code in ("MK-1", "MK-2", "MK-3", "MK-4")]
    market.fault(fault("half_batch"))
    publisher.publish(market.channel.pk)
    assert [outcomes(row) for row in rows] == [["acknowledged"], ["acknowledged"], ["unknown"], ["unknown"]]
    assert len({attempt.batch for attempt in PublicationAttempt.objects.all()}) == 1
    overdue(market.channel)
    publisher.publish(market.channel.pk)
    assert [market.shows(row.listing.external_id) for row in rows if row.listing] == [8, 8, 8, 8]
    assert Publication.objects.filter(acked={"quantity": "8"}).count() == 4


def test_in_a_batch_only_the_refused_item_blocks(market: Side) -> None:
    good, bad = promise(market, "MK-1", 8), promise(market, "NOT-THERE", 8)
    publisher.publish(market.channel.pk)
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.acked_version, good.blocked_at) == (1, None)
    assert bad.blocked_at is not None
    assert Cause.objects.get().value == "UNKNOWN_LISTING"


def test_one_listing_with_a_wrong_value_leaves_the_rest_of_the_batch_acknowledged(
    open_side: Callable[..., Side],
) -> None:
    market = open_side("MARKET", form={"settles_after_s": 3600})
    market.seed("MK-1", "MK-2")
    lied, told = promise(market, "MK-1", 8), promise(market, "MK-2", 8)
    market.fault(fault("wrong_value", listing="MK-1"))
    publisher.publish(market.channel.pk)
    assert (outcomes(lied), outcomes(told)) == (["unknown"], ["acknowledged"])
    lied.refresh_from_db()
    assert (lied.acked, lied.must_verify) == (None, True)


def test_a_write_only_channel_is_sent_the_current_value_after_an_unknown(open_side: Callable[..., Side]) -> None:
    feed = open_side("FEED", form={"settles_after_s": 3600})
    feed.seed("F-1")
    publication = promise(feed, "F-1", 3)
    feed.fault(fault("timeout"))
    publisher.publish(feed.channel.pk)
    publication.refresh_from_db()
    assert (publication.must_verify, publication.acked_version) == (True, 0)
    publisher.publish(feed.channel.pk)
    assert len(feed.writes()) == 1  # the old request may still be alive
    want(publication, 2)
    overdue(feed.channel)
    publisher.publish(feed.channel.pk)
    publication.refresh_from_db()
    assert feed.shows("F-1") == 2
    assert (publication.acked, publication.must_verify) == ({"quantity": "2"}, False)


def test_a_miscounting_feed_acknowledges_nothing(open_side: Callable[..., Side]) -> None:
    feed = open_side("FEED", form={"settles_after_s": 3600})
    feed.seed("F-1")
    publication = promise(feed, "F-1", 3)
    feed.fault(fault("wrong_value"))
    publisher.publish(feed.channel.pk)
    assert outcomes(publication) == ["unknown"]


def test_decreases_go_first_then_the_longest_waiting(open_side: Callable[..., Side]) -> None:
    shop = open_side("SHOP", max_in_flight=1)
    shop.seed("A", "B", "C", "D")
    known = {"acked": {"quantity": "5"}, "acked_version": 1, "sent_version": 1, "desired_version": 2}
    stamps = {"acked_at": "2026-01-01T00:00:00Z"}
    for code, quantity, at in (("A", 9, 1), ("B", 7, 0), ("C", 0, 3), ("D", 1, 2)):
        promise(
            shop, code, quantity, decreases=quantity < 5, next_attempt_at=f"2026-01-01T00:00:0{at}Z", **known, **stamps
        )
    publisher.publish(shop.channel.pk)
    assert [row["path"].split("/")[2] for row in shop.writes()] == ["D", "C", "B", "A"]


def test_an_edit_between_two_sends_is_a_conflict_and_then_overwritten_knowingly(shop: Side) -> None:
    publication = promise(shop, "A", 36)
    publisher.publish(shop.channel.pk)
    shop.edit("A", quantity=50)
    want(publication, 35)
    publisher.publish(shop.channel.pk)
    publication.refresh_from_db()
    assert outcomes(publication) == ["acknowledged", "conflict", "acknowledged"]
    assert publication.observed == {"quantity": "50"}
    assert publication.acked == {"quantity": "35"}
    assert shop.held("A")[-2:] == [50, 35]


def _abilities(kinds: tuple[str, ...] = ("stock",)) -> claims.Abilities:
    return claims.Abilities(kinds, kinds, ())


def test_a_late_answer_cannot_acknowledge_a_newer_value(shop: Side) -> None:
    publication = promise(shop, "A", 36)
    [batch] = claims.claim_sends(shop.channel.pk, _abilities(), 10, 30, {"stock": 1})
    want(publication, 20)
    overdue(shop.channel)
    publisher.publish(shop.channel.pk)  # another worker takes over and finishes
    publication.refresh_from_db()
    before = (publication.acked, publication.acked_version)
    assert before == ({"quantity": "20"}, publication.desired_version)
    late = ItemOutcome(publication.pk, Outcome.ACKNOWLEDGED, 200, shows={"quantity": "36"})
    assert acknowledgements.record("SHOP", batch, [late], [0.0]) == 0
    publication.refresh_from_db()
    assert (publication.acked, publication.acked_version) == before
    assert "fenced" in outcomes(publication)


def test_a_newer_value_during_flight_leaves_the_row_due(shop: Side) -> None:
    publication = promise(shop, "A", 36)
    [batch] = claims.claim_sends(shop.channel.pk, _abilities(), 10, 30, {"stock": 1})
    want(publication, 20)
    done = ItemOutcome(publication.pk, Outcome.ACKNOWLEDGED, 200)
    assert acknowledgements.record("SHOP", batch, [done], [0.0]) == 1
    publication.refresh_from_db()
    assert (publication.acked, publication.acked_version, publication.desired_version) == ({"quantity": "36"}, 1, 2)
    assert publication.decreases
    publisher.publish(shop.channel.pk)
    assert shop.shows("A") == 20


def unplanned(publication: Publication) -> None:
    """The price ends, as the planner writes it."""
    said = Block("MISSING_PRICE", "item", "price", "SKU-A", "SKU-A has no price.", subject="SKU-A")
    Publication.objects.filter(pk=publication.pk).update(
        blocked_at=now(), has_exception=True, trace={"refused": "MISSING_PRICE"}
    )
    triage.block([BlockRequest("publication", publication.pk, said, channel="SHOP")])


@pytest.mark.parametrize(
    ("outcome", "acked"),
    [(Outcome.ACKNOWLEDGED, 1), (Outcome.REJECTED, 0), (Outcome.CONFLICT, 0), (Outcome.UNKNOWN, 0)],
)
def test_an_answer_leaves_the_planners_own_block(shop: Side, outcome: Outcome, acked: int) -> None:
    publication = promise(shop, "A", "12.50", kind="price")
    [batch] = claims.claim_sends(shop.channel.pk, _abilities(("price",)), 10, 30, {"price": 1})
    unplanned(publication)
    assert acknowledgements.record("SHOP", batch, [ItemOutcome(publication.pk, outcome, 200)], [0.0]) == 1
    publication.refresh_from_db()
    assert (publication.acked_version, publication.has_exception) == (acked, True)
    assert publication.blocked_at is not None
    record = BlockedRecord.objects.get()
    assert (record.state, record.cause.reason) == ("open", "MISSING_PRICE")


def test_a_read_back_leaves_the_planners_own_block(shop: Side) -> None:
    publication = promise(shop, "A", "10.00", kind="price", must_verify=True, sent_version=1)
    [one] = claims.claim_reads(shop.channel.pk, _abilities(("price",)), 10, 30)
    [batch] = claims.batches_of([one], {"price": 1})
    unplanned(publication)
    shown = Shown("price", "A", "", one.item.value)
    assert acknowledgements.verified(batch, [shown], [True]) == 1
    publication.refresh_from_db()
    assert (publication.acked_version, publication.has_exception) == (1, True)
    assert publication.blocked_at is not None
    assert BlockedRecord.objects.get().state == "open"


def test_what_another_location_shows_confirms_nothing(market: Side) -> None:
    """The channel names no location: its number cannot prove what one location holds."""
    publication = promise(market, "MK-1", 5, location="NORTH", must_verify=True, sent_version=1)
    publisher.publish(market.channel.pk)
    publication.refresh_from_db()
    assert outcomes(publication) == ["acknowledged"]
    assert (len(market.writes()), publication.acked_version) == (1, 2)


def test_a_dead_workers_row_is_verified_before_it_is_sent_again(shop: Side) -> None:
    publication = promise(shop, "A", 36)
    claims.claim_sends(shop.channel.pk, _abilities(), 10, 30, {"stock": 1})
    publisher.publish(shop.channel.pk)
    publication.refresh_from_db()
    assert (publication.acked_version, len(shop.writes())) == (0, 0)  # the lease is not over
    shop.edit("A", quantity=36)  # the dead worker's request had arrived
    overdue(shop.channel)
    publisher.publish(shop.channel.pk)
    publication.refresh_from_db()
    assert publication.acked_version == 1
    assert outcomes(publication) == ["unknown", "verified"]
    assert shop.writes() == []


def test_nothing_is_sent_with_too_little_lease_left(shop: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    publication = promise(shop, "A", 36)
    monkeypatch.setattr(publisher, "lease_s", lambda deadline_s: deadline_s / 2)
    publisher.publish(shop.channel.pk, budget_s=0.2)
    publication.refresh_from_db()
    assert publication.acked_version == 0
    assert shop.writes() == []


def test_two_publishers_at_once_send_once(open_side: Callable[..., Side], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where two drain at the same time: a drain that lost its turn still has its leases."""
    monkeypatch.setattr(drains, "take", lambda *_: True)
    shop = open_side("SHOP", max_in_flight=2)
    codes = [f"I{number}" for number in range(20)]
    shop.seed(*codes)
    for code in codes:
        promise(shop, code, 9)
    ready = threading.Barrier(3)

    def drain() -> None:
        ready.wait()
        try:
            publisher.publish(shop.channel.pk)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=drain) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    publisher.publish(shop.channel.pk)
    assert len(shop.writes()) == 20
    assert Publication.objects.filter(acked_version=1).count() == 20


def test_a_channel_that_is_down_does_not_delay_another(shop: Side, market: Side, settings: Any) -> None:
    settings.PUBLISH_BACKOFF_S = 30.0
    down = [promise(shop, code, 1) for code in ("A", "B", "C")]
    shop.fault({"kind": "timeout", "seconds": 2})
    up = promise(market, "MK-1", 7)
    assert publisher.publish_all() == 2
    publisher._running[market.channel.pk].join(10)
    up.refresh_from_db()
    assert up.acked_version == 1
    later = promise(market, "MK-2", 3)
    publisher.publish_all()  # the slow one's thread may still run: the fast one is served all the same
    publisher._running[market.channel.pk].join(10)
    later.refresh_from_db()
    assert later.acked_version == 1
    publisher._running[shop.channel.pk].join(20)
    for row in down:
        row.refresh_from_db()
        assert row.acked_version == 0


def test_the_breaker_opens_and_one_probe_closes_it(shop: Side, settings: Any) -> None:
    settings.PUBLISH_BACKOFF_S = 30.0
    for code in ("A", "B", "C"):
        promise(shop, code, 1, observed_at="2026-01-01T00:00:00Z")
    Channel.objects.update(failures_in_a_row=4)
    shop.fault({"kind": "500", "on": "write"})
    publisher.publish(shop.channel.pk)
    channel = Channel.objects.get()
    assert channel.breaker == "open"
    sent = len(shop.writes())
    publisher.publish(shop.channel.pk)
    assert len(shop.writes()) == sent
    overdue(shop.channel)
    shop.fault()
    publisher.publish(shop.channel.pk)
    channel.refresh_from_db()
    assert (channel.breaker, channel.failures_in_a_row) == ("closed", 0)
    overdue(shop.channel)
    publisher.publish(shop.channel.pk)
    assert [shop.shows(code) for code in ("A", "B", "C")] == [1, 1, 1]


@pytest.mark.parametrize("state", ["draft", "paused", "retired"])
def test_only_live_channels_are_sent_anything(open_side: Callable[..., Side], state: str) -> None:
    side = open_side("SHOP")
    Channel.objects.update(state=state)
    side.seed("A")
    publication = promise(side, "A", 36)
    assert publisher.publish_all() == 0
    assert publisher.publish(side.channel.pk) == 0
    publication.refresh_from_db()
    assert (publication.acked_version, publication.sent_version) == (0, 0)
    assert side.writes() == []


def test_the_rate_limit_is_kept(open_side: Callable[..., Side]) -> None:
    shop = open_side("SHOP", requests_per_s="0.01", burst=3)
    shop.seed("A", "B", "C", "D", "E")
    for code in ("A", "B", "C", "D", "E"):
        promise(shop, code, 1, observed_at="2026-01-01T00:00:00Z")
    publisher.publish(shop.channel.pk)
    assert len(shop.writes()) == 3


def test_one_run_drains_a_channel_at_a_time_and_a_lost_one_is_replaced(shop: Side) -> None:
    promise(shop, "A", 36)
    assert drains.take(shop.channel.pk, "other", 60)
    assert publisher.publish(shop.channel.pk) == 0
    assert shop.writes() == []
    Channel.objects.update(draining_until="2026-01-01T00:00:00Z")
    assert publisher.publish(shop.channel.pk) > 0
    assert shop.shows("A") == 36
    assert Channel.objects.get().draining_by == ""
