"""What happens around every request."""

import re

import pytest
from django.test import Client

from apps.access.keys import create_key, forget_keys
from apps.access.models import ApiClient

pytestmark = pytest.mark.django_db
VALID = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def client() -> Client:
    forget_keys()
    key = create_key(ApiClient.objects.create(name="tests", scopes=["all"]))
    return Client(headers={"Authorization": f"Bearer {key}"})


def trace_of(answer: object) -> str:
    return str(answer["traceparent"]).split("-")[1]  # type: ignore[index]


def test_a_trace_is_carried_on(client: Client) -> None:
    assert trace_of(client.get("/livez", headers={"traceparent": VALID})) == VALID.split("-")[1]


@pytest.mark.parametrize(
    "invalid",
    ["", "nonsense", VALID.replace("00-", "ff-", 1), f"00-{'0' * 32}-b7ad6b7169203331-01", VALID[:-12] + "0" * 12],
)
def test_an_invalid_trace_is_replaced(client: Client, invalid: str) -> None:
    found = trace_of(client.get("/livez", headers={"traceparent": invalid}))
    assert re.fullmatch(r"[0-9a-f]{32}", found)
    assert found not in {VALID.split("-")[1], "0" * 32}


def test_the_request_id_is_echoed_and_a_hostile_one_is_not(client: Client) -> None:
    assert client.get("/livez", headers={"X-Request-ID": "abc-1"})["X-Request-ID"] == "abc-1"
    assert not client.get("/livez", headers={"X-Request-ID": "a b"}).has_header("X-Request-ID")


@pytest.mark.parametrize("path", ["/api/v1/warehouses", "/api/v1/items", "/api/v1/channels", "/api/v1/schema/events/"])
def test_every_read_has_an_etag_and_answers_304(client: Client, path: str) -> None:
    first = client.get(path)
    assert first.status_code == 200
    again = client.get(path, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_path_nobody_knows_is_a_problem(client: Client) -> None:
    answer = client.get("/api/v1/nothing")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "not_found"
    assert answer.json()["trace_id"] == trace_of(answer)


def test_bodies_are_judged_by_their_length_before_they_are_read(client: Client) -> None:
    answer = client.generic("POST", "/api/v1/prices/resolve", b"x" * 1_048_577, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    answer = client.generic(
        "POST", "/api/v1/prices/resolve", b"{}", content_type="application/json", headers={"Content-Length": ""}
    )
    assert answer.status_code == 411


def test_metrics_are_numbers_of_the_whole() -> None:
    answer = Client().get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    text = answer.content.decode()
    assert 'sync_console_inbox_messages{state="pending"} 0.0' in text
    assert "sync_console_open_causes 0.0" in text


def test_a_spent_rate_is_a_429_that_says_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_keys()
    key = create_key(ApiClient.objects.create(name="slow", scopes=["all"], requests_per_s=2))
    client = Client(headers={"Authorization": f"Bearer {key}"})
    monkeypatch.setattr("apps.access.api.throttling.time.monotonic", lambda: 1000.0)
    answers = [client.get("/api/v1/warehouses") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "throttled"
    assert answers[2]["Retry-After"] == "1"
    assert answers[2]["RateLimit"] == '"key";r=0;t=1'
    assert answers[2]["RateLimit-Policy"] == '"key";q=2;w=1'


NUL_PATHS = ["lineage/ERP/a%00b", "channels/%00/publications", "items/%00"]


@pytest.mark.parametrize("path", NUL_PATHS)
def test_a_path_with_nul_names_nothing(client: Client, path: str) -> None:
    assert client.get(f"/api/v1/{path}").status_code == 404


def test_a_key_limited_to_a_source_reads_no_others_lineage() -> None:
    forget_keys()
    key = create_key(ApiClient.objects.create(name="one source", scopes=["all"], sources=["erp"]))
    answer = Client(headers={"Authorization": f"Bearer {key}"}).get("/api/v1/lineage/wms/1")
    assert (answer.status_code, "wms" in answer.json()["detail"]) == (404, True)
