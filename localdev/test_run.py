"""`make test`: servers, a Chromium, pytest; what this run started ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from localdev.chromium import HOW_TO, ensure_chromium
from localdev.paths import ROOT
from localdev.runfile import locked
from localdev.services import ensure_database, given_servers
from localdev.testing import IN_USE, INSTANCE, environment_of, shared_services

# Two workers, a file at a time each: the suite is sized for two cores. `-n 0` after it wins.
PARALLEL = ("-n", "2", "--dist", "loadfile")


def run_tests(pytest_arguments: list[str]) -> int:
    """Run pytest and return its exit code; 5 (no test ran) stays a failure."""
    chromium = ensure_chromium()
    if chromium is None:
        print(HOW_TO, file=sys.stderr, flush=True)
    else:
        os.environ["CHROMIUM_PATH"] = chromium
    return run_with_servers(INSTANCE, [sys.executable, "-m", "pytest", *PARALLEL, *pytest_arguments])


def run_with_servers(instance: str, command: list[str]) -> int:
    """Run a program with an instance's servers and settings; what this call started ends with it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    database_url, redis_url = given_servers()
    started = shared_services(instance).ensure(postgres=database_url is None, valkey=redis_url is None)
    try:
        with locked(IN_USE, shared=True):
            return _run(instance, command)
    finally:
        _stop_started(instance, started)


def _run(instance: str, command: list[str]) -> int:
    environment = {**os.environ, **environment_of(instance)}
    if instance != INSTANCE:
        ensure_database(environment["DATABASE_URL"])
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    # Ctrl-C reaches the program by the terminal; here it only has to be waited for, so that servers end after it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    return process.wait()


def _stop_started(instance: str, started: list[str]) -> None:
    with locked(IN_USE, wait=False) as unused:
        if unused and started:
            shared_services(instance).stop(started)
