"""Management commands run one after the other while a demo starts; a signal ends the one that runs."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from localdev.children import log_tail
from localdev.errors import LocaldevError, Stopped
from localdev.groups import end_group
from localdev.paths import ROOT
from localdev.processes import identify

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequest:
    """Remembers that SIGINT, SIGTERM or SIGHUP came; nothing is interrupted half-way."""

    def __init__(self) -> None:
        self._event = threading.Event()
        for number in SIGNALS:
            # Under nohup SIGHUP is ignored on purpose.
            if signal.getsignal(number) != signal.SIG_IGN or number != signal.SIGHUP:
                signal.signal(number, lambda *_: self._event.set())

    def made(self) -> bool:
        """True once a signal came."""
        return self._event.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Wait for a signal; True where one came."""
        return self._event.wait(timeout_s)

    def check(self) -> None:
        """Raise Stopped once a signal came."""
        if self.made():
            raise Stopped


def run_step(command: list[str], environment: dict[str, str], log: Path, stopping: Callable[[], bool]) -> str:
    """Run a command to its end and return its standard output; a failure shows the end of its log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("ab") as errors,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        output = _communicate(process, stopping)
        errors.write(output.encode())
    if process.returncode != 0:
        raise LocaldevError(f"`{' '.join(command[1:])}` failed ({process.returncode}):\n{log_tail(log, 40)}")
    return output


def _communicate(process: subprocess.Popen[str], stopping: Callable[[], bool]) -> str:
    identity = identify(process.pid)
    while True:
        try:
            return process.communicate(timeout=0.1)[0]
        except subprocess.TimeoutExpired:
            if stopping():
                if identity is not None:
                    end_group(identity)
                process.communicate()
                raise Stopped from None
