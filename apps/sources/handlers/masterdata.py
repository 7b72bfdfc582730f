"""Master data from events: `data` as the owning app's upserts take it; each message stands or blocks whole."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, Final, TypeVar

from django.db.models import Q

from apps.inventory.models import StockPosition
from apps.lib.quantity import parse_decimal
from apps.masterdata.accounts import (
    AccountIdentifierLine,
    AccountUpsert,
    LicenceLine,
    ShipToLine,
    upsert_accounts,
)
from apps.masterdata.branches import BranchUpsert, upsert_branches
from apps.masterdata.changes import Sender, UpsertResult
from apps.masterdata.cross_references import CrossReferenceUpsert, upsert_cross_references
from apps.masterdata.items import ComponentLine, IdentifierLine, ItemUpsert, UnitLine, upsert_items
from apps.masterdata.units import UnitUpsert, upsert_units
from apps.masterdata.warehouses import WarehouseUpsert, upsert_warehouses
from apps.sources.handlers.costs import item_costs
from apps.sources.handlers.resolution import by_source
from apps.sources.received import Effect, Outcome, Received

U = TypeVar("U")
Reader = Callable[[Any], Any]
Readers = Mapping[str, Reader]


def units(messages: Sequence[Received]) -> list[Outcome]:
    return _upserted(messages, lambda message: UnitUpsert(**_fields(message)), upsert_units)


def branches(messages: Sequence[Received]) -> list[Outcome]:
    return _upserted(messages, lambda message: BranchUpsert(**_fields(message)), upsert_branches)


def warehouses(messages: Sequence[Received]) -> list[Outcome]:
    readers = {"cutoff": time.fromisoformat}
    return _upserted(messages, lambda message: WarehouseUpsert(**_fields(message, readers)), upsert_warehouses)


def accounts(messages: Sequence[Received]) -> list[Outcome]:
    return _upserted(messages, lambda message: AccountUpsert(**_fields(message, _ACCOUNT)), upsert_accounts)


def cross_references(messages: Sequence[Received]) -> list[Outcome]:
    return _upserted(
        messages, lambda message: CrossReferenceUpsert(**_fields(message)), lambda u, s: upsert_cross_references(u, s)
    )


def items(messages: Sequence[Received]) -> list[Outcome]:
    """Items; the `cost` of an item that was taken becomes its standard cost at the event's time."""
    outcomes = _upserted(
        messages,
        lambda message: ItemUpsert(**_fields(message, _ITEM, without=("cost", "cost_currency"))),
        lambda upserts, sender: upsert_items(upserts, sender, has_stock=_with_stock),
    )
    taken = {outcome.message_id for outcome in outcomes if outcome.status == "processed"}
    priced = [message for message in messages if message.id in taken and message.data.get("cost") is not None]
    if not priced:
        return outcomes
    costs = {outcome.message_id: outcome for outcome in item_costs(priced)}
    return [_both(outcome, costs.get(outcome.message_id)) for outcome in outcomes]


def _upserted(
    messages: Sequence[Received],
    build: Callable[[Received], U],
    upsert: Callable[[Sequence[U], Sender], Sequence[UpsertResult]],
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for source, group in by_source(messages).items():
        results = upsert([build(message) for message in group], source)
        outcomes += [_outcome(message, result) for message, result in zip(group, results, strict=True)]
    return outcomes


def _outcome(message: Received, result: UpsertResult) -> Outcome:
    if result.status == "blocked":
        return Outcome(message.id, "blocked", result.blocks)
    effects: list[Effect] = [{**effect, "generation": None} for effect in result.effects]
    if result.differences:
        change = f"kept, not applied: {', '.join(result.differences)} (another source owns them)"
        effects.append({"kind": "difference", "subject": result.code, "change": change, "generation": None})
    return Outcome(message.id, "ignored" if result.status == "ignored" else "processed", (), effects)


def _both(outcome: Outcome, cost: Outcome | None) -> Outcome:
    if cost is None:
        return outcome
    status = cost.status if cost.status == "blocked" else outcome.status
    return Outcome(outcome.message_id, status, cost.blocks, [*outcome.effects, *cost.effects])


def _fields(message: Received, readers: Readers | None = None, without: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "event": message.event_id,
        **{name: value for name, value in _read(message.data, readers or {}).items() if name not in without},
    }


def _read(data: Mapping[str, Any], readers: Readers) -> dict[str, Any]:
    return {
        name: readers[name](value) if name in readers and value is not None else value for name, value in data.items()
    }


def _lines(of: type[Any], readers: Readers | None = None) -> Reader:
    def read(lines: Sequence[Mapping[str, Any]]) -> list[Any]:
        return [
            of(**{name: value for name, value in _read(line, readers or {}).items() if name != "line"})
            for line in lines
        ]

    return read


def _decimal(value: object) -> Decimal:
    return parse_decimal(value)


_ITEM: Final[Readers] = {
    "units": _lines(UnitLine, {"order_minimum": _decimal, "order_multiple": _decimal}),
    "identifiers": _lines(IdentifierLine),
    "components": _lines(ComponentLine, {"quantity": _decimal}),
}
_ACCOUNT: Final[Readers] = {
    "ship_tos": _lines(ShipToLine),
    "licences": _lines(LicenceLine, {"expires_on": date.fromisoformat}),
    "identifiers": _lines(AccountIdentifierLine),
}


def _with_stock(item_ids: Collection[int]) -> Collection[int]:
    """Those that have something counted in base units: a new base unit would change what it means."""
    counted = Q(on_hand=0, held=0, allocated=0, reserved=0, unbacked=0)
    return set(StockPosition.objects.filter(item_id__in=item_ids).exclude(counted).values_list("item_id", flat=True))
