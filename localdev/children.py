"""Programs kept running: started in a session of their own, restarted with back-off, ended by identity."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from localdev.errors import LocaldevError, Stopped
from localdev.groups import end_group, end_members, group_members
from localdev.paths import ROOT
from localdev.processes import Identity, identify
from localdev.runfile import RunFile

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Program:
    """What to run: its name in `run.json` and in the log folder, its command, its environment."""

    name: str
    command: list[str]
    environment: dict[str, str]


class Child:
    """One program and the process that runs it now."""

    def __init__(self, program: Program, instance: str, run_file: RunFile, logs: Path, say: Say) -> None:
        self.program = program
        self.log = logs / f"{program.name}.log"
        self._instance = instance
        self._run_file = run_file
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._identity: Identity | None = None
        self._started_s = 0.0
        self._pause_s = FIRST_PAUSE_S
        self._due_s = 0.0

    def start(self) -> None:
        """Start the program; its output goes to its own log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.program.command,
                cwd=ROOT,
                env=self.program.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started_s = time.monotonic()
        self._identity = identify(self._process.pid)
        if self._identity is not None:
            self._run_file.put(self._instance, self.program.name, self._identity, group=True)

    def tend(self) -> None:
        """Notice a death and say it; start again once the pause is over. Called again and again."""
        if self._process is None:
            if time.monotonic() >= self._due_s:
                self.start()
                self._say(f"{self.program.name} started again")
            return
        if self.running():
            return
        if time.monotonic() - self._started_s > STEADY_S:
            self._pause_s = FIRST_PAUSE_S
        code = self._bury()
        self._say(f"{self.program.name} ended with {code}; again in {self._pause_s:.0f} s. Its log: {self.log}")
        self._due_s = time.monotonic() + self._pause_s
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)

    def running(self) -> bool:
        """True while the process lives; a dead one stays unreaped, so that its pid cannot be reused yet."""
        if self._process is None or self._process.returncode is not None:
            return False
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def stop(self, grace_s: float = 15.0) -> None:
        """End the process and its group."""
        if self._process is None:
            return
        if self._identity is not None:
            end_group(self._identity, grace_s)
        self._bury()

    def wait_for(self, ready: Callable[[], bool], timeout_s: float, stopping: Callable[[], bool]) -> None:
        """Wait until `ready`; an early death or the end of patience is an error that shows the log's end."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if stopping():
                raise Stopped
            if not self.running() or time.monotonic() > deadline:
                state = "is not ready" if self.running() else "ended"
                raise LocaldevError(f"{self.program.name} {state}; the end of {self.log}:\n{log_tail(self.log)}")
            time.sleep(0.1)

    def _bury(self) -> int:
        """End what is left of the group, then reap; returns the exit code."""
        assert self._process is not None
        # Until it is reaped the leader keeps the group's number, so these members are its own.
        end_members([member for member in group_members(self._process.pid) if member != self._identity])
        code = self._process.wait()
        if self._identity is not None:
            self._run_file.drop(self._instance, self.program.name, self._identity)
        self._process = None
        return code


def log_tail(path: Path, lines: int = 25) -> str:
    """Return the last lines of a log."""
    if not path.exists():
        return "(no log)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
