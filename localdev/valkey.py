"""One embedded Valkey: keeps nothing on disk, since nothing that matters may live in it."""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import redis

from localdev.binaries import valkey_binary
from localdev.errors import LocaldevError
from localdev.ports import HOST, free_port
from localdev.processes import Identity, identify
from localdev.runfile import RunFile

NAME = "valkey"
DATABASES = 1024
START_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class ValkeyServer:
    """The Valkey of one instance."""

    instance: str
    log: Path
    run_file: RunFile
    password: str

    def url(self, database: int = 0) -> str:
        """Return the address of one numbered database of the running server."""
        record = self.run_file.get(self.instance, NAME)
        if record is None:
            raise LocaldevError(f"Valkey of '{self.instance}' is not running: start it first.")
        return self._url(int(record["port"]), database)

    def ensure(self) -> bool:
        """Adopt the living server or start one; True where this call started it."""
        previous = self.run_file.get(self.instance, NAME)
        port = int(previous["port"]) if previous else None
        identity = self.living()
        if identity and port:
            if self._answers(port, identity.pid):
                return False
            # Ours by start time, but hung: a second one beside it would split the broker in two.
            identity.end(signal.SIGTERM, grace_s=5.0)
        self._start(port)
        return True

    def living(self) -> Identity | None:
        """Return the recorded server process if it still runs."""
        return self.run_file.living(self.instance, NAME)

    def stop(self, number: int = signal.SIGTERM) -> bool:
        """End the recorded server; False where none ran."""
        identity = self.living()
        ended = identity is not None and identity.end(number, grace_s=10.0)
        self.run_file.drop(self.instance, NAME)
        return ended

    def _start(self, preferred: int | None) -> None:
        port = free_port(preferred)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            server = subprocess.Popen(
                [str(valkey_binary()), "-"],
                cwd=self.log.parent,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert server.stdin is not None
        # Through standard input, since a command line with the password is readable by every user.
        server.stdin.write(self._configuration(port).encode())
        server.stdin.close()
        identity = identify(server.pid)
        if identity is None or not self._wait_ready(server, port):
            server.kill()
            server.wait()
            raise LocaldevError(f"Valkey of '{self.instance}' did not start on port {port}: see {self.log}")
        self.run_file.put(self.instance, NAME, identity, port=port)

    def _configuration(self, port: int) -> str:
        lines = [f"port {port}", f"bind {HOST}", f"requirepass {self.password}", 'save ""', "appendonly no"]
        lines += [f"databases {DATABASES}", "maxmemory-policy noeviction", "daemonize no"]
        return "\n".join(lines) + "\n"

    def _wait_ready(self, server: subprocess.Popen[bytes], port: int) -> bool:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and server.poll() is None:
            if self._answers(port, server.pid):
                return True
            time.sleep(0.02)
        return False

    def _answers(self, port: int, pid: int) -> bool:
        options = {"socket_timeout": 2, "socket_connect_timeout": 2}
        try:
            with redis.Redis.from_url(self._url(port, 0), **options) as client:
                return int(client.info("server")["process_id"]) == pid
        except redis.RedisError:
            return False

    def _url(self, port: int, database: int) -> str:
        return f"redis://:{self.password}@{HOST}:{port}/{database}"
