"""The scheduled look at what each channel really shows: equal is confirmed, anything else is sent again."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db import connection, transaction

from apps.channels import breakers
from apps.channels.connectors import Connector, InvalidSettings, Page, ReadFailed, Shown, connector_of
from apps.channels.models import Channel
from apps.channels.pacing import bucket_of
from apps.channels.values import same
from apps.lib.clock import now
from apps.lib.errors import Problem
from apps.lib.nudges import nudge

log = logging.getLogger(__name__)

RESEND_EVERY_S = 86_400  # what cannot be read is sent again daily
PAGES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Seen:
    """What a read-back found: values confirmed, and values that drifted and are due again."""

    confirmed: int = 0
    drifted: int = 0

    def __add__(self, other: "Seen") -> "Seen":
        return Seen(self.confirmed + other.confirmed, self.drifted + other.drifted)


def read_back_due() -> int:
    """Read back every live channel whose period is over; how many were read."""
    due = _claim_due()
    for channel_id in due:
        read_back(channel_id)
    return len(due)


def read_back(channel_id: int) -> Seen:
    """Read all pages of one channel; a write-only channel is sent again what was last sent a day ago."""
    channel = Channel.objects.select_related("system").filter(pk=channel_id, state=Channel.State.LIVE).first()
    if channel is None:
        return Seen()
    try:
        connector = connector_of(channel)
        readable = [kind for kind in ("stock", "price") if connector.readable(kind)]
        seen = _swept(channel, connector, readable) if readable else _resent(channel_id)
    except (InvalidSettings, Problem) as error:
        log.error("channel_cannot_be_opened", extra={"channel": channel.system.code, "error": str(error)})
        return Seen()
    except ReadFailed as failed:
        _failed(channel, failed)
        return Seen()
    if seen.drifted:
        nudge("publish")
    log.info("read_back", extra={"channel": channel.system.code, "confirmed": seen.confirmed, "drifted": seen.drifted})
    return seen


def _swept(channel: Channel, connector: Connector, kinds: list[str]) -> Seen:
    """From the page where the last sweep stopped. Only a sweep read to its last page says what is no longer shown."""
    cursor = channel.read_back_cursor
    began = channel.read_back_started_at if cursor else now()
    seen, pages, finished = Seen(), 0, False
    while not finished and pages < PAGES_MAX and bucket_of(channel).take() == 0:
        page_began = now()
        page = connector.read_page(cursor)
        seen += _judged(channel.pk, page_began, page)
        cursor, pages, finished = page.next or "", pages + 1, not page.next
    if pages:
        started = None if finished else began
        Channel.objects.filter(pk=channel.pk).update(read_back_cursor=cursor, read_back_started_at=started)
        breakers.settle(channel.pk, failed=False, acked=False, failures=0)
    if not finished:
        _again_soon(channel.pk)  # the rest waits for the next tick, from this page
    elif began is not None:
        seen += _missing(channel.pk, began, kinds)
    return seen


# Only what is at rest is judged: nothing in flight, nothing due, and acknowledged before the page was asked for.
_AT_REST = """
    p.leased_until IS NULL AND NOT p.must_verify AND p.blocked_at IS NULL
    AND p.acked_version = p.desired_version AND p.acked_at < %(began)s
"""
_JUDGE = f"""
WITH s AS (SELECT id, shows::jsonb, token FROM unnest(%(ids)s::bigint[], %(shows)s::text[], %(tokens)s::text[])
           AS s (id, shows, token)),
calm AS (
    SELECT p.id FROM channels_publication p JOIN s USING (id) WHERE {_AT_REST} ORDER BY p.id FOR NO KEY UPDATE OF p),
told AS (
    UPDATE channels_publication p SET
        observed = s.shows, observed_at = sync_now(), token = s.token,
        desired_version = p.desired_version + (s.shows IS DISTINCT FROM p.acked)::int,
        next_attempt_at = CASE WHEN s.shows IS DISTINCT FROM p.acked THEN sync_now() ELSE p.next_attempt_at END,
        decreases = p.kind = 'stock'
            AND coalesce((p.desired->>'quantity')::numeric < (s.shows->>'quantity')::numeric, false),
        last_error = CASE WHEN s.shows IS DISTINCT FROM p.acked
            THEN left('CHANNEL_DRIFT: the channel showed ' || coalesce(s.shows::text, 'nothing') || ', '
                      || p.acked::text || ' was acknowledged; it is sent again.', 1000) ELSE '' END
    FROM s, calm WHERE p.id = s.id AND calm.id = p.id
    RETURNING p.desired_version > p.acked_version AS drifted)
SELECT count(*) FILTER (WHERE NOT drifted), count(*) FILTER (WHERE drifted) FROM told
"""
_GONE = f"""
WITH calm AS (
    SELECT p.id FROM channels_publication p
    WHERE p.channel_id = %(channel)s AND p.kind = ANY(%(kinds)s) AND {_AT_REST}
      AND coalesce(p.observed_at < %(began)s, true)
    ORDER BY p.id FOR NO KEY UPDATE),
told AS (
    UPDATE channels_publication p SET observed = NULL, observed_at = sync_now(), token = '',
        desired_version = p.desired_version + 1, next_attempt_at = sync_now(),
        last_error = 'CHANNEL_DRIFT: the channel no longer shows it; it is sent again.'
    FROM calm WHERE calm.id = p.id RETURNING 1)
SELECT 0, count(*) FROM told
"""
_RESEND = f"""
WITH calm AS (
    SELECT p.id FROM channels_publication p
    WHERE p.channel_id = %(channel)s AND {_AT_REST}
    ORDER BY p.id LIMIT 50000 FOR NO KEY UPDATE),
told AS (
    UPDATE channels_publication p SET desired_version = p.desired_version + 1, next_attempt_at = sync_now()
    FROM calm WHERE calm.id = p.id RETURNING 1)
SELECT 0, count(*) FROM told
"""


def _judged(channel_id: int, began: datetime, page: Page) -> Seen:
    """Compare one page with what was acknowledged, in one statement."""
    rows = _publications(channel_id, page.shown)
    if not rows:
        return Seen()
    return _counted(
        _JUDGE,
        {
            "began": began,
            "ids": [pk for pk, _, _ in rows],
            "shows": [shows for _, shows, _ in rows],
            "tokens": [token for _, _, token in rows],
        },
    )


def _publications(channel_id: int, shown: Sequence[Shown]) -> list[tuple[int, str | None, str]]:
    """(id, what is shown, token) of the publications behind a page; equal values come in our own spelling."""
    by_key = {(one.kind, f"{one.external_id}|{one.location}"): one for one in shown}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.id, p.kind, p.subject, p.acked::text FROM channels_publication p "
            "JOIN unnest(%s::text[], %s::text[]) AS s (kind, subject) ON s.kind = p.kind AND s.subject = p.subject "
            "WHERE p.channel_id = %s",
            [[kind for kind, _ in by_key], [subject for _, subject in by_key], channel_id],
        )
        rows = cursor.fetchall()
    found = []
    for pk, kind, subject, acked in rows:
        one = by_key[kind, subject]
        value = dict(one.value) if one.value is not None else None
        if value is not None and acked is not None and same(orjson.loads(acked), value):
            value = orjson.loads(acked)
        found.append((pk, None if value is None else orjson.dumps(value).decode(), one.token[:100]))
    return found


def _missing(channel_id: int, began: datetime, kinds: list[str]) -> Seen:
    return _counted(_GONE, {"channel": channel_id, "began": began, "kinds": kinds})


def _resent(channel_id: int) -> Seen:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sync_now() - make_interval(secs => %s)", [RESEND_EVERY_S])
        row = cursor.fetchone()
    assert row is not None
    return _counted(_RESEND, {"channel": channel_id, "began": row[0]})


def _counted(sql: str, arguments: dict[str, Any]) -> Seen:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        row = cursor.fetchone()
    return Seen(*row) if row else Seen()


def _claim_due() -> list[int]:
    """Channels whose period is over, marked as read now, so that nobody else reads them at the same time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH due AS MATERIALIZED ("
            " SELECT system_id FROM channels_channel WHERE state = 'live' AND breaker = 'closed'"
            " AND coalesce(not_before <= sync_now(), true) AND coalesce("
            "  last_read_back_at + make_interval(secs => read_back_every_s) <= sync_now(), true)"
            " ORDER BY last_read_back_at NULLS FIRST FOR NO KEY UPDATE SKIP LOCKED) "
            "UPDATE channels_channel c SET last_read_back_at = sync_now() FROM due "
            "WHERE c.system_id = due.system_id RETURNING c.system_id"
        )
        return [row[0] for row in cursor.fetchall()]


def _again_soon(channel_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_channel SET last_read_back_at = sync_now() - make_interval(secs => read_back_every_s - 1) "
            "WHERE system_id = %s",
            [channel_id],
        )


def _failed(channel: Channel, failed: ReadFailed) -> None:
    log.warning("read_back_failed", extra={"channel": channel.system.code, "error": failed.detail})
    if failed.http_status == 429:
        bucket_of(channel).penalise(breakers.pause(channel.pk, failed.retry_after_s))
    else:
        breakers.settle(channel.pk, failed=True, acked=False, failures=channel.failures_in_a_row)
