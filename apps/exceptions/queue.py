"""Reading the queue: causes in order, tabs, facets, search. Records are counted by the causes' counters, never read."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Case, CharField, Count, F, Q, QuerySet, Value, When
from django.db.models.fields.json import KT
from django.db.models.functions import Upper

from apps.access.models import User
from apps.exceptions.models import CLOSED, BlockedRecord, Cause
from apps.lib.clock import Now
from apps.lib.errors import FieldError, Problem

NEW_FOR: Final = timedelta(hours=1)
TABS: Final = ("open", "mine", "team", "unassigned", "snoozed", "resolved")
FACETS: Final = ("reason", "source", "channel", "severity")
# What a list may be ordered by (a leading "-" turns it round) → the column.
ORDERINGS: Final = {
    "sla": "sla_due_at",
    "records": "open_records",
    "first_seen": "first_seen_at",
    "last_seen": "last_seen_at",
}

# What is shown: a snooze ends, and a new cause stops being new, without anybody writing it down.
SHOWN_STATE: Final = Case(
    When(state="snoozed", snoozed_until__lte=Now(), then=Value("ongoing")),
    When(state="new", first_seen_at__lt=Now() - NEW_FOR, then=Value("ongoing")),
    default=F("state"),
    output_field=CharField(),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What part of the queue to show; empty means all of it."""

    search: str = ""
    states: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    source: str = ""
    channel: str = ""
    severity: str = ""
    tab: str = ""
    user: User | None = None
    # Limits of an API key: other sources' and channels' causes do not exist for it.
    only_sources: tuple[str, ...] = ()
    only_channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facet:
    value: str
    count: int


def causes(wanted: Wanted) -> QuerySet[Cause]:
    """The causes wanted, with `shown_state`, unordered."""
    rows = Cause.objects.annotate(shown_state=SHOWN_STATE)
    if wanted.tab:
        rows = rows.filter(_tab(wanted.tab, wanted.user))
    if wanted.states:
        rows = rows.filter(shown_state__in=wanted.states)
    if wanted.reasons:
        rows = rows.filter(reason__in=wanted.reasons)
    for field in ("source", "channel", "severity"):
        if getattr(wanted, field):
            rows = rows.filter(**{field: getattr(wanted, field)})
    if wanted.only_sources:
        rows = rows.filter(source__in=["", *wanted.only_sources])
    if wanted.only_channels:
        rows = rows.filter(channel__in=["", *wanted.only_channels])
    return rows.filter(_search(wanted.search)) if wanted.search.strip() else rows


def page(
    wanted: Wanted, *, ordering: str = "sla", after: list[Any] | None = None, limit: int = 100
) -> tuple[list[Cause], list[Any] | None]:
    """One page, live causes before closed ones, with owner and team; and the key to go on after."""
    column, descending = ORDERINGS[ordering.removeprefix("-")], ordering.startswith("-")
    rows = causes(wanted).alias(closed=CLOSED).select_related("owner", "team")
    if after is not None:
        rows = rows.filter(_after(column, descending, after))
    order = F(column).desc(nulls_last=True) if descending else F(column).asc(nulls_last=True)
    found: list[Cause] = list(rows.order_by("closed", order, "pk")[: limit + 1])
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    value = getattr(last, column)
    key = value.isoformat() if isinstance(value, datetime) else value
    return found[:limit], [last.closed_at is not None, key, last.pk]


def tab_counts(user: User) -> dict[str, int]:
    """How many causes each tab holds, in one query over the causes."""
    counts: dict[str, int] = Cause.objects.annotate(shown_state=SHOWN_STATE).aggregate(
        **{tab: Count("pk", filter=_tab(tab, user)) for tab in TABS}
    )
    return counts


def facets(wanted: Wanted) -> dict[str, list[Facet]]:
    """How many of the causes wanted have each reason, source, channel and severity: one query each."""
    rows = causes(wanted).order_by()
    return {
        field: [
            Facet(value, count)
            for value, count in rows.values_list(field).annotate(number=Count("pk")).order_by("-number", field)
            if value
        ]
        for field in FACETS
    }


def records(cause_id: int, states: tuple[str, ...] = ()) -> QuerySet[BlockedRecord]:
    """A cause's records, unordered (page them by id)."""
    rows = BlockedRecord.objects.filter(cause_id=cause_id)
    return rows.filter(state__in=states) if states else rows


def records_open() -> int:
    """How many records wait in the whole queue, from the counters."""
    live = Cause.objects.filter(open_records__gt=0).values_list("open_records", flat=True)
    return sum(live)


def _tab(tab: str, user: User | None) -> Q:
    live = Q(closed_at__isnull=True)
    awake = live & ~Q(shown_state="snoozed")
    teams = user.teams.values("pk") if user is not None else []
    tabs = {
        "open": awake,
        "mine": awake & Q(owner=user) if user is not None else Q(pk__in=[]),
        "team": awake & Q(team__in=teams),
        "unassigned": awake & Q(owner=None),
        "snoozed": Q(shown_state="snoozed"),
        "resolved": ~live,
    }
    return tabs[tab]


def _search(text: str) -> Q:
    """The offending value, the sentence, source and channel; a SKU or order of its records from the beginning."""
    text = text.strip()
    start = text.upper()
    by_record = (
        BlockedRecord.objects.alias(upper_subject=Upper("subject")).filter(upper_subject__startswith=start),
        BlockedRecord.objects.alias(upper_sku=Upper(KT("context__sku"))).filter(
            context__has_key="sku", upper_sku__startswith=start
        ),
        BlockedRecord.objects.alias(upper_order=Upper(KT("context__order"))).filter(
            context__has_key="order", upper_order__startswith=start
        ),
    )
    found = Q(value__icontains=text) | Q(sentence__icontains=text)
    found |= Q(source__icontains=text) | Q(channel__icontains=text)
    for rows in by_record:
        found |= Q(pk__in=rows.values("cause_id"))
    return found


def _after(column: str, descending: bool, after: list[Any]) -> Q:
    """What comes after the key of `page`; Problem on a key that it did not make."""
    closed, value, last = after
    if not isinstance(closed, bool) or not isinstance(last, int) or not isinstance(value, str | int | None):
        raise _not_a_key()
    if column.endswith("_at") and value is not None:
        value = _instant(value)
    elif column == "open_records" and not isinstance(value, int):
        raise _not_a_key()
    beyond = Q(**{f"{column}__{'lt' if descending else 'gt'}": value}) | Q(**{f"{column}__isnull": True})
    if value is None:
        beyond, same = Q(pk__in=[]), Q(**{f"{column}__isnull": True})
    else:
        same = Q(**{column: value})
    within = Q(closed=closed) & (beyond | (same & Q(pk__gt=last)))
    return within if closed else within | Q(closed=True)


def _instant(text: object) -> datetime:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError as error:
        raise _not_a_key() from error


def _not_a_key() -> Problem:
    return Problem(
        400,
        "invalid",
        "This cursor is not one of ours, or of another order; start again without it.",
        [FieldError("invalid", "not a cursor of this list", "/cursor")],
    )
