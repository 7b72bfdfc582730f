"""Listings as channels' own dirty marks: for what no stock or price write says."""

from collections.abc import Collection

from django.db import connection

from apps.lib.nudges import nudge

_MARK = """
INSERT INTO channels_listingdirty (listing_id, generation, marked_at)
SELECT l.id, 1, sync_now() FROM channels_listing l WHERE {which} ORDER BY l.id
ON CONFLICT (listing_id) DO UPDATE SET generation = channels_listingdirty.generation + 1
"""


def mark(listing_ids: Collection[int]) -> None:
    """These listings were made or changed: plan them again. In the transaction that changes them."""
    _mark("l.id = ANY(%s)", [list(listing_ids)])


def mark_channel(channel_id: int) -> None:
    """The channel's policy, warehouses, currency or state changed: all its listings are planned again."""
    _mark("l.channel_id = %s", [channel_id])


def mark_items(item_ids: Collection[int]) -> None:
    """An item's status, kind or units changed: its listings everywhere are planned again."""
    _mark("l.item_id = ANY(%s)", [list(item_ids)])


def _mark(which: str, arguments: list[int | list[int]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_MARK.format(which=which), arguments)
    nudge("plan")
