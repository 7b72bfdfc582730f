"""The queue over HTTP."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from apps.access.models import Team, User
from apps.exceptions.models import Cause, Comment
from apps.exceptions.triage import block, waiting
from tests.exceptions.conftest import Blocking, Depot

pytestmark = pytest.mark.django_db

CAUSES = "/api/v1/exceptions/causes"
Headers = Callable[..., dict[str, str]]


class Api:
    def __init__(self, headers: dict[str, str]) -> None:
        self.client = Client(raise_request_exception=True)
        self.headers = headers

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(path, query, headers=self.headers)

    def post(self, path: str, body: Any, key: str = "") -> Any:
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        return self.client.post(path, body, content_type="application/json", headers=headers)


@pytest.fixture
def api(key_of: Headers) -> Api:
    return Api(key_of("exceptions:read", "exceptions:write"))


def the_cause() -> Cause:
    return Cause.objects.get(reason="UNKNOWN_WAREHOUSE")


def test_causes_are_listed_with_what_to_do_about_them(api: Api, depot: Depot) -> None:
    depot.take(412, without_unit=3)
    answer = api.get(CAUSES, search="DC-9", state="new,ongoing", reason="UNKNOWN_WAREHOUSE")
    assert answer.status_code == 200
    body = answer.json()
    assert body["next"] is None
    (cause,) = body["results"]
    expected = {
        "id": the_cause().pk,
        "reason": "UNKNOWN_WAREHOUSE",
        "sentence": "erp warehouse code 'DC-9' is not mapped to any of our warehouses",
        "state": "new",
        "records": 412,
        "affected": 412,
        "money_at_risk": None,
        "owner": None,
        "source": "erp",
        "value": "DC-9",
        "suggestions": [{"fix": "name", "target": "DC-09", "label": "Distribution centre 9", "score": 0.9}],
    }
    assert {name: cause[name] for name in expected} == expected
    assert cause["sla"]["late"] is False
    assert api.get(CAUSES, search="nothing of the kind").json() == {"results": [], "next": None}
    assert [c["reason"] for c in api.get(CAUSES, search="AB-412").json()["results"]] == ["UNKNOWN_WAREHOUSE"]


def test_a_list_is_read_page_by_page(api: Api, unknown_warehouse: Blocking, depot: Depot) -> None:
    block([unknown_warehouse(n, value=f"DC-{n}") for n in range(5)])
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        body = api.get(CAUSES, limit=2, ordering="-records", **cursor).json()
        seen += [cause["value"] for cause in body["results"]]
        if body["next"] is None:
            break
        cursor = {"cursor": body["next"]}
    assert sorted(seen) == [f"DC-{n}" for n in range(5)]


@pytest.mark.parametrize(
    "query",
    [
        {"serach": "x"},
        {"state": "open"},
        {"reason": "NONSENSE"},
        {"ordering": "value"},
        {"limit": "0"},
        {"cursor": "x"},
        {"cursor": "WzEsMiwzXQ"},
        {"cursor": "W2ZhbHNlLCJ4IiwzXQ"},
    ],
)
def test_unknown_parameters_and_values_are_refused(api: Api, query: dict[str, str]) -> None:
    answer = api.get(CAUSES, **query)
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


def test_a_cause_shows_its_fixes_and_its_history(api: Api, depot: Depot) -> None:
    depot.take(1)
    body = api.get(f"{CAUSES}/{the_cause().pk}").json()
    field = {"name": "target", "label": "Ours", "kind": "code", "required": True, "help": "", "choices": []} | {
        "secret": False
    }
    assert body["fixes"] == [{"name": "name", "label": "Name it", "fields": [field]}]
    assert [entry["action"] for entry in body["timeline"]] == ["created"]
    assert body["detail"] == "Row 1 names warehouse 'DC-9', which nobody knows; map it."
    assert api.get(f"{CAUSES}/999999").status_code == 404


def test_records_of_a_cause_are_listed_newest_first(api: Api, depot: Depot) -> None:
    depot.take(5)
    cause = the_cause().pk
    body = api.get("/api/v1/exceptions/records", cause=cause, state="open", limit=3).json()
    assert [record["origin_id"] for record in body["results"]] == [5, 4, 3]
    rest = api.get("/api/v1/exceptions/records", cause=cause, cursor=body["next"]).json()
    assert [record["subject"] for record in rest["results"]] == ["AB-2", "AB-1"]
    assert rest["next"] is None
    assert api.get("/api/v1/exceptions/records").status_code == 400
    assert api.get("/api/v1/exceptions/records", cause=cause, state="new").status_code == 400
    assert api.get("/api/v1/exceptions/records", cause=999_999).status_code == 404


def test_preview_then_resolve_then_a_second_resolve(api: Api, depot: Depot) -> None:
    depot.take(412, without_unit=3)
    cause = the_cause().pk
    fix = {"fix": "name", "target": "DC-09"}
    shown = api.post(f"{CAUSES}/{cause}/preview", fix)
    assert shown.status_code == 200
    body = shown.json()
    assert (body["clears"], body["still_blocked"]) == (409, [{"reason": "UNKNOWN_UNIT", "count": 3}])
    assert (body["deltas"], body["approvals"]) == ([], [])
    assert not Team.objects.exists()
    asked = {**fix, "reason": "the new hall", "preview_token": body["preview_token"]}
    assert api.post(f"{CAUSES}/{cause}/resolve", asked).json()["code"] == "idempotency_key_missing"
    done = api.post(f"{CAUSES}/{cause}/resolve", asked, key="k-1")
    assert done.status_code == 202
    batch = done.json()["replay"]
    assert (done.json()["state"], batch["records"], batch["waiting"]) == ("resolved", 412, 412)
    again = api.post(f"{CAUSES}/{cause}/resolve", asked, key="k-1")
    assert (again.status_code, again.content) == (202, done.content)
    assert again["Idempotency-Replayed"] == "true"
    depot.retry(waiting("inbox", 500))
    progress = api.get(f"/api/v1/exceptions/replays/{batch['id']}").json()
    assert (progress["resolved"], progress["waiting"], progress["finished"]) == (412, 0, True)
    late = api.post(f"{CAUSES}/{cause}/resolve", asked, key="k-2")
    assert (late.status_code, late.json()["who"]) == (409, "client-1")
    assert late.json()["when"].endswith("Z")
    assert Team.objects.count() == 1
    assert api.get("/api/v1/exceptions/replays/999999").status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"fix": "name", "target": "X"}, "invalid"),
        ({"target": "X", "reason": "why"}, "invalid"),
        ({"fix": "name", "tarket": "X", "reason": "why"}, "unknown_field"),
        ({"fix": "other", "reason": "why"}, "invalid"),
        ({"fix": "name", "target": "NOWHERE", "reason": "why"}, "invalid"),
        ([], "invalid"),
    ],
)
def test_a_wrong_resolve_is_refused_and_nothing_happens(api: Api, depot: Depot, body: Any, code: str) -> None:
    depot.take(1)
    answer = api.post(f"{CAUSES}/{the_cause().pk}/resolve", body, key="k")
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert (the_cause().state, the_cause().open_records, Team.objects.count()) == ("new", 1, 0)


def test_replaying_some_records_by_id(api: Api, depot: Depot) -> None:
    depot.take(3)
    cause = the_cause()
    chosen = cause.records.get(origin_id=2).pk
    path = f"{CAUSES}/{cause.pk}/replay"
    assert api.post(path, {}).status_code == 400
    answer = api.post(path, {"records": [chosen], "reason": "mended at the source"}, key="a")
    assert (answer.status_code, answer.json()["records"], answer.json()["waiting"]) == (202, 1, 1)
    assert waiting("inbox", 10) == [2]
    assert api.post(path, {"reocrds": [1]}, key="b").json()["errors"][0]["detail"].endswith("Did you mean records?")


def test_assigning_snoozing_commenting_and_dismissing(api: Api, depot: Depot) -> None:
    depot.take(1)
    User.objects.create(username="maria")
    Team.objects.create(code="erp", name="ERP")
    path = f"{CAUSES}/{the_cause().pk}"
    assigned = api.post(f"{path}/assign", {"user": "maria", "team": "erp"}).json()
    assert (assigned["owner"], assigned["team"], assigned["state"]) == ("maria", "erp", "ongoing")
    assert api.post(f"{path}/assign", {"user": None}).json()["owner"] is None
    assert api.post(f"{path}/assign", {"user": "nobody"}).status_code == 400
    assert api.post(f"{path}/assign", {}).status_code == 400
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert api.post(f"{path}/snooze", {"until": until}).json()["state"] == "snoozed"
    for bad in ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00", "tomorrow", 7):
        assert api.post(f"{path}/snooze", {"until": bad}).status_code == 400
    commented = api.post(f"{path}/comments", {"text": "Is this the new hall?"})
    assert (commented.status_code, commented.json()["author"]) == (201, "client-1")
    assert Comment.objects.get().by == "client-1"
    assert api.post(f"{path}/dismiss", {}).status_code == 400
    dismissed = api.post(f"{path}/dismiss", {"reason": "a test system"}).json()
    assert (dismissed["state"], dismissed["closed_by"]) == ("dismissed", "client-1")
    assert api.post(f"{path}/dismiss", {"reason": "again"}).status_code == 409


def test_reading_needs_its_scope_and_deciding_another(key_of: Headers, depot: Depot) -> None:
    depot.take(1)
    path = f"{CAUSES}/{the_cause().pk}"
    reader, other = Api(key_of("exceptions:read")), Api(key_of("events:read"))
    assert reader.get(CAUSES).status_code == 200
    assert other.get(CAUSES).status_code == 403
    assert Api({}).get(CAUSES).status_code == 401
    for action in ("preview", "resolve", "replay", "assign", "snooze", "dismiss", "comments"):
        answer = reader.post(f"{path}/{action}", {}, key="k")
        assert (answer.status_code, "exceptions:write" in answer.json()["detail"]) == (403, True)
    assert the_cause().state == "new"


def test_a_key_of_one_source_does_not_see_another_sources_causes(key_of: Headers, unknown_warehouse: Blocking) -> None:
    block([unknown_warehouse(1, source="erp")])
    stranger = Api(key_of("exceptions:read", "exceptions:write", sources=["wms"]))
    cause = the_cause().pk
    assert stranger.get(CAUSES).json()["results"] == []
    assert stranger.get(f"{CAUSES}/{cause}").status_code == 404
    assert stranger.get("/api/v1/exceptions/records", cause=cause).status_code == 404
    assert stranger.post(f"{CAUSES}/{cause}/dismiss", {"reason": "x"}).status_code == 404


def test_a_session_may_what_its_role_may(triager: User, depot: Depot) -> None:
    depot.take(1)
    path = f"{CAUSES}/{the_cause().pk}/comments"
    client = Client()
    viewer = User.objects.create_user("vera", password="a long enough password")
    client.force_login(viewer)
    assert client.post(path, {"text": "x"}, content_type="application/json").status_code == 403
    client.force_login(triager)
    assert client.post(path, {"text": "x"}, content_type="application/json").status_code == 201
    assert Comment.objects.get().author == triager


def test_a_session_replays_under_its_csrf_token_and_once_per_key(triager: User, depot: Depot) -> None:
    depot.take(1)
    path = f"{CAUSES}/{the_cause().pk}/replay"
    client = Client(enforce_csrf_checks=True)
    client.force_login(triager)
    client.cookies["csrftoken"] = "a" * 32
    headers = {"Idempotency-Key": "once", "X-CSRFToken": "a" * 32}
    body = {"reason": "try again"}
    first = client.post(path, body, content_type="application/json", headers=headers)
    assert first.status_code == 202
    again = client.post(path, body, content_type="application/json", headers=headers)
    assert (again.status_code, again["Idempotency-Replayed"]) == (202, "true")
    other = client.post(path, {"reason": "another"}, content_type="application/json", headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    without = client.post(path, body, content_type="application/json", headers={"Idempotency-Key": "twice"})
    assert without.status_code == 403
