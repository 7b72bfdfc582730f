"""The fast lane answers as the reference view does, byte for byte, and leaves every doubt to Django."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.core.handlers.wsgi import WSGIHandler
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.access.keys import create_key, forget_keys
from apps.access.models import ApiClient
from apps.inventory.models import StockingRule
from apps.inventory.movements import record
from apps.masterdata.models import Item, ItemComponent
from sync_console.fastlane import FastLane
from tests.inventory.conftest import Distributor, make_distributor

SKUS = ["AB-1", "AB-2", "KIT", "OLD", "NOPE", "A/B 1", "", "É", "lookup", "x" * 101, " AB-1 ", "a\nb"]
QUERY = st.lists(
    st.tuples(
        st.sampled_from(["warehouse", "warehouse", "sku", "channel", "quantity", "nonsense"]),
        st.sampled_from(["MAIN", "NORTH", "NOPE", "", "3", "AB-1"]),
    ),
    max_size=3,
)
EXTRA = st.sampled_from(
    [
        {},
        {},
        {"HTTP_CACHE_CONTROL": "no-cache"},
        {"HTTP_ACCEPT": "text/html"},
        {"HTTP_IF_NONE_MATCH": "*"},
    ]
)
LOOKUP = st.one_of(
    st.fixed_dictionaries(
        {"skus": st.lists(st.sampled_from(SKUS), max_size=6)},
        optional={"warehouses": st.lists(st.sampled_from(["MAIN", "NORTH", "NOPE"]), max_size=2)},
    ),
    st.fixed_dictionaries({"skus": st.lists(st.one_of(st.integers(), st.sampled_from(SKUS)), max_size=2)}),
    st.sampled_from([[], {}, None, {"skus": "AB-1"}, {"skus": ["AB-1"], "x": 1}, {"skus": ["AB-1"] * 1001}]),
)


@dataclass
class Answer:
    status: int
    body: Any
    tag: str | None


class Counting:
    """Django behind the lane, counting what is passed on to it."""

    def __init__(self) -> None:
        self.django = WSGIHandler()
        self.passed_on = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.passed_on += 1
        return self.django(environ, start_response)


@dataclass
class Web:
    lane: FastLane
    behind: Counting
    keys: dict[str, str]

    def ask(
        self, application: Any, method: str, path: str, query: str = "", body: bytes | None = None, **extra: str
    ) -> Answer:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path.encode().decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost",
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body or b""),
            **extra,
        }
        if body is not None:
            environ |= {"CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/json"}
        seen: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            seen["status"] = int(status[:3])
            seen["headers"] = {name.lower(): value for name, value in headers}

        raw = b"".join(application(environ, start_response))
        tag = seen["headers"].get("etag")
        if seen["status"] >= 400:
            problem = json.loads(raw)
            del problem["trace_id"]
            return Answer(seen["status"], problem, tag)
        return Answer(seen["status"], raw, tag)

    def both(self, method: str, path: str, query: str = "", body: bytes | None = None, **extra: str) -> Answer:
        reference = self.ask(self.behind.django, method, path, query, body, **extra)
        assert self.ask(self.lane, method, path, query, body, **extra) == reference
        return reference

    def passed_on(self) -> int:
        count, self.behind.passed_on = self.behind.passed_on, 0
        return count


@pytest.fixture
def web(transactional_db: None) -> Iterator[Web]:
    forget_keys()
    shop = make_distributor()
    stock(shop)
    keys = {}
    for name, fields in {
        "all": {"scopes": ["availability:read"]},
        "north": {"scopes": ["availability:read"], "warehouses": ["NORTH"]},
        "none": {"scopes": ["prices:read"]},
    }.items():
        client = ApiClient.objects.create(name=name, requests_per_s=100_000, **fields)
        keys[name] = f"Bearer {create_key(client)}"
    behind = Counting()
    lane = FastLane(behind)
    yield Web(lane, behind, {**keys, "wrong": "Bearer abc.def", "basic": "Basic abc"})
    lane.close()
    forget_keys()


def stock(shop: Distributor) -> None:
    Item.objects.create(sku="OLD", name="Old", base_unit=shop.each, status="retired", replaced_by=shop.item)
    Item.objects.create(sku="A/B 1", name="Odd", base_unit=shop.each)
    kit = Item.objects.create(sku="KIT", name="Kit", base_unit=shop.each, kind="kit")
    ItemComponent.objects.create(kit=kit, component=shop.item, quantity=2, unit=shop.each)
    StockingRule.objects.create(item=shop.item, safety_stock=2, backorder="up_to", backorder_limit=7, lead_time_days=3)
    StockingRule.objects.create(item=shop.item, warehouse=shop.north, safety_stock="0.5")
    record(
        [
            shop.fact("receipt", "20.250000"),
            shop.fact("hold", 5),
            shop.fact("receipt", 7, warehouse_id=shop.north.pk),
            shop.fact("ship", 3, item_id=shop.other.pk, sequence=None),
        ]
    )


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sku=st.sampled_from(SKUS),
    query=QUERY,
    key=st.sampled_from(["all", "all", "north", "none", "wrong", "basic"]),
    extra=EXTRA,
    method=st.sampled_from(["GET", "GET", "GET", "POST", "HEAD"]),
)
def test_a_single_read_is_the_reference_views(
    web: Web, sku: str, query: list[tuple[str, str]], key: str, extra: dict[str, str], method: str
) -> None:
    path = "/api/v1/availability" + (f"/{sku}" if sku else "")
    body = b"{}" if method == "POST" else None
    web.both(method, path, urlencode(query), body, HTTP_AUTHORIZATION=web.keys[key], **extra)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=LOOKUP, key=st.sampled_from(["all", "all", "north", "none", "wrong"]))
def test_a_lookup_is_the_reference_views(web: Web, body: Any, key: str) -> None:
    web.both("POST", "/api/v1/availability/lookup", "", json.dumps(body).encode(), HTTP_AUTHORIZATION=web.keys[key])


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b'{"skus": ["AB-1"], "skus": []}', b'{"skus": ["\\ud800"]}', b"[" * 100_000, b'{"skus": NaN}'],
)
def test_hostile_bodies_are_djangos(web: Web, body: bytes) -> None:
    answer = web.both("POST", "/api/v1/availability/lookup", "", body, HTTP_AUTHORIZATION=web.keys["all"])
    assert answer.status == 400


def test_what_it_is_sure_of_never_reaches_django(web: Web) -> None:
    authorised = {"HTTP_AUTHORIZATION": web.keys["all"]}
    first = web.ask(web.lane, "GET", "/api/v1/availability/AB-1", **authorised)
    assert (first.status, web.passed_on()) == (200, 0)
    again = web.ask(web.lane, "GET", "/api/v1/availability/AB-1", HTTP_IF_NONE_MATCH=first.tag or "", **authorised)
    assert (again.status, again.body, web.passed_on()) == (304, b"", 0)
    body = json.dumps({"skus": ["AB-1", "NOPE", "OLD"]}).encode()
    assert web.ask(web.lane, "POST", "/api/v1/availability/lookup", "", body, **authorised).status == 200
    assert web.ask(web.lane, "GET", "/api/v1/availability", f"sku={quote('A/B 1')}", **authorised).status == 200
    assert web.passed_on() == 0


@pytest.mark.parametrize(
    ("path", "extra"),
    [
        ("/api/v1/availability/AB-1", {"HTTP_CACHE_CONTROL": "no-cache"}),
        ("/api/v1/availability/NOPE", {}),
        ("/api/v1/availability/KIT", {}),
        ("/api/v1/availability/AB-1", {"HTTP_HOST": "elsewhere.example"}),
        ("/api/v1/availability/AB-1", {"HTTP_X_REQUEST_ID": "abc"}),
        ("/api/v1/items/AB-1", {}),
        ("/livez", {}),
    ],
)
def test_doubts_go_to_django(web: Web, path: str, extra: dict[str, str]) -> None:
    web.ask(web.lane, "GET", path, **{"HTTP_AUTHORIZATION": web.keys["all"], **extra})
    assert web.passed_on() == 1


def test_a_spent_rate_is_answered_by_django(web: Web) -> None:
    client = ApiClient.objects.create(name="slow", requests_per_s=1, scopes=["availability:read"])
    authorised = {"HTTP_AUTHORIZATION": f"Bearer {create_key(client)}"}
    answers = [web.ask(web.lane, "GET", "/api/v1/availability/AB-1", **authorised).status for _ in range(3)]
    assert (answers[0], set(answers[1:])) == (200, {429})
