"""Availability reads: the fast lane against the reference view of the same URL, and against a bare Django view."""

import json
from collections.abc import Callable
from io import BytesIO
from random import Random
from typing import Any

from bench.distributor import make_shop
from bench.frame import compare

LOOKUP = 1_000
HEADERS = {
    "SCRIPT_NAME": "",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "localhost",
    "QUERY_STRING": "",
    "wsgi.url_scheme": "http",
}


def main() -> None:
    """One SKU and 1,000 SKUs, in process: the same WSGI calls that the server makes."""
    from django.core.handlers.wsgi import WSGIHandler

    from sync_console.fastlane import FastLane

    django = WSGIHandler()
    lane = FastLane(django)
    key, skus = _fill()
    try:
        one, many = _single(skus, key), _lookup(skus, key)
        compare("availability single, fast lane to bare Django view", _bare(), _asking(lane, one), goal=0.85)
        compare("availability single, fast lane to reference view", _asking(django, one), _asking(lane, one))
        compare("availability lookup 1000, fast lane to reference view", _asking(django, many), _asking(lane, many))
    finally:
        lane.close()


def _fill() -> tuple[str, tuple[str, ...]]:
    from django.db import connection

    from apps.access.keys import create_key
    from apps.access.models import ApiClient
    from apps.inventory.movements import record
    from bench.ingest import BATCH, DELTAS, _batches, _uniform

    shop = make_shop()
    batches = _batches(shop, iter(range(1, 10**9)), DELTAS, _uniform)
    for _ in range(40_000 // BATCH):
        record(next(batches))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as autovacuum does within a minute in an installation
    client = ApiClient.objects.create(name="bench", scopes=["all"], requests_per_s=10_000_000)
    return create_key(client), shop.skus


def _asking(application: Any, environs: Callable[[], dict[str, Any]]) -> Callable[[], int]:
    def step() -> int:
        status: list[str] = []
        body = b"".join(application(environs(), lambda line, headers, error=None: status.append(line)))
        if not status[0].startswith("200") or b'"available"' not in body:
            raise AssertionError(f"{status[0]}: {body[:200]!r}")
        return 1

    return step


def _single(skus: tuple[str, ...], key: str) -> Callable[[], dict[str, Any]]:
    random = Random(1)

    def environ() -> dict[str, Any]:
        path = f"/api/v1/availability/{random.choice(skus)}"
        return {
            **HEADERS,
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "HTTP_AUTHORIZATION": f"Bearer {key}",
            "wsgi.input": BytesIO(),
        }

    return environ


def _lookup(skus: tuple[str, ...], key: str) -> Callable[[], dict[str, Any]]:
    random = Random(2)
    bodies = [json.dumps({"skus": random.sample(skus, LOOKUP)}).encode() for _ in range(10)]

    def environ() -> dict[str, Any]:
        body = random.choice(bodies)
        return {
            **HEADERS,
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/api/v1/availability/lookup",
            "HTTP_AUTHORIZATION": f"Bearer {key}",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": BytesIO(body),
        }

    return environ


def _bare() -> Callable[[], int]:
    """A Django view without middleware, URL patterns of one entry, a constant answer."""
    from django.core.handlers.base import BaseHandler
    from django.http import HttpResponse
    from django.test import override_settings
    from django.urls import path

    class Urls:
        urlpatterns = [path("bare", lambda request: HttpResponse(b'{"available":"1"}'))]

    from django.core.handlers.wsgi import WSGIHandler

    with override_settings(MIDDLEWARE=[]):
        application = WSGIHandler()
    assert isinstance(application, BaseHandler)

    def environ() -> dict[str, Any]:
        return {**HEADERS, "REQUEST_METHOD": "GET", "PATH_INFO": "/bare", "wsgi.input": BytesIO()}

    return _asking(_with_urls(application, Urls), environ)


def _with_urls(application: Any, urls: Any) -> Any:
    """The handler with one URL table instead of the product's."""
    from django.urls import set_urlconf

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        request = application.request_class(environ)
        request.urlconf = urls
        set_urlconf(urls)
        response = application._middleware_chain(request)
        start_response(f"{response.status_code} OK", list(response.items()))
        set_urlconf(None)
        return [response.content]

    return answer
