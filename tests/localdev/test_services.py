"""Servers are started once, adopted afterwards, and only those that were started here are ended."""

from __future__ import annotations

import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from localdev.processes import identify
from localdev.services import Services, ensure_database, services


@pytest.fixture(scope="module")
def local() -> Iterator[Path]:
    # Not below pytest's own folder, which no other user may enter: PostgreSQL runs as one where we are root.
    with tempfile.TemporaryDirectory(prefix="sync-console-test-") as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


@pytest.fixture
def ours(local: Path) -> Iterator[Services]:
    found = services("localdev", durable=False, local=local)
    found.ensure()
    yield found
    found.stop()


def _server_pid(services_: Services) -> int:
    with psycopg.connect(services_.postgres.url("postgres")) as connection:
        row = connection.execute("SELECT pg_read_file('postmaster.pid')").fetchone()
    assert row is not None
    return int(row[0].split()[0])


def test_a_living_server_is_adopted(ours: Services) -> None:
    pid = _server_pid(ours)

    again = services("localdev", durable=False, local=ours.local)

    assert again.ensure() == []
    assert _server_pid(again) == pid
    assert (again.database_url, again.redis_url) == (ours.database_url, ours.redis_url)


def test_a_living_server_is_adopted_without_a_record_of_it(ours: Services) -> None:
    pid = _server_pid(ours)
    recorded = ours.postgres.living()
    ours.postgres.run_file.drop("localdev", "postgres")

    assert ours.ensure() == []

    assert _server_pid(ours) == pid
    assert ours.postgres.living() == recorded


def test_data_and_address_survive_a_restart(ours: Services) -> None:
    before = ours.database_url
    assert ensure_database(before) is True

    assert ours.stop() == ["valkey", "postgres"]
    assert ours.ensure() == ["postgres", "valkey"]

    assert ours.database_url == before
    assert ensure_database(before) is False


def test_stop_ends_the_recorded_processes_alone(ours: Services) -> None:
    other = services("bystander", durable=False, local=ours.local)
    other.valkey.ensure()
    try:
        postgres, valkey = ours.postgres.living(), ours.valkey.living()
        bystander = other.valkey.living()
        assert postgres is not None
        assert valkey is not None
        assert bystander is not None

        assert ours.stop() == ["valkey", "postgres"]

        assert (postgres.alive(), valkey.alive(), bystander.alive()) == (False, False, True)
        assert ours.stop() == []
    finally:
        other.stop()


def test_a_stale_record_of_another_process_is_not_ended(local: Path) -> None:
    found = services("stale", durable=False, local=local)
    innocent = identify(1)
    if innocent is None:
        pytest.skip("process 1 cannot be read here")
    record = {"port": 1, "socket_folder": str(local / "none")}
    found.postgres.run_file.put("stale", "postgres", type(innocent)(1, "another start"), **record)
    found.postgres.run_file.put("stale", "valkey", type(innocent)(1, "another start"), port=1)

    assert found.stop() == []

    assert innocent.alive() is True
    assert found.postgres.run_file.names("stale") == []


def test_a_killed_server_starts_again_with_its_data(ours: Services) -> None:
    ensure_database(ours.database_url)
    killed = ours.postgres.living()
    assert killed is not None
    killed.end(signal.SIGKILL)

    assert ours.ensure() == ["postgres"]

    assert ensure_database(ours.database_url) is False


def test_servers_ask_for_a_password_and_keep_their_files_private(ours: Services) -> None:
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=int(ours.redis_url.rpartition(":")[2].split("/")[0])).ping()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(ours.database_url, password="wrong")
    assert stat.S_IMODE((ours.local / "env.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((ours.local / "run.json").stat().st_mode) == 0o600
    record = ours.postgres.run_file.get("localdev", "postgres")
    assert record is not None
    assert stat.S_IMODE(Path(record["socket_folder"]).stat().st_mode) == 0o700


def test_the_cluster_is_utf8_and_sorts_the_same_everywhere(ours: Services) -> None:
    query = (
        "SELECT pg_encoding_to_char(encoding), datlocprovider, datlocale FROM pg_database WHERE datname = 'template1'"
    )
    with psycopg.connect(ours.postgres.url("postgres")) as connection:
        found = connection.execute(query).fetchone()
        connections = connection.execute("SHOW max_connections").fetchone()
    assert found is not None
    assert [value.decode() if isinstance(value, bytes) else value for value in found] == ["UTF8", "b", "C.UTF-8"]
    assert connections == ("200",)
    assert redis.Redis.from_url(ours.redis_url).config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
