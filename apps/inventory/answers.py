"""The body of an availability answer: one function for the reference view and for the fast lane."""

import hashlib
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import orjson

from apps.inventory.availability import ChannelNumber, ItemAvailability
from apps.inventory.stock import Rule
from apps.lib.quantity import plain

Body = dict[str, Any]
_NO_BACKORDER: Body = {"rule": "none", "limit": None, "until": None, "lead_time_days": None}


def item_body(answer: ItemAvailability, stale: Collection[str] = ()) -> Body:
    """The contract's fields in base units, with decimals as plain strings and instants as datetimes."""
    available = plain(answer.available)
    return {
        "sku": answer.stock.sku,
        "status": answer.status,
        "uom": answer.stock.uom,
        "available": available,
        "common": available,
        "by_warehouse": [
            {
                "warehouse": shelf.warehouse,
                "available": plain(shelf.available),
                "on_hand": plain(shelf.on_hand),
                "held": plain(shelf.held),
                "allocated": plain(shelf.allocated),
                "reserved": plain(shelf.reserved),
                "unbacked": plain(shelf.unbacked),
                "safety_stock": plain(shelf.safety_stock),
                "inbound": "0",
                "sellable": shelf.sellable,
            }
            for shelf in answer.shelves
        ],
        "as_of": answer.as_of,
        "source_watermarks": answer.watermarks,
        "stale": not answer.sources.isdisjoint(stale),
        "next_change_at": answer.next_change_at,
        "backorder": _backorder(_rule(answer)),
        "replaced_by": answer.stock.replaced_by,
        "explain_url": explain_url(answer.stock.sku),
    }


def unknown_body(sku: str) -> Body:
    """A SKU that nobody knows, in a lookup."""
    return {
        "sku": sku,
        "status": "unknown",
        "uom": None,
        "available": "0",
        "common": "0",
        "by_warehouse": [],
        "as_of": None,
        "source_watermarks": {},
        "stale": False,
        "next_change_at": None,
        "backorder": _NO_BACKORDER,
        "replaced_by": None,
        "explain_url": explain_url(sku),
    }


def seen_by_channel(body: Body, number: ChannelNumber | None) -> Body:
    """The same answer as a channel may show it: its own number in its sell unit, or not listed there."""
    if number is None:
        return {**body, "status": "not_listed" if body["status"] == "ok" else body["status"], "available": "0"}
    return {**body, "available": plain(number.available), "uom": number.uom}


def promise_body(answer: ItemAvailability, quantity: Decimal, today: date) -> Body:
    """`earliest_on` and `schedule` for a quantity in base units: today, by backorder, or never."""
    available, rule = answer.available, _rule(answer)
    can_wait = answer.status == "ok" and rule.lead_time_days is not None and _allows(rule, quantity - available, today)
    if available >= quantity:
        earliest: date | None = today
    else:
        earliest = today + timedelta(days=rule.lead_time_days or 0) if can_wait else None
    schedule = []
    if min(available, quantity) > 0:
        schedule.append({"on": today.isoformat(), "quantity": plain(min(available, quantity))})
    if available < quantity and earliest is not None:
        schedule.append({"on": earliest.isoformat(), "quantity": plain(quantity - available)})
    return {"earliest_on": earliest.isoformat() if earliest else None, "schedule": schedule}


def etag(body: Mapping[str, Any]) -> str:
    """Over the answer without `as_of`: a fact that changes nothing shown changes no tag."""
    shown = orjson.dumps({key: value for key, value in body.items() if key != "as_of"}, option=orjson.OPT_UTC_Z)
    return f'"{hashlib.blake2b(shown, digest_size=16).hexdigest()}"'


def matches(header: str, tag: str) -> bool:
    """Whether If-None-Match names this tag (weak comparison) or anything."""
    return any(one.strip() in ("*", tag, f"W/{tag}") for one in header.split(","))


def explain_url(sku: str) -> str:
    return f"/api/v1/explain/availability/{quote(sku, safe='')}"


def _rule(answer: ItemAvailability) -> Rule:
    """The item's own backorder terms; where it has none, those of its first warehouse."""
    own = answer.stock.rule(None, answer.at)
    if own.backorder == "none" and answer.shelves:
        return answer.stock.rule(answer.shelves[0].warehouse_id, answer.at)
    return own


def _backorder(rule: Rule) -> Body:
    return {
        "rule": rule.backorder,
        "limit": None if rule.backorder_limit is None else plain(rule.backorder_limit),
        "until": None if rule.backorder_until is None else rule.backorder_until.isoformat(),
        "lead_time_days": rule.lead_time_days,
    }


def _allows(rule: Rule, short: Decimal, today: date) -> bool:
    if rule.backorder == "unlimited":
        return True
    if rule.backorder == "up_to":
        return rule.backorder_limit is not None and short <= rule.backorder_limit
    return rule.backorder == "until" and rule.backorder_until is not None and today < rule.backorder_until
