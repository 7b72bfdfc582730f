"""One blocked record: what was sent, what it was translated to, why it waits, and how far it has come."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from apps.access.pages import show_page
from apps.access.people import require
from apps.exceptions.fixes import load
from apps.exceptions.models import BlockedRecord
from apps.exceptions.reasons import PANELS, reason_of
from apps.lib.readable import laid_out, raw_text


@require_GET
@require("exceptions:read")
def record(request: HttpRequest, record_id: int) -> HttpResponse:
    """The record's page; its origin's app says what the message was (PANELS)."""
    found = get_object_or_404(BlockedRecord.objects.select_related("cause", "cause__owner"), pk=record_id)
    panel: dict[str, Any] = load(PANELS[found.origin])(found.origin_id) if found.origin in PANELS else {}
    others = (
        BlockedRecord.objects.filter(origin=found.origin, origin_id=found.origin_id)
        .exclude(pk=found.pk)
        .select_related("cause")
        .order_by("pk")[:50]
    )
    context = {
        "record": found,
        "cause": found.cause,
        "reason": reason_of(found.cause.reason),
        "panel": panel,
        "raw": raw_text(str(panel.get("raw") or "")),
        "canonical": laid_out(panel.get("canonical")),
        "others": list(others),
    }
    return show_page(request, "triage/record.html", context, title=f"Record {found.pk}")
