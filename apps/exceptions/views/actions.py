"""What a person does to one cause: preview and apply a fix, assign, snooze, replay, dismiss, comment."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST

from apps.access.pages import signed_in
from apps.access.people import require
from apps.exceptions import triage
from apps.exceptions.filled import fields_of, given
from apps.exceptions.models import Cause
from apps.exceptions.preview import preview as try_fix
from apps.exceptions.reasons import REASONS
from apps.exceptions.views.answers import pane, refusal
from apps.lib.clock import now
from apps.lib.errors import Problem

SNOOZES: Final = {"1h": timedelta(hours=1), "4h": timedelta(hours=4), "1d": timedelta(days=1), "7d": timedelta(days=7)}
Act = Callable[[HttpRequest, int], HttpResponse]


def _action(act: Act) -> Any:
    """A POST by somebody who may triage; a Problem becomes a refusal on the page."""

    @wraps(act)
    def guarded(request: HttpRequest, cause_id: int) -> HttpResponse:
        try:
            return act(request, cause_id)
        except Problem as problem:
            return refusal(request, cause_id, problem)

    return require_POST(require("exceptions:write")(guarded))


@_action
def preview(request: HttpRequest, cause_id: int) -> HttpResponse:
    """What the fix would do, with a button to do it."""
    cause = get_object_or_404(Cause, pk=cause_id)
    name = request.POST.get("fix", "")
    fields = fields_of(cause, name, request.POST)
    found = try_fix(cause_id, name, fields, by=signed_in(request).username)
    titles = {code: reason.title for code, reason in REASONS.items()}
    context = {"cause": cause, "preview": found, "fix": name, "given": given(request.POST), "titles": titles}
    return render(request, "triage/_preview.html", context)


@_action
def resolve(request: HttpRequest, cause_id: int) -> HttpResponse:
    """Apply the fix that was previewed, and replay."""
    cause = get_object_or_404(Cause, pk=cause_id)
    name = request.POST.get("fix", "")
    token = request.POST.get("preview_token") or None
    if token is None:
        raise Problem(400, "invalid", "Preview the fix first: what it clears is shown before it is applied.")
    result = triage.resolve(
        cause_id,
        name,
        fields_of(cause, name, request.POST),
        by=signed_in(request).username,
        reason=_words(request, "reason", 500),
        preview_token=token,
    )
    records = result.replay.records if result.replay else 0
    return pane(request, cause_id, f"{result.summary} {records:,} records are being replayed.")


@_action
def assign(request: HttpRequest, cause_id: int) -> HttpResponse:
    """To the person who asks, or to nobody."""
    me = signed_in(request).username
    to_nobody = request.POST.get("to") == "nobody"
    triage.assign(cause_id, by=me, changes={"user": None if to_nobody else me})
    return pane(request, cause_id, "The cause has no owner now." if to_nobody else "The cause is yours.")


@_action
def snooze(request: HttpRequest, cause_id: int) -> HttpResponse:
    wanted = request.POST.get("for", "")
    if wanted not in SNOOZES:
        raise Problem(400, "invalid", f"{wanted[:20]!r} is no time to snooze for: choose {', '.join(SNOOZES)}.")
    reason = _words(request, "reason", 500)
    triage.snooze(cause_id, by=signed_in(request).username, until=now() + SNOOZES[wanted], reason=reason)
    return pane(request, cause_id, "Snoozed. It comes back by itself.")


@_action
def replay(request: HttpRequest, cause_id: int) -> HttpResponse:
    batch = triage.replay(cause_id, by=signed_in(request).username, reason=_words(request, "reason", 500))
    return pane(request, cause_id, f"{batch.records:,} records are being replayed.")


@_action
def dismiss(request: HttpRequest, cause_id: int) -> HttpResponse:
    reason = _words(request, "reason", 500)
    if not reason:
        raise Problem(400, "invalid", "Say why nothing is to be done: the reason stays in the cause's history.")
    triage.dismiss(cause_id, by=signed_in(request).username, reason=reason)
    return pane(request, cause_id, "Dismissed. A new record brings it back.")


@_action
def comment(request: HttpRequest, cause_id: int) -> HttpResponse:
    text = _words(request, "text", 4_000)
    if not text:
        raise Problem(400, "invalid", "The comment is empty; write something first.")
    triage.comment(cause_id, author=signed_in(request), text=text)
    return pane(request, cause_id, "Comment added.")


def _words(request: HttpRequest, name: str, limit: int) -> str:
    return request.POST.get(name, "").replace("\x00", "").strip()[:limit]
