"""The environment tests run in: servers started or adopted, settings exported, before Django reads them."""

from __future__ import annotations

import fcntl
import os
import zlib
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from localdev.paths import LOCAL
from localdev.secret_values import secret_values
from localdev.services import Services, given_servers, services

INSTANCE = "test"
PREPARED = "SYNC_CONSOLE_TEST_SERVERS"
IN_USE = LOCAL / "test-in-use.lock"
DATABASES_PER_RUN = 16
RUNS = 60
SETTINGS = {
    "DEBUG": "0",
    "DEMO": "0",
    "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
    "PUBLIC_URL": "http://testserver",
    "AUTO_REGISTER_SOURCES": "1",
    "ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8",
}
_held: list[int] = []


def shared_services(instance: str) -> Services:
    """Return the servers all test runs of this checkout share; those of benchmarks write durably."""
    return services(instance, durable=instance != INSTANCE)


def prepare_environment() -> None:
    """Export everything settings need. Runs once per process; xdist workers inherit it and take their own database."""
    # Held before the servers are looked at, so that nobody ends them in between.
    hold_servers()
    if PREPARED not in os.environ:
        os.environ.update(environment_of(INSTANCE))
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        os.environ["REDIS_URL"] = with_redis_offset(os.environ["REDIS_URL"], int(worker.removeprefix("gw")) + 1)


def environment_of(instance: str) -> dict[str, str]:
    """Return the environment of a test run, with the servers it names running."""
    database_url, redis_url = given_servers()
    ours = shared_services(instance)
    ours.ensure(postgres=database_url is None, valkey=redis_url is None)
    suffix = os.environ.get("TEST_DB_SUFFIX", "")
    first = zlib.crc32(suffix.encode()) % RUNS * DATABASES_PER_RUN
    secrets = secret_values()
    return {
        PREPARED: "1",
        **{name: os.environ.get(name, value) for name, value in SETTINGS.items()},
        "SECRET_KEY": os.environ.get("SECRET_KEY") or secrets["SECRET_KEY"],
        "CREDENTIAL_KEYS": os.environ.get("CREDENTIAL_KEYS") or secrets["CREDENTIAL_KEYS"],
        "DATABASE_URL": with_database_suffix(database_url or ours.database_url, suffix),
        "REDIS_URL": redis_url or ours.valkey.url(first),
    }


def with_database_suffix(url: str, suffix: str) -> str:
    """Return the address of a database of one's own beside the named one."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path}_{suffix}")) if suffix else url


def with_redis_offset(url: str, offset: int) -> str:
    """Return the address of the numbered database `offset` further on."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{int(parts.path.strip('/') or 0) + offset}"))


def hold_servers() -> None:
    """Keep a shared lock until this process ends, so that `make stop` leaves servers in use alone."""
    if _held:
        return
    Path(IN_USE).parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(IN_USE, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(handle, fcntl.LOCK_SH)
    _held.append(handle)
