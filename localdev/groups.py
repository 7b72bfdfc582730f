"""Process groups of children: every member is named by pid and start time before anything is sent to it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from localdev.processes import Identity, identify


def group_members(group: int) -> list[Identity]:
    """Return the living processes of a process group."""
    pids = _from_proc(group) if Path("/proc/self/stat").exists() else _from_ps(group)
    return [found for found in map(identify, pids) if found is not None]


def end_group(leader: Identity, grace_s: float = 15.0) -> bool:
    """Ask a group's leader to stop, then end whatever of its group is left; False where nothing of it ran."""
    if not leader.alive():
        return False
    members = group_members(leader.pid)
    leader.end(signal.SIGTERM, grace_s)
    end_members(members)
    return True


def end_members(members: list[Identity]) -> None:
    """Kill processes that outlived the leader they belonged to."""
    for member in members:
        member.end(signal.SIGKILL, grace_s=5.0)


def _from_proc(group: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group:
            found.append(int(folder.name))
    return found


def _from_ps(group: int) -> list[int]:
    listed = subprocess.run(["ps", "-axo", "pid=,pgid="], capture_output=True, text=True, check=False).stdout
    pairs = [line.split() for line in listed.splitlines()]
    return [int(pid) for pid, pgid in pairs if int(pgid) == group]
