"""The loop that turns messages into facts: claim, translate, route, mark; what fails is postponed, never in the way."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from django.db import DataError, Error, InterfaceError, OperationalError, connection, transaction
from django.utils.module_loading import import_string

from apps.exceptions import triage
from apps.lib.errors import Block
from apps.sources import batch, claims, cursors, latecomers
from apps.sources.received import Handler, Outcome, Received
from apps.sources.routing import ROUTES
from apps.sources.traces import log_processed

log = logging.getLogger(__name__)

BATCH: Final = 2_000
SUSPECTS: Final = 50
ROUNDS: Final = 100
BACKOFF_S: Final = (5, 30, 120, 600, 600)
_TRIES: Final = 3
# SQLSTATE classes: connection, rollback (deadlock, serialization), resources, object in use, intervention.
_TRANSIENT: Final = frozenset({"08", "40", "53", "55", "57"})


def drain() -> int:
    """Process until nothing is due, at most ROUNDS batches; how many messages were worked on."""
    total = 0
    for _ in range(ROUNDS):
        done = process()
        total += done
        if not done:
            break
    return total


def process(limit: int = BATCH) -> int:
    """Work on what is due: messages asked for again, new ones in bulk, and failed ones one by one."""
    replays = claims.claim_replays(limit)
    fresh = claims.claim_fresh(limit - len(replays))
    _work_on({**replays, **fresh})
    done = len(replays) + len(fresh)
    for _ in range(SUSPECTS):
        suspect = claims.claim_suspect()
        if not suspect:
            break
        _work_on(suspect)
        done += 1
    return done


def retry(ids: Sequence[int]) -> None:
    """Process these messages now, in the caller's transaction, settling and blocking as always.

    The queue's real retry, also inside a preview that is rolled back. A bug blocks the message as POISON_MESSAGE
    at once: a person is looking.
    """
    messages = batch.load(ids, states=batch.WAITING)
    outcomes, failed = _handled(messages)
    _finish(messages, outcomes)
    _quarantine([(message, error) for message, error in failed])


def _work_on(claimed: dict[int, int]) -> None:
    """One transaction for the whole claim; where the database gives way, again, and then later."""
    if not claimed:
        return
    suspects = {message_id for message_id, attempts in claimed.items() if attempts > claims.ATTEMPTS_MAX}
    for attempt in range(_TRIES):
        try:
            with transaction.atomic():
                fates = _translate_route_mark(claimed, suspects)
            log_processed(fates)
            return
        except Error as error:
            if not _gives_way(error):
                raise
            log.warning("batch_gave_way", extra={"messages": len(claimed), "error": repr(error), "attempt": attempt})
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()
    claims.release(list(claimed), delay_s=2)


def _translate_route_mark(claimed: dict[int, int], suspects: set[int]) -> list[tuple[int, str]]:
    """What became of each message, by id."""
    messages = [message for message in batch.load(list(claimed)) if message.attempts == claimed[message.id]]
    killers = [message for message in messages if message.id in suspects]
    outcomes, failed = _handled([message for message in messages if message.id not in suspects])
    _finish(messages, outcomes)
    _postpone([(message, error) for message, error in failed if message.attempts < claims.ATTEMPTS_MAX])
    last = [(message, error) for message, error in failed if message.attempts >= claims.ATTEMPTS_MAX]
    _quarantine(last + [(message, "The worker that processed it ended before it was done.") for message in killers])
    return [(outcome.message_id, outcome.status) for outcome in outcomes] + [(one.id, "failed") for one, _ in failed]


def _finish(messages: Sequence[Received], outcomes: Sequence[Outcome]) -> None:
    by_id = {message.id: message for message in messages}
    batch.finish(by_id, outcomes)
    latecomers.replay_early(by_id, outcomes)


def _handled(messages: Sequence[Received]) -> tuple[list[Outcome], list[tuple[Received, str]]]:
    """What became of each message, and those a bug kept from becoming anything."""
    outcomes: list[Outcome] = []
    checked: dict[int, batch.Checked] = {}
    for message in messages:
        found = batch.check(message)
        if found.whole:
            outcomes.append(Outcome(message.id, "blocked", found.violations))
        else:
            checked[message.id] = found
    good = cursors.in_order([found.message for found in checked.values()])
    places = cursors.lock_cursors(good)
    handled, failed = _routed(good, places, outcomes)
    outcomes += [_with_violations(outcome, checked[outcome.message_id]) for outcome in handled]
    applied = {outcome.message_id for outcome in handled if outcome.status == "processed"}
    cursors.advance((message for message in good if message.id in applied), places)
    return outcomes, failed


def _routed(
    messages: Sequence[Received], places: cursors.Cursors, outcomes: list[Outcome]
) -> tuple[list[Outcome], list[tuple[Received, str]]]:
    """Each handler gets its messages of the batch, in the order of the stages."""
    groups: dict[str, list[Received]] = defaultdict(list)
    for message in messages:
        part = cursors.newer_part(message, places)
        if part is None:
            outcomes.append(Outcome(message.id, "superseded"))
        else:
            groups[ROUTES[message.type].handler].append(part)
    stages = {route.handler: route.stage for route in ROUTES.values()}
    handled: list[Outcome] = []
    failed: list[tuple[Received, str]] = []
    for path in sorted(groups, key=lambda path: (stages[path], path)):
        _dispatch(path, groups[path], handled, failed)
    return handled, failed


def _dispatch(
    path: str, messages: Sequence[Received], handled: list[Outcome], failed: list[tuple[Received, str]]
) -> None:
    """In bulk under one savepoint; where that fails, one message per savepoint, so that only the wrong one waits."""
    handler: Handler = import_string(path)
    try:
        with transaction.atomic():
            handled += _complete(handler(messages), messages)
        return
    except Exception as error:
        if _gives_way(error):
            raise
        log.exception("handler_failed", extra={"handler": path, "messages": len(messages)})
        if len(messages) == 1:
            if isinstance(error, DataError):
                handled.append(Outcome(messages[0].id, "blocked", [_out_of_range(messages[0], error)]))
            else:
                failed.append((messages[0], repr(error)))
            return
    for message in messages:
        _dispatch(path, [message], handled, failed)


def _gives_way(error: Exception) -> bool:
    """Whether the database failed, not the message: a deadlock, a lost connection, a full disk."""
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, OperationalError):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    return state is None or state[:2] in _TRANSIENT


def _complete(outcomes: list[Outcome], messages: Sequence[Received]) -> list[Outcome]:
    answered = {outcome.message_id for outcome in outcomes}
    missing = [message.record for message in messages if message.id not in answered]
    if missing or len(outcomes) != len(messages):
        raise AssertionError(f"The handler answered {len(outcomes)} of {len(messages)} messages; not {missing[:3]}")
    return outcomes


def _with_violations(outcome: Outcome, checked: batch.Checked) -> Outcome:
    if not checked.violations:
        return outcome
    return Outcome(outcome.message_id, "blocked", [*checked.violations, *outcome.blocks], outcome.effects)


def _postpone(failed: Sequence[tuple[Received, str]]) -> None:
    if not failed:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sources_inboxmessage m SET due_at = sync_now() + g.delay_s * interval '1 second', error = g.error"
            " FROM unnest(%s::int8[], %s::int4[], %s::text[]) AS g (id, delay_s, error) WHERE m.id = g.id",
            [
                [message.id for message, _ in failed],
                [BACKOFF_S[max(0, min(message.attempts, len(BACKOFF_S)) - 1)] for message, _ in failed],
                [error[:2_000] for _, error in failed],
            ],
        )


def _quarantine(poisoned: Sequence[tuple[Received, str]]) -> None:
    """Out of the line and into the queue: POISON_MESSAGE, one cause per source and type."""
    if not poisoned:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sources_inboxmessage m SET state = 'quarantined', due_at = NULL, finished_at = NULL,"
            " error = g.error FROM unnest(%s::int8[], %s::text[]) AS g (id, error) WHERE m.id = g.id",
            [[message.id for message, _ in poisoned], [error[:2_000] for _, error in poisoned]],
        )
    triage.block(
        [
            triage.BlockRequest(claims.ORIGIN, message.id, _poison(message, error), source=message.source.code)
            for message, error in poisoned
        ]
    )


def _out_of_range(message: Received, error: DataError) -> Block:
    """A number that fits by itself and leads to one that does not, as a sum beyond 14 digits: no retry mends it."""
    return Block(
        reason="SCHEMA_VIOLATION",
        entity_type=message.type,
        field="/",
        value="out of range",
        subject=message.subject or message.event_id,
        detail=(
            f"{message.record}: a number it leads to is out of range ({str(error).splitlines()[0][:200]}); at most 14"
            " digits before the point and 6 after it are kept. Check its quantities and units, and correct them."
        ),
    )


def _poison(message: Received, error: str) -> Block:
    return Block(
        reason="POISON_MESSAGE",
        entity_type="event",
        field="type",
        value=message.type,
        subject=message.subject or message.event_id,
        detail=(
            f"{message.record} failed {max(message.attempts, 1)} times, last with: {error[:500]} "
            "Replay it once the error is mended, or discard it with a reason."
        ),
    )
