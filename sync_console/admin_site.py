"""The console's shell: django-unfold's admin site, with our own pages beside the models'."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import URLPattern
from unfold.sites import UnfoldAdminSite

from sync_console.console_urls import console_urls


class ConsoleSite(UnfoldAdminSite):
    index_title = "Overview"

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        icon = {"rel": "icon", "href": static("favicon.svg"), "type": "image/svg+xml"}
        return {**super().each_context(request), "site_favicons": [icon]}

    def extra_urls(self) -> list[URLPattern]:
        return console_urls(self)


def environment_badge(request: HttpRequest) -> list[str] | None:
    from django.conf import settings

    return ["Demo", "info"] if settings.DEMO else None


def console_css(request: HttpRequest) -> str:
    return static("console.css")


def console_js(request: HttpRequest) -> str:
    return static("console.js")
