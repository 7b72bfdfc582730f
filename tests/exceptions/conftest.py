"""Blocks as the handlers make them, and a small real origin: numbers that wait until somebody knows them."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pytest
from django.contrib.auth.models import Group
from django.db import connection

from apps.access.keys import create_key, forget_keys
from apps.access.models import ApiClient, Team, User
from apps.exceptions import fixes, reasons
from apps.exceptions.fixes import FixField, FixResult, Suggestion
from apps.exceptions.models import Cause
from apps.exceptions.triage import BlockRequest, block, fingerprint, heal, settle
from apps.lib.errors import Block, Problem

Blocking = Callable[..., BlockRequest]
WAREHOUSE_REASON = "UNKNOWN_WAREHOUSE"


@pytest.fixture
def unknown_warehouse() -> Blocking:
    """One record of source erp that names a warehouse code nobody knows."""

    def request(
        origin_id: int, value: str = "DC-9", source: str = "erp", line: str = "", sku: str = "", order: str = ""
    ) -> BlockRequest:
        detail = f"Event e-{origin_id} names warehouse {value!r}, which is not mapped. Map it or create it."
        context = {"order": order} if order else {}
        found = Block(
            "UNKNOWN_WAREHOUSE",
            "warehouse",
            "warehouse",
            value,
            detail,
            line=line,
            subject=sku or f"AB-{origin_id}",
            context=context,
        )
        return BlockRequest("inbox", origin_id, found, source=source)

    return request


@pytest.fixture
def unknown_unit() -> Blocking:
    """One record of source erp that names a unit code nobody knows."""

    def request(origin_id: int, value: str = "KRT", source: str = "erp", line: str = "") -> BlockRequest:
        detail = f"Event e-{origin_id} counts in {value!r}, which is no unit of ours. Map it or create it."
        return BlockRequest("inbox", origin_id, Block("UNKNOWN_UNIT", "unit", "uom", value, detail, line=line), source)

    return request


class Name:
    """A fix that writes a team as the known thing, so that its effect is a real row that a rollback takes back."""

    name: ClassVar[str] = "name"
    label: ClassVar[str] = "Name it"
    fields: ClassVar[tuple[FixField, ...]] = (FixField("target", "Ours", "code"),)

    def suggest(self, cause: Cause) -> list[Suggestion]:
        return [Suggestion("DC-09", "Distribution centre 9", 0.9)]

    def apply(self, cause: Cause, fields: Mapping[str, Any], actor: str) -> FixResult:
        if fields["target"] == "NOWHERE":
            raise Problem(400, "invalid", "No warehouse has the code 'NOWHERE'; choose one of ours.")
        Team.objects.create(code=cause.value, name=fields["target"])
        heal(cause.reason, [cause.value], source=cause.source, by=actor)
        return FixResult(f"{cause.value} is {fields['target']}")


class Depot:
    """An origin: rows wait for a warehouse (known once a Team has its code) and some for a unit as well."""

    def __init__(self) -> None:
        self.rows: dict[int, str] = {}
        self.without_unit: set[int] = set()
        self.calls: list[int] = []

    def take(self, count: int, code: str = "DC-9", without_unit: int = 0) -> None:
        start = len(self.rows) + 1
        ids = range(start, start + count)
        self.rows.update(dict.fromkeys(ids, code))
        self.without_unit.update(list(ids)[:without_unit])
        self.retry(list(ids))
        self.calls.clear()

    def retry(self, origin_ids: Sequence[int]) -> None:
        self.calls.append(len(origin_ids))
        known = set(Team.objects.values_list("code", flat=True))
        found = [request for origin_id in origin_ids for request in self._blocks(origin_id, known)]
        kept = [(r.origin_id, r.block.line, fingerprint(r.block, r.source).hex()) for r in found]
        settle("inbox", origin_ids, by="depot", kept=kept)
        block(found)

    def _blocks(self, origin_id: int, known: set[str]) -> Iterator[BlockRequest]:
        code = self.rows[origin_id]
        subject = f"AB-{origin_id}"
        if code not in known:
            detail = f"Row {origin_id} names warehouse {code!r}, which nobody knows; map it."
            found = Block(WAREHOUSE_REASON, "warehouse", "warehouse", code, detail, subject=subject)
            yield BlockRequest("inbox", origin_id, found, source="erp")
        if origin_id in self.without_unit:
            detail = f"Row {origin_id} counts in 'KRT', which is no unit; map it."
            yield BlockRequest("inbox", origin_id, Block("UNKNOWN_UNIT", "unit", "uom", "KRT", detail), source="erp")


_depot = Depot()


def retry(origin_ids: Sequence[int]) -> None:
    _depot.retry(origin_ids)


@pytest.fixture
def depot(db: None, monkeypatch: pytest.MonkeyPatch) -> Depot:
    """The origin "inbox" is a depot, and UNKNOWN_* are mended by naming the code."""
    _depot.__init__()  # type: ignore[misc]
    Team.objects.all().delete()
    monkeypatch.setitem(reasons.ORIGINS, "inbox", f"{__name__}.retry")
    for code in ("UNKNOWN_WAREHOUSE", "UNKNOWN_UNIT"):
        changed = reasons.REASONS[code]
        monkeypatch.setitem(reasons.REASONS, code, _with_fix(changed))
    fixes._loaded.cache_clear()
    return _depot


def _with_fix(reason: reasons.Reason) -> reasons.Reason:
    return dataclasses.replace(reason, fixes=(f"{__name__}.Name",))


@pytest.fixture
def key_of(db: None) -> Iterator[Callable[..., dict[str, str]]]:
    """The headers of a new API client with these scopes."""

    def headers(*scopes: str, sources: Sequence[str] = ()) -> dict[str, str]:
        number = ApiClient.objects.count() + 1
        client = ApiClient.objects.create(name=f"client-{number}", scopes=list(scopes), sources=list(sources))
        return {"Authorization": f"Bearer {create_key(client)}"}

    forget_keys()
    yield headers
    forget_keys()


@pytest.fixture
def triager(db: None) -> User:
    person = User.objects.create_user("maria", password="a long enough password")
    person.groups.add(Group.objects.get_or_create(name="triager")[0])
    return person


def rows_of(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])
