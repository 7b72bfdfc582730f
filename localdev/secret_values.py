"""Secrets of this checkout, made once and kept in `.local/env.json` (readable by the owner alone)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from pathlib import Path

from localdev.paths import ENV_FILE
from localdev.runfile import locked, read_json, write_private


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


MAKERS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(50),
    "CREDENTIAL_KEYS": _fernet_key,
    "POSTGRES_PASSWORD": lambda: secrets.token_hex(16),
    "VALKEY_PASSWORD": lambda: secrets.token_hex(16),
    "SANDBOX_API_KEY": lambda: secrets.token_urlsafe(24),
}


def secret_values(path: Path = ENV_FILE) -> dict[str, str]:
    """Return every secret by name; missing ones are made and kept."""
    with locked(path.with_suffix(".lock")):
        known = {name: str(value) for name, value in read_json(path).items()}
        missing = {name: make() for name, make in MAKERS.items() if name not in known}
        if missing:
            known |= missing
            write_private(path, dict(known))
    return known
