"""The triage board: one page of the queue for one person, in tabs with counts, filtered, searched and ordered."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db.models import Case, Count, F, IntegerField, QuerySet, When

from apps.access.models import User
from apps.exceptions import queue
from apps.exceptions.models import Cause
from apps.exceptions.queue import Wanted
from apps.lib.clock import Now

PAGE_SIZE: Final = 50
SEARCH_MAX: Final = 100
SEVERITIES: Final = ("critical", "high", "medium", "low")
LATE: Final = "late"
TABS: Final[dict[str, str]] = {
    "mine": "Mine",
    "team": "My team",
    "unassigned": "Unassigned",
    LATE: "Past SLA",
    "open": "All open",
    "snoozed": "Snoozed",
    "resolved": "Resolved",
}
_SEVERITY_RANK: Final = Case(
    *(When(severity=name, then=rank) for rank, name in enumerate(SEVERITIES)), default=9, output_field=IntegerField()
)
_SLA: Final = F("sla_due_at").asc(nulls_last=True)
ORDERINGS: Final[dict[str, tuple[Any, ...]]] = {
    "urgency": (_SEVERITY_RANK, _SLA, "-open_records", "pk"),
    "records": ("-open_records", "pk"),
    "seen": ("-last_seen_at", "pk"),
    "sla": (_SLA, "pk"),
    "closed": (F("closed_at").desc(nulls_last=True), "pk"),
}


@dataclass(frozen=True, slots=True)
class Tab:
    key: str
    title: str
    count: int


@dataclass(frozen=True, slots=True)
class Board:
    """One page of causes, the tabs beside it, and what was asked for."""

    tabs: tuple[Tab, ...]
    tab: str
    causes: list[Cause]
    reasons: list[tuple[str, int]]
    search: str
    reason: str
    severity: str
    order: str
    page: int
    has_next: bool

    @property
    def is_filtered(self) -> bool:
        return bool(self.search or self.reason or self.severity)


def board_for(user: User, asked: Mapping[str, str]) -> Board:
    """The board as `asked` (tab, search, reason, severity, order, page); what is unknown falls back, never fails."""
    tab = asked.get("tab", "") if asked.get("tab", "") in TABS else "open"
    severity = asked.get("severity", "") if asked.get("severity", "") in SEVERITIES else ""
    reason = _text(asked.get("reason", ""), 40)
    order = asked.get("order", "")
    order = order if order in ORDERINGS else ("closed" if tab == "resolved" else "urgency")
    page = _page_number(asked.get("page", ""))
    whole = Wanted(tab="open" if tab == LATE else tab, user=user)
    wanted = replace(
        whole,
        search=_text(asked.get("search", ""), SEARCH_MAX),
        reasons=(reason,) if reason else (),
        severity=severity,
    )
    rows = _of_tab(wanted, tab).select_related("owner", "team").defer("detail").order_by(*ORDERINGS[order])
    start = (page - 1) * PAGE_SIZE
    found = list(rows[start : start + PAGE_SIZE + 1])
    return Board(
        tabs=_tabs(user),
        tab=tab,
        causes=found[:PAGE_SIZE],
        reasons=_reasons(_of_tab(whole, tab)),
        search=wanted.search,
        reason=reason,
        severity=severity,
        order=order,
        page=page,
        has_next=len(found) > PAGE_SIZE,
    )


def _of_tab(wanted: Wanted, tab: str) -> QuerySet[Cause]:
    rows = queue.causes(wanted)
    return rows.filter(sla_due_at__lt=Now()) if tab == LATE else rows


def _tabs(user: User) -> tuple[Tab, ...]:
    counts = queue.tab_counts(user) | {LATE: _of_tab(Wanted(tab="open", user=user), LATE).count()}
    return tuple(Tab(key, title, counts[key]) for key, title in TABS.items())


def _reasons(rows: QuerySet[Cause]) -> list[tuple[str, int]]:
    """The reasons of this tab, most frequent first, for the filter."""
    return list(rows.order_by().values_list("reason").annotate(number=Count("pk")).order_by("-number", "reason"))


def _text(text: str, limit: int) -> str:
    return " ".join(text.replace("\x00", "").split())[:limit]


def _page_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 and int(text) > 0 else 1
