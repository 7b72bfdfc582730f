"""What survives a restart: one JSON file per simulated system, written aside and renamed."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

logger = logging.getLogger("sandbox")

WRITE_EVERY_S = 0.5
Snapshot = Callable[[], dict[str, Any]]


class StateInUse(RuntimeError):
    """Another sandbox is running on this state directory."""


class StateDirectory:
    """Loads and keeps the parts of one sandbox; a part is written at most every half second."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._snapshots: dict[str, Snapshot] = {}
        self._changed: set[str] = set()
        self._lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._dirty = threading.Event()
        self._stopping = threading.Event()
        self._guard = self._claim()
        self._writer = threading.Thread(target=self._write_forever, name="sandbox-state", daemon=True)

    def load(self, part: str) -> dict[str, Any]:
        """The stored part, or an empty dict where there is none yet."""
        path = self._path(part)
        if not path.exists():
            return {}
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is not readable ({error}): delete it to start afresh") from error
        if not isinstance(stored, dict):
            raise ValueError(f"{path} does not hold an object: delete it to start afresh")
        return stored

    def keep(self, part: str, snapshot: Snapshot) -> Callable[[], None]:
        """Keep what `snapshot` returns under this name; returns the function that marks it changed."""
        self._snapshots[part] = snapshot

        def changed() -> None:
            with self._lock:
                self._changed.add(part)
            self._dirty.set()

        return changed

    def start(self) -> None:
        """Begin to write in the background."""
        self._writer.start()

    def close(self) -> None:
        """Write what is left and let go of the directory."""
        self._stopping.set()
        self._dirty.set()
        if self._writer.is_alive():
            self._writer.join()
        self.write()
        self.release()

    def release(self) -> None:
        """Let go of the directory as it is."""
        os.close(self._guard)

    def write(self) -> None:
        """Write every changed part now."""
        with self._write_lock:
            with self._lock:
                parts, self._changed = sorted(self._changed), set()
                self._dirty.clear()
            for part in parts:
                write_json(self._path(part), self._snapshots[part]())

    def _write_forever(self) -> None:
        while not self._stopping.is_set():
            self._dirty.wait()
            try:
                self.write()
            except OSError:
                logger.exception("sandbox state could not be written")
            self._stopping.wait(WRITE_EVERY_S)

    def _path(self, part: str) -> Path:
        return self._directory / f"{part.lower()}.json"

    def _claim(self) -> int:
        descriptor = os.open(self._directory / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise StateInUse(
                f"{self._directory} belongs to a running sandbox: stop it or name another --state-dir"
            ) from error
        return descriptor


def write_json(path: Path, value: object) -> None:
    """Replace a file in one step, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    aside.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    os.replace(aside, path)
