"""Triage: the board of causes, and what is done to several of them at once."""

from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from apps.access.pages import is_partial, show_page, signed_in
from apps.access.people import require
from apps.exceptions import triage
from apps.exceptions.board import SEVERITIES, board_for
from apps.exceptions.reasons import REASONS
from apps.exceptions.views.answers import done
from apps.lib.clock import now
from apps.lib.errors import Problem

BULK_MAX = 100


@require_GET
@require("exceptions:read")
def board(request: HttpRequest) -> HttpResponse:
    """The split pane; htmx gets only the list and the tabs."""
    shown = board_for(signed_in(request), request.GET.dict())
    titles = {code: reason.title for code, reason in REASONS.items()}
    reasons = [{"code": code, "title": titles.get(code, code), "causes": causes} for code, causes in shown.reasons]
    context = {"board": shown, "titles": titles, "reasons": reasons, "severities": SEVERITIES}
    return show_page(request, "triage/board.html", context, title="Triage", part="triage/_board.html")


@require_POST
@require("exceptions:write")
def bulk(request: HttpRequest) -> HttpResponse:
    """Assign, snooze or replay the chosen causes; one that somebody closed meanwhile is left alone and counted."""
    asked = dict.fromkeys(request.POST.getlist("cause"))
    chosen = [int(text) for text in asked if text.isascii() and text.isdigit() and len(text) <= 18][:BULK_MAX]
    action = request.POST.get("action", "")
    by = signed_in(request).username
    acted, refused = 0, ""
    for cause_id in chosen:
        try:
            _act(action, cause_id, by)
            acted += 1
        except Problem as problem:
            refused = problem.detail
    text = f"{_DONE.get(action, 'Done')}: {acted} of {len(chosen)} causes." + (f" {refused}" if refused else "")
    if is_partial(request):
        return done(text, failed=bool(refused))
    messages.add_message(request, messages.WARNING if refused else messages.SUCCESS, text)
    return redirect("admin:triage")


_DONE = {"assign": "Assigned to you", "snooze": "Snoozed for a day", "replay": "Replay asked for"}


def _act(action: str, cause_id: int, by: str) -> None:
    if action == "assign":
        triage.assign(cause_id, by=by, changes={"user": by})
    elif action == "snooze":
        triage.snooze(cause_id, by=by, until=now() + timedelta(days=1))
    elif action == "replay":
        triage.replay(cause_id, by=by)
    else:
        raise Problem(400, "invalid", f"{action[:40]!r} is no action for several causes: assign, snooze or replay.")
