"""From dirty marks to desired values: what changed is computed again, and only a changed value becomes due."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import orjson
from django.db import connection, transaction

from apps.channels.planned import Desired, ListingRow, listings_of
from apps.channels.price_plans import price_plans
from apps.channels.stock_plans import gone, read_inputs, stock_plans
from apps.exceptions import triage
from apps.exceptions.triage import BlockRequest
from apps.inventory import dirty as stock_dirty
from apps.inventory import versions
from apps.inventory.availability import kits_with
from apps.lib.nudges import nudge
from apps.masterdata import dirty as item_dirty
from apps.masterdata.resolving import conversions
from apps.pricing import dirty as price_dirty

log = logging.getLogger(__name__)

# One planner at a time: two could each hold an older view than the other and the older one write last.
_LOCK_KEY = 0x504C414E  # "PLAN"
BY = "planner"


@dataclass(frozen=True, slots=True)
class Existing:
    """A publication as the last plan left it."""

    id: int
    desired: dict[str, str]
    version: int
    refused: bool  # there was no value to plan (no price, no unit)


def plan(limit: int = 2_000) -> int:
    """Plan what became dirty or due since the last time; how many marks were taken.

    One transaction, under a lock that also puts the versions of availability in the order of their commits. Marks are
    cleared only at the generation that was read, so a write in between is planned again.
    """
    with transaction.atomic():
        if not _locked(wait=False):
            return 0
        stock = stock_dirty.take(limit)
        prices = price_dirty.take(limit)
        changed_items = item_dirty.take(limit)
        marks = _marked_listings(limit)
        due = _rechecks(limit)
        answers_due = versions.due(limit)
        if not (stock or prices or changed_items or marks or due or answers_due):
            return 0
        items = {mark.item_id for mark in stock} | {mark.item_id for mark in changed_items}
        items |= kits_with(items) if items else set()
        versions.advance(items.union(answers_due))
        if prices:
            items |= {item for found in price_dirty.items_of([m.subject_id for m in prices]).values() for item in found}
        planned = plan_listings(items, [*marks, *due])
        stock_dirty.clear([(mark.position_id, mark.generation) for mark in stock])
        price_dirty.clear([(mark.subject_id, mark.generation) for mark in prices])
        item_dirty.clear(changed_items)
        _clear_listings(marks)
        if planned:
            nudge("publish")
    taken = len(stock) + len(prices) + len(changed_items) + len(marks) + len(due) + len(answers_due)
    log.info("planned", extra={"marks": taken, "items": len(items), "changed": planned})
    return taken


def replan(listing_ids: Collection[int]) -> int:
    """Plan these listings now, in the caller's transaction; how many publications changed."""
    _locked(wait=True)
    return plan_listings((), list(listing_ids))


def plan_listings(item_ids: Collection[int], listing_ids: Collection[int]) -> int:
    """Compute and write what the listings of these items, and these listings, should show; how many changed."""
    listings = listings_of(sorted(item_ids), sorted(listing_ids))
    if not listings:
        return 0
    existing = _existing([listing.id for listing in listings])
    desired = _desired(listings, existing)
    known = {plan.key: existing.get(plan.key) for plan in desired}
    changed = [plan for plan in desired if _differs(plan, known[plan.key])]
    ids = {key: (row.id, row.version) for key, row in existing.items()} | _write(changed)
    _recheck([plan for plan in desired if known[plan.key] and not _differs(plan, known[plan.key])], ids)
    _remember(desired, ids)
    _except(desired, existing, ids)
    return len([plan for plan in changed if plan.value is not None])


def _desired(listings: Sequence[ListingRow], existing: dict[tuple[int, str, str], Existing]) -> list[Desired]:
    inputs = read_inputs(listings)
    units = conversions(sorted({listing.item_id for listing in listings}))
    locations: dict[tuple[int, str], list[str]] = {}
    for channel_id, kind, subject in existing:
        if kind == "stock":
            external_id, _, location = subject.rpartition("|")
            locations.setdefault((channel_id, external_id), []).append(location)
    plans = price_plans(listings)
    for listing in listings:
        stock = stock_plans(listing, inputs, units)
        plans += stock
        plans += gone(listing, stock, locations.get((listing.channel_id, listing.external_id), ()))
    return plans


def _differs(plan: Desired, known: Existing | None) -> bool:
    if plan.value is None:
        return known is None or not known.refused
    return known is None or known.refused or dict(plan.value) != known.desired


def _locked(*, wait: bool) -> bool:
    with connection.cursor() as cursor:
        if wait:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK_KEY])
            return True
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK_KEY])
        row = cursor.fetchone()
    return bool(row and row[0])


def _marked_listings(limit: int) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT listing_id, generation FROM channels_listingdirty ORDER BY marked_at LIMIT %s", [limit])
        return dict(cursor.fetchall())


def _clear_listings(marks: dict[int, int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM channels_listingdirty d "
            "USING unnest(%s::bigint[], %s::bigint[]) AS done (listing, generation) "
            "WHERE d.listing_id = done.listing AND d.generation = done.generation",
            [list(marks), list(marks.values())],
        )


def _rechecks(limit: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT listing_id FROM (SELECT listing_id FROM channels_publication "
            "WHERE recheck_at <= sync_now() ORDER BY recheck_at LIMIT %s) due WHERE listing_id IS NOT NULL",
            [limit],
        )
        return [row[0] for row in cursor.fetchall()]


def _existing(listing_ids: list[int]) -> dict[tuple[int, str, str], Existing]:
    """The publications of these listings, locked in id order against the publisher's records."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT channel_id, kind, subject, id, desired::text, desired_version, trace ? 'refused' "
            "FROM channels_publication WHERE listing_id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
            [listing_ids],
        )
        return {
            (channel, kind, subject): Existing(pk, orjson.loads(desired), version, refused)
            for channel, kind, subject, pk, desired, version, refused in cursor.fetchall()
        }


_UPSERT = """
INSERT INTO channels_publication AS p (channel_id, kind, subject, listing_id, location, desired, desired_version,
    desired_at, decreases, trace, recheck_at, sent_version, acked_version, must_verify, fence, next_attempt_at,
    attempts, blocked_at, has_exception, last_error, token)
SELECT n.channel, n.kind, n.subject, n.listing, n.location, coalesce(n.value::jsonb, '{}'), 1, sync_now(), false,
    n.trace::jsonb, n.recheck, 0, 0, false, 0, sync_now(), 0, CASE WHEN n.value IS NULL THEN sync_now() END,
    n.value IS NULL, '', ''
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[],
            %s::timestamptz[]) AS n (channel, kind, subject, listing, location, value, trace, recheck)
ORDER BY n.channel, n.kind, n.subject
ON CONFLICT (channel_id, kind, subject) DO UPDATE SET
    desired = CASE WHEN excluded.blocked_at IS NULL THEN excluded.desired ELSE p.desired END,
    desired_version = p.desired_version + (excluded.blocked_at IS NULL)::int,
    desired_at = CASE WHEN excluded.blocked_at IS NULL THEN sync_now() ELSE p.desired_at END,
    decreases = excluded.blocked_at IS NULL AND p.kind = 'stock'
        AND coalesce((excluded.desired->>'quantity')::numeric < (p.acked->>'quantity')::numeric, false),
    trace = excluded.trace, recheck_at = excluded.recheck_at,
    next_attempt_at = CASE WHEN p.attempts = 0 AND NOT p.must_verify OR p.blocked_at IS NOT NULL
        THEN sync_now() ELSE p.next_attempt_at END,
    blocked_at = excluded.blocked_at, has_exception = p.has_exception OR excluded.has_exception
RETURNING p.channel_id, p.kind, p.subject, p.id, p.desired_version
"""


def _write(plans: Sequence[Desired]) -> dict[tuple[int, str, str], tuple[int, int]]:
    """Insert or change these publications in one statement; key → (id, version)."""
    if not plans:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            _UPSERT,
            [
                [plan.listing.channel_id for plan in plans],
                [plan.kind for plan in plans],
                [plan.key[2] for plan in plans],
                [plan.listing.id for plan in plans],
                [plan.location for plan in plans],
                [None if plan.value is None else orjson.dumps(dict(plan.value)).decode() for plan in plans],
                [_trace(plan) for plan in plans],
                [plan.recheck_at for plan in plans],
            ],
        )
        return {(row[0], row[1], row[2]): (row[3], row[4]) for row in cursor.fetchall()}


def _trace(plan: Desired) -> str:
    refused = {"refused": plan.block.reason} if plan.block is not None else {}
    return orjson.dumps({**plan.trace, **refused}).decode()


def _recheck(plans: Sequence[Desired], ids: dict[tuple[int, str, str], tuple[int, int]]) -> None:
    """The instant of the next look moves on also where the value stayed."""
    if not plans:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_publication p SET recheck_at = n.recheck "
            "FROM unnest(%s::bigint[], %s::timestamptz[]) AS n (id, recheck) "
            "WHERE p.id = n.id AND p.recheck_at IS DISTINCT FROM n.recheck",
            [[ids[plan.key][0] for plan in plans], [plan.recheck_at for plan in plans]],
        )


def _remember(plans: Sequence[Desired], ids: dict[tuple[int, str, str], tuple[int, int]]) -> None:
    """Which generations were seen, also where nothing changed; the first plan of a generation is the one kept."""
    rows = sorted({(*ids[plan.key], one.kind, one.subject, one.generation) for plan in plans for one in plan.inputs})
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO channels_plannedinput "
            "(publication_id, desired_version, kind, subject, generation, planned_at) "
            "SELECT n.*, sync_now() FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::bigint[], %s::bigint[]) n "
            "ON CONFLICT DO NOTHING",
            [list(column) for column in zip(*rows, strict=True)],
        )


def _except(
    plans: Sequence[Desired],
    existing: dict[tuple[int, str, str], Existing],
    ids: dict[tuple[int, str, str], tuple[int, int]],
) -> None:
    """Records in the queue follow the plan: opened where no value can be had, settled where it can be again."""
    mended = [
        known.id for plan in plans if plan.value is not None and (known := existing.get(plan.key)) and known.refused
    ]
    if mended:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE channels_publication SET has_exception = false WHERE id = ANY(%s)", [mended])
        triage.settle("publication", mended, by=BY)
    triage.block(
        [
            BlockRequest("publication", ids[plan.key][0], plan.block, channel=plan.listing.channel)
            for plan in plans
            if plan.block is not None
        ]
    )
