"""Who asks for a price and where: account, ship-to, branch and channel, read from their codes in one query."""

from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from django.db import connection

from apps.lib.errors import FieldError, Problem


@dataclass(frozen=True, slots=True)
class Parties:
    """`refusal` is why no line can be priced for them: (status, reason, detail)."""

    now: datetime
    account_id: int | None = None
    groups: tuple[str, ...] = ()
    type: str = ""
    branch_id: int | None = None
    region: str = ""
    channel_id: int | None = None
    refusal: tuple[str, str | None, str] | None = None


_SQL = """
SELECT sync_now(), a.id, a.status, a.groups, a.type, s.id, s.status, asked.id, w.id, c.id, b.id, b.region
FROM (SELECT 1) one
LEFT JOIN masterdata_account a ON a.code = %(account)s
LEFT JOIN masterdata_shipto s ON s.account_id = a.id AND s.code = %(ship_to)s
LEFT JOIN masterdata_branch asked ON asked.code = %(branch)s
LEFT JOIN masterdata_warehouse w ON w.code = %(warehouse)s
LEFT JOIN masterdata_system c ON c.code = %(channel)s
LEFT JOIN masterdata_branch b ON b.id = coalesce(asked.id, w.branch_id, s.branch_id, a.branch_id)
"""


def find_parties(
    *,
    account: str | None = None,
    ship_to: str | None = None,
    branch: str | None = None,
    warehouse: str | None = None,
    channel: str | None = None,
) -> Parties:
    """The branch is the one named, else the warehouse's, the ship-to's, the account's.

    An account that is unknown, on hold or closed refuses every line; an unknown branch, warehouse or channel is
    a mistake of the request (Problem 400).
    """
    codes = {"account": account, "ship_to": ship_to, "branch": branch, "warehouse": warehouse, "channel": channel}
    if ship_to and not account:
        _refuse("ship_to", f"Ship-to {ship_to!r} is named without its account; send account as well.")
    with connection.cursor() as cursor:
        cursor.execute(_SQL, codes)
        row = cursor.fetchone()
    assert row is not None
    instant, account_id, held, groups, kind, ship_to_id, ship_to_held, *found = row
    asked_id, warehouse_id, channel_id, branch_id, region = found
    for name, code, pk in (
        ("branch", branch, asked_id),
        ("warehouse", warehouse, warehouse_id),
        ("channel", channel, channel_id),
    ):
        if code and pk is None:
            _refuse(name, f"No {name} is known as {code!r}; send one of our codes.")
    return Parties(
        now=instant,
        account_id=account_id,
        groups=tuple(groups or ()),
        type=kind or "",
        branch_id=branch_id,
        region=region or "",
        channel_id=channel_id,
        refusal=_refusal(account, account_id, held, ship_to, ship_to_id, ship_to_held),
    )


def _refusal(
    account: str | None,
    account_id: int | None,
    status: str | None,
    ship_to: str | None,
    ship_to_id: int | None,
    ship_to_status: str | None,
) -> tuple[str, str | None, str] | None:
    if account and account_id is None:
        return "unknown_account", "UNKNOWN_ACCOUNT", f"No account is known as {account!r}; send one of our codes."
    if ship_to and ship_to_id is None:
        return "unknown_account", "UNKNOWN_ACCOUNT", f"Account {account} has no ship-to {ship_to!r}; send one it has."
    for name, code, held in (("Account", account, status), ("Ship-to", ship_to, ship_to_status)):
        if code and held != "active":
            return "on_hold", "ACCOUNT_ON_HOLD", f"{name} {code} is {str(held).replace('_', ' ')}; release it first."
    return None


def _refuse(name: str, detail: str) -> NoReturn:
    raise Problem(400, "invalid", detail, [FieldError("invalid", detail, f"/{name}")])
