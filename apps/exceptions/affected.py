"""The records a cause blocks, a page at a time, with only the columns in which they differ."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from apps.exceptions.models import BlockedRecord, Cause

PAGE_SIZE: Final = 20
EXPORT_MAX: Final = 100_000
_PLAIN: Final = ("subject", "line", "source", "channel", "field", "value")
CSV_HEAD: Final = ("record", "cause", "state", *_PLAIN, "detail", "blocked_at", "closed_at", "closed_by")


@dataclass(frozen=True, slots=True)
class AffectedRecord:
    record_id: int
    state: str
    blocked_at: datetime
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AffectedPage:
    """`columns` are those in which the records of this page differ; `same` holds what they have in common."""

    columns: tuple[str, ...]
    same: tuple[tuple[str, str], ...]
    records: tuple[AffectedRecord, ...]
    page: int
    has_next: bool
    closed: bool


def affected_by(cause: Cause, *, page: int = 1, closed: bool = False) -> AffectedPage:
    """The waiting records (or, with `closed`, all of them), oldest first; one query."""
    rows = BlockedRecord.objects.filter(cause_id=cause.pk)
    if not closed:
        rows = rows.filter(state__in=BlockedRecord.WAITING)
    start = (max(page, 1) - 1) * PAGE_SIZE
    found = list(rows.order_by("pk")[start : start + PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    facts = [_facts(record) for record in shown]
    names = list(dict.fromkeys(name for fact in facts for name in fact))
    values = {name: {fact.get(name, "") for fact in facts} for name in names}
    columns = tuple(name for name in names if name == "subject" or len(values[name]) > 1)
    same = tuple((name, values[name].copy().pop()) for name in names if name not in columns)
    records = tuple(
        AffectedRecord(record.pk, record.state, record.blocked_at, tuple(fact.get(name, "") for name in columns))
        for record, fact in zip(shown, facts, strict=True)
    )
    return AffectedPage(columns, same, records, max(page, 1), len(found) > PAGE_SIZE, closed)


def csv_rows(cause: Cause) -> Iterator[list[object]]:
    """Every record of a cause for an export, oldest first, not held in memory."""
    rows = BlockedRecord.objects.filter(cause_id=cause.pk).order_by("pk")[:EXPORT_MAX]
    for record in rows.iterator(chunk_size=2_000):
        plain = [getattr(record, name) for name in _PLAIN]
        yield [
            record.pk,
            cause.pk,
            record.state,
            *plain,
            record.detail,
            record.blocked_at.isoformat(),
            record.closed_at.isoformat() if record.closed_at else "",
            record.closed_by,
        ]


def _facts(record: BlockedRecord) -> dict[str, str]:
    """What a record says about itself, by column; empty ones are left out."""
    facts = {name: str(getattr(record, name)) for name in _PLAIN}
    told = set(facts.values())
    facts |= {
        name.replace("_", " "): str(value)
        for name, value in record.context.items()
        if name not in facts and str(value) not in told
    }
    return {name: value for name, value in facts.items() if value or name == "subject"}
