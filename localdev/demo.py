"""`make demo`: services, migrations, sample data, then every process under one supervisor until it is told to stop."""

from __future__ import annotations

import http.client
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from localdev import demo_settings as settings
from localdev.children import Child, Program
from localdev.demo_settings import DemoAddress, manage
from localdev.errors import LocaldevError, Stopped
from localdev.groups import end_group
from localdev.paths import CREDENTIALS_FILE, DEMO_FILE, LOGS, RUN_FILE
from localdev.ports import is_free, next_free
from localdev.processes import Identity, identify
from localdev.runfile import RunFile, read_json, write_private
from localdev.secret_values import secret_values
from localdev.services import Services, ensure_database, given_servers, services
from localdev.steps import StopRequest, run_step

SUPERVISOR = "supervisor"
SERVERS = ("postgres", "valkey")
FIRST_PORT = 8000
READY_TIMEOUT_S = 120.0
SANDBOX_TIMEOUT_S = 60.0
TEND_S = 0.5
SAMPLE_MARK = "sync-console: sample loaded"
SETUP_LOG = LOGS / "setup.log"


def say(text: str) -> None:
    """Tell the person at the keyboard."""
    # The terminal may be gone by the time everything has to be ended.
    with suppress(OSError):
        print(text, flush=True)


@dataclass
class Demo:
    """One run of the demo, from the first server to the last signal. The caller holds the demo's lock."""

    instance: str
    wanted_port: int | None
    run_file: RunFile = field(default_factory=lambda: RunFile(RUN_FILE))
    children: list[Child] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    embedded: dict[str, bool] = field(default_factory=dict)
    sandbox_moved: bool = False

    def __post_init__(self) -> None:
        self.services: Services = services(self.instance)
        self.stop_request = StopRequest()

    def run(self) -> int:
        """Start everything, keep it running, and end it again on SIGINT, SIGTERM or SIGHUP."""
        own = identify(os.getpid())
        assert own is not None
        DEMO_FILE.unlink(missing_ok=True)
        end_leftovers(self.run_file, self.instance)
        self.run_file.put(self.instance, SUPERVISOR, own)
        try:
            self._start()
            self._tend()
        except Stopped:
            say("stopping before the demo was ready")
        finally:
            self._end(own)
        return 0

    def _start(self) -> None:
        port = _choose_port(self.wanted_port)
        address = self._servers(port)
        environment = settings.demo_environment(address, secret_values())
        credentials = self._prepare(environment)
        sandbox = self._sandbox(address, environment, str(credentials.get("api_key", "")))
        self._sample(address, environment)
        web = self._child(settings.web_program(address, environment))
        for program in settings.task_programs(self.instance, environment):
            self._child(program)
        web.wait_for(lambda: _answers(port, "/readyz"), READY_TIMEOUT_S, self._stopping)
        self._child(settings.dispatch_program(environment))
        write_private(DEMO_FILE, demo_description(address, credentials, sandbox))
        say(summary(read_json(DEMO_FILE)))

    def _servers(self, port: int) -> DemoAddress:
        """Start the embedded servers that are not given by the environment."""
        database_url, redis_url = given_servers()
        self.embedded = {"postgres": database_url is None, "valkey": redis_url is None}
        self.stop_request.check()
        if any(self.embedded.values()):
            say("starting " + " and ".join(name for name, ours in self.embedded.items() if ours))
        self.started = self.services.ensure(**self.embedded)
        if database_url and self.instance == "empty":
            database_url = _beside(database_url, "_empty")
        address = DemoAddress(port, database_url or self.services.database_url, redis_url or self.services.redis_url)
        ensure_database(address.database_url)
        return address

    def _step(self, title: str, environment: dict[str, str], *command: str) -> str:
        """Run a management command to its end; its standard output."""
        self.stop_request.check()
        say(title)
        return run_step(manage(*command), environment, SETUP_LOG, self._stopping)

    def _prepare(self, environment: dict[str, str]) -> dict[str, Any]:
        """Migrate, and make sure of the logins and keys that demo.json names."""
        output = self._step(
            "preparing the database", environment, "prepare_demo", "--credentials-file", str(CREDENTIALS_FILE)
        )
        # Libraries may greet on standard output; the object is the last thing printed.
        found = json.loads(output[output.index("{") :])
        if not isinstance(found, dict):
            raise LocaldevError(f"prepare_demo did not print an object: {output[:200]}")
        return found

    def _sandbox(self, address: DemoAddress, environment: dict[str, str], api_key: str) -> dict[str, Any]:
        say("starting the sandbox")
        ports_file = settings.sandbox_ports(self.instance)
        previous = read_json(ports_file)
        ports_file.unlink(missing_ok=True)
        child = self._child(settings.sandbox_program(self.instance, address, environment, api_key))
        child.wait_for(lambda: bool(read_json(ports_file)), SANDBOX_TIMEOUT_S, self._stopping)
        found = read_json(ports_file)
        self.sandbox_moved = bool(previous) and previous != found
        return found

    def _sample(self, address: DemoAddress, environment: dict[str, str]) -> None:
        """Load the sample distributor once per database; the database itself remembers that it was."""
        if self.instance == "empty":
            return
        sandbox = ["--sandbox", str(settings.sandbox_ports(self.instance))]
        if not _sample_loaded(address.database_url):
            self._step("loading the sample distributor", environment, "load_sample", *sandbox)
            _mark_sample_loaded(address.database_url)
        elif self.sandbox_moved:
            self._step("pointing channels at the sandbox", environment, "load_sample", *sandbox, "--urls-only")

    def _child(self, program: Program) -> Child:
        self.stop_request.check()
        child = Child(program, self.instance, self.run_file, LOGS, say)
        child.start()
        self.children.append(child)
        return child

    def _tend(self) -> None:
        while not self.stop_request.wait(TEND_S):
            for child in self.children:
                child.tend()
            self._tend_servers()

    def _tend_servers(self) -> None:
        """Start an embedded server again that went away, on the same port and data."""
        gone = [name for name in SERVERS if self.embedded[name] and not self.run_file.living(self.instance, name)]
        for name in gone:
            say(f"{name} went away; starting it again")
            try:
                self.started += self.services.ensure(postgres=name == "postgres", valkey=name == "valkey")
            except LocaldevError as error:
                say(str(error))

    def _end(self, own: Identity) -> None:
        say("stopping")
        DEMO_FILE.unlink(missing_ok=True)
        for child in reversed(self.children):
            child.stop()
        if self.started:
            self.services.stop(self.started)
        self.run_file.drop(self.instance, SUPERVISOR, own)
        say("stopped")

    def _stopping(self) -> bool:
        return self.stop_request.made()


def end_leftovers(run_file: RunFile, instance: str) -> list[str]:
    """End recorded children whose supervisor is gone; returns their names."""
    if run_file.living(instance, SUPERVISOR):
        return []
    ended = []
    for name in run_file.names(instance):
        identity = run_file.living(instance, name)
        if name in SERVERS:
            continue
        if identity and end_group(identity):
            ended.append(name)
        run_file.drop(instance, name)
    return ended


def demo_description(address: DemoAddress, credentials: dict[str, Any], sandbox: dict[str, Any]) -> dict[str, Any]:
    """Return the content of `demo.json`."""
    login = {name: credentials.get(name) for name in ("username", "password", "users", "api_key", "api_keys")}
    return {
        "url": address.url,
        "login_url": f"{address.url}/console/login/",
        **login,
        "database_url": address.database_url,
        "redis_url": address.redis_url,
        "sandbox": sandbox,
    }


def summary(description: dict[str, Any]) -> str:
    """Return what a person needs to begin: where, who, and which key."""
    return (
        f"\n  Sync Console   {description['url']}\n"
        f"  login          {description['login_url']}  {description['username']} / {description['password']}\n"
        f"  API key        {description['api_key']}\n"
        f"  logs           {LOGS}\n"
    )


def _choose_port(wanted: int | None) -> int:
    if wanted is None:
        return next_free(FIRST_PORT)
    if not is_free(wanted):
        raise LocaldevError(f"Port {wanted} is taken: give another PORT=, or none to take the next free one.")
    return wanted


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", path)
        return connection.getresponse().status == 200
    return False


def _beside(url: str, suffix: str) -> str:
    head, mark, query = url.partition("?")
    return f"{head}{suffix}{mark}{query}"


def _sample_loaded(url: str) -> bool:
    query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    return row is not None and row[0] == SAMPLE_MARK


def _mark_sample_loaded(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, sql.Literal(SAMPLE_MARK)))
