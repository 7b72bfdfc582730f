"""Safety stock and backorder terms of items."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from apps.inventory.stocking import FIELDS, RuleUpsert, upsert_rules
from apps.lib.errors import Blocked
from apps.sources.handlers.resolution import IgnoredCode, Resolution, by_source, instant_in
from apps.sources.received import Outcome, Received

QUANTITIES = ("safety_stock", "backorder_limit")


def rules(messages: Sequence[Received]) -> list[Outcome]:
    """`stocking.upserted`: all of a batch in one call, in the order given."""
    outcomes: dict[int, Outcome] = {}
    upserts: dict[int, RuleUpsert] = {}
    for source, group in by_source(messages).items():
        resolution = Resolution(source)
        resolution.load(
            items=(message.data["sku"] for message in group),
            warehouses=(message.data["warehouse"] for message in group if message.data.get("warehouse")),
            units=(message.data["uom"] for message in group if "uom" in message.data),
        )
        for message in group:
            try:
                upserts[message.id], outcomes[message.id] = _rule(resolution, message)
            except Blocked as blocked:
                outcomes[message.id] = Outcome(message.id, "blocked", blocked.blocks)
            except IgnoredCode as ignored:
                outcomes[message.id] = Outcome(message.id, "ignored", (), [ignored.effect])
    upsert_rules([upserts[message.id] for message in messages if message.id in upserts])
    return [outcomes[message.id] for message in messages]


def _rule(resolution: Resolution, message: Received) -> tuple[RuleUpsert, Outcome]:
    data = message.data
    item = resolution.item(data["sku"])
    code = data.get("warehouse")
    warehouse = resolution.warehouse(code, subject=item.sku) if code else None
    values: dict[str, Any] = {name: data[name] for name in FIELDS if name in data}
    for name in QUANTITIES:
        if values.get(name) is not None:
            values[name] = resolution.in_base(item, values[name], data.get("uom"))
    if values.get("backorder_until") is not None:
        values["backorder_until"] = date.fromisoformat(values["backorder_until"])
    start = data.get("effective_from")
    zone = warehouse.time_zone if warehouse is not None else "UTC"
    rule = RuleUpsert(
        item_id=item.id,
        warehouse_id=warehouse.id if warehouse is not None else None,
        effective_from=instant_in(start, zone) if start else None,
        values=values,
    )
    subject = f"{item.sku} at {warehouse.code}" if warehouse is not None else item.sku
    change = f"set {', '.join(values) or 'nothing'}"
    effect = {"kind": "stocking", "subject": subject, "change": change, "generation": None}
    return rule, Outcome(message.id, "processed", (), [effect])
