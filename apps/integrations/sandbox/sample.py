"""The sample distributor: set up through the front door, by what its ERP and WMS say."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from apps.channels.models import Channel, Listing
from apps.channels.onboarding import keep_channel, keep_listings, move_channel
from apps.exceptions.models import BlockedRecord, Cause
from apps.integrations.sandbox import sample_blocked, sample_events
from apps.integrations.sandbox import sample_partners as partners
from apps.integrations.sandbox.sample_catalogue import SampleItem, items
from apps.integrations.sandbox.sample_channels import CHANNELS, seed
from apps.integrations.sandbox.sample_events import Event, Sender
from apps.lib.clock import now
from apps.masterdata.calendars import keep_calendar
from apps.masterdata.models import Account, Item, Unit, Warehouse
from apps.masterdata.stock_sources import follow
from apps.pricing.models import PriceBook
from apps.sources import inbox, processing
from apps.sources.models import InboxMessage
from apps.sources.registration import register_source

SOURCES: Final = (("erp", "ERP", "erp"), ("wms", "Warehouse system", "wms"))
BATCH: Final = 2_000
ANCHOR: Final = "sample-moved-00001"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Counts:
    """What the installation holds, as the contract counts the sample distributor."""

    warehouses: int
    items: int
    units: int
    accounts: int
    books: int
    channels: int
    sources: int
    causes: int
    records: int


EXPECTED: Final = Counts(3, 1_200, 5, 60, 6, 3, 2, sample_blocked.CAUSES, sample_blocked.RECORDS)


def load(sandbox: Path | None, say: Say) -> Counts:
    """Load everything; idempotent, since every event has a fixed id and every row its code. Returns what is there."""
    goods, today = items(), _today()
    erp, wms = Sender("erp"), Sender("wms")
    systems = {code: register_source(code, name=name, kind=kind) for code, name, kind in SOURCES}
    for code, name, weekdays, holidays in partners.CALENDARS:
        keep_calendar(code, name, weekdays=weekdays, holidays=[date.fromisoformat(day) for day in holidays])
    say("master data")
    _tell(sample_events.master_data(erp, goods))
    for priority, warehouse in enumerate(partners.WAREHOUSES, 1):
        follow(warehouse["code"], movements=systems["wms"], counts=systems["erp"], priority=priority * 10)
    say("channels")
    channels = _channels(sandbox)
    say("prices")
    _tell(sample_events.prices(erp, goods))
    say("stock")
    _tell(sample_events.stock(erp, goods, today))
    _tell(sample_events.movements(wms, goods, today))
    say("what goes wrong")
    _tell(sample_blocked.blocked(erp, wms, goods, today))
    _tell(sample_blocked.conflicting(erp, wms, goods, today), once=True)
    say("listings")
    _listings(channels, goods, sandbox)
    return counts()


def point_channels(sandbox: Path) -> None:
    """The sandbox listens elsewhere: move the channels there, and give new shelves their listings."""
    goods, found = items(), _addresses(sandbox)
    for channel in CHANNELS:
        move_channel(channel.code, found[channel.code]["url"])
        seed(found[channel.code]["control"], channel, goods)


def counts() -> Counts:
    """What is there now; sources are those of the sample, causes those that are open."""
    return Counts(
        warehouses=Warehouse.objects.count(),
        items=Item.objects.count(),
        units=Unit.objects.count(),
        accounts=Account.objects.count(),
        books=PriceBook.objects.count(),
        channels=Channel.objects.count(),
        sources=InboxMessage.objects.values("source").distinct().count(),
        causes=Cause.objects.filter(state__in=Cause.LIVE).count(),
        records=BlockedRecord.objects.filter(state__in=BlockedRecord.WAITING).count(),
    )


def _tell(events: Iterable[Event], *, once: bool = False) -> None:
    """Hand events to the inbox as a source would, and process them. `once`: not where they were refused before."""
    batch = list(events)
    for first in range(0, len(batch), BATCH):
        chunk = batch[first : first + BATCH]
        if once and _were_refused(chunk):
            continue
        receipt = inbox.receive(chunk)
        if receipt.rejected and not once:
            raise RuntimeError(f"The sample's own event was refused: {receipt.rejected[0].detail}")
    processing.drain()


def _were_refused(events: Iterable[Event]) -> bool:
    return BlockedRecord.objects.filter(origin="rejected", subject__in=[event["id"] for event in events]).exists()


def _today() -> datetime:
    """The hour of the first load, read from its first movement, so that loading again says the same things."""
    known = InboxMessage.objects.filter(event_id=ANCHOR).values_list("happened_at", flat=True).first()
    if known is not None:
        first = sample_events.COUNTED_BEFORE - timedelta(hours=1)
        return (known + first).replace(minute=0, second=0, microsecond=0)
    return now().replace(minute=0, second=0, microsecond=0)


def _channels(sandbox: Path | None) -> dict[str, int]:
    found = _addresses(sandbox)
    return {
        channel.code: keep_channel(channel.draft(found[channel.code]["url"]), channel.warehouses)
        for channel in CHANNELS
        if channel.code in found
    }


def _listings(channels: dict[str, int], goods: list[SampleItem], sandbox: Path | None) -> None:
    found = _addresses(sandbox)
    for channel in CHANNELS:
        if channel.code not in channels:
            continue
        seed(found[channel.code]["control"], channel, goods)
        drafts = channel.listings(goods)
        if Listing.objects.filter(channel=channels[channel.code]).count() != len(drafts):
            keep_listings(channels[channel.code], drafts)


def _addresses(sandbox: Path | None) -> dict[str, Any]:
    if sandbox is None:
        return {}
    channels: dict[str, Any] = json.loads(sandbox.read_text(encoding="utf-8"))["channels"]
    return channels
