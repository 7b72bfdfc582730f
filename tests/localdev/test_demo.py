"""What a demo tells others, and how its processes are kept."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from localdev.children import Child, Program
from localdev.demo import demo_description
from localdev.demo_control import INSTANCES, LOCK
from localdev.demo_settings import DemoAddress, demo_environment
from localdev.paths import LOCAL
from localdev.ports import free_port, is_free, next_free
from localdev.processes import identify
from localdev.runfile import RunFile
from localdev.testing import with_database_suffix, with_redis_offset

ADDRESS = DemoAddress(8123, "postgres://u:p@127.0.0.1:5432/sync_console", "redis://127.0.0.1:6379/0")
CREDENTIALS = {
    "username": "admin",
    "password": "long enough",
    "users": {"viewer": {"username": "viewer", "password": "also long"}},
    "api_key": "abc.def",
    "api_keys": {"read_only": "ghi.jkl"},
}
SANDBOX = {"channels": {"SHOP": {"url": "http://127.0.0.1:1", "control": "http://127.0.0.1:1"}}, "erp": "e", "wms": "w"}


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_demo_json_has_the_promised_fields() -> None:
    assert demo_description(ADDRESS, CREDENTIALS, SANDBOX) == {
        "url": "http://127.0.0.1:8123",
        "login_url": "http://127.0.0.1:8123/console/login/",
        **CREDENTIALS,
        "database_url": ADDRESS.database_url,
        "redis_url": ADDRESS.redis_url,
        "sandbox": SANDBOX,
    }


def test_programs_get_the_generated_secrets_unless_the_caller_brings_some(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"SECRET_KEY": "generated", "CREDENTIAL_KEYS": "generated too"}
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.setenv("CREDENTIAL_KEYS", "brought")
    monkeypatch.setenv("MAKEFLAGS", "-j8")

    found = demo_environment(ADDRESS, secrets)

    assert (found["SECRET_KEY"], found["CREDENTIAL_KEYS"]) == ("generated", "brought")
    assert (found["DATABASE_URL"], found["PUBLIC_URL"]) == (ADDRESS.database_url, "http://127.0.0.1:8123")
    assert "MAKEFLAGS" not in found


def test_a_child_that_dies_is_said_and_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    run_file = RunFile(tmp_path / "run.json")
    program = Program("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], {})
    child = Child(program, "demo", run_file, tmp_path, said.append)
    child.start()
    first = run_file.living("demo", "sleeper")
    assert first is not None

    first.end()
    child.tend()
    assert said == [f"sleeper ended with -15; again in 1 s. Its log: {tmp_path / 'sleeper.log'}"]
    assert run_file.get("demo", "sleeper") is None
    _until(lambda: child.tend() is None and child.running())

    second = run_file.living("demo", "sleeper")
    assert second is not None
    assert second != first
    assert said[1:] == ["sleeper started again"]
    child.stop()
    assert (second.alive(), run_file.instances()) == (False, [])


def test_a_record_is_forgotten_only_by_the_process_it_names(tmp_path: Path) -> None:
    run_file = RunFile(tmp_path / "run.json")
    own = identify(1) or pytest.skip("process 1 cannot be read here")
    run_file.put("demo", "web", own)

    run_file.drop("demo", "web", type(own)(1, "another start"))

    assert run_file.names("demo") == ["web"]


def test_a_port_that_listens_is_passed_over() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert is_free(port) is False
        assert free_port(port) != port
        assert next_free(port) > port


def test_every_tester_has_a_database_of_its_own() -> None:
    assert (
        with_database_suffix("postgres://u@h:1/name?sslmode=disable", "a") == "postgres://u@h:1/name_a?sslmode=disable"
    )
    assert with_database_suffix("postgres://u@h:1/name", "") == "postgres://u@h:1/name"
    assert with_redis_offset("redis://:p@h:1/16", 2) == "redis://:p@h:1/18"
    assert with_redis_offset("redis://h:1", 1) == "redis://h:1/1"


def test_the_lock_of_a_running_demo_is_not_one_its_servers_start_under() -> None:
    assert LOCK not in [LOCAL / f"{instance}.lock" for instance in (*INSTANCES, "test", "bench")]
