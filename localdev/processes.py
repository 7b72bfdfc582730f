"""Processes named by pid *and* start time, so that a recycled pid is never mistaken for ours."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
POLL_S = 0.05


@dataclass(frozen=True)
class Identity:
    """One process for as long as it lives: the same pid started at another time is somebody else."""

    pid: int
    started: str

    def alive(self) -> bool:
        """True while exactly this process runs; a zombie counts as gone."""
        return _started(self.pid) == self.started

    def send(self, number: int) -> bool:
        """Send a signal to exactly this process; False where it is already gone."""
        with _handle(self.pid) as handle:
            # The handle pins the process first: what is checked is what is signalled.
            if not self.alive():
                return False
            try:
                if handle is None:
                    os.kill(self.pid, number)
                else:
                    signal.pidfd_send_signal(handle, number)
            except ProcessLookupError:
                return False
            return True

    def end(self, number: int = signal.SIGTERM, grace_s: float = 15.0) -> bool:
        """Ask it to stop, wait, and kill it after `grace_s`; False where it was already gone."""
        if not self.send(number):
            return False
        if not self.wait_gone(grace_s):
            self.send(signal.SIGKILL)
            self.wait_gone(10.0)
        return True

    def wait_gone(self, timeout_s: float) -> bool:
        """Wait until it is gone; False where it still runs after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True


def identify(pid: int) -> Identity | None:
    """Return the identity of a running process, or None."""
    started = _started(pid)
    return None if started is None else Identity(pid, started)


@contextlib.contextmanager
def _handle(pid: int) -> Iterator[int | None]:
    opened: int | None = None
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            opened = os.pidfd_open(pid)
    try:
        yield opened
    finally:
        if opened is not None:
            os.close(opened)


def _started(pid: int) -> str | None:
    if BOOT_ID.exists():
        return _started_from_proc(pid)
    return _started_from_ps(pid)


def _started_from_proc(pid: int) -> str | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name stands in brackets and may hold anything, so count from the last bracket.
    fields = text.rpartition(")")[2].split()
    state, ticks = fields[0], fields[19]
    if state in "ZX":
        return None
    return f"{BOOT_ID.read_text().strip()}:{ticks}"


def _started_from_ps(pid: int) -> str | None:
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    state, _, started = answer.stdout.strip().partition(" ")
    if not started or state.startswith("Z"):
        return None
    return started.strip()
