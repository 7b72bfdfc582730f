"""The console's pages of channels: how each stands, what it should show and shows, and what it was told."""

import csv
from collections.abc import Iterator

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_POST

from apps.access.pages import show_page, signed_in
from apps.access.people import require
from apps.channels import switching
from apps.channels.channels_list import channel_states
from apps.channels.models import Channel, Publication, PublicationAttempt
from apps.channels.publications_list import EXPORT_MAX, PAGE_SIZE, STATES, PublicationRow, counts_of, publications_of
from apps.exceptions.models import BlockedRecord
from apps.lib.errors import Problem
from apps.lib.readable import laid_out
from apps.lib.spreadsheet_safety import neutralise_row

CSV_HEAD = (
    *("listing", "sku", "kind", "state", "desired", "acknowledged", "observed", "desired_version", "acked_version"),
    *("desired_at", "acked_at", "observed_at", "last_error"),
)
ATTEMPTS_SHOWN = 50


@require_GET
@require("channels:read")
def channels(request: HttpRequest) -> HttpResponse:
    """Every channel: grade, state, counts; htmx refreshes the table."""
    context = {"channels": channel_states()}
    return show_page(request, "channels/channels.html", context, title="Channels", part="channels/_channels.html")


@require_GET
@require("channels:read")
def publications(request: HttpRequest, code: str) -> HttpResponse:
    """One page of a channel's publications, filtered by state, kind and listing or SKU."""
    channel = get_object_or_404(Channel.objects.select_related("system"), system__code=code)
    state, kind, search = _filters(request)
    after = _whole(request.GET.get("after", ""))
    found = publications_of(channel.pk, state=state, kind=kind, search=search, after=after, limit=PAGE_SIZE + 1)
    counts = counts_of(channel.pk)
    context = {
        "channel": channel,
        "rows": found[:PAGE_SIZE],
        "next_after": found[PAGE_SIZE - 1].id if len(found) > PAGE_SIZE else None,
        "tabs": [("", "All", sum(counts.values()))]
        + [(name, name.replace("_", " ").capitalize(), counts.get(name, 0)) for name in STATES],
        "state": state,
        "kind": kind,
        "kinds": Publication.Kind.choices,
        "search": search,
        "paged": bool(after),
    }
    title = f"{channel.system.name or code}: publications"
    return show_page(request, "channels/publications.html", context, title=title, part="channels/_publications.html")


@require_GET
@require("channels:read")
def export(request: HttpRequest, code: str) -> HttpResponseBase:
    """The same selection as CSV, streamed, with no cell a spreadsheet would run."""
    channel = get_object_or_404(Channel, system__code=code)
    state, kind, search = _filters(request)
    response = StreamingHttpResponse(_csv(channel.pk, state, kind, search), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="publications-{channel.pk}.csv"'
    return response


@require_GET
@require("channels:read")
def attempts(request: HttpRequest, code: str, publication_id: int) -> HttpResponse:
    """One publication: how its value came about, and each attempt to tell the channel."""
    publication = get_object_or_404(
        Publication.objects.select_related("listing__item", "listing__unit", "channel__system"),
        pk=publication_id,
        channel__system__code=code,
    )
    row = publications_of(publication.channel_id, after=publication.pk - 1, limit=1)[0]
    log = PublicationAttempt.objects.filter(publication=publication).order_by("-fence")[:ATTEMPTS_SHOWN]
    waiting = BlockedRecord.objects.filter(
        origin="publication", origin_id=publication.pk, state__in=BlockedRecord.WAITING
    ).select_related("cause")
    context = {
        "publication": publication,
        "row": row,
        "attempts": list(log),
        "trace": laid_out(publication.trace or None),
        "waiting": list(waiting.order_by("pk")[:20]),
    }
    return show_page(request, "channels/attempts.html", context, title=f"{code}: {row.listing}")


@require_POST
@require("channels:write")
def pause(request: HttpRequest, code: str) -> HttpResponse:
    """Stop sending to the channel."""
    try:
        switching.pause(code, by=signed_in(request).username)
        messages.success(request, f"{code} is paused. What is due waits, and nothing is sent.")
    except Problem as problem:
        messages.error(request, problem.detail)
    return redirect("admin:channels")


@require_POST
@require("channels:write")
def resume(request: HttpRequest, code: str) -> HttpResponse:
    """Send to the channel again."""
    try:
        switching.resume(code, by=signed_in(request).username)
        messages.success(request, f"{code} is live. What is due is being sent.")
    except Problem as problem:
        messages.error(request, problem.detail)
    return redirect("admin:channels")


def _filters(request: HttpRequest) -> tuple[str, str, str]:
    state = request.GET.get("state", "")
    kind = request.GET.get("kind", "")
    search = " ".join(request.GET.get("search", "").replace("\x00", "").split())[:200]
    return state if state in STATES else "", kind if kind in Publication.Kind.values else "", search


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0


class _Echo:
    """A file that gives back what is written to it, so that rows stream."""

    def write(self, text: str) -> str:
        return text


def _csv(channel_id: int, state: str, kind: str, search: str) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(CSV_HEAD)
    after, written = 0, 0
    while written < EXPORT_MAX:
        rows = publications_of(channel_id, state=state, kind=kind, search=search, after=after, limit=1_000)
        for row in rows:
            yield writer.writerow(neutralise_row(_cells(row)))
        if len(rows) < 1_000:
            return
        after, written = rows[-1].id, written + len(rows)


def _cells(row: PublicationRow) -> list[object]:
    values = [_said(row.desired), _said(row.acked), _said(row.observed)]
    instants = [at.isoformat() if at else "" for at in (row.desired_at, row.acked_at, row.observed_at)]
    named = [row.listing, row.sku, row.kind, row.state]
    return [*named, *values, row.desired_version, row.acked_version, *instants, row.last_error]


def _said(value: dict[str, object] | None) -> str:
    return "" if value is None else " ".join(str(part) for part in value.values())
