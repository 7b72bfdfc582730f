"""The servers of one instance (demo, empty, test, or a test's own): started or adopted together."""

from __future__ import annotations

import os
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from localdev.accounts import server_account
from localdev.paths import LOCAL
from localdev.postgres import PostgresServer
from localdev.runfile import RunFile, locked, read_json, write_private
from localdev.secret_values import secret_values
from localdev.valkey import ValkeyServer

DATABASE = "sync_console"


@dataclass(frozen=True)
class Services:
    """PostgreSQL and Valkey of one instance, recorded in `<local>/run.json`."""

    instance: str
    local: Path
    postgres: PostgresServer
    valkey: ValkeyServer

    @property
    def database_url(self) -> str:
        return self.postgres.url(DATABASE)

    @property
    def redis_url(self) -> str:
        return self.valkey.url(0)

    def ensure(self, *, postgres: bool = True, valkey: bool = True) -> list[str]:
        """Start what does not run; returns the names this call started. Safe to call from several processes."""
        started = []
        with locked(self.local / f"{self.instance}.lock"):
            if postgres and self.postgres.ensure():
                started.append("postgres")
            if valkey and self.valkey.ensure():
                started.append("valkey")
        return started

    def stop(self, names: list[str] | None = None) -> list[str]:
        """End the recorded servers (all, or the named ones); returns the names that were running."""
        wanted = ["valkey", "postgres"] if names is None else names
        ended = []
        with locked(self.local / f"{self.instance}.lock"):
            if "valkey" in wanted and self.valkey.stop():
                ended.append("valkey")
            if "postgres" in wanted and self.postgres.stop(signal.SIGINT):
                ended.append("postgres")
        return ended


def services(instance: str, *, durable: bool = True, local: Path = LOCAL) -> Services:
    """Return the services of an instance; nothing is started yet. Another `local` folder is another world."""
    run_file = RunFile(local / "run.json")
    secrets = secret_values(local / "env.json")
    postgres = PostgresServer(instance, _reachable_home(local), run_file, secrets["POSTGRES_PASSWORD"], durable)
    valkey = ValkeyServer(instance, local / "log" / f"valkey-{instance}.log", run_file, secrets["VALKEY_PASSWORD"])
    return Services(instance, local, postgres, valkey)


def _reachable_home(local: Path) -> Path:
    """Return a folder for clusters that the server's user can reach, remembered in `home.json`.

    A checkout may lie below a folder only root can enter; then the data live in /var/tmp.
    """
    note = local / "home.json"
    with locked(local / "home.lock"):
        known = read_json(note).get("home")
        if known and Path(known).exists():
            return Path(known)
        home = local / "postgres"
        home.mkdir(parents=True, exist_ok=True, mode=0o755)
        if not server_account(home / "none").can_enter(home):
            home = Path(tempfile.mkdtemp(prefix="sync-console-", dir="/var/tmp"))
            home.chmod(0o755)
        write_private(note, {"home": str(home.resolve())})
    return home.resolve()


def ensure_database(url: str) -> bool:
    """Create the database an address names, if the server has none of that name; True where it was made."""
    try:
        psycopg.connect(url, connect_timeout=10).close()
        return False
    except psycopg.OperationalError as error:
        name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
        if f'database "{name}" does not exist' not in str(error):
            raise
    with psycopg.connect(url, dbname="postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(str(name))))
    return True


def given_servers() -> tuple[str | None, str | None]:
    """Return DATABASE_URL and REDIS_URL of the environment: real servers to use instead of embedded ones."""
    return os.environ.get("DATABASE_URL") or None, os.environ.get("REDIS_URL") or None
