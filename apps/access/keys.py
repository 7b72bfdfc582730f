"""API keys: who a bearer token belongs to, remembered for five seconds by its hash."""

import hashlib
import threading
import time
from dataclasses import dataclass

from django.utils import timezone

from apps.access.models import ApiClient, ApiKey

REMEMBERED_S = 5.0
REMEMBERED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated API client; empty limits mean all."""

    client_id: int
    name: str
    scopes: frozenset[str]
    channels: frozenset[str]
    accounts: frozenset[str]
    warehouses: frozenset[str]
    sources: frozenset[str]
    requests_per_s: int

    is_authenticated = True
    is_active = True

    @property
    def actor(self) -> str:
        """How audit rows and idempotency records name this caller."""
        return f"client:{self.client_id}"

    def may(self, capability: str) -> bool:
        return "all" in self.scopes or capability in self.scopes


_remembered: dict[bytes, tuple[float, Caller | None]] = {}
_lock = threading.Lock()


def caller_of(token: str) -> Caller | None:
    """The active client of a `prefix.secret`, or None; a revoked key works up to REMEMBERED_S more."""
    digest = hashlib.sha256(token.encode()).digest()
    found = _remembered.get(digest)
    instant = time.monotonic()
    if found is not None and found[0] > instant:
        return found[1]
    caller = _load(token)
    with _lock:
        if len(_remembered) >= REMEMBERED_MAX:
            _remembered.clear()
        _remembered[digest] = (instant + REMEMBERED_S, caller)
    return caller


def forget_keys() -> None:
    """Drop what is remembered (tests, and the process that revokes a key)."""
    _remembered.clear()


def create_key(client: ApiClient, name: str = "") -> str:
    """A new key of `client`; the returned text is shown once and kept nowhere."""
    _, key = ApiKey.objects.create_key(name=name or client.name, client=client)
    return str(key)


def _load(token: str) -> Caller | None:
    prefix, _, secret = token.partition(".")
    if not prefix or not secret or len(token) > 200:
        return None
    key = ApiKey.objects.select_related("client").filter(prefix=prefix, revoked=False, client__active=True).first()
    if key is None or not key.is_valid(token):
        return None
    if key.expiry_date is not None and key.expiry_date <= timezone.now():
        return None
    client = key.client
    return Caller(
        client_id=client.pk,
        name=client.name,
        scopes=frozenset(client.scopes),
        channels=frozenset(client.channels),
        accounts=frozenset(client.accounts),
        warehouses=frozenset(client.warehouses),
        sources=frozenset(client.sources),
        requests_per_s=client.requests_per_s,
    )
