"""Customer accounts with their ship-tos, licences and identifiers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from django.db import transaction

from apps.lib.errors import Block
from apps.lib.identifiers import InvalidIdentifier, normalise
from apps.masterdata import checks
from apps.masterdata.batches import codes_of, heal_created, open_changes
from apps.masterdata.blocks import broken_rule
from apps.masterdata.changes import UNSET, LinesMode, Sender, Unset, UpsertResult, actor_of, sent_lines, waves
from apps.masterdata.healing import heal_identifiers
from apps.masterdata.lines import Key, Lines, Wanted
from apps.masterdata.models import Account, AccountIdentifier, AccountLicence, ShipTo
from apps.masterdata.resolving import Codes, Ignored
from apps.masterdata.rows import Change, Field, Rows
from apps.masterdata.warehouses import set_branch


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipToLine:
    code: str
    name: str | Unset | None = UNSET
    branch: str | Unset | None = UNSET
    country: str | Unset | None = UNSET
    region: str | Unset | None = UNSET
    timezone: str | Unset | None = UNSET
    status: str | Unset = UNSET
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceLine:
    code: str
    expires_on: date | None = None
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountIdentifierLine:
    scheme: str
    value: str
    party: str | None = None
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUpsert:
    """`account.upserted`: absent fields (UNSET) stay, None clears. Codes are the sender's."""

    code: str
    name: str | Unset = UNSET
    status: str | Unset = UNSET
    groups: Sequence[str] | Unset | None = UNSET
    type: str | Unset | None = UNSET
    parent: str | Unset | None = UNSET
    branch: str | Unset | None = UNSET
    currency: str | Unset | None = UNSET
    tax_exempt: bool | Unset = UNSET
    min_life_days: int | Unset | None = UNSET
    price_policy: str | Unset = UNSET
    licences: Sequence[LicenceLine] | Unset | None = UNSET
    identifiers: Sequence[AccountIdentifierLine] | Unset | None = UNSET
    ship_tos: Sequence[ShipToLine] | Unset | None = UNSET
    lines_mode: LinesMode = "replace"
    event: str = ""


FIELDS: Final = (
    Field("name", "name", "identity"),
    Field("type", "type", "identity", ""),
    Field("parent", "parent_id", "identity", None, shown="parent.code"),
    Field("branch", "branch_id", "identity", None, shown="branch.code"),
    Field("status", "status", "terms"),
    Field("groups", "groups", "terms", list, checks.code_list),
    Field("currency", "currency", "terms", "", checks.currency),
    Field("tax_exempt", "tax_exempt", "terms"),
    Field("min_life_days", "min_life_days", "terms", None),
    Field("price_policy", "price_policy", "terms"),
)
PLAIN: Final = ("name", "type", "status", "groups", "currency", "tax_exempt", "min_life_days", "price_policy")


def upsert_accounts(upserts: Sequence[AccountUpsert], sender: Sender) -> list[UpsertResult]:
    """One result per upsert, in order; a constant number of queries per batch. Heals what waited for them."""
    results: dict[int, UpsertResult] = {}
    with transaction.atomic():
        for wave in waves(upsert.code.strip() for upsert in upserts):
            done = _Batch(sender).run([upserts[position] for position in wave])
            results |= dict(zip(wave, done, strict=True))
    return [results[position] for position in range(len(upserts))]


@dataclass(slots=True)
class _Plan:
    upsert: AccountUpsert
    change: Change[Account]
    newborn_parent: str = ""
    lists: dict[str, Wanted] = field(default_factory=dict)


class _Batch:
    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._codes: Codes = codes_of(sender)
        self._rows: Rows[Account] = Rows(Account, "account", "code", FIELDS, sender)
        self._new: dict[str, _Plan] = {}
        self._lists: dict[str, Lines[Any]] = {
            "ship_tos": Lines(ShipTo, "account_id", ("code",)),
            "licences": Lines(AccountLicence, "account_id", ("code",)),
            "identifiers": Lines(
                AccountIdentifier,
                "account_id",
                ("scheme", "party", "value"),
                unique=("scheme", "party", "value"),
            ),
        }

    def run(self, upserts: Sequence[AccountUpsert]) -> list[UpsertResult]:
        self._load(upserts)
        changes = open_changes(self._rows, self._codes, upserts, "branch", "parent")
        for name, lines in self._lists.items():
            if any(not isinstance(getattr(upsert, name), Unset) for upsert in upserts):
                lines.load([change.row.pk for change in changes if change.row.pk is not None])
        plans = [_Plan(upsert, change) for upsert, change in zip(upserts, changes, strict=True)]
        for plan in plans:
            if plan.change.alive:
                self._plan(plan)
        self._check_identifiers([plan for plan in plans if plan.change.alive and "identifiers" in plan.lists])
        self._new = {plan.change.code: plan for plan in plans if plan.change.created and plan.change.alive}
        self._set_parents(plans)
        self._write([plan for plan in plans if plan.change.alive])
        heal_created(self._rows, changes)
        return [self._rows.result(change) for change in changes]

    def _load(self, upserts: Sequence[AccountUpsert]) -> None:
        ship_tos = [line for upsert in upserts for line in sent_lines(upsert.ship_tos)]
        sent = [*(upsert.branch for upsert in upserts), *(line.branch for line in ship_tos)]
        branches = [branch for branch in sent if isinstance(branch, str)]
        parents = [upsert.parent for upsert in upserts if isinstance(upsert.parent, str)]
        self._codes.load(accounts=[*(upsert.code for upsert in upserts), *parents], branches=branches)

    def _plan(self, plan: _Plan) -> None:
        change, upsert = plan.change, plan.upsert
        self._rows.require(change, "name", upsert.name)
        for name in PLAIN:
            value = getattr(upsert, name)
            self._rows.set(change, name, list(value) if isinstance(value, list | tuple) else value)
        set_branch(self._rows, self._codes, change, upsert.branch)
        if not isinstance(upsert.ship_tos, Unset):
            self._plan_list(plan, "ship_tos", "identity", self._ship_tos(plan, upsert.ship_tos or ()))
        if not isinstance(upsert.licences, Unset):
            lines = {(line.code.strip(),): {"expires_on": line.expires_on} for line in upsert.licences or ()}
            self._plan_list(plan, "licences", "terms", self._without_removed(lines, upsert.licences or ()))
        if not isinstance(upsert.identifiers, Unset):
            self._plan_list(plan, "identifiers", "identity", self._identifiers(plan, upsert.identifiers or ()))

    def _plan_list(
        self, plan: _Plan, name: str, group: str, sent: tuple[Mapping[Key, Mapping[str, Any]], list[Key]]
    ) -> None:
        wanted = Wanted(sent[0], sent[1], plan.upsert.lines_mode)
        lines, change = self._lists[name], plan.change
        theirs = [_shown(key, values) for key, values in wanted.lines.items()]
        if not lines.differ(change.row.pk, wanted):
            self._rows.differences.settle(change.code, name, theirs)
        elif self._rows.may(change, group, name, theirs=theirs, ours=lambda: _ours(lines, change, wanted)):
            change.changes(name)
            self._rows.differences.settle(change.code, name, theirs)
            plan.lists[name] = wanted

    def _ship_tos(self, plan: _Plan, sent: Sequence[ShipToLine]) -> tuple[dict[Key, dict[str, Any]], list[Key]]:
        wanted: dict[Key, dict[str, Any]] = {}
        existing = self._lists["ship_tos"].of(plan.change.row.pk)
        for line in sent:
            key = (line.code.strip(),)
            old = existing.get(key) if plan.upsert.lines_mode == "merge" else None
            values = wanted[key] = {
                "name": _sent(line.name, old.name if old else ""),
                "country": _sent(line.country, old.country if old else ""),
                "region": _sent(line.region, old.region if old else ""),
                "time_zone": _sent(line.timezone, old.time_zone if old else ""),
                "status": _sent(line.status, old.status if old else Account.Status.ACTIVE),
                "branch_id": old.branch_id if old else None,
            }
            self._check_ship_to(plan, line, values)
            if isinstance(line.branch, str):
                branch = self._codes.branch(line.branch)
                if branch is None:
                    unknown = self._codes.unknown("branch", line.branch, self._sender.code, subject=plan.change.code)
                    plan.change.blocks.append(unknown)
                elif not isinstance(branch, Ignored):
                    values["branch_id"] = branch.id
            elif line.branch is None:
                values["branch_id"] = None
        return self._without_removed(wanted, sent)

    def _check_ship_to(self, plan: _Plan, line: ShipToLine, values: Mapping[str, Any]) -> None:
        wrong = {
            "country": checks.country(values["country"]),
            "timezone": checks.time_zone(values["time_zone"]) if values["time_zone"] else "",
            "status": "" if values["status"] in Account.Status.values else "it is no status of a ship-to",
            "name": "" if len(values["name"]) <= 300 else "it has more than 300 characters",
            "region": "" if len(values["region"]) <= 100 else "it has more than 100 characters",
        }
        for name, said in wrong.items():
            if said:
                detail = f"Ship-to {line.code} of account {plan.change.code}: {name}: {said}; correct it."
                plan.change.blocks.append(_violation(plan, f"/ship_tos/*/{name}", "value", detail))

    def _identifiers(
        self, plan: _Plan, sent: Sequence[AccountIdentifierLine]
    ) -> tuple[dict[Key, dict[str, Any]], list[Key]]:
        wanted: dict[Key, dict[str, Any]] = {}
        removed: list[Key] = []
        for line in sent:
            try:
                key = (line.scheme.strip(), (line.party or "").strip(), normalise(line.scheme, line.value))
            except InvalidIdentifier as error:
                detail = f"Account {plan.change.code}: {error.detail}"
                plan.change.blocks.append(
                    Block("INVALID_IDENTIFIER", "identifier", line.scheme, line.value, detail, subject=plan.change.code)
                )
                continue
            if line.removed:
                removed.append(key)
            else:
                wanted[key] = {}
        return wanted, removed

    def _without_removed(
        self, wanted: dict[Key, dict[str, Any]], sent: Sequence[ShipToLine] | Sequence[LicenceLine]
    ) -> tuple[dict[Key, dict[str, Any]], list[Key]]:
        removed: list[Key] = [(line.code.strip(),) for line in sent if line.removed]
        return {key: values for key, values in wanted.items() if key not in removed}, removed

    def _check_identifiers(self, plans: Sequence[_Plan]) -> None:
        values = {key[2] for plan in plans for key in plan.lists["identifiers"].lines}
        if not values:
            return
        rows = AccountIdentifier.objects.filter(value__in=values)
        holders = {tuple(row[:3]): row[3] for row in rows.values_list("scheme", "party", "value", "account__code")}
        for plan in plans:
            for key in plan.lists["identifiers"].lines:
                holder = holders.setdefault(key, plan.change.code)
                if holder != plan.change.code:
                    detail = f"Account {plan.change.code}: {key[0]} {key[2]} already belongs to account {holder}."
                    plan.change.blocks.append(
                        Block("DUPLICATE_IDENTIFIER", "identifier", key[0], key[2], detail, subject=plan.change.code)
                    )

    def _set_parents(self, plans: Sequence[_Plan]) -> None:
        """A parent may be in the same batch, as long as it is not blocked itself."""
        settled = False
        while not settled:
            settled = True
            for plan in plans:
                sent = plan.upsert.parent
                if not plan.change.alive or isinstance(sent, Unset):
                    continue
                before = len(plan.change.blocks)
                self._set_parent(plan, sent)
                settled = settled and len(plan.change.blocks) == before

    def _set_parent(self, plan: _Plan, sent: str | None) -> None:
        found = self._codes.account(sent) if sent is not None else None
        ours = self._codes.our_code("account", sent) if sent is not None else None
        if isinstance(found, Ignored):
            return
        if sent is None:
            self._rows.set(plan.change, "parent", None)
        elif ours == plan.change.code:
            detail = f"Account {ours} names itself as its parent; name another account."
            plan.change.blocks.append(_violation(plan, "/parent", "itself", detail))
        elif found is not None:
            self._rows.set(plan.change, "parent", found.id, found.code)
        elif isinstance(ours, str) and ours in self._new and self._new[ours].change.alive:
            if plan.newborn_parent or self._rows.may(plan.change, "identity", "parent", theirs=ours, ours=lambda: None):
                plan.newborn_parent = ours
        else:
            plan.change.blocks.append(self._codes.unknown("account", sent, self._sender.code, subject=plan.change.code))

    def _write(self, plans: Sequence[_Plan]) -> None:
        self._rows.write(plan.change for plan in plans)
        if waiting := [plan for plan in plans if plan.newborn_parent]:
            for plan in waiting:
                plan.change.row.parent_id = self._new[plan.newborn_parent].change.row.pk
                plan.change.changes("parent")
            self._rows.write(plan.change for plan in waiting)
        for name, lines in self._lists.items():
            for plan in plans:
                if name in plan.lists:
                    lines.apply(plan.change.row.pk, plan.lists[name])
            lines.write()
        heal_identifiers({row.value for row in self._lists["identifiers"].gone()}, actor_of(self._sender))


def _ours(lines: Lines[Any], change: Change[Account], wanted: Wanted) -> list[dict[str, Any]]:
    """Our lines in the columns the sender's have."""
    columns = {column for values in wanted.lines.values() for column in values}
    return [
        _shown(key, {column: getattr(row, column) for column in columns})
        for key, row in lines.of(change.row.pk).items()
    ]


def _shown(key: Key, values: Mapping[str, Any]) -> dict[str, Any]:
    return {"key": " ".join(str(part) for part in key if part)} | {
        name: value if isinstance(value, str | int | None) else str(value) for name, value in values.items()
    }


def _sent(value: Any, otherwise: Any) -> Any:
    return otherwise if isinstance(value, Unset) else "" if value is None else value


def _violation(plan: _Plan, pointer: str, rule: str, detail: str) -> Block:
    return broken_rule("account.upserted", pointer, rule, detail, subject=plan.change.code)
