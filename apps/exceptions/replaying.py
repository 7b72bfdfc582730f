"""Replaying records: a state that the owning loop sees, set by a person, or by the arrival of what was missing."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Count

from apps.exceptions.blocking import lock_causes, normalised, tell
from apps.exceptions.models import BlockedRecord, Cause, Replay
from apps.lib.nudges import nudge

LOOPS = {"inbox": "process", "publication": "publish"}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay is: `waiting` not yet tried, `blocked` tried and blocked again, the rest done."""

    records: int
    waiting: int
    blocked: int
    resolved: int
    ignored: int
    superseded: int

    @property
    def finished(self) -> bool:
        return self.waiting == 0


def request_replay(
    cause_id: int, *, by: str, reason: str = "", record_ids: Sequence[int] | None = None, adopt: bool = False
) -> Replay:
    """Have the open records of a cause (or these of them) processed again; the owning loop sees the new state.

    `adopt` takes those into the batch that another replay has already set going.
    """
    states = ["open", "replaying"] if adopt else ["open"]
    with transaction.atomic():
        lock_causes(ids=[cause_id])
        replay = _replay([cause_id], by=by, reason=reason, states=states, record_ids=record_ids)[cause_id]
        tell([(cause_id, "replayed", {"replay": replay.pk, "records": replay.records, "reason": reason})], actor=by)
        _touched(cause_id)
    return replay


def heal(reason: str, values: Sequence[str], *, source: str | None = None, by: str) -> int:
    """What was missing has arrived: replay what waits for it, without a person. How many records will be.

    `values` are the codes as they were sent; `source` limits it to one source's causes (and those of no source).
    Call it in the transaction that writes what arrived. With nothing waiting it costs one indexed read.
    """
    wanted = sorted({normalised(value)[:500] for value in values})
    if not wanted:
        return 0
    causes = Cause.objects.filter(reason=reason, value__in=wanted, open_records__gt=0)
    if source is not None:
        causes = causes.filter(source__in=[source, ""])
    cause_ids = list(causes.values_list("pk", flat=True))
    if not cause_ids:
        return 0
    with transaction.atomic():
        lock_causes(ids=cause_ids)
        replays = _replay(cause_ids, by=by, reason="resolved by itself")
        tell([(pk, "healed", {"replay": r.pk, "records": r.records}) for pk, r in replays.items()], actor=by)
    return sum(replay.records for replay in replays.values())


def progress_of(replay: Replay) -> Progress:
    """Counted from the replay's records."""
    counted = BlockedRecord.objects.filter(replay=replay).values_list("state").annotate(Count("pk"))
    states: dict[str, int] = dict(counted)
    return Progress(
        records=replay.records,
        waiting=states.get("replaying", 0),
        blocked=states.get("open", 0),
        resolved=states.get("resolved", 0),
        ignored=states.get("ignored", 0),
        superseded=states.get("superseded", 0),
    )


_REPLAY = """
    WITH moved AS (
        UPDATE exceptions_blockedrecord r
        SET state = 'replaying', replay_id = p.id, rechecks = 0
        FROM unnest(%s::bigint[], %s::bigint[]) AS p(cause_id, id)
        WHERE r.cause_id = p.cause_id AND r.state = ANY(%s) AND (%s::bigint[] IS NULL OR r.id = ANY(%s))
        RETURNING r.replay_id, r.origin),
    counted AS (SELECT replay_id, count(*) AS records, array_agg(DISTINCT origin) AS origins FROM moved GROUP BY 1),
    told AS (UPDATE exceptions_replay p SET records = c.records FROM counted c WHERE p.id = c.replay_id)
    SELECT replay_id, records, origins FROM counted
"""


def _replay(
    cause_ids: Sequence[int],
    *,
    by: str,
    reason: str,
    states: Sequence[str] = ("open",),
    record_ids: Sequence[int] | None = None,
) -> dict[int, Replay]:
    """One Replay per cause, with its records in it; the causes are locked by the caller."""
    made = [Replay(cause_id=pk, requested_by=by[:200], reason=reason[:500], records=0) for pk in cause_ids]
    replays = Replay.objects.bulk_create(made)
    with connection.cursor() as cursor:
        ids = [replay.pk for replay in replays]
        chosen = None if record_ids is None else list(record_ids)
        cursor.execute(_REPLAY, [list(cause_ids), ids, list(states), chosen, chosen])
        moved = {row[0]: (row[1], row[2]) for row in cursor.fetchall()}
    for replay in replays:
        replay.records, _ = moved.get(replay.pk, (0, []))
    for loop in sorted({LOOPS[origin] for _, origins in moved.values() for origin in origins if origin in LOOPS}):
        nudge(loop)
    return {replay.cause_id: replay for replay in replays}


def put_back(cause_id: int, *, after_replay: int) -> None:
    """Undo what a fix set going by itself since that replay: somebody wants the records to stay for now."""
    BlockedRecord.objects.filter(cause_id=cause_id, state="replaying", replay_id__gt=after_replay).update(state="open")


def _touched(cause_id: int) -> None:
    """A person has seen it: new becomes ongoing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE exceptions_cause SET revision = revision + 1, "
            "state = CASE WHEN state IN ('new', 'regressed') THEN 'ongoing' ELSE state END WHERE id = %s",
            [cause_id],
        )
