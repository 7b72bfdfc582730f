"""Setting a channel up: its row, its warehouses and its listings, idempotent by their codes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection, transaction
from django.utils.module_loading import import_string

from apps.channels.connectors import Access, open_connector
from apps.channels.credentials import seal
from apps.channels.listings import mark, mark_channel
from apps.channels.models import Channel, ChannelWarehouse
from apps.lib.clock import Now
from apps.lib.errors import Problem
from apps.masterdata.models import Warehouse
from apps.masterdata.systems import ensure_system

# connector → function(name, **changed fields) of the settings it ships
PRESETS: Final = {"jsonhttp": "apps.integrations.jsonhttp.form.preset"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelDraft:
    """A channel as it is to be; `settings` is its connector's form, `policy` columns of its stock policy."""

    code: str
    name: str
    connector: str
    grade: str
    settings: Mapping[str, Any]
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    currency: str = ""
    publishes_prices: bool = True
    requests_per_s: int = 10
    burst: int = 10
    batch_size: int = 1
    max_in_flight: int = 4
    read_back_every_s: int = 300
    policy: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ListingDraft:
    """The channel's code for one item in one sell unit, by our codes."""

    external_id: str
    sku: str
    uom: str


def preset(connector: str, name: str, **changed: object) -> dict[str, Any]:
    """The settings a connector ships under this name, with fields replaced."""
    found: dict[str, Any] = import_string(PRESETS[connector])(name, **changed)
    return found


def keep_channel(draft: ChannelDraft, warehouses: Sequence[str] = ()) -> int:
    """Make or change a live channel that sells the stock of these warehouses; its id.

    Raises InvalidSettings where the connector refuses the form, Problem where a warehouse is unknown.
    """
    access = Access(channel=draft.code, settings=draft.settings, credentials=draft.credentials)
    connector = open_connector(access, draft.connector)
    with transaction.atomic():
        channel_id = ensure_system(draft.code, draft.name)
        Channel.objects.update_or_create(
            pk=channel_id,
            defaults={
                "connector": draft.connector,
                "grade": draft.grade,
                "state": Channel.State.LIVE,
                "settings": dict(draft.settings),
                "credentials": seal(draft.credentials),
                "currency": draft.currency,
                # A price that can never be sent would stay due for ever.
                "publishes_prices": draft.publishes_prices and connector.handles("price"),
                "requests_per_s": draft.requests_per_s,
                "burst": draft.burst,
                "batch_size": draft.batch_size,
                "max_in_flight": draft.max_in_flight,
                "read_back_every_s": draft.read_back_every_s,
                "updated_at": Now(),
                **draft.policy,
            },
        )
        _keep_warehouses(channel_id, warehouses)
        mark_channel(channel_id)
    return channel_id


def move_channel(code: str, base_url: str) -> None:
    """The channel answers at another address from now on; nothing else changes."""
    with transaction.atomic():
        channel = Channel.objects.select_for_update().filter(system__code=code).first()
        if channel is None:
            raise Problem(404, "not_found", f"There is no channel {code!r}; set it up first.")
        settings = {**channel.settings, "base_url": base_url}
        Channel.objects.filter(pk=channel.pk).update(settings=settings, updated_at=Now())


_KEEP_LISTINGS = """
INSERT INTO channels_listing (channel_id, external_id, item_id, unit_id, status)
SELECT %s, d.external_id, i.id, u.id, 'active'
FROM unnest(%s::text[], %s::text[], %s::text[]) AS d(external_id, sku, uom)
JOIN masterdata_item i ON i.sku = d.sku JOIN masterdata_unit u ON u.code = d.uom
ORDER BY d.external_id
ON CONFLICT (channel_id, external_id) DO UPDATE SET item_id = excluded.item_id, unit_id = excluded.unit_id
RETURNING id
"""


def keep_listings(channel_id: int, drafts: Sequence[ListingDraft]) -> int:
    """Make or change listings, in one statement, and have them planned; Problem where a code is unknown."""
    columns = [
        [draft.external_id for draft in drafts],
        [draft.sku for draft in drafts],
        [draft.uom for draft in drafts],
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_KEEP_LISTINGS, [channel_id, *columns])
        ids = [listing_id for (listing_id,) in cursor.fetchall()]
        if len(ids) != len(drafts):
            missing = f"{len(drafts) - len(ids)} of {len(drafts)} listings name an item or a unit that is not ours"
            raise Problem(400, "invalid", f"{missing}; create them first.")
        mark(ids)
    return len(ids)


def _keep_warehouses(channel_id: int, codes: Sequence[str]) -> None:
    found = dict(Warehouse.objects.filter(code__in=codes).values_list("code", "pk"))
    unknown = sorted(set(codes) - found.keys())
    if unknown:
        raise Problem(400, "invalid", f"There is no warehouse {unknown[0]!r}; create it first.")
    ChannelWarehouse.objects.filter(channel_id=channel_id).exclude(warehouse__in=found.values()).delete()
    rows = [ChannelWarehouse(channel_id=channel_id, warehouse_id=pk) for pk in found.values()]
    ChannelWarehouse.objects.bulk_create(rows, ignore_conflicts=True)
