"""The operating-system user PostgreSQL runs as: ourselves, or an unprivileged one where we are root."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localdev.errors import LocaldevError

CANDIDATES = ("nobody", "postgres", "daemon")


@dataclass(frozen=True)
class Account:
    """A user to run a server as; `switch` holds the subprocess arguments that become it."""

    uid: int
    gid: int

    @property
    def is_self(self) -> bool:
        return self.uid == os.geteuid()

    @property
    def switch(self) -> dict[str, Any]:
        if self.is_self:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, folder: Path) -> bool:
        """True where this user may pass through `folder` and every folder above it."""
        return self.runs(["test", "-x", str(folder)])

    def runs(self, command: list[str]) -> bool:
        """True where this user can run `command` and it succeeds."""
        try:
            return subprocess.run(command, cwd="/", check=False, capture_output=True, **self.switch).returncode == 0
        except OSError:
            return False

    def own(self, path: Path) -> None:
        """Give a file or folder to this user."""
        if not self.is_self:
            os.chown(path, self.uid, self.gid)


def server_account(data: Path) -> Account:
    """Return who runs PostgreSQL: the owner of `data` where it exists, so that data survive a change of candidates."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    if data.exists() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        account = Account(entry.pw_uid, entry.pw_gid)
        if entry.pw_uid != 0 and account.runs(["true"]):
            return account
    raise LocaldevError(
        f"PostgreSQL refuses to run as root, and none of the users {', '.join(CANDIDATES)} can be used here. "
        "Run as an ordinary user, or set DATABASE_URL to a running PostgreSQL."
    )
