"""One cause: its page and pane, its records in pages and as CSV, the progress of its replay."""

import csv
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from apps.access.pages import show_page
from apps.access.people import require
from apps.exceptions.affected import CSV_HEAD, affected_by, csv_rows
from apps.exceptions.dossier import dossier_of
from apps.exceptions.models import Cause, Replay
from apps.exceptions.replaying import progress_of
from apps.lib.spreadsheet_safety import neutralise_row


@require_GET
@require("exceptions:read")
def cause(request: HttpRequest, cause_id: int) -> HttpResponse:
    """The cause on a page of its own; htmx gets the pane."""
    found = get_object_or_404(Cause.objects.select_related("owner", "team"), pk=cause_id)
    context = {"dossier": dossier_of(found)}
    return show_page(request, "triage/cause.html", context, title=f"Cause {found.pk}", part="triage/_cause.html")


@require_GET
@require("exceptions:read")
def records(request: HttpRequest, cause_id: int) -> HttpResponse:
    """One page of the affected records, for the pane."""
    found = get_object_or_404(Cause, pk=cause_id)
    text = request.GET.get("page", "1")
    page = int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 1
    shown = affected_by(found, page=page, closed=request.GET.get("closed") == "1")
    return render(request, "triage/_affected.html", {"cause": found, "affected": shown})


@require_GET
@require("exceptions:read")
def export(request: HttpRequest, cause_id: int) -> HttpResponseBase:
    """All records of the cause as CSV, streamed, with no cell a spreadsheet would run."""
    found = get_object_or_404(Cause, pk=cause_id)
    response = StreamingHttpResponse(_csv(found), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="cause-{found.pk}-records.csv"'
    return response


@require_GET
@require("exceptions:read")
def progress(request: HttpRequest, cause_id: int) -> HttpResponse:
    """How far the newest replay is; asked every second while it runs."""
    replay = Replay.objects.filter(cause_id=cause_id).order_by("-pk").first()
    counted = progress_of(replay) if replay else None
    context = {"replay": replay, "progress": counted, "cause_id": cause_id}
    response = render(request, "triage/_progress.html", context)
    if counted is not None and counted.finished:
        response["HX-Trigger"] = '{"causes-changed": {}}'
    return response


class _Echo:
    """A file that gives back what is written to it, so that rows stream."""

    def write(self, text: str) -> str:
        return text


def _csv(cause: Cause) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(CSV_HEAD)
    for row in csv_rows(cause):
        yield writer.writerow(neutralise_row(row))
