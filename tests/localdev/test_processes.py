"""A pid alone names nobody: only the pid with its start time is ever signalled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from localdev.groups import end_group, group_members
from localdev.processes import Identity, identify

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
PARENT = [
    sys.executable,
    "-c",
    f"import subprocess, time; subprocess.Popen({SLEEP!r}); print('up', flush=True); time.sleep(60)",
]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEP, start_new_session=True) as process:
        yield process
        process.kill()


def test_a_recycled_pid_is_not_signalled(sleeper: subprocess.Popen[bytes]) -> None:
    somebody_else = Identity(sleeper.pid, "another start")

    assert somebody_else.alive() is False
    assert somebody_else.send(signal.SIGKILL) is False
    assert somebody_else.end() is False
    assert end_group(somebody_else) is False
    assert sleeper.poll() is None


def test_the_process_itself_is_ended(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identify(sleeper.pid)

    assert identity is not None
    assert identity.end() is True
    assert sleeper.wait() == -signal.SIGTERM
    assert identity.end() is False


def test_a_zombie_counts_as_gone(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identify(sleeper.pid)
    assert identity is not None

    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)

    assert identity.alive() is False
    assert identify(sleeper.pid) is None


def test_a_process_that_ignores_the_request_is_killed() -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as stubborn:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()
        identity = identify(stubborn.pid)
        assert identity is not None

        identity.end(grace_s=0.1)

        assert stubborn.wait() == -signal.SIGKILL


def test_ending_a_group_ends_its_members_and_nobody_else(sleeper: subprocess.Popen[bytes]) -> None:
    with subprocess.Popen(PARENT, stdout=subprocess.PIPE, start_new_session=True) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        leader = identify(parent.pid)
        members = group_members(parent.pid)
        assert leader is not None
        assert leader in members
        assert len(members) == 2

        assert end_group(leader) is True

        assert [member for member in members if member.alive()] == []
        assert sleeper.poll() is None
