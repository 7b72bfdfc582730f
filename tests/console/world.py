"""A small distributor for the console's tests: people, a catalogue, facts that pass and facts that block, a channel."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction

from apps.access.models import Team, User
from apps.channels.models import Channel, ChannelWarehouse, Listing
from apps.channels.planner import plan
from apps.exceptions import triage
from apps.exceptions.models import Cause
from apps.exceptions.triage import BlockRequest, block
from apps.lib.clock import now
from apps.lib.errors import Block
from apps.masterdata.models import Item, System, Unit, Warehouse
from apps.sources.inbox import receive
from apps.sources.models import InboxMessage
from apps.sources.processing import drain

PASSWORD = "a long enough password"
ITEMS = (
    ("BR-6205-2RS", "Deep groove ball bearing 6205-2RS"),
    ("BR-6308-ZZ", "Deep groove ball bearing 6308-ZZ"),
    ("SC-M8X40-ZN", "Hex bolt M8 × 40, zinc plated"),
    ("SC-M12X60-A4", "Hex bolt M12 × 60, stainless A4"),
    ("GL-NIT-L", "Nitrile gloves, size L"),
    ("TP-PTFE-12", "PTFE tape 12 mm"),
    ("VL-BALL-1", "Ball valve 1 inch, brass"),
    ("HS-HYD-10", "Hydraulic hose 10 mm"),
)


def person(username: str, role: str) -> User:
    """Somebody who signs in with PASSWORD and has one role."""
    user = User.objects.create_user(username, f"{username}@example.com", PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get_or_create(name=role)[0])
    return user


def people() -> dict[str, User]:
    return {role: person(role.replace(" ", "-"), role) for role in ("viewer", "triager", "administrator")}


def event(event_id: str, type_: str, data: dict[str, Any], source: str = "erp") -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": type_,
        "time": now().isoformat(),
        "data": data,
    }


def send(events: Iterable[dict[str, Any]]) -> None:
    """Receive and process, as the loops do."""
    receipt = receive(list(events))
    assert not receipt.rejected, receipt.rejected
    drain()


def catalogue() -> None:
    """Units, two warehouses and eight items, by events of the ERP."""
    made = [event(f"unit-{code}", "unit.upserted", {"code": code, "name": name}) for code, name in UNITS]
    made += [
        event("wh-chi", "warehouse.upserted", {"code": "CHI-01", "name": "Chicago"}),
        event("wh-dal", "warehouse.upserted", {"code": "DAL-02", "name": "Dallas"}),
    ]
    made += [
        event(
            f"item-{sku}",
            "item.upserted",
            {
                "sku": sku,
                "name": name,
                "base_uom": "EA",
                "units": [{"uom": "CASE", "numerator": 12, "denominator": 1}],
            },
        )
        for sku, name in ITEMS
    ]
    send(made)


UNITS = (("EA", "Each"), ("CASE", "Case"), ("BOX", "Box"))


def movement(event_id: str, sku: str, warehouse: str, quantity: str, uom: str, source: str = "wms") -> dict[str, Any]:
    data = {"sku": sku, "warehouse": warehouse, "kind": "receipt", "quantity": quantity, "uom": uom}
    return event(event_id, "stock.moved", data, source)


def facts() -> None:
    """Movements that pass, and such as name what nobody knows: each cause by its own mistake."""
    made = [movement(f"rcv-{n:04}", sku, "CHI-01", "120", "EA") for n, (sku, _) in enumerate(ITEMS)]
    made += [movement(f"dc7-{n:04}", ITEMS[n % 8][0], "DC-07", str(n + 1), "EA") for n in range(24)]
    made += [movement(f"chi-{n:04}", ITEMS[n % 8][0], "CHI-1", str(n + 2), "EA") for n in range(11)]
    made += [movement(f"krt-{n:04}", ITEMS[n % 8][0], "CHI-01", "3", "KRT") for n in range(17)]
    made += [movement(f"mix-{n:04}", ITEMS[n % 8][0], "DC-07", "3", "KRT") for n in range(3)]
    made += [movement(f"box-{n:04}", ITEMS[n % 4][0], "DAL-02", "2", "BOX", "erp") for n in range(9)]
    made += [movement(f"old-{n:04}", "BR-6205-2R5", "DAL-02", "4", "EA", "erp") for n in range(6)]
    made += [movement(f"lbl-{n:04}", "GL-NITRIL-L", "CHI-01", "4", "EA") for n in range(5)]
    made += [
        event(f"bad-{n:04}", "stock.moved", {"sku": ITEMS[n][0], "warehouse": "CHI-01", "kind": "receipt", "qty": "5"})
        for n in range(4)
    ]
    send(made)


def channel(code: str = "SHOP", *, grade: str = "A", **fields: Any) -> Channel:
    """A live channel that lists every item and has been planned once; nothing is sent, for nothing runs."""
    made = Channel.objects.create(
        system=System.objects.create(code=code, name=f"{code.title()} storefront"),
        connector="jsonhttp",
        grade=grade,
        state="live",
        currency="USD",
        publishes_prices=False,
        **fields,
    )
    each = Unit.objects.get(code="EA")
    ChannelWarehouse.objects.create(channel=made, warehouse=Warehouse.objects.get(code="CHI-01"))
    Listing.objects.bulk_create(
        [
            Listing(channel=made, external_id=f"{code[0]}-{item.sku}", item=item, unit=each)
            for item in Item.objects.all()
        ]
    )
    from apps.channels.listings import mark_channel

    with transaction.atomic():
        mark_channel(made.pk)
    plan(1_000)
    return made


def many_causes(number: int = 300, records_each: int = 4) -> None:
    """So many causes over real messages, so that pages can be measured."""
    ids = list(InboxMessage.objects.order_by("pk").values_list("pk", flat=True)[:50])
    requests = [
        BlockRequest(
            "inbox",
            ids[(cause * records_each + at) % len(ids)],
            Block(
                "UNKNOWN_WAREHOUSE",
                "warehouse",
                "warehouse",
                f"WH-{cause:03}",
                f"The warehouse code WH-{cause:03} is not known.",
                line=str(cause * records_each + at),
                subject=f"AB-{at}",
            ),
            source="erp" if cause % 2 else "wms",
        )
        for cause in range(number)
        for at in range(records_each)
    ]
    with transaction.atomic():
        block(requests)


def daily_life(people_by_role: dict[str, User]) -> None:
    """Owners, a team, a comment and a snooze, as on any day."""
    triager = people_by_role["triager"]
    team = Team.objects.get_or_create(code="warehouse", defaults={"name": "Warehouse"})[0]
    triager.teams.add(team)
    by_value = {cause.value: cause for cause in Cause.objects.all()}
    if "CHI-1" in by_value:
        triage.assign(by_value["CHI-1"].pk, by=triager.username, changes={"user": triager.username})
        triage.comment(by_value["CHI-1"].pk, author=triager, text="The WMS drops the leading zero since its update.")
    if "GL-NITRIL-L" in by_value:
        triage.snooze(by_value["GL-NITRIL-L"].pk, by=triager.username, until=now() + timedelta(hours=4))
