"""Sending what is due: claim and commit, send, record and commit. Anything between the commits is unknown."""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from celery import Task
from django.db import close_old_connections, connection, connections
from kombu.exceptions import OperationalError
from redis import RedisError

from apps.channels import acknowledgements, breakers, claims, drains, lineage
from apps.channels.blocked import retry_waiting
from apps.channels.claims import Abilities, Batch
from apps.channels.connectors import Connector, InvalidSettings, ItemOutcome, Outcome, ReadFailed, Shown, connector_of
from apps.channels.models import Channel
from apps.channels.pacing import bucket_of
from apps.channels.timing import backoff_s, lease_s
from apps.channels.values import same
from apps.lib.errors import Problem

log = logging.getLogger(__name__)

PATIENCE_S = 1.0  # how long a drain waits for the rate limit before it leaves the rest to the next tick
BUDGET_S = 50.0  # a task ends before its successor's hint expires
KINDS = ("stock", "price")
PROOF = frozenset({Outcome.ACKNOWLEDGED, Outcome.REJECTED, Outcome.CONFLICT, Outcome.THROTTLED})


@dataclass(frozen=True, slots=True)
class Line:
    """One channel, opened for publishing."""

    channel: Channel
    connector: Connector
    abilities: Abilities
    lease_s: float

    @property
    def code(self) -> str:
        return self.channel.system.code

    @property
    def send_sizes(self) -> dict[str, int]:
        many = self.channel.batch_size
        return {kind: many if self.connector.sends_many(kind) else 1 for kind in self.abilities.kinds}

    @property
    def read_sizes(self) -> dict[str, int]:
        return {kind: self.connector.reads_many(kind) for kind in self.abilities.readable}


def publish(channel_id: int, *, budget_s: float = BUDGET_S) -> int:
    """Drain what is due on one channel, as fast as it may be called; how many requests were made.

    Safe to run many times at once: one drains, the others leave; rows are leased, rate and breaker are shared.
    """
    line = _opened(channel_id)
    if line is None:
        return 0
    ends_at, requests, token = time.monotonic() + budget_s, 0, uuid.uuid4().hex
    try:
        while time.monotonic() < ends_at and drains.take(channel_id, token, line.lease_s + PATIENCE_S):
            made = _round(line)
            if made == 0:
                break
            requests += made
    finally:
        drains.leave(channel_id, token)
    return requests


def live_with_work() -> list[int]:
    """Channels on which something may be due now."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.system_id FROM channels_channel c
            WHERE c.state = 'live' AND coalesce(c.not_before <= sync_now(), true)
              AND coalesce(c.breaker_until <= sync_now(), true)
              AND (EXISTS (SELECT 1 FROM channels_publication p
                           WHERE p.channel_id = c.system_id AND p.blocked_at IS NULL AND p.leased_until IS NULL
                             AND (p.desired_version > p.acked_version OR p.must_verify)
                             AND p.next_attempt_at <= sync_now())
                   OR EXISTS (SELECT 1 FROM channels_publication p
                              WHERE p.channel_id = c.system_id AND p.leased_until < sync_now()))
            ORDER BY c.system_id
            """
        )
        return [row[0] for row in cursor.fetchall()]


def hand_out(task: Task) -> None:
    """Send `task` once per channel with work; whatever the broker does not take is done by threads of this process."""
    retry_waiting()
    try:
        for channel_id in live_with_work():
            task.apply_async((channel_id,), retry=False, expires=60, ignore_result=True)
    except (OSError, OperationalError, RedisError) as error:
        log.warning("broker_unavailable", extra={"error": repr(error)})
        publish_all()


_running: dict[int, threading.Thread] = {}
_running_lock = threading.Lock()


def publish_all(*, wait: bool = False) -> int:
    """Publish every channel with work, each in a thread of its own in this process; how many were started.

    A channel whose earlier thread still runs is left to it, so a slow one never delays another, nor the loop that
    calls this. `wait`: until all that were started are done.
    """
    retry_waiting()
    started = [thread for channel_id in live_with_work() for thread in _started(channel_id)]
    for thread in started if wait else ():
        thread.join()
    return len(started)


def _started(channel_id: int) -> Iterator[threading.Thread]:
    with _running_lock:
        known = _running.get(channel_id)
        if known is not None and known.is_alive():
            return
        thread = threading.Thread(target=_in_thread, args=(channel_id,), name=f"publish-{channel_id}", daemon=True)
        _running[channel_id] = thread
        thread.start()
        yield thread


def _in_thread(channel_id: int) -> None:
    close_old_connections()
    try:
        publish(channel_id)
    except Exception:
        log.exception("publish_failed", extra={"channel_id": channel_id})
    finally:
        connections.close_all()


def _opened(channel_id: int) -> Line | None:
    channel = Channel.objects.select_related("system").filter(pk=channel_id, state=Channel.State.LIVE).first()
    if channel is None:
        return None
    try:
        connector = connector_of(channel)
    except (InvalidSettings, Problem) as error:
        breakers.trip(channel_id)
        log.error("channel_cannot_be_opened", extra={"channel": channel.system.code, "error": str(error)})
        return None
    kinds = tuple(kind for kind in KINDS if connector.handles(kind))
    abilities = Abilities(
        kinds=kinds,
        readable=tuple(kind for kind in kinds if connector.readable(kind)),
        conditional=tuple(kind for kind in kinds if connector.conditional(kind) and connector.readable(kind)),
    )
    return Line(channel, connector, abilities, lease_s(connector.deadline_s))


def _round(line: Line) -> int:
    """One claim and its requests; 0 when nothing is due or nothing may be sent now."""
    channel_id = line.channel.pk
    claims.reap(channel_id, line.abilities, line.connector.settles_after_s)
    most = line.channel.max_in_flight
    reads, sends = claims.due(channel_id, line.abilities, most * max(line.send_sizes.values(), default=1))
    if reads + sends == 0:
        return 0
    gate = breakers.gate(channel_id, line.connector.deadline_s)
    if not gate.open:
        return 0
    allowed = _allowed(line, 1 if gate.probe else most)
    if allowed == 0:
        return 0
    made = 0
    if reads:
        size = max(line.read_sizes.values(), default=1)
        claimed = claims.claim_reads(channel_id, line.abilities, allowed * size, line.lease_s)
        made += _each(line, claims.batches_of(claimed, line.read_sizes), _read_back)
    if sends and made < allowed:
        made += _send_some(line, allowed - made)
    return made


def _send_some(line: Line, allowed: int) -> int:
    limit = allowed * max(line.send_sizes.values(), default=1)
    batches = claims.claim_sends(line.channel.pk, line.abilities, limit, line.lease_s, line.send_sizes)
    return _each(line, batches, _push)


def _allowed(line: Line, most: int) -> int:
    """How many requests the rate limit grants now; waits a little for the first."""
    bucket = bucket_of(line.channel)
    wait_s = bucket.take()
    if 0 < wait_s <= PATIENCE_S:
        time.sleep(wait_s)
        wait_s = bucket.take()
    if wait_s > 0:
        return 0
    granted = 1
    while granted < most and bucket.take() == 0:
        granted += 1
    return granted


Work = Callable[[Line, Batch, float], Callable[[], None]]


def _each(line: Line, batches: Sequence[Batch], work: Work) -> int:
    """Talk about all batches at once; write each down as soon as it is answered, in this thread."""
    ends_at = time.monotonic() + line.lease_s
    if len(batches) == 1:
        work(line, batches[0], ends_at)()
    elif batches:
        with ThreadPoolExecutor(min(len(batches), line.channel.max_in_flight)) as pool:
            for answered in as_completed([pool.submit(work, line, batch, ends_at) for batch in batches]):
                answered.result()()
    return len(batches)


def _push(line: Line, batch: Batch, ends_at: float) -> Callable[[], None]:
    """Send one batch (touches no row); what is returned writes it down."""
    if ends_at - time.monotonic() < line.connector.deadline_s:
        outcomes = _all(batch, Outcome.NOT_SENT, "Too little was left of the lease.")
    else:
        try:
            outcomes = line.connector.push(batch.items, batch.id.hex)
        except Exception as error:
            log.exception("connector_failed", extra={"channel": line.code, "batch": str(batch.id)})
            outcomes = _all(batch, Outcome.UNKNOWN, f"The connector failed: {type(error).__name__}: {error}")
    return lambda: _record(line, batch, outcomes)


def _record(line: Line, batch: Batch, outcomes: Sequence[ItemOutcome]) -> None:
    channel_id = line.channel.pk
    throttled = [outcome for outcome in outcomes if outcome.outcome is Outcome.THROTTLED]
    pause_s = 0.0
    if throttled:
        pause_s = breakers.pause(channel_id, max(outcome.retry_after_s for outcome in throttled))
        bucket_of(line.channel).penalise(pause_s)
    elif (spent_s := max((outcome.retry_after_s for outcome in outcomes), default=0.0)) > 0:
        bucket_of(line.channel).penalise(spent_s)  # the last request of its window: taken, and the next must wait
    delays = [
        max(pause_s, _delay_s(line, one.item.kind, outcome.outcome, one.attempts))
        for one, outcome in zip(batch.claimed, outcomes, strict=True)
    ]
    kept = acknowledgements.record(line.code, batch, outcomes, delays)
    refused = any(outcome.reason == "CREDENTIALS_REJECTED" for outcome in outcomes)
    breakers.settle(
        channel_id,
        failed=not any(outcome.outcome in PROOF for outcome in outcomes),
        acked=any(outcome.outcome is Outcome.ACKNOWLEDGED for outcome in outcomes),
        failures=line.channel.failures_in_a_row,
    )
    if refused:
        breakers.trip(channel_id)
    _tell(line, batch, outcomes, kept)


def _delay_s(line: Line, kind: str, outcome: Outcome, attempts: int) -> float:
    """Until the next try. Where an old request can still overwrite a newer one, until it must be dead."""
    if outcome in (Outcome.ACKNOWLEDGED, Outcome.REJECTED):
        return 0.0
    if outcome is Outcome.CONFLICT:
        return 0.0 if attempts < 3 else backoff_s(attempts - 2)
    if outcome is Outcome.UNKNOWN and kind not in line.abilities.conditional:
        return max(line.connector.settles_after_s, backoff_s(attempts))
    return backoff_s(attempts)


def _read_back(line: Line, batch: Batch, ends_at: float) -> Callable[[], None]:
    """Read leased publications back (touches no row); what is returned writes it down."""
    try:
        if ends_at - time.monotonic() < line.connector.deadline_s:
            raise ReadFailed("Too little was left of the lease.")
        shown = line.connector.read(batch.kind, list(dict.fromkeys(item.external_id for item in batch.items)))
    except ReadFailed as failed:
        failure = failed
        return lambda: _unread(line, batch, failure)
    except Exception as error:
        log.exception("connector_failed", extra={"channel": line.code, "batch": str(batch.id)})
        failure = ReadFailed(f"The connector failed: {type(error).__name__}: {error}")
        return lambda: _unread(line, batch, failure)
    return lambda: _verified(line, batch, shown)


def _verified(line: Line, batch: Batch, shown: Sequence[Shown]) -> None:
    by_key = {(one.external_id, one.location): one for one in shown}
    found = [
        by_key.get((item.external_id, item.location)) or Shown(item.kind, item.external_id, item.location, None)
        for item in batch.items
    ]
    equal = [
        one.value is not None and same(item.value, one.value) for item, one in zip(batch.items, found, strict=True)
    ]
    confirmed = acknowledgements.verified(batch, found, equal)
    breakers.settle(line.channel.pk, failed=False, acked=confirmed > 0, failures=0)
    log.info("verified", extra={"channel": line.code, "read": len(found), "confirmed": confirmed})


def _unread(line: Line, batch: Batch, failure: ReadFailed) -> None:
    if failure.http_status == 429:
        pause_s = breakers.pause(line.channel.pk, failure.retry_after_s)
        bucket_of(line.channel).penalise(pause_s)
        acknowledgements.postpone(batch.claimed, failure.detail, pause_s)
        return
    acknowledgements.postpone(batch.claimed, failure.detail)
    breakers.settle(line.channel.pk, failed=True, acked=False, failures=line.channel.failures_in_a_row)
    log.warning("read_back_failed", extra={"channel": line.code, "batch": str(batch.id), "error": failure.detail})


def _all(batch: Batch, outcome: Outcome, detail: str) -> list[ItemOutcome]:
    return [ItemOutcome(item.publication_id, outcome, detail=detail[:1000]) for item in batch.items]


def _tell(line: Line, batch: Batch, outcomes: Sequence[ItemOutcome], kept: int) -> None:
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome.outcome.value] = counts.get(outcome.outcome.value, 0) + 1
    fenced = len(outcomes) - kept
    log.info(
        "published",
        extra={
            "channel": line.code,
            "batch": str(batch.id),
            "kind": batch.kind,
            "publications": [item.publication_id for item in batch.items[:50]],
            "versions": [item.version for item in batch.items[:50]],
            "outcomes": counts,
            "fenced": fenced,
            "trace_ids": lineage.traces_behind([item.publication_id for item in batch.items if item.kind == "stock"]),
        },
    )
