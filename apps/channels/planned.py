"""What the planner reads and what it decides, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from django.db import connection

from apps.channels.connectors import Value
from apps.channels.sellable import SellablePolicy
from apps.lib.errors import Block


@dataclass(frozen=True, slots=True)
class Place:
    """A warehouse of the channel and the channel's own location for it ("" where it keeps one number)."""

    warehouse_id: int
    warehouse: str
    location: str


@dataclass(frozen=True, slots=True)
class ListingRow:
    """A listing with all of its channel and item that a plan looks at."""

    id: int
    external_id: str
    status: str
    channel_id: int
    channel: str
    item_id: int
    sku: str
    item_status: str
    item_kind: str
    uom: str
    base_uom: str
    order_minimum: Decimal | None
    order_multiple: Decimal | None
    currency: str
    prices: bool
    policy: SellablePolicy
    places: tuple[Place, ...]

    @property
    def sellable(self) -> bool:
        return self.status == "active" and self.item_status in ("active", "sell_down")


@dataclass(frozen=True, slots=True)
class Input:
    """A generation that a value was computed from: kind "stock" (a position) or "price" (a price subject)."""

    kind: str
    subject: int
    generation: int


@dataclass(frozen=True, slots=True)
class Desired:
    """What one publication should show; without a value `block` says why there is none."""

    listing: ListingRow
    kind: str
    location: str
    value: Value | None
    trace: Mapping[str, Any] = field(default_factory=dict)
    recheck_at: datetime | None = None
    inputs: tuple[Input, ...] = ()
    block: Block | None = None

    @property
    def key(self) -> tuple[int, str, str]:
        return self.listing.channel_id, self.kind, f"{self.listing.external_id}|{self.location}"


_LISTINGS = """
SELECT l.id, l.external_id, l.status, l.channel_id, s.code, l.item_id, i.sku, i.status, i.kind, u.code, b.code,
       iu.order_minimum, iu.order_multiple, c.currency, c.publishes_prices,
       c.percentage, c.buffer, c.end_when, c.cap,
       (SELECT coalesce(json_agg(json_build_array(w.id, w.code, cw.location) ORDER BY w.priority, w.code), '[]')::text
        FROM channels_channelwarehouse cw JOIN masterdata_warehouse w ON w.id = cw.warehouse_id
        WHERE cw.channel_id = l.channel_id)
FROM channels_listing l
JOIN channels_channel c ON c.system_id = l.channel_id
JOIN masterdata_system s ON s.id = l.channel_id
JOIN masterdata_item i ON i.id = l.item_id
JOIN masterdata_unit u ON u.id = l.unit_id
JOIN masterdata_unit b ON b.id = i.base_unit_id
LEFT JOIN masterdata_itemunit iu ON iu.item_id = l.item_id AND iu.unit_id = l.unit_id
WHERE c.state <> 'retired' AND (l.item_id = ANY(%s) OR l.id = ANY(%s))
ORDER BY l.id
"""


def listings_of(item_ids: list[int], listing_ids: list[int]) -> list[ListingRow]:
    """Every listing of these items, and these listings, in one query; none of retired channels."""
    with connection.cursor() as cursor:
        cursor.execute(_LISTINGS, [item_ids, listing_ids])
        return [
            ListingRow(*[*row[:15], _policy(*row[15:19]), tuple(Place(*place) for place in orjson.loads(row[19]))])
            for row in cursor.fetchall()
        ]


def _policy(percentage: Decimal, buffer: Decimal, end_when: Decimal, cap: Decimal | None) -> SellablePolicy:
    return SellablePolicy(
        percentage=percentage,
        buffer=buffer,
        end_when=int(end_when) if end_when >= 1 else None,
        max_listed=None if cap is None else int(cap),
    )
