"""The overview, and the way of one event through the system."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET

from apps.access.pages import show_page
from apps.access.people import require
from apps.exceptions.models import BlockedRecord
from apps.lib.readable import raw_text
from apps.monitoring.lineage import PlanStep, Step, plans_of, steps_of
from apps.monitoring.overview import overview as gathered
from apps.monitoring.search import events_matching
from apps.sources.models import InboxMessage, RawMessage


@dataclass(frozen=True, slots=True)
class StepWithPlans:
    step: Step
    plans: list[PlanStep]


@require_GET
@require("kpis:read")
def overview(request: HttpRequest) -> HttpResponse:
    """What is blocked, stale, due and failing; htmx asks for it again every ten seconds."""
    context = {"overview": gathered()}
    return show_page(request, "console/overview.html", context, title="Overview", part="console/_overview.html")


@require_GET
@require("lineage:read")
def lineage_search(request: HttpRequest) -> HttpResponse:
    """Events by id, subject, SKU or order; one hit by its id is opened at once."""
    text = request.GET.get("search", "").strip()[:200]
    events = events_matching(text)
    if text and len(events) == 1 and events[0].event_id == text:
        return redirect("admin:lineage_of", events[0].source, text)
    context = {"events": events, "search": text}
    return show_page(request, "console/lineage_search.html", context, title="Lineage")


@require_GET
@require("lineage:read")
def lineage(request: HttpRequest, source: str, event_id: str) -> HttpResponse:
    """One event: what it changed, where each channel first took that into account, and how far it got."""
    message = get_object_or_404(
        InboxMessage.objects.select_related("source__system"), source__system__code=source, event_id=event_id
    )
    raw = RawMessage.objects.filter(pk=message.pk).first()
    waiting = BlockedRecord.objects.filter(
        origin="inbox", origin_id=message.pk, state__in=BlockedRecord.WAITING
    ).select_related("cause")
    context = {
        "message": message,
        "raw": raw_text(bytes(raw.body).decode("utf-8", "replace")) if raw else None,
        "waiting": list(waiting.order_by("pk")[:50]),
        "way": _way_of(message),
    }
    return show_page(request, "console/lineage.html", context, title=f"Lineage of {event_id}")


@require_GET
@require("lineage:read")
def lineage_part(request: HttpRequest, message_id: int) -> HttpResponse:
    """The same way, as a part of the page of a blocked record."""
    message = get_object_or_404(InboxMessage.objects.select_related("source__system"), pk=message_id)
    return render(request, "console/_way.html", {"message": message, "way": _way_of(message)})


def _way_of(message: InboxMessage) -> list[StepWithPlans]:
    steps = steps_of(message)
    plans = plans_of(steps)
    by_subject: dict[tuple[str, int], list[PlanStep]] = {}
    for plan in plans:
        by_subject.setdefault((plan.kind, plan.subject_id), []).append(plan)
    return [StepWithPlans(step, by_subject.get((step.kind, step.subject_id), [])) for step in steps]
