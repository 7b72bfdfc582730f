"""The environment and the programs of a demo."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from localdev.children import Program
from localdev.paths import LOCAL, ROOT

NOT_PASSED_ON = (
    "MAKEFLAGS",
    "MFLAGS",
    "MAKELEVEL",
    "MAKEOVERRIDES",
    "DETACH",
    "EMPTY",
    "PORT",
    "DJANGO_SETTINGS_MODULE",
)
WEB_WORKERS = os.environ.get("WEB_WORKERS", "2")


@dataclass(frozen=True)
class DemoAddress:
    """Where the demo answers and which servers it uses."""

    port: int
    database_url: str
    redis_url: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def demo_environment(address: DemoAddress, secrets: dict[str, str]) -> dict[str, str]:
    """Return the environment of every program; secrets of the caller's environment win over generated ones."""
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
    return {
        "SECRET_KEY": secrets["SECRET_KEY"],
        "CREDENTIAL_KEYS": secrets["CREDENTIAL_KEYS"],
        "AUTO_REGISTER_SOURCES": "1",
        "ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8",
        "DEBUG": "0",
        **inherited,
        "DEMO": "1",
        "DJANGO_SETTINGS_MODULE": "sync_console.settings",
        "DATABASE_URL": address.database_url,
        "REDIS_URL": address.redis_url,
        "ALLOWED_HOSTS": "127.0.0.1,localhost,[::1]",
        "CSRF_TRUSTED_ORIGINS": f"{address.url},http://localhost:{address.port}",
        "PUBLIC_URL": address.url,
        "WEB_PROCESSES": WEB_WORKERS,
        "PYTHONUNBUFFERED": "1",
    }


def web_program(address: DemoAddress, environment: dict[str, str]) -> Program:
    """The console and the API. Few blocking threads: a view that waits on PostgreSQL frees the interpreter."""
    command = [_program("granian"), "--interface", "wsgi", "sync_console.wsgi:application"]
    command += ["--host", "127.0.0.1", "--port", str(address.port), "--no-ws", "--respawn-failed-workers"]
    command += ["--workers", WEB_WORKERS]
    command += ["--blocking-threads", os.environ.get("WEB_THREADS", "4"), "--workers-kill-timeout", "10"]
    return Program("web", command, environment)


def task_programs(instance: str, environment: dict[str, str]) -> list[Program]:
    """The worker and the clock."""
    celery = [_program("celery"), "-A", "sync_console"]
    worker = [*celery, "worker", "--pool", "threads", "--concurrency", os.environ.get("WORKER_THREADS", "16")]
    worker += ["--without-gossip", "--without-mingle", "--loglevel", "INFO", "--hostname", f"{instance}@%h"]
    schedule = LOCAL / f"beat-{instance}"
    return [
        Program("worker", worker, environment),
        Program("beat", [*celery, "beat", "--schedule", str(schedule), "--loglevel", "INFO"], environment),
    ]


def background_programs(instance: str, environment: dict[str, str]) -> list[Program]:
    """All that runs behind the web processes."""
    return [*task_programs(instance, environment), dispatch_program(environment)]


def dispatch_program(environment: dict[str, str]) -> Program:
    """The loop that carries on without a broker."""
    return Program("dispatch", manage("dispatch_loop"), environment)


def sandbox_program(instance: str, address: DemoAddress, environment: dict[str, str], api_key: str) -> Program:
    """The simulated ERP, WMS and channels; it posts events with the demo's API key."""
    command = [sys.executable, "-m", "apps.integrations.sandbox.server", "--console-url", address.url]
    command += ["--state-dir", str(LOCAL / f"sandbox-{instance}"), "--ports-file", str(sandbox_ports(instance))]
    return Program("sandbox", command, environment | {"SANDBOX_API_KEY": api_key})


def sandbox_ports(instance: str) -> Path:
    """Return the file in which the sandbox says where its servers listen."""
    return LOCAL / f"sandbox-{instance}.json"


def manage(*arguments: str) -> list[str]:
    """Return the command line of a management command."""
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def _program(name: str) -> str:
    return str(Path(sys.executable).parent / name)
