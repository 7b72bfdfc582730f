"""API clients: which scopes and limits they have, and keys restored from a private file."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.access.capabilities import SCOPES
from apps.access.keys import forget_keys
from apps.access.models import ApiClient, ApiKey

READ_SCOPES = tuple(sorted(scope for scope in SCOPES if scope.endswith(":read")))


class UnknownScope(ValueError):
    """A scope nobody can have; the message names the known ones."""


@dataclass(frozen=True, slots=True)
class ClientTerms:
    """What a client may do; empty limits mean all."""

    scopes: Sequence[str]
    channels: Sequence[str] = ()
    accounts: Sequence[str] = ()
    warehouses: Sequence[str] = ()
    sources: Sequence[str] = ()
    requests_per_s: int = 100


def check_scopes(scopes: Sequence[str]) -> list[str]:
    """The scopes without repetition, or UnknownScope."""
    unknown = sorted(set(scopes) - SCOPES - {"all"})
    if unknown:
        raise UnknownScope(f"{unknown[0]!r} is no scope; known: all, {', '.join(sorted(SCOPES))}.")
    if not scopes:
        raise UnknownScope("A client needs at least one scope, or all.")
    return list(dict.fromkeys(scopes))


def set_client(name: str, terms: ClientTerms) -> ApiClient:
    """The client of that name on these terms, made where there is none."""
    client, _ = ApiClient.objects.update_or_create(
        name=name,
        defaults={
            "scopes": check_scopes(terms.scopes),
            "channels": list(terms.channels),
            "accounts": list(terms.accounts),
            "warehouses": list(terms.warehouses),
            "sources": list(terms.sources),
            "requests_per_s": terms.requests_per_s,
            "active": True,
        },
    )
    return client


def restore_key(client: ApiClient, key: str) -> None:
    """Makes `key` (prefix.secret, made by us earlier) a key of `client` in this database, if it is none yet."""
    prefix, _, secret = key.partition(".")
    if not prefix or not secret:
        raise ValueError("A key is written prefix.secret.")
    existing = ApiKey.objects.filter(prefix=prefix).first()
    if existing is not None and existing.is_valid(key):
        ApiKey.objects.filter(pk=existing.pk).update(client=client, revoked=False)
    else:
        hashed = ApiKey.objects.key_generator.hash(key)
        ApiKey.objects.create(
            id=f"{prefix}.{hashed}", prefix=prefix, hashed_key=hashed, name=client.name[:50], client=client
        )
    forget_keys()
