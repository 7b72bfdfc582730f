"""Channel secrets at rest: one encrypted JSON object per channel, under CREDENTIAL_KEYS (newest first)."""

import json
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from apps.lib.errors import Problem


def seal(secrets: Mapping[str, str]) -> bytes:
    """The secrets encrypted with the newest key; none at all are no bytes."""
    return _keys().encrypt(json.dumps(dict(secrets)).encode()) if secrets else b""


def unseal(sealed: bytes) -> dict[str, str]:
    """The secrets in plain; 503 where no key of CREDENTIAL_KEYS opens them."""
    if not sealed:
        return {}
    try:
        secrets: dict[str, str] = json.loads(_keys().decrypt(sealed))
    except InvalidToken as error:
        raise Problem(
            503,
            "unavailable",
            "No key of CREDENTIAL_KEYS opens these credentials; enter them again or restore the key.",
        ) from error
    return secrets


def rotated(sealed: bytes) -> bytes:
    """The same secrets under the newest key."""
    return _keys().rotate(sealed) if sealed else b""


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.CREDENTIAL_KEYS])
