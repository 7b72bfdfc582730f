"""One embedded PostgreSQL cluster: made once, started or adopted, stopped by its own pid."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from localdev.accounts import Account, server_account
from localdev.binaries import postgres_binaries
from localdev.errors import LocaldevError
from localdev.ports import HOST, free_port
from localdev.processes import Identity, identify
from localdev.runfile import RunFile

USER = "sync_console"
NAME = "postgres"
START_TRIES = 5
ANSWER_TIMEOUT_S = 30.0
ALWAYS = {
    "listen_addresses": f"'{HOST}'",
    "max_connections": "200",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "jit": "off",
    "max_wal_size": "2GB",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class PostgresServer:
    """The cluster of one instance. `home` is a folder its user can reach; nothing else is shared."""

    instance: str
    home: Path
    run_file: RunFile
    password: str
    durable: bool

    @property
    def data(self) -> Path:
        return self.home / self.instance / "data"

    @property
    def log(self) -> Path:
        return self.home / self.instance / "postgres.log"

    def url(self, database: str) -> str:
        """Return the address of a database of the running cluster."""
        record = self.run_file.get(self.instance, NAME)
        if record is None:
            raise LocaldevError(f"PostgreSQL of '{self.instance}' is not running: start it first.")
        return f"postgres://{USER}:{self.password}@{HOST}:{record['port']}/{database}"

    def ensure(self) -> bool:
        """Adopt the living server or start one; True where this call started it."""
        if self.living():
            self._wait_answers()
            return False
        account = server_account(self.data)
        binaries = postgres_binaries(account, self.home)
        self._prepare(account, binaries)
        if self._adopt():
            return False
        self._start(account, binaries)
        return True

    def living(self) -> Identity | None:
        """Return the recorded server process if it still runs."""
        return self.run_file.living(self.instance, NAME)

    def stop(self, number: int = signal.SIGINT) -> bool:
        """End the recorded server (SIGINT: fast, SIGQUIT: as after a power cut); False where none ran."""
        record = self.run_file.get(self.instance, NAME)
        identity = self.living()
        if record is None:
            return False
        ended = identity is not None and identity.end(number, grace_s=30.0)
        shutil.rmtree(record["socket_folder"], ignore_errors=True)
        self.run_file.drop(self.instance, NAME)
        return ended

    def _prepare(self, account: Account, binaries: Path) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        self.data.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        account.own(self.data.parent)
        aside = self.data.with_name("data.new")
        shutil.rmtree(aside, ignore_errors=True)
        password_file = self.data.with_name("password")
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        account.own(password_file)
        try:
            self._run(account, [str(binaries / "initdb"), *_initdb_options(aside, password_file, self.durable)])
        finally:
            password_file.unlink()
        # Renamed when complete, so an initdb that was cut off is never taken for a cluster.
        aside.rename(self.data)

    def _start(self, account: Account, binaries: Path) -> None:
        previous = self.run_file.get(self.instance, NAME) or {}
        shutil.rmtree(previous.get("socket_folder", ""), ignore_errors=True)
        socket_folder = Path(tempfile.mkdtemp(prefix="sc-", dir="/tmp"))
        account.own(socket_folder)
        for attempt in range(1, START_TRIES + 1):
            port = free_port(self._last_port())
            self._configure(account, port, socket_folder)
            command = [str(binaries / "pg_ctl"), "start", "-w", "-t", "60", "-s"]
            try:
                self._run(account, [*command, "-D", str(self.data), "-l", str(self.log)])
                break
            except LocaldevError:
                # A port taken meanwhile, or the last backends of a killed server still holding its memory.
                if attempt == START_TRIES:
                    shutil.rmtree(socket_folder, ignore_errors=True)
                    raise
                time.sleep(attempt)
        if not self._adopt():
            raise LocaldevError(f"PostgreSQL of '{self.instance}' started and went away: see {self.log}")

    def _configure(self, account: Account, port: int, socket_folder: Path) -> None:
        settings = ALWAYS | ({} if self.durable else NOT_DURABLE)
        settings |= {"port": str(port), "unix_socket_directories": f"'{socket_folder}'"}
        path = self.data / "localdev.conf"
        path.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        account.own(path)

    def _adopt(self) -> bool:
        """Take over the server that holds our data folder, if it is alive and accepts our password."""
        found = _postmaster(self.data)
        if found is None:
            return False
        identity, port, socket_folder = found
        details = {"port": port, "socket_folder": socket_folder, "data": str(self.data)}
        self.run_file.put(self.instance, NAME, identity, **details)
        if self._answers():
            return True
        self.run_file.drop(self.instance, NAME, identity)
        return False

    def _wait_answers(self) -> None:
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while not self._answers():
            if time.monotonic() > deadline:
                raise LocaldevError(f"PostgreSQL in {self.data} runs but does not answer: see {self.log}, `make stop`.")
            time.sleep(0.2)

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=5) as connection:
                row = connection.execute("SHOW data_directory").fetchone()
        except psycopg.OperationalError:
            return False
        return row is not None and Path(row[0]) == self.data

    def _last_port(self) -> int | None:
        """Return the port of the last start, so that addresses stay the same where they can."""
        path = self.data / "localdev.conf"
        lines = path.read_text().splitlines() if path.exists() else []
        ports = [line.partition("=")[2] for line in lines if line.startswith("port =")]
        return int(ports[0]) if ports else None

    def _run(self, account: Account, command: list[str]) -> None:
        done = subprocess.run(
            command,
            cwd=self.home,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **account.switch,
        )
        if done.returncode != 0:
            tail = "".join(self.log.read_text().splitlines(keepends=True)[-5:]) if self.log.exists() else ""
            raise LocaldevError(f"{Path(command[0]).name} failed for {self.data}: {done.stdout.strip()}\n{tail}")


def _initdb_options(data: Path, password_file: Path, durable: bool) -> list[str]:
    options = ["-D", str(data), "-U", USER, "--auth=scram-sha-256", f"--pwfile={password_file}"]
    # The builtin provider sorts the same everywhere, whatever locales the machine has.
    options += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    options += ["--no-instructions", "--set=include_if_exists=localdev.conf"]
    return options if durable else [*options, "--no-sync"]


def _postmaster(data: Path) -> tuple[Identity, int, str] | None:
    """Read who holds a data folder: (process, port, socket folder), or None where nobody living does."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        identity = identify(int(lines[0]))
        port, socket_folder = int(lines[3]), lines[4]
    except (FileNotFoundError, ValueError, IndexError):
        return None
    return None if identity is None else (identity, port, socket_folder)
