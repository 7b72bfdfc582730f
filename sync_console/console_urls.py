"""Our own console pages, mounted under /console/ beside the models' pages; each needs a signed-in person."""

from typing import TYPE_CHECKING

from django.urls import URLPattern

if TYPE_CHECKING:
    from sync_console.admin_site import ConsoleSite


def console_urls(site: "ConsoleSite") -> list[URLPattern]:
    return []
