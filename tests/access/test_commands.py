"""create_api_client and ensure_demo_users."""

import json
import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client

from apps.access.capabilities import ROLES, SCOPES
from apps.access.keys import caller_of, forget_keys
from apps.access.models import ApiClient, ApiKey, AuditEvent, Team, User
from apps.access.people import roles_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fast_and_forgetful(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    forget_keys()


def created(*arguments: str) -> str:
    out = StringIO()
    call_command("create_api_client", *arguments, stdout=out)
    return out.getvalue().strip()


def test_a_client_gets_its_scopes_limits_and_rate_and_a_key_that_works() -> None:
    key = created("shop", "--scope", "availability:read", "--scope", "prices:read", "--channel", "SHOP", "--rate", "7")
    caller = caller_of(key)
    assert caller is not None
    assert (caller.name, caller.scopes, caller.channels, caller.requests_per_s) == (
        "shop",
        frozenset({"availability:read", "prices:read"}),
        frozenset({"SHOP"}),
        7,
    )
    assert key.partition(".")[2] not in ApiKey.objects.get().hashed_key


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x", "--scope", "everything"], "is no scope"),
        (["x", "--scope", "all", "--rate", "0"], "requests per second"),
        ([" ", "--scope", "all"], "1 to 100 characters"),
        (["x"], "--scope"),
    ],
)
def test_a_client_that_cannot_be_is_refused(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        created(*arguments)
    assert not ApiClient.objects.exists()


def test_a_name_is_taken_once() -> None:
    created("shop", "--scope", "all")
    with pytest.raises(CommandError, match="already"):
        created("shop", "--scope", "events:read")
    assert ApiClient.objects.get().scopes == ["all"]
    assert ApiKey.objects.count() == 1


def ensured(path: Path) -> dict[str, Any]:
    out = StringIO()
    call_command("ensure_demo_users", "--credentials-file", str(path), stdout=out)
    printed: dict[str, Any] = json.loads(out.getvalue())
    return printed


def test_the_demo_has_a_person_for_every_role_and_the_same_ones_next_time(settings: Any, tmp_path: Path) -> None:
    settings.DEMO = True
    path = tmp_path / "deep" / "credentials.json"
    first = ensured(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(first) == {"username", "password", "users", "api_key", "api_keys"}
    assert first["username"] == "admin"
    assert tuple(first["users"]) == ROLES
    for role, login in [*first["users"].items(), ("administrator", first)]:
        person = User.objects.get(username=login["username"])
        assert person.check_password(login["password"])
        assert roles_of(person) == {role}
        assert person.is_staff
        assert not person.is_superuser
    assert ensured(path) == first
    assert User.objects.count() == 8


def test_the_demo_keys_work_also_on_a_fresh_database(settings: Any, tmp_path: Path) -> None:
    settings.DEMO = True
    first = ensured(tmp_path / "c.json")
    full = caller_of(first["api_key"])
    assert full is not None
    assert (full.scopes, full.requests_per_s) == (frozenset({"all"}), 2_000)
    ApiClient.objects.all().delete()
    User.objects.all().delete()
    forget_keys()
    assert ensured(tmp_path / "c.json") == first
    reader = caller_of(first["api_keys"]["read_only"])
    assert reader is not None
    assert reader.scopes == {scope for scope in SCOPES if scope.endswith(":read")}
    assert ApiKey.objects.count() == 2


def test_demo_logins_are_refused_outside_a_demo(settings: Any, tmp_path: Path) -> None:
    settings.DEMO = settings.DEBUG = False
    with pytest.raises(CommandError, match="DEMO=1"):
        ensured(tmp_path / "c.json")
    assert not User.objects.exists()
    assert not (tmp_path / "c.json").exists()


def test_a_broken_credentials_file_is_named(settings: Any, tmp_path: Path) -> None:
    settings.DEMO = True
    path = tmp_path / "c.json"
    path.write_text("[")
    with pytest.raises(CommandError, match="cannot be read"):
        ensured(path)


def test_the_roles_and_teams_exist_after_migrate() -> None:
    assert set(ROLES) <= set(Group.objects.values_list("name", flat=True))
    assert set(Team.objects.values_list("code", flat=True)) == {
        "erp",
        "e-commerce",
        "middleware",
        "warehouse",
        "pricing",
    }


def signed_in(role: str) -> Client:
    person = User.objects.create_user(username=role, password="x", is_staff=True)
    person.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(person)
    return client


def test_a_new_client_in_the_console_shows_its_key_once_and_it_is_audited() -> None:
    console = signed_in("administrator")
    answer = console.post(
        "/console/access/apiclient/add/",
        {
            "name": "shop",
            "active": "on",
            "scopes": ["events:read"],
            "requests_per_s": "5",
        },
        follow=True,
    )
    assert answer.status_code == 200
    key = ApiKey.objects.get()
    assert f"{key.prefix}." in answer.content.decode()
    client = ApiClient.objects.get()
    page = console.get(f"/console/access/apiclient/{client.pk}/change/").content.decode()
    assert f"{key.prefix}." not in page
    assert key.hashed_key not in page
    assert key.prefix in page
    for action, keys in (("new_key", 2), ("revoke_keys", 2)):
        chosen = {"action": action, "_selected_action": [str(client.pk)]}
        assert console.post("/console/access/apiclient/", chosen, follow=True).status_code == 200
        assert ApiKey.objects.count() == keys
    assert not ApiKey.objects.filter(revoked=False).exists()
    assert list(AuditEvent.objects.values_list("action", flat=True)) == [
        "api_key.created",
        "api_key.created",
        "api_key.revoked",
    ]


@pytest.mark.parametrize("model", ["user", "apiclient", "auditevent"])
def test_only_an_administrator_sees_people_and_keys(model: str) -> None:
    for role in ("viewer", "team lead", "channel admin"):
        assert signed_in(role).get(f"/console/access/{model}/").status_code == 403
    console = signed_in("administrator")
    assert console.get(f"/console/access/{model}/").status_code == 200


def test_people_pages_open_and_nobody_is_deleted() -> None:
    console = signed_in("administrator")
    person = User.objects.get()
    assert console.get(f"/console/access/user/{person.pk}/change/").status_code == 200
    assert console.get("/console/access/user/add/").status_code == 200
    assert console.post(f"/console/access/user/{person.pk}/delete/", {"post": "yes"}).status_code == 403
    assert User.objects.exists()
