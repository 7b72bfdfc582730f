"""Claim and acknowledge publications in batches, against one Celery task per change (real broker, real worker)."""

import time
from datetime import UTC, datetime

from celery import shared_task
from celery.contrib.testing.worker import start_worker
from django.db import connection, connections

from apps.channels import acknowledgements, claims
from apps.channels.connectors import ItemOutcome, Outcome
from apps.channels.models import Channel, Listing, Publication, PublicationAttempt
from apps.lib.clock import Now
from apps.masterdata.models import Item, System, Unit
from bench.frame import compare
from sync_console.celery import app

ROWS, BATCH, TASKS = 5_000, 500, 200
GOAL = 100.0
ABILITIES = claims.Abilities(("stock",), ("stock",), ())


@shared_task(name="bench.publish.one_change", ignore_result=True)
def one_change(publication_id: int) -> None:
    """What a task per change does at the least: read its row, write the attempt, write the acknowledgement."""
    row = Publication.objects.get(pk=publication_id)
    attempt = PublicationAttempt.objects.create(
        publication=row, fence=row.fence + 1, version=row.desired_version, value=row.desired, idempotency_key="bench"
    )
    attempt.outcome = PublicationAttempt.Outcome.ACKNOWLEDGED
    attempt.save(update_fields=["outcome"])
    Publication.objects.filter(pk=publication_id).update(
        acked=row.desired,
        sent_version=row.desired_version,
        acked_version=row.desired_version,
        acked_at=Now(),
        fence=row.fence + 1,
    )


def main() -> None:
    channel = _world()
    try:
        with start_worker(app, pool="threads", concurrency=2, perform_ping_check=False, loglevel="ERROR"):
            compare("publish_claim_and_acknowledge", lambda: _by_task(channel), lambda: _by_batch(channel), goal=GOAL)
    finally:
        connections.close_all()


def _by_task(channel: Channel) -> int:
    ids = _due(channel, TASKS)
    for publication_id in ids:
        one_change.delay(publication_id)
    while _left(channel):
        time.sleep(0.005)
    return len(ids)


def _by_batch(channel: Channel) -> int:
    _due(channel, ROWS)
    done = 0
    while batches := claims.claim_sends(channel.pk, ABILITIES, BATCH, 30, {"stock": BATCH}):
        for batch in batches:
            outcomes = [ItemOutcome(item.publication_id, Outcome.ACKNOWLEDGED, 200) for item in batch.items]
            done += acknowledgements.record("BENCH", batch, outcomes, [0.0] * len(outcomes))
    if done != ROWS or _left(channel):
        raise AssertionError(f"{done} of {ROWS} were acknowledged")
    return done


def _due(channel: Channel, count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_publication SET desired_version = desired_version + 1, next_attempt_at = sync_now() "
            "WHERE id IN (SELECT id FROM channels_publication WHERE channel_id = %s ORDER BY id LIMIT %s) RETURNING id",
            [channel.pk, count],
        )
        return [row[0] for row in cursor.fetchall()]


def _left(channel: Channel) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM channels_publication WHERE channel_id = %s "
            "AND desired_version > acked_version)",
            [channel.pk],
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def _world() -> Channel:
    unit = Unit.objects.create(code="EA", name="Each")
    system = System.objects.create(code="BENCH", name="Bench")
    channel = Channel.objects.create(system=system, connector="jsonhttp", grade="B", state="live")
    items = Item.objects.bulk_create([Item(sku=f"S{n}", name="x", base_unit=unit) for n in range(ROWS)])
    listings = Listing.objects.bulk_create(
        [Listing(channel=channel, external_id=item.sku, item=item, unit=unit) for item in items]
    )
    known = {"acked": {"quantity": "1"}, "acked_version": 1, "sent_version": 1}
    Publication.objects.bulk_create(
        [
            Publication(
                channel=channel,
                kind="stock",
                subject=f"{listing.external_id}|",
                listing=listing,
                desired={"quantity": "2"},
                acked_at=datetime(2026, 1, 1, tzinfo=UTC),
                **known,
            )
            for listing in listings
        ]
    )
    return channel
