"""Importing a file: rows → events → inbox → processed to the end, and a summary that adds up."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path
from typing import Any, Final

from django.db.models import Count

from apps.exceptions.models import BlockedRecord
from apps.lib.clock import Now
from apps.sources import inbox, processing
from apps.sources.feed_files import rows
from apps.sources.mapping import Rules
from apps.sources.models import FeedRun, InboxMessage, Mapping
from apps.sources.parcels import Feed, Parcel, parcels

BATCH: Final = 5_000
PATIENCE_S: Final = 300.0  # how long another worker may hold messages of this run

Progress = Callable[[str, int], None]


@dataclass(slots=True)
class FeedSummary:
    """What became of every row of one file under one mapping."""

    file: str
    mapping: str
    rows: int = 0
    applied: int = 0
    duplicate: int = 0
    ignored: int = 0
    blocked: int = 0
    causes: Counter[str] = field(default_factory=Counter)


class NoMapping(ValueError):
    """No saved mapping of the source reads a file of that name."""


def mappings_for(source: str, path: Path, name: str | None = None) -> list[Mapping]:
    """The current mappings that read the file, in their order. Raises NoMapping, naming the patterns there are."""
    saved = list(Mapping.objects.filter(source__system__code=source, is_current=True).order_by("position", "name"))
    if name is not None:
        found = [mapping for mapping in saved if mapping.name == name]
    else:
        found = [m for m in saved if m.file_pattern and fnmatch(path.name.lower(), m.file_pattern.lower())]
    if not found:
        known = ", ".join(f"{m.name} ({m.file_pattern or 'by name only'})" for m in saved) or "none"
        raise NoMapping(f"No mapping of source {source} reads {name or path.name}. Saved: {known}.")
    return found


def import_file(mapping: Mapping, path: Path, progress: Progress | None = None) -> FeedSummary:
    """Read one file under one mapping to the end, in batches; memory does not grow with the file's length.

    (Counted snapshots are gathered whole, because a count is judged whole.) Idempotent by event id.
    """
    feed = feed_of(mapping)
    run = FeedRun.objects.create(mapping=mapping, file_name=path.name)
    summary = FeedSummary(path.name, mapping.name)
    _deliver([Parcel(event, 0) for event in prelude(mapping)], feed, FeedSummary(path.name, mapping.name))
    stream = parcels(feed, lambda: rows(path, mapping.encoding))
    while batch := list(islice(stream, BATCH)):
        _deliver(batch, feed, summary)
        if progress is not None:
            progress(f"{path.name} · {mapping.name}", summary.rows)
    FeedRun.objects.filter(pk=run.pk).update(
        finished_at=Now(),
        rows=summary.rows,
        applied=summary.applied,
        duplicate=summary.duplicate,
        ignored=summary.ignored,
        blocked=summary.blocked,
    )
    return summary


def feed_of(mapping: Mapping) -> Feed:
    rules = Rules(
        event_type=mapping.event_type,
        fields=mapping.fields,
        envelope=mapping.envelope,
        row_filter=mapping.row_filter,
        time_zone=mapping.time_zone,
        tables=mapping.tables,
    )
    return Feed(mapping.source.system.code, mapping.name, rules, mapping.grouping)


def prelude(mapping: Mapping) -> Iterator[dict[str, Any]]:
    """What a mapping's rows take for granted (its warehouse, unit or book), as events sent once."""
    source = mapping.source.system.code
    for index, entry in enumerate(mapping.prelude):
        yield {
            "specversion": "1.0",
            "id": f"{mapping.name}-prelude-{index}",
            "source": source,
            "type": entry["type"],
            "time": "1970-01-01T00:00:00Z",
            "data": entry["data"],
        }


def _deliver(batch: list[Parcel], feed: Feed, summary: FeedSummary) -> None:
    """Store a batch, process it to the end, and count every row's fate."""
    summary.rows += sum(parcel.rows for parcel in batch)
    summary.ignored += sum(parcel.rows for parcel in batch if parcel.event is None)
    sent = {parcel.event["id"]: parcel for parcel in batch if parcel.event is not None}
    if not sent:
        return
    known = set(_messages(feed, sent).values_list("event_id", flat=True))
    summary.duplicate += sum(sent[identity].rows for identity in known)
    fresh = [parcel.event for identity, parcel in sent.items() if identity not in known]
    if not fresh:
        return
    inbox.receive(fresh)
    new = {identity: parcel for identity, parcel in sent.items() if identity not in known}
    _process_to_the_end(feed, new)
    _count(feed, new, summary)


def _process_to_the_end(feed: Feed, sent: dict[str, Parcel]) -> None:
    """Until none of them is pending; a worker that runs beside us may hold some for a moment."""
    deadline = time.monotonic() + PATIENCE_S
    while _messages(feed, sent).filter(state=InboxMessage.State.PENDING).exists():
        if processing.process() == 0:
            if time.monotonic() > deadline:
                raise TimeoutError("Messages of this file are held by another worker that does not finish them.")
            time.sleep(0.05)


def _count(feed: Feed, sent: dict[str, Parcel], summary: FeedSummary) -> None:
    messages = {
        pk: (identity, state) for pk, identity, state in _messages(feed, sent).values_list("pk", "event_id", "state")
    }
    waiting = BlockedRecord.objects.filter(
        origin="inbox", origin_id__any=list(messages), state__in=BlockedRecord.WAITING
    )
    lines: dict[int, set[str]] = {}
    for origin_id, line in waiting.values_list("origin_id", "line"):
        lines.setdefault(origin_id, set()).add(line)
    for pk, (identity, state) in messages.items():
        _count_one(sent[identity], state, lines.get(pk, set()), summary)
    for sentence, count in waiting.values_list("cause__sentence").annotate(count=Count("pk")):
        summary.causes[sentence] += count


def _count_one(parcel: Parcel, state: str, waiting: set[str], summary: FeedSummary) -> None:
    states = InboxMessage.State
    if state in {states.IGNORED, states.SUPERSEDED}:
        summary.ignored += parcel.rows
    elif state == states.PROCESSED:
        summary.applied += parcel.rows
    else:
        blocked = parcel.rows if "" in waiting or not waiting else min(parcel.rows, len(waiting))
        summary.blocked += blocked
        summary.applied += parcel.rows - blocked


def _messages(feed: Feed, sent: dict[str, Parcel]) -> Any:
    return InboxMessage.objects.filter(source__system__code=feed.source, event_id__any=list(sent))
