"""One table of who may do what: capability → the roles that have it, for pages and API alike."""

from typing import Final

VIEWER, TRIAGER, TEAM_LEAD = "viewer", "triager", "team lead"
PRICING_AUTHOR, PRICING_APPROVER = "pricing author", "pricing approver"
CHANNEL_ADMIN, ADMINISTRATOR = "channel admin", "administrator"

ROLES: Final = (VIEWER, TRIAGER, TEAM_LEAD, PRICING_AUTHOR, PRICING_APPROVER, CHANNEL_ADMIN, ADMINISTRATOR)

_EVERYONE: Final = frozenset(ROLES)
_TRIAGE: Final = frozenset({TRIAGER, TEAM_LEAD, ADMINISTRATOR})

# The capabilities are the API's scopes (CONTRACT: Authorization) plus what only a person does.
CAPABILITIES: Final[dict[str, frozenset[str]]] = {
    "events:read": _EVERYONE,
    "events:write": frozenset({ADMINISTRATOR}),
    "masterdata:read": _EVERYONE,
    "masterdata:write": frozenset({ADMINISTRATOR}),
    "availability:read": _EVERYONE,
    "prices:read": _EVERYONE,
    "prices:write": frozenset({PRICING_AUTHOR, ADMINISTRATOR}),
    "prices:approve": frozenset({PRICING_APPROVER, ADMINISTRATOR}),
    "reservations:write": frozenset({ADMINISTRATOR}),
    "orders:read": _EVERYONE,
    "orders:write": frozenset({ADMINISTRATOR}),
    "exceptions:read": _EVERYONE,
    "exceptions:write": _TRIAGE,
    "channels:read": _EVERYONE,
    "channels:write": frozenset({CHANNEL_ADMIN, ADMINISTRATOR}),
    "lineage:read": _EVERYONE,
    "kpis:read": _EVERYONE,
    "access:write": frozenset({ADMINISTRATOR}),
}

SCOPES: Final = frozenset(
    {
        "events:write",
        "events:read",
        "masterdata:read",
        "availability:read",
        "prices:read",
        "reservations:write",
        "orders:write",
        "orders:read",
        "exceptions:read",
        "exceptions:write",
        "channels:read",
        "channels:write",
        "lineage:read",
        "kpis:read",
    }
)


def role_may(roles: frozenset[str], capability: str) -> bool:
    """True where one of `roles` holds `capability`; an unknown capability is a KeyError, never a yes."""
    return bool(CAPABILITIES[capability] & roles)
