"""Read-back: what the channel really shows is confirmed, or found to have drifted and sent again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.channels import publisher, readback
from apps.channels.models import Channel, Publication
from apps.channels.pacing import bucket_of
from apps.channels.readback import Seen
from apps.lib.clock import now
from tests.channels.conftest import Side, overdue, promise, want

pytestmark = pytest.mark.django_db(transaction=True)

READABLE = pytest.mark.parametrize("code", ["SHOP", "MARKET"])


def shown(open_side: Callable[..., Side], code: str) -> tuple[Side, Publication]:
    side = open_side(code)
    side.seed("A", "B")
    publication = promise(side, "A", 36)
    promise(side, "B", "10.50", kind="price")
    publisher.publish(side.channel.pk)
    return side, publication


@READABLE
def test_what_the_channel_shows_is_confirmed(open_side: Callable[..., Side], code: str) -> None:
    side, publication = shown(open_side, code)
    assert readback.read_back(side.channel.pk) == Seen(confirmed=2)
    publication.refresh_from_db()
    assert publication.observed == {"quantity": "36"}
    assert publication.observed_at > publication.acked_at
    price = Publication.objects.get(kind="price")
    assert price.observed == price.acked == {"amount": "10.50", "currency": "USD"}
    assert (price.desired_version, price.acked_version) == (1, 1)


@READABLE
def test_an_edit_on_the_channel_is_found_and_corrected(open_side: Callable[..., Side], code: str) -> None:
    side, publication = shown(open_side, code)
    side.edit("A", quantity=99)
    assert readback.read_back(side.channel.pk) == Seen(confirmed=1, drifted=1)
    publication.refresh_from_db()
    assert publication.observed == {"quantity": "99"}
    assert publication.desired_version == publication.acked_version + 1
    assert publication.decreases
    assert publication.last_error.startswith('CHANNEL_DRIFT: the channel showed {"quantity": "99"}')
    publisher.publish(side.channel.pk)
    assert side.shows("A") == 36
    assert readback.read_back(side.channel.pk) == Seen(confirmed=2)


@READABLE
def test_what_the_channel_forgot_is_sent_again(open_side: Callable[..., Side], code: str) -> None:
    side, publication = shown(open_side, code)
    side.forget("A")
    assert side.shows("A") is None
    assert readback.read_back(side.channel.pk).drifted == 1
    publisher.publish(side.channel.pk)
    assert side.shows("A") == 36
    publication.refresh_from_db()
    assert publication.acked_version == publication.desired_version == 2


def test_a_listing_that_the_channel_no_longer_has_is_sent_and_its_refusal_is_an_exception(
    open_side: Callable[..., Side],
) -> None:
    side, publication = shown(open_side, "MARKET")
    Publication.objects.filter(pk=publication.pk).update(subject="GONE|")
    publication.listing.external_id = "GONE"
    publication.listing.save(update_fields=["external_id"])
    assert readback.read_back(side.channel.pk) == Seen(confirmed=1, drifted=1)
    publisher.publish(side.channel.pk)
    publication.refresh_from_db()
    assert publication.blocked_at is not None


def test_what_is_in_flight_or_due_is_not_judged(open_side: Callable[..., Side]) -> None:
    side, publication = shown(open_side, "SHOP")
    want(publication, 30)
    assert readback.read_back(side.channel.pk) == Seen(confirmed=1)
    publication.refresh_from_db()
    assert (publication.desired_version, publication.observed) == (2, {"quantity": "5"})  # as before the first send


def test_a_broken_read_back_changes_nothing(open_side: Callable[..., Side]) -> None:
    side, publication = shown(open_side, "MARKET")
    for kind in ("html", "error_in_200", "500", "reset", "huge"):
        side.fault({"kind": kind, "times": 1})
        assert readback.read_back(side.channel.pk) == Seen()
    publication.refresh_from_db()
    assert (publication.observed, publication.desired_version) == (None, 1)


def test_pages_are_followed_and_a_slow_rate_goes_on_where_it_stopped(
    open_side: Callable[..., Side], valkey: object
) -> None:
    side = open_side("MARKET", requests_per_s="0.01", burst=5)
    codes = [f"L{number:03}" for number in range(450)]
    side.seed(*codes, quantity=3)
    rows = [promise(side, code, 3) for code in codes]
    Publication.objects.filter(pk__in=[row.pk for row in rows]).update(
        acked={"quantity": "3"}, acked_version=1, sent_version=1, acked_at="2026-01-01T00:00:00Z"
    )
    Channel.objects.update(burst=2)
    assert readback.read_back(side.channel.pk).confirmed == 400
    assert Channel.objects.get().read_back_cursor != ""
    Channel.objects.update(burst=5)
    assert readback.read_back(side.channel.pk) == Seen(confirmed=50)
    assert Channel.objects.get().read_back_cursor == ""


def test_a_sweep_that_may_read_no_page_says_nothing(open_side: Callable[..., Side], valkey: object) -> None:
    side, _ = shown(open_side, "MARKET")
    Channel.objects.update(requests_per_s="0.001", burst=1, failures_in_a_row=3)
    assert bucket_of(Channel.objects.get()).take() == 0  # somebody else had the only token
    before, asked = list(Publication.objects.order_by("pk").values()), side.requests()
    assert readback.read_back(side.channel.pk) == Seen()
    assert list(Publication.objects.order_by("pk").values()) == before
    assert side.requests() == asked
    channel = Channel.objects.get()
    assert (channel.failures_in_a_row, channel.read_back_cursor, channel.read_back_started_at) == (3, "", None)
    assert channel.last_read_back_at is not None  # due again in a second, not in a period


def test_a_sweep_in_parts_also_finds_what_the_channel_forgot(open_side: Callable[..., Side], valkey: object) -> None:
    side = open_side("MARKET", requests_per_s="0.01", burst=2)
    codes = [f"L{number:03}" for number in range(450)]
    side.seed(*codes, quantity=3)
    rows = [promise(side, code, 3) for code in (*codes, "GONE")]
    Publication.objects.update(
        acked={"quantity": "3"}, acked_version=1, sent_version=1, acked_at="2026-01-01T00:00:00Z"
    )
    assert readback.read_back(side.channel.pk) == Seen(confirmed=400)
    began = Channel.objects.get().read_back_started_at
    assert began is not None
    late = promise(side, "LATE", 3, acked={"quantity": "3"}, acked_version=1, sent_version=1, acked_at=now())
    Channel.objects.update(burst=5)
    assert readback.read_back(side.channel.pk) == Seen(confirmed=50, drifted=1)
    assert Channel.objects.get().read_back_started_at is None
    assert list(Publication.objects.filter(desired_version=2)) == [rows[-1]]
    late.refresh_from_db()
    assert (late.observed, late.observed_at) == (None, None)  # newer than the sweep: it says nothing about it


def test_a_write_only_channel_is_sent_again_after_a_day(open_side: Callable[..., Side]) -> None:
    side = open_side("FEED")
    side.seed("A")
    publication = promise(side, "A", 7)
    publisher.publish(side.channel.pk)
    assert readback.read_back(side.channel.pk) == Seen()
    Publication.objects.update(acked_at="2026-01-01T00:00:00Z")
    side.edit("A", quantity=1)
    assert readback.read_back(side.channel.pk) == Seen(drifted=1)
    publisher.publish(side.channel.pk)
    assert side.shows("A") == 7
    publication.refresh_from_db()
    assert publication.acked_version == 2


def test_each_channel_is_read_once_a_period(open_side: Callable[..., Side]) -> None:
    side, _ = shown(open_side, "SHOP")
    assert readback.read_back_due() == 1
    assert readback.read_back_due() == 0
    overdue(side.channel)
    assert readback.read_back_due() == 1
