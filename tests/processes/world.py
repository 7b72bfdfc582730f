"""Real processes on servers of their own: web, worker, beat, dispatch loop and sandbox, to be struck by faults."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import redis

from localdev.children import Child, Program
from localdev.demo_settings import DemoAddress, demo_environment, dispatch_program, manage, task_programs, web_program
from localdev.paths import ROOT
from localdev.ports import free_port
from localdev.runfile import RunFile, read_json
from localdev.secret_values import secret_values
from localdev.services import ensure_database, services
from tests.processes.set_up import CASE, SKUS

INSTANCE = "faults"
MARK = "SYNC_CONSOLE_FAULTS"


class World:
    """One installation under test; `stop` leaves nothing of it running."""

    def __init__(self, report: Callable[[str], None] = print) -> None:
        self._report = report
        # Not pytest's own folder: the server's user must be able to enter it.
        self.folder = Path(tempfile.mkdtemp(prefix="sync-faults-"))
        self.folder.chmod(0o755)
        self.mark = uuid.uuid4().hex
        os.environ[MARK] = self.mark
        logging.getLogger("httpx2").setLevel(logging.WARNING)  # a line a request would bury the report
        self.services = services(INSTANCE, durable=True, local=self.folder)
        self.children: dict[str, Child] = {}
        self.key = ""
        self.sandbox: dict[str, Any] = {}
        self.said: list[str] = []
        self._run_file = RunFile(self.folder / "run.json")
        self._resting = threading.Event()
        self._began = time.monotonic()

    def start(self) -> None:
        """Servers, migrations, sandbox, a small distributor, then everything that runs in production."""
        self.services.ensure()
        self.address = DemoAddress(free_port(None), self.services.database_url, self.services.redis_url)
        ensure_database(self.address.database_url)
        self.environment = {
            **demo_environment(self.address, secret_values(self.folder / "env.json")),
            MARK: self.mark,
            "LOG_LEVEL": "WARNING",
            "WEB_PROCESSES": "1",
        }
        self.environment.pop("PYTEST_CURRENT_TEST", None)
        self.say("servers run")
        self._run(manage("migrate", "--noinput", "-v0"))
        self.say("migrated")
        ports = self.folder / "sandbox.json"
        command = [sys.executable, "-m", "apps.integrations.sandbox.server", "--console-url", self.address.url]
        command += ["--state-dir", str(self.folder / "sandbox"), "--ports-file", str(ports)]
        command += ["--market-rate", "500", "--market-burst", "500"]
        self.child(Program("sandbox", command, self.environment))
        wait_until(lambda: bool(read_json(ports)), 20, "the sandbox listens")
        self.sandbox = read_json(ports)
        self._seed_shelves()
        self.key = json.loads(self._run([sys.executable, str(Path(__file__).with_name("set_up.py")), str(ports)]))[
            "api_key"
        ]
        self.say("distributor set up")
        self._run_everything()
        threading.Thread(target=self._tend, daemon=True).start()
        wait_until(lambda: self.get("/readyz").status_code == 200, 40, "the installation is ready")
        self.say("everything runs")

    def _seed_shelves(self) -> None:
        """Before anything is published: a listing the channel does not have is refused."""
        for code, channel in self.sandbox["channels"].items():
            size = {"case_size": CASE} if code == "MARKET" else {}
            rows = [{"code": f"{code[0]}-{sku}", "quantity": 0, "currency": "USD", **size} for sku in SKUS]
            answer = httpx2.post(channel["control"] + "/seed", json={"listings": rows}, timeout=10, trust_env=False)
            assert answer.status_code == 200, answer.text

    def _run_everything(self) -> None:
        web = web_program(self.address, self.environment)
        command = list(web.command)
        command[command.index("--workers") + 1] = "1"
        self.child(Program("web", command, self.environment))
        for program in task_programs(INSTANCE, self.environment):
            self.child(program if program.name != "beat" else self.beat("beat"))
        self.child(dispatch_program(self.environment))

    def beat(self, name: str) -> Program:
        """A clock with a schedule file of its own."""
        command = next(one.command for one in task_programs(INSTANCE, self.environment) if one.name == "beat")
        changed = list(command)
        changed[changed.index("--schedule") + 1] = str(self.folder / name)
        return Program(name, changed, self.environment)

    def child(self, program: Program) -> Child:
        """Start a program; from now on it is started again when it dies."""
        child = Child(program, INSTANCE, self._run_file, self.folder / "log", self.say)
        child.start()
        self.children[program.name] = child
        return child

    def end_child(self, name: str) -> None:
        """End one program for good."""
        self.children.pop(name).stop()

    def kill(self, name: str) -> None:
        """SIGKILL, as the kernel's memory killer would; it is started again after a second."""
        identity = self._run_file.living(INSTANCE, name)
        assert identity is not None, f"{name} does not run"
        identity.send(signal.SIGKILL)

    def living(self, name: str) -> int | None:
        """The pid of a program, if it runs."""
        identity = self._run_file.living(INSTANCE, name)
        return identity.pid if identity else None

    def stop(self) -> list[str]:
        """End everything; what is still there afterwards, which is a failure."""
        self._resting.set()
        for child in reversed(list(self.children.values())):
            with suppress(Exception):
                child.stop(8.0)
        self.services.stop()
        os.environ.pop(MARK, None)
        left = self._leftovers()
        shutil.rmtree(self.folder, ignore_errors=True)
        return left

    def say(self, text: str) -> None:
        """A line of the report, with the second it was said in."""
        line = f"[{time.monotonic() - self._began:6.1f} s] {text}"
        self.said.append(line)
        self._report(line)

    def get(self, path: str, **query: Any) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        try:
            return httpx2.get(self.address.url + path, params=query, headers=headers, timeout=10, trust_env=False)
        except httpx2.HTTPError as error:
            return httpx2.Response(599, text=repr(error))

    def post(self, path: str, body: object) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        try:
            return httpx2.post(self.address.url + path, json=body, headers=headers, timeout=10, trust_env=False)
        except httpx2.HTTPError as error:
            return httpx2.Response(599, text=repr(error))

    def control(self, channel: str, path: str, **query: Any) -> Any:
        """Ask the control side of a sandbox channel."""
        url = self.sandbox["channels"][channel]["control"] + path
        return httpx2.get(url, params=query, timeout=20, trust_env=False).json()

    def faults(self, *faults: dict[str, Any]) -> None:
        """Put these faults in place on every channel."""
        for channel in self.sandbox["channels"].values():
            answer = httpx2.put(channel["control"] + "/faults", json=list(faults), timeout=10, trust_env=False)
            assert answer.status_code == 200, answer.text

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Ask the database, past the product."""
        with psycopg.connect(self.address.database_url, connect_timeout=5) as connection:
            return connection.execute(sql, parameters).fetchall()

    def broker(self) -> redis.Redis:
        return redis.Redis.from_url(self.address.redis_url, socket_timeout=5)

    def logs(self, lines: int = 15) -> str:
        """The ends of all logs, for a failure."""
        found = sorted((self.folder / "log").glob("*.log"))
        return "\n".join(f"--- {log.name}\n" + "\n".join(log.read_text().splitlines()[-lines:]) for log in found)

    def _run(self, command: list[str]) -> str:
        environment = {**self.environment, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def _tend(self) -> None:
        while not self._resting.wait(0.2):
            for child in list(self.children.values()):
                if not self._resting.is_set() and child.program.name in self.children:
                    child.tend()

    def _leftovers(self) -> list[str]:
        wanted = f"{MARK}={self.mark}".encode()
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit() or int(folder.name) == os.getpid():
                continue
            with suppress(OSError):
                if wanted in (folder / "environ").read_bytes():
                    found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200])
        return found


def wait_until(holds: Callable[[], bool], timeout_s: float, what: str) -> float:
    """Ask until it holds; the seconds it took, or a failure that says what did not come."""
    began = time.monotonic()
    while True:
        with suppress(psycopg.OperationalError, httpx2.HTTPError, redis.RedisError):
            if holds():
                return time.monotonic() - began
        assert time.monotonic() - began < timeout_s, f"not within {timeout_s} s: {what}"
        time.sleep(0.1)
