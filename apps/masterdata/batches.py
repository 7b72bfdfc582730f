"""The course of a simple entity's upserts: resolve its own code, plan, write, heal; blocked ones write nothing."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from django.db.models import Model

from apps.masterdata.changes import Sender, UpsertResult, actor_of
from apps.masterdata.healing import heal_codes
from apps.masterdata.resolving import Codes, Ignored
from apps.masterdata.rows import Change, Rows


class Upsert(Protocol):
    @property
    def code(self) -> str: ...
    @property
    def event(self) -> str: ...


U = TypeVar("U", bound=Upsert)
M = TypeVar("M", bound=Model)


def open_changes(rows: Rows[M], codes: Codes, upserts: Sequence[U], *related: str) -> list[Change[M]]:
    """A change for each upsert; one whose code may not be ours is blocked or ignored from the start."""
    ours = [codes.our_code(rows.entity, upsert.code) for upsert in upserts]
    rows.load([code for code in ours if isinstance(code, str)], *related)
    changes = []
    for upsert, code in zip(upserts, ours, strict=True):
        if isinstance(code, str):
            changes.append(rows.change(code, upsert.event))
            continue
        change: Change[M] = Change(upsert.code, rows.model(), created=True, ignored=isinstance(code, Ignored))
        if code is None:
            change.blocks.append(codes.unknown(rows.entity, upsert.code, rows.sender.code))
        changes.append(change)
    return changes


def run_batch(
    rows: Rows[M],
    codes: Codes,
    upserts: Sequence[U],
    plan: Callable[[Change[M], U], None],
    *related: str,
) -> list[UpsertResult]:
    """Plan, write and heal one wave of upserts without lists."""
    changes = open_changes(rows, codes, upserts, *related)
    for change, upsert in zip(changes, upserts, strict=True):
        if change.alive:
            plan(change, upsert)
    rows.write(changes)
    heal_created(rows, changes)
    return [rows.result(change) for change in changes]


def heal_created(rows: Rows[M], changes: Sequence[Change[M]]) -> None:
    created = [change.code for change in changes if change.alive and change.created]
    heal_codes(rows.entity, created, by=actor_of(rows.sender))


def codes_of(sender: Sender) -> Codes:
    return Codes(sender.system_id, sender.accepts_our_codes, sender.folds_case)
