"""Writing down what became of a send: only under the fence it was claimed with, and only what the answer proves."""

from collections.abc import Sequence

import orjson
from django.db import connection, transaction

from apps.channels.claims import Batch, Claimed
from apps.channels.connectors import ItemOutcome, Outcome, Shown, Value
from apps.channels.timing import backoff_s
from apps.exceptions.triage import BlockRequest, block, settle
from apps.lib.errors import Block
from apps.lib.postgres_text import plain_array, text_array

_LOCK = "SELECT id FROM channels_publication WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE"
_LOWER = "p.kind = 'stock' AND (p.desired->>'quantity')::numeric < (s.value->>'quantity')::numeric"
# The planner's own block (no price, no unit) stands, whatever was answered to what was sent before it.
_KEPT = "p.trace ? 'refused'"
_RECORD = f"""
WITH s AS (
    SELECT id, fence, version, outcome, http, detail, value::jsonb, shows::jsonb, token, delay
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::int[], %s::text[], %s::text[], %s::text[],
                %s::text[], %s::float8[]) AS s (id, fence, version, outcome, http, detail, value, shows, token, delay)),
told AS (
    UPDATE channels_publication p SET
        leased_until = NULL,
        acked = CASE s.outcome WHEN 'acknowledged' THEN s.value ELSE p.acked END,
        acked_version = CASE s.outcome WHEN 'acknowledged' THEN s.version ELSE p.acked_version END,
        acked_at = CASE s.outcome WHEN 'acknowledged' THEN sync_now() ELSE p.acked_at END,
        token = CASE WHEN s.outcome IN ('acknowledged', 'conflict') THEN s.token ELSE p.token END,
        observed = CASE s.outcome WHEN 'conflict' THEN s.shows ELSE p.observed END,
        observed_at = CASE s.outcome WHEN 'conflict' THEN sync_now() ELSE p.observed_at END,
        decreases = CASE s.outcome WHEN 'acknowledged' THEN {_LOWER} ELSE p.decreases END,
        must_verify = s.outcome = 'unknown',
        attempts = CASE WHEN s.outcome IN ('acknowledged', 'rejected') THEN 0 ELSE p.attempts END,
        next_attempt_at = sync_now() + make_interval(secs => s.delay),
        blocked_at = CASE WHEN {_KEPT} THEN p.blocked_at
                          WHEN s.outcome = 'rejected' AND s.version = p.desired_version THEN sync_now() END,
        has_exception = CASE WHEN {_KEPT} THEN p.has_exception
                             ELSE p.has_exception AND s.outcome <> 'acknowledged'
                                  OR s.outcome = 'rejected' AND s.version = p.desired_version END,
        last_error = CASE s.outcome WHEN 'acknowledged' THEN '' ELSE left(s.detail, 1000) END
    FROM s JOIN channels_publication before USING (id)
    WHERE p.id = s.id AND p.fence = s.fence AND s.version <= p.sent_version
    RETURNING p.id, p.fence, before.has_exception AND NOT ({_KEPT}) AS had_exception,
        p.blocked_at IS NOT NULL AND NOT ({_KEPT}) AS blocked),
logged AS (
    UPDATE channels_publicationattempt a SET
        finished_at = sync_now(), http_status = s.http, detail = s.detail,
        outcome = CASE WHEN told.id IS NULL THEN 'fenced' ELSE s.outcome END
    FROM s LEFT JOIN told USING (id)
    WHERE a.publication_id = s.id AND a.fence = s.fence)
SELECT id, had_exception, blocked FROM told
"""
# What was read is compared with what is wanted now: equal needs no send; anything else is sent as a new version,
# so that no key of an old request can answer for it.
_VERIFY = f"""
WITH s AS (
    SELECT id, fence, shows::jsonb, token, equal
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bool[]) AS s (id, fence, shows, token, equal)),
told AS (
    UPDATE channels_publication p SET
        leased_until = NULL, must_verify = false, next_attempt_at = sync_now(),
        observed = CASE WHEN hit THEN p.desired ELSE s.shows END, observed_at = sync_now(), token = s.token,
        desired_version = p.desired_version + (NOT hit AND p.sent_version = p.desired_version)::int,
        sent_version = CASE WHEN hit THEN p.desired_version ELSE p.sent_version END,
        acked_version = CASE WHEN hit THEN p.desired_version ELSE p.acked_version END,
        acked = CASE WHEN hit THEN p.desired ELSE p.acked END,
        acked_at = CASE WHEN hit THEN sync_now() ELSE p.acked_at END,
        decreases = CASE WHEN hit THEN false ELSE p.decreases END,
        attempts = CASE WHEN hit THEN 0 ELSE p.attempts END,
        has_exception = p.has_exception AND (NOT hit OR {_KEPT}),
        last_error = CASE WHEN hit THEN '' ELSE p.last_error END
    FROM (SELECT s.*, s.equal AND b.desired = s2.value::jsonb AS hit, b.has_exception
          FROM s JOIN channels_publication b USING (id)
          JOIN unnest(%s::bigint[], %s::text[]) AS s2 (id, value) USING (id)) s
    WHERE p.id = s.id AND p.fence = s.fence
    RETURNING p.id, p.fence, p.desired_version, p.desired, hit, s.has_exception AND NOT ({_KEPT}) AS had_exception),
logged AS (
    INSERT INTO channels_publicationattempt (publication_id, fence, version, value, idempotency_key, batch, trace_id,
        started_at, finished_at, outcome, detail)
    SELECT id, fence, desired_version, desired, '', NULL, '', sync_now(), sync_now(), 'verified',
           'The channel already shows it.'
    FROM told WHERE hit)
SELECT id, had_exception, false FROM told WHERE hit
"""
_POSTPONE = """
UPDATE channels_publication p SET
    leased_until = NULL, next_attempt_at = sync_now() + make_interval(secs => s.delay), last_error = left(%s, 1000)
FROM unnest(%s::bigint[], %s::bigint[], %s::float8[]) AS s (id, fence, delay)
WHERE p.id = s.id AND p.fence = s.fence
"""
BY = "publisher"


def record(channel: str, batch: Batch, outcomes: Sequence[ItemOutcome], delays_s: Sequence[float]) -> int:
    """Write the outcome of each item, in one transaction; how many were still ours (the others are fenced).

    `delays_s`: until each may be tried again. A refusal of the newest version blocks it with an exception in the
    queue; an acknowledgement settles the exception of an earlier one.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        ids = [one.item.publication_id for one in batch.claimed]
        cursor.execute(_LOCK, [plain_array(ids)])
        cursor.execute(_RECORD, _columns(batch, outcomes, delays_s))
        told = cursor.fetchall()
        by_id = {outcome.publication_id: outcome for outcome in outcomes}
        acked = [row[0] for row in told if row[1] and by_id[row[0]].outcome is Outcome.ACKNOWLEDGED]
        settle("publication", acked, by=BY)
        blocked = {row[0] for row in told if row[2]}
        block([_refused(channel, one, by_id[one.item.publication_id]) for one in batch.claimed if _of(one) in blocked])
    return len(told)


def verified(batch: Batch, shown: Sequence[Shown], equal: Sequence[bool]) -> int:
    """Write what the read-back of leased publications found; how many turned out to need no send."""
    ids = [one.item.publication_id for one in batch.claimed]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOCK, [plain_array(ids)])
        cursor.execute(
            _VERIFY,
            [
                ids,
                [one.fence for one in batch.claimed],
                [_json(one.value) for one in shown],
                [one.token[:100] for one in shown],
                list(equal),
                ids,
                [_json(one.item.value) for one in batch.claimed],
            ],
        )
        told = cursor.fetchall()
        settle("publication", [row[0] for row in told if row[1]], by=BY)
    return len(told)


def postpone(claimed: Sequence[Claimed], why: str, at_least_s: float = 0.0) -> None:
    """Give leases back after a read-back that proved nothing."""
    delays = [max(at_least_s, backoff_s(one.attempts)) for one in claimed]
    with transaction.atomic(), connection.cursor() as cursor:
        ids = [one.item.publication_id for one in claimed]
        cursor.execute(_LOCK, [plain_array(ids)])
        cursor.execute(_POSTPONE, [why, ids, [one.fence for one in claimed], delays])


def _of(one: Claimed) -> int:
    return one.item.publication_id


def _refused(channel: str, one: Claimed, outcome: ItemOutcome) -> BlockRequest:
    item = one.item
    if outcome.reason == "CREDENTIALS_REJECTED":
        said = Block(
            "CREDENTIALS_REJECTED", "channel", "credentials", channel, outcome.detail, subject=item.external_id
        )
        return BlockRequest("publication", item.publication_id, said, channel=channel)
    shown = ", ".join(item.value.values())
    detail = (
        f"Channel {channel} refuses {item.kind} {shown} for listing {item.external_id} "
        f"(HTTP {outcome.http_status or '-'}): {outcome.detail}. Correct the listing or the value, then retry."
    )
    said = Block(
        "CHANNEL_REJECTED",
        "listing",
        outcome.field or item.kind,
        outcome.code or "refused",
        detail,
        subject=item.external_id,
        context={"listing": item.external_id, "value": shown},
    )
    return BlockRequest("publication", item.publication_id, said, channel=channel)


def _columns(batch: Batch, outcomes: Sequence[ItemOutcome], delays_s: Sequence[float]) -> list[str | list[float]]:
    return [
        plain_array([one.item.publication_id for one in batch.claimed]),
        plain_array([one.fence for one in batch.claimed]),
        plain_array([one.item.version for one in batch.claimed]),
        text_array([outcome.outcome.value for outcome in outcomes]),
        plain_array([outcome.http_status for outcome in outcomes]),
        text_array([outcome.detail[:2000] for outcome in outcomes]),
        text_array([_json(one.item.value) for one in batch.claimed]),
        text_array([_json(outcome.shows) for outcome in outcomes]),
        text_array([outcome.token[:100] for outcome in outcomes]),
        list(delays_s),
    ]


def _json(value: Value | None) -> str | None:
    return None if value is None else orjson.dumps(dict(value)).decode()
