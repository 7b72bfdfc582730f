"""One page of the console: the shell around our own template, or only the part htmx asked for."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse

from apps.access.models import User


def show_page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    title: str,
    part: str = "",
    status: int = 200,
) -> HttpResponse:
    """Render `template` inside the shell; where htmx asks and `part` is named, only that part, without the shell.

    The shell costs queries of its own (the sidebar), which a part that refreshes every few seconds must not pay.
    """
    if part and is_partial(request):
        return render(request, part, dict(context), status=status)
    shell = admin.site.each_context(request)
    return TemplateResponse(request, template, {**shell, "title": title, "is_fullwidth": "1", **context}, status=status)


def is_partial(request: HttpRequest) -> bool:
    """htmx asked, and not to restore a page from the browser's history, which needs it whole."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-History-Restore-Request") != "true"


def signed_in(request: HttpRequest) -> User:
    """The person behind a request that `require` let through."""
    assert isinstance(request.user, User)
    return request.user
