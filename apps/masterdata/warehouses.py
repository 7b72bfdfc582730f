"""Warehouses: where goods lie, in which zone and calendar, under which branch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any, Final

from django.db import transaction

from apps.masterdata import checks
from apps.masterdata.batches import codes_of, run_batch
from apps.masterdata.blocks import broken_rule
from apps.masterdata.changes import UNSET, Sender, Unset, UpsertResult, waves
from apps.masterdata.models import Calendar, Warehouse
from apps.masterdata.resolving import Codes, Ignored
from apps.masterdata.rows import Change, Field, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class WarehouseUpsert:
    """`cutoff` is a local time; `calendar` the code of one of our calendars."""

    code: str
    name: str | Unset = UNSET
    kind: str | Unset = UNSET
    sellable: bool | Unset = UNSET
    branch: str | Unset | None = UNSET
    country: str | Unset | None = UNSET
    region: str | Unset | None = UNSET
    timezone: str | Unset | None = UNSET
    calendar: str | Unset | None = UNSET
    cutoff: time | Unset | None = UNSET
    priority: int | Unset | None = UNSET
    event: str = ""


FIELDS: Final = (
    Field("name", "name", "identity"),
    Field("kind", "kind", "identity"),
    Field("sellable", "sellable", "identity"),
    Field("branch", "branch_id", "identity", None, shown="branch.code"),
    Field("country", "country", "identity", "", checks.country),
    Field("region", "region", "identity", ""),
    Field("timezone", "time_zone", "identity", "UTC", checks.time_zone),
    Field("calendar", "calendar_id", "planning", None, shown="calendar.code"),
    Field("cutoff", "cutoff", "planning", None),
    Field("priority", "priority", "planning", 100),
)
PLAIN: Final = ("name", "kind", "sellable", "country", "region", "timezone", "priority")


def upsert_warehouses(upserts: Sequence[WarehouseUpsert], sender: Sender) -> list[UpsertResult]:
    """One result per upsert, in order; heals what waited for a new warehouse."""
    results: dict[int, UpsertResult] = {}
    with transaction.atomic():
        calendars = dict(
            Calendar.objects.filter(
                code__in={upsert.calendar for upsert in upserts if isinstance(upsert.calendar, str)}
            ).values_list("code", "pk")
        )
        for wave in waves(upsert.code.strip() for upsert in upserts):
            chosen = [upserts[position] for position in wave]
            codes = codes_of(sender)
            codes.load(
                warehouses=[upsert.code for upsert in chosen],
                branches=[upsert.branch for upsert in chosen if isinstance(upsert.branch, str)],
            )
            batch = _Batch(Rows(Warehouse, "warehouse", "code", FIELDS, sender), codes, calendars)
            done = run_batch(batch.rows, codes, chosen, batch.plan, "branch", "calendar")
            results |= dict(zip(wave, done, strict=True))
    return [results[position] for position in range(len(upserts))]


@dataclass(frozen=True, slots=True)
class _Batch:
    rows: Rows[Warehouse]
    codes: Codes
    calendars: dict[str, int]

    def plan(self, change: Change[Warehouse], upsert: WarehouseUpsert) -> None:
        self.rows.require(change, "name", upsert.name)
        for name in PLAIN:
            self.rows.set(change, name, getattr(upsert, name))
        cutoff: Any = upsert.cutoff
        self.rows.set(change, "cutoff", cutoff, cutoff.isoformat() if isinstance(cutoff, time) else None)
        set_branch(self.rows, self.codes, change, upsert.branch)
        self._set_calendar(change, upsert.calendar)

    def _set_calendar(self, change: Change[Warehouse], sent: str | Unset | None) -> None:
        if not isinstance(sent, str):
            self.rows.set(change, "calendar", sent)
        elif sent in self.calendars:
            self.rows.set(change, "calendar", self.calendars[sent], sent)
        else:
            detail = f"Warehouse {change.code}: there is no calendar {sent!r}; create it or leave it out."
            rule = f"unknown calendar {sent}"[:100]
            change.blocks.append(broken_rule("warehouse.upserted", "/calendar", rule, detail, subject=change.code))


def set_branch(rows: Rows[Any], codes: Codes, change: Change[Any], sent: str | Unset | None) -> None:
    """The branch by the sender's code; an unknown one blocks, an ignored one is left as it is."""
    if not isinstance(sent, str):
        rows.set(change, "branch", sent)
        return
    found = codes.branch(sent)
    if found is None:
        change.blocks.append(codes.unknown("branch", sent, rows.sender.code, subject=change.code))
    elif not isinstance(found, Ignored):
        rows.set(change, "branch", found.id, found.code)
