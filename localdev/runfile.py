"""`.local/run.json`: which processes run here, by instance and name; changed under a file lock."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localdev.processes import Identity

Record = dict[str, Any]


@contextlib.contextmanager
def locked(path: Path, *, shared: bool = False, wait: bool = True) -> Iterator[bool]:
    """Hold a lock file while the block runs; yields False where it is taken and `wait` is off."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(handle, mode | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def write_private(path: Path, content: Record) -> None:
    """Replace a JSON file in one step, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        json.dump(content, handle, indent=2)
        handle.write("\n")
    aside.replace(path)


def read_json(path: Path) -> Record:
    """Read a JSON object; {} where the file is missing or was cut off."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


class RunFile:
    """What runs: `{instance: {name: {pid, started, …}}}`. Every change is read-modify-write under a lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = path.with_suffix(".lock")

    def get(self, instance: str, name: str) -> Record | None:
        """Return what is recorded, whether it still lives or not."""
        found = read_json(self.path).get(instance, {}).get(name)
        return found if isinstance(found, dict) else None

    def names(self, instance: str) -> list[str]:
        """Return the names recorded under an instance, in the order they were added."""
        return list(read_json(self.path).get(instance, {}))

    def instances(self) -> list[str]:
        """Return the instances that have a record."""
        return list(read_json(self.path))

    def put(self, instance: str, name: str, identity: Identity, **details: Any) -> None:
        """Record a process that now runs, replacing an earlier one of that name."""
        with locked(self._lock):
            content = read_json(self.path)
            record = {"pid": identity.pid, "started": identity.started, **details}
            content.setdefault(instance, {})[name] = record
            write_private(self.path, content)

    def drop(self, instance: str, name: str, identity: Identity | None = None) -> None:
        """Forget a process; with `identity` only if the record still speaks of that one."""
        with locked(self._lock):
            content = read_json(self.path)
            found = content.get(instance, {}).get(name)
            if found is None or (identity and _identity(found) != identity):
                return
            del content[instance][name]
            if not content[instance]:
                del content[instance]
            write_private(self.path, content)

    def living(self, instance: str, name: str) -> Identity | None:
        """Return the recorded process if exactly that one still runs."""
        record = self.get(instance, name)
        if record is None:
            return None
        identity = _identity(record)
        return identity if identity.alive() else None


def _identity(record: Record) -> Identity:
    return Identity(int(record["pid"]), str(record["started"]))
