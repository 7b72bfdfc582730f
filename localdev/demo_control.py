"""Starting a demo in front or detached, finding the one that runs, and ending it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from localdev.demo import SUPERVISOR, Demo, end_leftovers, say, summary
from localdev.errors import LocaldevError
from localdev.paths import DEMO_FILE, LOCAL, LOGS, ROOT, RUN_FILE
from localdev.processes import Identity, identify
from localdev.runfile import RunFile, locked, read_json
from localdev.services import services
from localdev.steps import SIGNALS
from localdev.testing import IN_USE

INSTANCES = ("demo", "empty")
STARTING_TIMEOUT_S = 900.0
STOP_TIMEOUT_S = 90.0
LOCK = LOCAL / "supervisor.lock"


def run_demo(instance: str, port: int | None) -> int:
    """Run a demo in front until it is told to stop; where one runs already, say where."""
    with locked(LOCK, wait=False) as mine:
        if mine:
            return Demo(instance, port).run()
    return _already_running(instance)


def start_detached(instance: str, port: int | None) -> int:
    """Leave a supervisor running on its own and return once the demo is ready."""
    with locked(LOCK, wait=False) as mine:
        if mine:
            DEMO_FILE.unlink(missing_ok=True)
    if not mine:
        return _already_running(instance)
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / "supervisor.log"
    command = [sys.executable, "-m", "localdev", "demo", *(["--empty"] if instance == "empty" else [])]
    command += ["--port", str(port)] if port else []
    with log.open("wb") as output:
        supervisor = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return _follow(supervisor, log)


def stop_all() -> int:
    """End the demo, what a dead supervisor left, and the test servers nobody uses."""
    run_file = RunFile(RUN_FILE)
    ended: list[str] = []
    for instance in INSTANCES:
        supervisor = run_file.living(instance, SUPERVISOR)
        if supervisor is not None:
            _end_supervisor(supervisor)
            ended.append(f"{instance} at supervisor {supervisor.pid}")
        ended += [f"{instance} {name}" for name in end_leftovers(run_file, instance)]
        ended += [f"{instance} {name}" for name in _stop_services(run_file, instance)]
    DEMO_FILE.unlink(missing_ok=True)
    ended += _stop_test_services(run_file)
    say("ended " + ", ".join(ended) if ended else "nothing was running")
    return 0


def _end_supervisor(supervisor: Identity) -> None:
    supervisor.send(signal.SIGTERM)
    if not supervisor.wait_gone(STOP_TIMEOUT_S):
        supervisor.end(signal.SIGKILL)


def _stop_services(run_file: RunFile, instance: str) -> list[str]:
    if instance not in run_file.instances():
        return []
    return services(instance).stop()


def _stop_test_services(run_file: RunFile) -> list[str]:
    running = [instance for instance in run_file.instances() if instance not in INSTANCES]
    if not running:
        return []
    with locked(IN_USE, wait=False) as unused:
        if unused:
            return [f"{instance} {name}" for instance in running for name in _stop_services(run_file, instance)]
    say("the test servers stay: a test run is using them")
    return []


def _already_running(instance: str) -> int:
    """Say where the demo is that holds the lock, waiting for one that is still starting."""
    running = next((name for name in INSTANCES if RunFile(RUN_FILE).living(name, SUPERVISOR)), instance)
    if running != instance:
        kinds = {"demo": "with sample data", "empty": "without sample data (EMPTY=1)"}
        raise LocaldevError(f"A demo {kinds[running]} is running already: end it with `make stop` first.")
    deadline = time.monotonic() + STARTING_TIMEOUT_S
    while not read_json(DEMO_FILE):
        with locked(LOCK, wait=False) as free:
            if free or time.monotonic() > deadline:
                raise LocaldevError(f"Another demo was starting and did not become ready: see {LOGS}")
        time.sleep(0.2)
    say("The demo is running already; `make stop` ends it.")
    say(summary(read_json(DEMO_FILE)))
    return 0


def _follow(supervisor: subprocess.Popen[bytes], log: Path) -> int:
    """Show what the supervisor says until the demo is ready or has failed; a signal here ends it too."""
    identity = identify(supervisor.pid)
    for number in SIGNALS:
        signal.signal(number, lambda *_: identity.send(signal.SIGTERM) if identity else None)
    with log.open("rb") as output:
        while not read_json(DEMO_FILE) and supervisor.poll() is None:
            _show(output.read())
            time.sleep(0.1)
        time.sleep(0.2)
        _show(output.read())
    if supervisor.poll() is None:
        return 0
    return supervisor.returncode or 1


def _show(text: bytes) -> None:
    sys.stdout.write(text.decode(errors="replace"))
    sys.stdout.flush()
