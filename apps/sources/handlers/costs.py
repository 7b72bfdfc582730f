"""What items cost, and exchange rates."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.lib.errors import Blocked
from apps.lib.quantity import parse_decimal
from apps.pricing.costs import NewCost, set_costs
from apps.pricing.rates import NewRate, set_rates
from apps.sources.handlers.resolution import IgnoredCode, Resolution, by_source, moment
from apps.sources.received import Outcome, Received, Status


@dataclass(frozen=True, slots=True)
class _Sent:
    """A cost as sent; without a unit it is per base unit."""

    sku: str
    basis: str
    amount: object
    currency: str
    uom: str | None = None
    warehouse: str | None = None
    per: object = 1
    effective_from: str | None = None


def costs(messages: Sequence[Received]) -> list[Outcome]:
    """`cost.set`."""
    return _set(messages, [_Sent(**message.data) for message in messages])


def item_costs(messages: Sequence[Received]) -> list[Outcome]:
    """The `cost` of `item.upserted`: the standard cost of a base unit from the event's time on."""
    sent = [
        _Sent(message.data["sku"], "standard", message.data["cost"], message.data["cost_currency"])
        for message in messages
    ]
    return _set(messages, sent)


def rates(messages: Sequence[Received]) -> list[Outcome]:
    """`rate.set`."""
    effects = set_rates(
        [
            NewRate(
                from_currency=message.data["from"],
                to_currency=message.data["to"],
                rate=parse_decimal(message.data["rate"]),
                effective_from=moment(message.data["effective_from"]),
                message=message.id,
            )
            for message in messages
        ]
    )
    return [
        Outcome(message.id, "processed", (), [{"generation": None, **effect}])
        for message, effect in zip(messages, effects, strict=True)
    ]


def _set(messages: Sequence[Received], sent: Sequence[_Sent]) -> list[Outcome]:
    places = {message.id: place for place, message in enumerate(messages)}
    outcomes: dict[int, Outcome] = {}
    good: list[tuple[Received, NewCost]] = []
    for source, group in by_source(messages).items():
        resolution = Resolution(source)
        asked = [sent[places[message.id]] for message in group]
        resolution.load(
            items=(one.sku for one in asked),
            warehouses=(one.warehouse for one in asked if one.warehouse),
            units=(one.uom for one in asked if one.uom),
            graphs=False,
        )
        for message, one in zip(group, asked, strict=True):
            try:
                good.append((message, _cost(resolution, message, one)))
            except Blocked as blocked:
                outcomes[message.id] = Outcome(message.id, "blocked", blocked.blocks)
            except IgnoredCode as ignored:
                outcomes[message.id] = Outcome(message.id, "ignored", (), [ignored.effect])
    results = set_costs([cost for _, cost in good]) if good else []
    for (message, _), result in zip(good, results, strict=True):
        status: Status = "processed" if result.applied else "ignored"
        outcomes[message.id] = Outcome(message.id, status, (), [{"generation": None, **result.effect}])
    return [outcomes[message.id] for message in messages]


def _cost(resolution: Resolution, message: Received, sent: _Sent) -> NewCost:
    item = resolution.item(sent.sku)
    warehouse = resolution.warehouse(sent.warehouse, subject=item.sku) if sent.warehouse else None
    return NewCost(
        item_id=item.id,
        basis=sent.basis,
        unit_id=resolution.unit(sent.uom, sku=item.sku).id if sent.uom else item.base_unit_id,
        amount=parse_decimal(sent.amount),
        currency=sent.currency,
        happened_at=message.happened_at,
        warehouse_id=warehouse.id if warehouse is not None else None,
        time_zone=warehouse.time_zone if warehouse is not None else "UTC",
        per=parse_decimal(sent.per),
        effective_from=moment(sent.effective_from) if sent.effective_from else None,
        message=message.id,
        system_id=message.source.system_id,
        event=message.event_id,
    )
