"""Upsert data as a person sends it (the shapes of the `*.upserted` events), read strictly and applied."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final

from apps.lib.errors import FieldError, Problem
from apps.lib.quantity import InvalidDecimal, parse_decimal
from apps.masterdata.accounts import (
    AccountIdentifierLine,
    AccountUpsert,
    LicenceLine,
    ShipToLine,
    upsert_accounts,
)
from apps.masterdata.branches import BranchUpsert, upsert_branches
from apps.masterdata.changes import Person, Sender, UpsertResult
from apps.masterdata.items import ComponentLine, IdentifierLine, ItemUpsert, UnitLine, upsert_items
from apps.masterdata.models import Account, Branch, Item, Unit, Warehouse
from apps.masterdata.units import UnitUpsert, upsert_units
from apps.masterdata.warehouses import WarehouseUpsert, upsert_warehouses

Read = Callable[[Any, str], Any]


def _fail(pointer: str, detail: str, code: str = "invalid") -> Problem:
    return Problem(400, code, detail, [FieldError(code, detail, pointer)])


def _text(value: Any, pointer: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _fail(pointer, f"{pointer} is a text that is not empty.")
    return value


def _flag(value: Any, pointer: str) -> bool:
    if not isinstance(value, bool):
        raise _fail(pointer, f"{pointer} is true or false.")
    return value


def _whole(value: Any, pointer: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise _fail(pointer, f"{pointer} is a whole number.")
    return value


def _decimal(value: Any, pointer: str) -> Decimal:
    try:
        return parse_decimal(value, pointer=pointer)
    except InvalidDecimal as error:
        raise _fail(pointer, error.detail) from error


def _day(value: Any, pointer: str) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise _fail(pointer, f"{pointer} is a date such as 2026-12-31.") from error


def _clock(value: Any, pointer: str) -> time:
    try:
        return time.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise _fail(pointer, f"{pointer} is a local time such as 16:30.") from error


def _object(value: Any, pointer: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _fail(pointer, f"{pointer} is an object.")
    return value


def _or_null(read: Read) -> Read:
    return lambda value, pointer: None if value is None else read(value, pointer)


def _many(read: Read) -> Read:
    def lines(value: Any, pointer: str) -> list[Any]:
        if not isinstance(value, list) or len(value) > 10_000:
            raise _fail(pointer, f"{pointer} is a list of at most 10,000 entries.")
        return [read(each, f"{pointer}/{index}") for index, each in enumerate(value)]

    return lines


def _line(make: type[Any], fields: Mapping[str, Read], *required: str) -> Read:
    return lambda value, pointer: make(**_read(_object(value, pointer), fields, pointer, required))


def _mode(value: Any, pointer: str) -> str:
    if value not in ("replace", "merge"):
        raise _fail(pointer, f"{pointer} is replace or merge.")
    return str(value)


def _read(
    data: Mapping[str, Any], fields: Mapping[str, Read], pointer: str, required: tuple[str, ...]
) -> dict[str, Any]:
    for name in data:
        if name not in fields:
            near = get_close_matches(name, list(fields), n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(fields)}."
            raise _fail(f"{pointer}/{name[:100]}", f"Nobody knows the field {name[:100]!r}; {hint}", "unknown_field")
    for name in required:
        if name not in data:
            raise _fail(f"{pointer}/{name}", f"{pointer}/{name} is required.")
    return {name: fields[name](value, f"{pointer}/{name}") for name, value in data.items()}


_TEXT_OR_NULL: Final = _or_null(_text)
_UNIT_LINE: Final = _line(
    UnitLine,
    {
        "uom": _text,
        "numerator": _whole,
        "denominator": _whole,
        "sellable": _flag,
        "order_minimum": _or_null(_decimal),
        "order_multiple": _or_null(_decimal),
        "removed": _flag,
    },
    "uom",
)
_IDENTIFIER: Final = {"scheme": _text, "value": _text, "party": _TEXT_OR_NULL, "removed": _flag}
_ITEM_IDENTIFIER: Final = _line(IdentifierLine, {**_IDENTIFIER, "uom": _TEXT_OR_NULL}, "scheme", "value")
_COMPONENT: Final = _line(
    ComponentLine, {"sku": _text, "quantity": _decimal, "uom": _text, "removed": _flag}, "sku", "quantity", "uom"
)
_SHIP_TO: Final = _line(
    ShipToLine,
    {
        "code": _text,
        "name": _TEXT_OR_NULL,
        "branch": _TEXT_OR_NULL,
        "country": _TEXT_OR_NULL,
        "region": _TEXT_OR_NULL,
        "timezone": _TEXT_OR_NULL,
        "status": _text,
        "removed": _flag,
    },
    "code",
)
_PLACE: Final[dict[str, Read]] = {
    "code": _text,
    "name": _text,
    "region": _TEXT_OR_NULL,
    "timezone": _TEXT_OR_NULL,
}


@dataclass(frozen=True, slots=True)
class _Entity:
    code: str
    fields: Mapping[str, Read]
    apply: Callable[[dict[str, Any], Sender], UpsertResult]
    exists: Callable[[str], bool]


_ENTITIES: Final[dict[str, _Entity]] = {
    "item": _Entity(
        "sku",
        {
            "sku": _text,
            "name": _text,
            "kind": _text,
            "base_uom": _text,
            "units": _or_null(_many(_UNIT_LINE)),
            "identifiers": _or_null(_many(_ITEM_IDENTIFIER)),
            "components": _or_null(_many(_COMPONENT)),
            "brand": _TEXT_OR_NULL,
            "family": _TEXT_OR_NULL,
            "category": _TEXT_OR_NULL,
            "tax_class": _TEXT_OR_NULL,
            "status": _text,
            "replaced_by": _TEXT_OR_NULL,
            "lot_tracked": _flag,
            "hazard_class": _TEXT_OR_NULL,
            "attributes": _or_null(_object),
            "lines_mode": _mode,
        },
        lambda data, sender: upsert_items([ItemUpsert(**data)], sender)[0],
        lambda code: Item.objects.filter(sku=code).exists(),
    ),
    "unit": _Entity(
        "code",
        {"code": _text, "name": _text, "decimals": _or_null(_whole)},
        lambda data, sender: upsert_units([UnitUpsert(**data)], sender)[0],
        lambda code: Unit.objects.filter(code=code).exists(),
    ),
    "branch": _Entity(
        "code",
        {**_PLACE, "company": _TEXT_OR_NULL, "currency": _TEXT_OR_NULL},
        lambda data, sender: upsert_branches([BranchUpsert(**data)], sender)[0],
        lambda code: Branch.objects.filter(code=code).exists(),
    ),
    "warehouse": _Entity(
        "code",
        {
            **_PLACE,
            "kind": _text,
            "sellable": _flag,
            "branch": _TEXT_OR_NULL,
            "country": _TEXT_OR_NULL,
            "calendar": _TEXT_OR_NULL,
            "cutoff": _or_null(_clock),
        },
        lambda data, sender: upsert_warehouses([WarehouseUpsert(**data)], sender)[0],
        lambda code: Warehouse.objects.filter(code=code).exists(),
    ),
    "account": _Entity(
        "code",
        {
            "code": _text,
            "name": _text,
            "status": _text,
            "groups": _or_null(_many(_text)),
            "type": _TEXT_OR_NULL,
            "parent": _TEXT_OR_NULL,
            "branch": _TEXT_OR_NULL,
            "currency": _TEXT_OR_NULL,
            "tax_exempt": _flag,
            "min_life_days": _or_null(_whole),
            "price_policy": _text,
            "licences": _or_null(
                _many(_line(LicenceLine, {"code": _text, "expires_on": _or_null(_day), "removed": _flag}, "code"))
            ),
            "identifiers": _or_null(_many(_line(AccountIdentifierLine, _IDENTIFIER, "scheme", "value"))),
            "ship_tos": _or_null(_many(_SHIP_TO)),
            "lines_mode": _mode,
        },
        lambda data, sender: upsert_accounts([AccountUpsert(**data)], sender)[0],
        lambda code: Account.objects.filter(code=code).exists(),
    ),
}


def named(kind: str, code: str) -> dict[str, Any]:
    """The data's code, where a person did not send one."""
    return {_entity(kind).code: code}


def create(kind: str, data: Mapping[str, Any], actor: str) -> str:
    """Create the record from upsert data with our codes; its code. Problem (400) where it is not valid or exists."""
    entity = _entity(kind)
    cleared = {name: value for name, value in data.items() if value not in ("", None)}
    read = _read(cleared, entity.fields, "", (entity.code, "name"))
    if entity.exists(str(read[entity.code]).strip()):
        raise _fail(f"/{entity.code}", f"{kind} {read[entity.code]} exists already; map the code to it instead.")
    result = entity.apply(read, Person(actor))
    if result.status == "blocked":
        errors = [FieldError(block.reason, block.detail, "/" + block.field.strip("/")) for block in result.blocks]
        raise Problem(400, "invalid", result.blocks[0].detail, errors)
    return result.code


def _entity(kind: str) -> _Entity:
    if kind not in _ENTITIES:
        detail = f"A {kind.replace('_', ' ')} is not created here; create it where it is kept, or map the code."
        raise Problem(400, "invalid", detail)
    return _ENTITIES[kind]
