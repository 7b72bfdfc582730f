"""Whether an account, ship-to and channel may buy at all: what a shop asks before it takes an order."""

from dataclasses import dataclass

from apps.masterdata.models import Account, ShipTo, System


@dataclass(frozen=True, slots=True)
class Standing:
    """`status` is the first thing that is wrong, or ok; `reasons` are all of them as (code, sentence)."""

    status: str
    reasons: tuple[tuple[str, str], ...]
    account: Account | None


def standing_of(
    code: str, ship_to: str | None, channel: str | None, *, accounts: frozenset[str], channels: frozenset[str]
) -> Standing:
    """The limits name what the caller may see (empty: all); what it may not see does not exist for it."""
    visible = not accounts or code in accounts
    account = Account.objects.filter(code=code).first() if visible else None
    if account is None:
        return Standing("unknown_account", (("UNKNOWN_ACCOUNT", f"No account {code}."),), None)
    found = [_of_account(account), _of_ship_to(account, ship_to), _of_channel(channel, channels)]
    wrong = [each for each in found if each is not None]
    status = wrong[0][0] if wrong else "ok"
    return Standing(status, tuple((reason, detail) for _, reason, detail in wrong), account)


def _of_account(account: Account) -> tuple[str, str, str] | None:
    if account.status == Account.Status.ACTIVE:
        return None
    return account.status, f"ACCOUNT_{account.status.upper()}", f"Account {account.code} is {account.status}."


def _of_ship_to(account: Account, code: str | None) -> tuple[str, str, str] | None:
    if code is None:
        return None
    ship_to = ShipTo.objects.filter(account=account, code=code).first()
    if ship_to is None:
        return "unknown_ship_to", "UNKNOWN_SHIP_TO", f"Account {account.code} has no ship-to {code}."
    if ship_to.status == Account.Status.ACTIVE:
        return None
    said = f"Ship-to {code} of account {account.code} is {ship_to.status}."
    return ship_to.status, f"SHIP_TO_{ship_to.status.upper()}", said


def _of_channel(code: str | None, channels: frozenset[str]) -> tuple[str, str, str] | None:
    if code is None:
        return None
    visible = not channels or code in channels
    if visible and System.objects.filter(code=code).exists():
        return None
    return "unknown_channel", "UNKNOWN_CHANNEL", f"No channel {code}."
