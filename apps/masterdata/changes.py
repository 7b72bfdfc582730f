"""The vocabulary of upserts: what was sent, by whom, and what became of it."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, Protocol, TypeVar

from django.db import connection

from apps.lib.errors import Block


class Unset(Enum):
    """What was not sent stays as it is; None clears."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET: Final = Unset.UNSET

T = TypeVar("T")
LinesMode = Literal["replace", "merge"]
Status = Literal["created", "changed", "unchanged", "ignored", "blocked"]


class Sender(Protocol):
    """Who says it. A source's codes are resolved by its cross references; a person (no system) uses ours."""

    @property
    def system_id(self) -> int | None: ...
    @property
    def code(self) -> str: ...
    @property
    def accepts_our_codes(self) -> bool: ...
    @property
    def folds_case(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at the console, or an import: codes are ours, fields that a system owns are refused."""

    username: str
    system_id: None = None
    code: str = ""
    accepts_our_codes: bool = True
    folds_case: bool = False


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """One upsert's outcome, in the order given. Blocked means that nothing of it was applied.

    `effects` are `{kind, subject, change}`; `differences` the fields another system owns and disagrees on.
    """

    code: str
    status: Status
    blocks: tuple[Block, ...] = ()
    effects: tuple[dict[str, str], ...] = ()
    differences: tuple[str, ...] = ()


def sent_lines(lines: "Sequence[T] | Unset | None") -> "Sequence[T]":
    """The lines of a list that was sent; none where it was not, or was cleared."""
    return () if isinstance(lines, Unset) or lines is None else lines


def system_of(sender: Sender) -> int:
    """The id of a sender that is a system."""
    if sender.system_id is None:
        raise ValueError("A person has no codes or differences of their own; pass a system as the sender.")
    return sender.system_id


def actor_of(sender: Sender) -> str:
    """How history names the sender."""
    return sender.username if isinstance(sender, Person) else sender.code


def effect(kind: str, subject: str, changed: Sequence[str] | None) -> dict[str, str]:
    """`changed` None: created."""
    return {
        "kind": kind,
        "subject": subject,
        "change": "created" if changed is None else f"changed {', '.join(changed)}",
    }


def waves(keys: Iterable[Hashable]) -> list[list[int]]:
    """Positions grouped so that no key is twice in a group and a key's positions keep their order."""
    groups: list[list[int]] = []
    seen: dict[Hashable, int] = {}
    for position, key in enumerate(keys):
        turn = seen.get(key, -1) + 1
        seen[key] = turn
        if turn == len(groups):
            groups.append([])
        groups[turn].append(position)
    return groups


def lock_entity(entity: str) -> None:
    """One writer of an entity's master data at a time, until the transaction ends: no lost update, no deadlock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"masterdata.{entity}"])
