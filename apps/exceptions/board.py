"""The triage board: which causes a person sees, in tabs with counts, filtered and searched, a page at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db.models import Case, Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, When

from apps.access.models import User
from apps.exceptions.models import BlockedRecord, Cause
from apps.lib.clock import Now

PAGE_SIZE: Final = 50
SEARCH_MAX: Final = 100
SEVERITIES: Final = ("critical", "high", "medium", "low")
_CLOSED: Final = (Cause.State.RESOLVED, Cause.State.DISMISSED)

# What a tab holds; `open` is what somebody should look at now.
_OPEN: Final = Q(state__in=(Cause.State.NEW, Cause.State.ONGOING, Cause.State.ESCALATING, Cause.State.REGRESSED)) | Q(
    state=Cause.State.SNOOZED, snoozed_until__lte=Now()
)
_SNOOZED: Final = Q(state=Cause.State.SNOOZED) & ~Q(snoozed_until__lte=Now())

_SEVERITY_RANK: Final = Case(
    *(When(severity=name, then=rank) for rank, name in enumerate(SEVERITIES)), default=9, output_field=IntegerField()
)
ORDERINGS: Final[dict[str, tuple[object, ...]]] = {
    "urgency": (_SEVERITY_RANK, F("sla_due_at").asc(nulls_last=True), "-open_records", "pk"),
    "records": ("-open_records", "pk"),
    "seen": ("-last_seen_at", "pk"),
    "sla": (F("sla_due_at").asc(nulls_last=True), "pk"),
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
    tabs = _tabs(user)
    conditions = {key: condition for key, _, condition in tabs}
    tab = asked.get("tab", "")
    tab = tab if tab in conditions else "all"
    search = " ".join(asked.get("search", "").replace("\x00", "").split())[:SEARCH_MAX]
    severity = asked.get("severity", "")
    severity = severity if severity in SEVERITIES else ""
    reason = asked.get("reason", "")[:40].replace("\x00", "")
    order = asked.get("order", "")
    order = order if order in ORDERINGS else ("seen" if tab == "resolved" else "urgency")
    page = _page_number(asked.get("page", ""))
    rows = _searched(Cause.objects.filter(conditions[tab]), search)
    if severity:
        rows = rows.filter(severity=severity)
    if reason:
        rows = rows.filter(reason=reason)
    rows = rows.select_related("owner", "team").defer("detail").order_by(*ORDERINGS[order])  # type: ignore[arg-type]
    start = (page - 1) * PAGE_SIZE
    found = list(rows[start : start + PAGE_SIZE + 1])
    return Board(
        tabs=_counted(tabs),
        tab=tab,
        causes=found[:PAGE_SIZE],
        reasons=_reasons(conditions[tab]),
        search=search,
        reason=reason,
        severity=severity,
        order=order,
        page=page,
        has_next=len(found) > PAGE_SIZE,
    )


def _tabs(user: User) -> list[tuple[str, str, Q]]:
    teams = list(user.teams.values_list("pk", flat=True))
    return [
        ("mine", "Mine", _OPEN & Q(owner_id=user.pk)),
        ("team", "My team", _OPEN & Q(team_id__in=teams)),
        ("unassigned", "Unassigned", _OPEN & Q(owner__isnull=True)),
        ("late", "Past SLA", _OPEN & Q(sla_due_at__lt=Now())),
        ("all", "All open", _OPEN),
        ("snoozed", "Snoozed", _SNOOZED),
        ("resolved", "Resolved", Q(state__in=_CLOSED)),
    ]


def _counted(tabs: list[tuple[str, str, Q]]) -> tuple[Tab, ...]:
    counts = Cause.objects.aggregate(**{key: Count("pk", filter=condition) for key, _, condition in tabs})
    return tuple(Tab(key, title, counts[key]) for key, title, _ in tabs)


def _reasons(condition: Q) -> list[tuple[str, int]]:
    """The reasons of this tab, most frequent first, for the filter."""
    rows = Cause.objects.filter(condition).values("reason").annotate(causes=Count("pk")).order_by("-causes", "reason")
    return [(row["reason"], row["causes"]) for row in rows]


def _searched(causes: QuerySet[Cause], search: str) -> QuerySet[Cause]:
    """By the offending value, what the sentence says, source, channel, owner, or a blocked record's subject."""
    if not search:
        return causes
    record = BlockedRecord.objects.filter(cause=OuterRef("pk"), state__in=BlockedRecord.WAITING).filter(
        Q(subject__icontains=search) | Q(value__icontains=search)
    )
    return causes.filter(
        Q(value__icontains=search)
        | Q(sentence__icontains=search)
        | Q(source__icontains=search)
        | Q(channel__icontains=search)
        | Q(reason__icontains=search)
        | Q(owner__username__iexact=search)
        | Exists(record)
    )


def _page_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text[:6]) <= 2_000 and len(text) <= 6 else 1
