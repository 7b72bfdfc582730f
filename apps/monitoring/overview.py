"""The console's first page: what is blocked, stale, due and failing, and what came in today; few set-based queries."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection
from django.db.models import Count, Q, Sum

from apps.channels.channels_list import ChannelState, channel_states
from apps.exceptions.models import Cause
from apps.lib.clock import Now, now
from apps.monitoring.health import READY_LOOPS
from apps.monitoring.loops import last_runs
from apps.monitoring.models import InvariantCheck
from apps.sources.models import Source

TOP_CAUSES: Final = 6
SOURCES_SHOWN: Final = 10
LOOP_LATE_S: Final = 60.0
LATE_PERIODS: Final = 3


@dataclass(frozen=True, slots=True)
class Blocked:
    causes: int
    records: int
    late: int
    top: list[Cause]


@dataclass(frozen=True, slots=True)
class SourceState:
    code: str
    last_seen_at: datetime | None
    silent: bool


@dataclass(frozen=True, slots=True)
class Stale:
    sources: list[SourceState]
    silent: int
    pending: int
    oldest_pending_at: datetime | None


@dataclass(frozen=True, slots=True)
class LoopState:
    """A loop's last run; one that others wait for and that never ran has no instant and is late."""

    name: str
    started_at: datetime | None
    runner: str
    error: str
    late: bool


@dataclass(frozen=True, slots=True)
class Failing:
    channels: list[ChannelState]
    loops: list[LoopState]
    bad_loops: int
    check: InvariantCheck | None

    @property
    def breaches(self) -> int:
        return len(self.check.breaches) if self.check else 0


@dataclass(frozen=True, slots=True)
class Intake:
    """Since midnight UTC; duplicates and refusals as the sources counted them."""

    accepted: int
    processed: int
    blocked: int
    rejected: int
    duplicates_ever: int


@dataclass(frozen=True, slots=True)
class Overview:
    at: datetime
    blocked: Blocked
    stale: Stale
    channels: list[ChannelState]
    failing: Failing
    intake: Intake

    @property
    def due(self) -> int:
        return sum(channel.due for channel in self.channels)

    @property
    def unknown(self) -> int:
        return sum(channel.unknown for channel in self.channels)

    @property
    def publications_blocked(self) -> int:
        return sum(channel.blocked for channel in self.channels)

    @property
    def oldest_due_at(self) -> datetime | None:
        return min((c.oldest_due_at for c in self.channels if c.oldest_due_at), default=None)


def overview() -> Overview:
    """Everything the page shows, in eight queries whatever the amount of data."""
    at = now()
    channels = channel_states()
    stale, intake = _arrivals(at)
    return Overview(at, _blocked(), stale, channels, _failing(at, channels), intake)


def _blocked() -> Blocked:
    live = Cause.objects.filter(closed_at__isnull=True)
    awake = ~Q(state="snoozed") | Q(snoozed_until__lte=Now())
    counts = live.aggregate(
        causes=Count("pk", filter=awake),
        records=Sum("open_records"),
        late=Count("pk", filter=awake & Q(sla_due_at__lt=Now())),
    )
    top = list(live.filter(awake).select_related("owner").order_by("-open_records", "pk")[:TOP_CAUSES])
    return Blocked(counts["causes"], counts["records"] or 0, counts["late"], top)


def _arrivals(at: datetime) -> tuple[Stale, Intake]:
    rows = Source.objects.order_by("last_seen_at").values_list(
        "system__code", "last_seen_at", "silent_after_s", "duplicates"
    )
    duplicates, sources = 0, []
    for code, seen, silent_after_s, counted in rows:
        duplicates += counted
        silent = seen is not None and at - seen > timedelta(seconds=silent_after_s)
        sources.append(SourceState(code, seen, silent))
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(_INBOX, {"midnight": midnight})
        accepted, processed, blocked, rejected, pending, oldest = cursor.fetchone() or (0, 0, 0, 0, 0, None)
    # Silent ones first, then who spoke last.
    sources.sort(
        key=lambda source: (not source.silent, -(source.last_seen_at.timestamp() if source.last_seen_at else 0))
    )
    stale = Stale(sources[:SOURCES_SHOWN], sum(source.silent for source in sources), pending, oldest)
    return stale, Intake(accepted, processed, blocked, rejected, duplicates)


def _failing(at: datetime, channels: list[ChannelState]) -> Failing:
    allowed = {name: _allowed(entry["schedule"]) for name, entry in settings.CELERY_BEAT_SCHEDULE.items()}
    loops = [
        LoopState(name, began, runner, error, at - began > allowed[name])
        for name, began, runner, error in last_runs()
        if name in allowed
    ]
    ran = {loop.name for loop in loops}
    loops += [LoopState(name, None, "", "", late=True) for name in READY_LOOPS if name not in ran]
    check = InvariantCheck.objects.order_by("-at").first()
    bad = sum(bool(loop.late or loop.error) for loop in loops)
    return Failing([channel for channel in channels if channel.is_failing], loops, bad, check)


def _silent_first(source: SourceState) -> tuple[bool, float]:
    """Silent sources first, then who spoke last."""
    return not source.silent, -(source.last_seen_at.timestamp() if source.last_seen_at else 0)


def _allowed(every_s: float) -> timedelta:
    """How long a loop of that period may be silent before it counts as not running."""
    return timedelta(seconds=max(LOOP_LATE_S, LATE_PERIODS * every_s))


_INBOX: Final = """
SELECT today.accepted, today.processed, today.blocked,
       (SELECT count(*) FROM sources_rejectedmessage WHERE received_at >= %(midnight)s), waiting.number, waiting.oldest
FROM (SELECT count(*) AS accepted,
             count(*) FILTER (WHERE state IN ('processed', 'superseded', 'ignored')) AS processed,
             count(*) FILTER (WHERE state IN ('blocked', 'quarantined')) AS blocked
      FROM sources_inboxmessage WHERE received_at >= %(midnight)s) today,
     (SELECT count(*) AS number, min(received_at) AS oldest FROM sources_inboxmessage WHERE state = 'pending') waiting
"""
