"""The console's sidebar."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    return [
        {"title": "Operate", "items": [{"title": "Overview", "icon": "dashboard", "link": reverse("admin:index")}]},
    ]
