"""Contract §12: what a person of each role may do, on pages and through the API."""

from __future__ import annotations

import re
import uuid
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.contract.world import Api, Json, World, problem

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Person:
    """Somebody logged in to the console, calling the API from its pages."""

    def __init__(self, demo: Json, role: str) -> None:
        who = demo["users"][role]
        self.url = str(demo["url"])
        self.http = httpx2.Client(timeout=60, follow_redirects=True, trust_env=False)
        page = self.http.get(demo["login_url"])
        found = TOKEN.search(page.text)
        assert found
        form = {"csrfmiddlewaretoken": found.group(1), "username": who["username"], "password": who["password"]}
        answer = self.http.post(str(page.url), data=form, headers={"Referer": str(page.url)})
        assert answer.status_code == 200
        assert "login" not in urlsplit(str(answer.url)).path, answer.url

    def get(self, path: str) -> httpx2.Response:
        return self.http.get(f"{self.url}/api/v1{path}")

    def act(self, cause: int, action: str, body: Json, token: bool = True) -> httpx2.Response:
        """An action on a cause as the console's own pages would send it."""
        headers = {"Idempotency-Key": uuid.uuid4().hex, "Referer": self.url + "/"}
        if token:
            headers["X-CSRFToken"] = next(
                value for name, value in self.http.cookies.items() if name.endswith("csrftoken")
            )
        return self.http.post(f"{self.url}/api/v1/exceptions/causes/{cause}/{action}", json=body, headers=headers)


@pytest.fixture
def waiting(world: World) -> tuple[Json, str, Json]:
    """A movement blocked by an unknown warehouse: (event, our warehouse, cause)."""
    sku, warehouse = world.found()
    event = world.move(sku, world.code("DC-X"), "receipt", "5")
    world.send(event)
    world.becomes(event, "blocked")
    return event, warehouse, world.cause("UNKNOWN_WAREHOUSE")


def test_every_role_of_the_contract_can_log_in(demo: Json) -> None:
    assert set(demo["users"]) == {
        "viewer",
        "triager",
        "team lead",
        "pricing author",
        "pricing approver",
        "channel admin",
        "administrator",
    }
    for role in demo["users"]:
        assert Person(demo, role).get("/warehouses").status_code == 200, role


def test_a_wrong_password_stays_outside(demo: Json) -> None:
    http = httpx2.Client(timeout=60, follow_redirects=True, trust_env=False)
    page = http.get(demo["login_url"])
    found = TOKEN.search(page.text)
    assert found
    form = {"csrfmiddlewaretoken": found.group(1), "username": demo["username"], "password": "wrong"}
    http.post(str(page.url), data=form, headers={"Referer": str(page.url)})
    assert http.get(f"{demo['url']}/api/v1/warehouses").status_code == 401


def test_a_viewer_reads_and_changes_nothing(demo: Json, world: World, waiting: tuple[Json, str, Json]) -> None:
    event, warehouse, cause = waiting
    viewer = Person(demo, "viewer")
    assert viewer.get(f"/exceptions/causes/{cause['id']}").status_code == 200
    for action, body in (
        ("resolve", {"fix": "map", "target": warehouse, "reason": "known"}),
        ("replay", {}),
        ("dismiss", {"reason": "no"}),
    ):
        problem(viewer.act(cause["id"], action, body), 403, "forbidden")
    assert world.fate(event)["status"] == "blocked"
    assert world.cause_state(cause["id"]) == "new"


def test_a_session_needs_the_token_of_its_page(demo: Json, world: World, waiting: tuple[Json, str, Json]) -> None:
    _, warehouse, cause = waiting
    body = {"fix": "map", "target": warehouse, "reason": "known"}
    assert Person(demo, "triager").act(cause["id"], "resolve", body, token=False).status_code == 403
    assert world.cause_state(cause["id"]) == "new"


def test_the_read_only_key_cannot_resolve(reader: Api, world: World, waiting: tuple[Json, str, Json]) -> None:
    _, warehouse, cause = waiting
    answer = reader.post(
        f"/exceptions/causes/{cause['id']}/resolve",
        {"fix": "map", "target": warehouse, "reason": "known"},
        headers={"Idempotency-Key": uuid.uuid4().hex},
    )
    assert "exceptions:write" in problem(answer, 403, "forbidden")["detail"]
    assert world.cause_state(cause["id"]) == "new"


@pytest.mark.parametrize("role", ["viewer", "triager"])
def test_only_an_administrator_sees_users_and_keys(demo: Json, role: str) -> None:
    """Whatever the console shows them, the pages that manage people are not among it."""
    person = Person(demo, role)
    home = person.http.get(f"{demo['url']}/console/")
    assert home.status_code == 200
    links = set(re.findall(r'href="(/console/[^"#?]+)"', home.text))
    assert links
    assert [link for link in links if "/user/" in link or "apikey" in link or "apiclient" in link] == []


def test_the_console_is_closed_to_strangers(demo: Json) -> None:
    answer = httpx2.get(f"{demo['url']}/console/", follow_redirects=False, trust_env=False)
    assert answer.status_code == 302
    assert "login" in answer.headers["location"]


def test_a_triager_resolves(demo: Json, world: World, waiting: tuple[Json, str, Json]) -> None:
    event, warehouse, cause = waiting
    triager = Person(demo, "triager")
    body = {"fix": "map", "target": warehouse}
    preview = triager.act(cause["id"], "preview", body)
    assert (preview.status_code, preview.json()["clears"]) == (200, 1)
    answer = triager.act(cause["id"], "resolve", body | {"reason": "known"})
    assert answer.status_code == 202, answer.text
    world.becomes(event, "processed")
    second = world.act(cause["id"], "resolve", body | {"reason": "known"})
    assert second.status_code == 409
    assert demo["users"]["triager"]["username"] in second.json()["detail"]
