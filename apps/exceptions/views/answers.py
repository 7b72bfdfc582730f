"""How a triage action answers: the pane again with a word about what happened, or the refusal in place."""

import json

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.access.pages import is_partial
from apps.exceptions.dossier import dossier_of
from apps.exceptions.models import Cause
from apps.lib.errors import Problem


def done(text: str, *, failed: bool = False) -> HttpResponse:
    """An empty answer that has the browser say `text` and fetch the list of causes again."""
    response = HttpResponse(status=204)
    response["HX-Trigger"] = _events(text, failed=failed)
    return response


def pane(request: HttpRequest, cause_id: int, text: str) -> HttpResponse:
    """The cause as it is now, after an action; without htmx its page."""
    if not is_partial(request):
        messages.success(request, text)
        return redirect("admin:cause", cause_id)
    cause = Cause.objects.select_related("owner", "team").get(pk=cause_id)
    response = render(request, "triage/_cause.html", {"dossier": dossier_of(cause)})
    response["HX-Trigger"] = _events(text)
    return response


def refusal(request: HttpRequest, cause_id: int, problem: Problem) -> HttpResponse:
    """Why not, shown where the person is; the status is the problem's own."""
    if not is_partial(request):
        messages.error(request, problem.detail)
        return redirect("admin:cause", cause_id)
    response = render(request, "triage/_refusal.html", {"problem": problem}, status=problem.status)
    response["HX-Retarget"] = "#notice"
    response["HX-Reswap"] = "innerHTML"
    response["X-Console-Notice"] = "1"
    return response


def _events(text: str, *, failed: bool = False) -> str:
    return json.dumps({"toast": {"text": text, "failed": failed}, "causes-changed": {}})
