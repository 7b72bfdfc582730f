"""Channels and listings in the console: form, secret, switches, files, roles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.access.models import User
from apps.channels.credentials import unseal
from apps.channels.models import Channel, ChannelWarehouse, Listing, ListingDirty
from apps.integrations.jsonhttp.form import preset
from apps.masterdata.models import Item, Unit, Warehouse
from tests.channels.conftest import Side, promise

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(client: Client) -> Callable[[str], Client]:
    def signed_in(role: str) -> Client:
        user = User.objects.create_user(username=role.replace(" ", "-"), password="x" * 20, is_staff=True)
        user.groups.add(Group.objects.get_or_create(name=role)[0])
        client.force_login(user)
        return client

    return signed_in


def form(**changed: object) -> dict[str, object]:
    return {
        "code": "NEW",
        "name": "New shop",
        "connector": "jsonhttp",
        "grade": "A",
        "settings": orjson.dumps(preset("shop")).decode(),
        "secret": "s3cret-value",
        "currency": "EUR",
        "publishes_prices": "on",
        "percentage": "100",
        "buffer": "0",
        "end_when": "0",
        "cap": "",
        "handling_days": "0",
        "requests_per_s": "10",
        "burst": "10",
        "batch_size": "1",
        "max_in_flight": "4",
        "read_back_every_s": "300",
        "warehouses-TOTAL_FORMS": "0",
        "warehouses-INITIAL_FORMS": "0",
        **changed,
    }


ADD = "admin:channels_channel_add"


def test_a_channel_is_added_as_a_draft_and_its_secret_is_never_shown(person: Callable[[str], Client]) -> None:
    console = person("channel admin")
    warehouse = Warehouse.objects.create(code="MAIN", name="Main")
    rows = {"warehouses-TOTAL_FORMS": "1", "warehouses-0-warehouse": str(warehouse.pk), "warehouses-0-location": "L1"}
    answer = console.post(reverse(ADD), form(**rows))
    assert answer.status_code == 302, answer.content.decode()[:3000]
    channel = Channel.objects.get()
    assert (channel.system.code, channel.state) == ("NEW", "draft")
    assert ChannelWarehouse.objects.get().location == "L1"
    page = console.get(reverse("admin:channels_channel_change", args=[channel.pk]))
    assert page.status_code == 200
    assert b"s3cret" not in page.content
    change = reverse("admin:channels_channel_change", args=[channel.pk])
    inline = {"warehouses-INITIAL_FORMS": "1"}
    kept = {"warehouses-0-id": ChannelWarehouse.objects.get().pk, "warehouses-0-channel": channel.pk}
    answer = console.post(change, form(secret="", buffer="3", **{**rows, **kept, **inline}))
    assert answer.status_code == 302, answer.content.decode()[:3000]
    channel.refresh_from_db()
    assert channel.buffer == 3
    assert unseal(bytes(channel.credentials)) == {"secret": "s3cret-value"}


def test_a_stored_secret_is_not_sent_to_another_address(person: Callable[[str], Client]) -> None:
    console = person("channel admin")
    assert console.post(reverse(ADD), form()).status_code == 302
    channel = Channel.objects.get()
    change = reverse("admin:channels_channel_change", args=[channel.pk])
    elsewhere = orjson.dumps(preset("shop", base_url="https://elsewhere.example")).decode()
    answer = console.post(change, form(secret="", settings=elsewhere))
    assert answer.status_code == 200
    assert "enter the secret again" in answer.content.decode()
    channel.refresh_from_db()
    assert channel.settings["base_url"] == preset("shop")["base_url"]
    assert console.post(change, form(secret="another", settings=elsewhere)).status_code == 302


def test_wrong_settings_are_refused_with_the_field(person: Callable[[str], Client]) -> None:
    console = person("administrator")
    answer = console.post(reverse(ADD), form(settings="{}", currency="XXQ"))
    assert answer.status_code == 200
    assert "is a required property" in answer.content.decode()
    assert "XXQ is no ISO 4217 currency" in answer.content.decode()
    assert not Channel.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "triager"])
def test_others_may_look_but_not_touch(
    person: Callable[[str], Client], open_side: Callable[..., Side], role: str
) -> None:
    side = open_side("SHOP")
    console = person(role)
    assert console.get(reverse("admin:channels_channel_changelist")).status_code == 200
    assert console.get(reverse("admin:channels_listing_changelist")).status_code == 200
    assert console.post(reverse(ADD), form()).status_code == 403
    console.post(reverse("admin:channels_channel_switch", args=[side.channel.pk, "pause"]))
    assert Channel.objects.get().state == "live"


def test_switching_asks_first(person: Callable[[str], Client], open_side: Callable[..., Side]) -> None:
    side = open_side("SHOP")
    console = person("channel admin")
    url = reverse("admin:channels_channel_switch", args=[side.channel.pk, "pause"])
    assert console.get(url).status_code == 200
    assert Channel.objects.get().state == "live"
    assert console.post(url).status_code == 302
    assert Channel.objects.get().state == "paused"


def test_going_live_needs_a_channel_that_answers(
    person: Callable[[str], Client], open_side: Callable[..., Side]
) -> None:
    side = open_side("SHOP")
    side.seed("A")
    promise(side, "A", 4)
    Channel.objects.update(state="draft")
    console = person("channel admin")
    url = reverse("admin:channels_channel_switch", args=[side.channel.pk, "go_live"])
    side.fault({"kind": "unauthorized"})
    console.post(url)
    assert Channel.objects.get().state == "draft"
    side.fault()
    console.post(url)
    assert Channel.objects.get().state == "live"
    assert ListingDirty.objects.count() == 1


def test_a_changed_policy_makes_every_listing_dirty(person: Callable[[str], Client]) -> None:
    console = person("channel admin")
    console.post(reverse(ADD), form())
    channel = Channel.objects.get()
    unit = Unit.objects.create(code="EA", name="each")
    item = Item.objects.create(sku="S", name="S", base_unit=unit)
    Listing.objects.create(channel=channel, external_id="A", item=item, unit=unit)
    assert not ListingDirty.objects.exists()
    console.post(reverse("admin:channels_channel_change", args=[channel.pk]), form(secret="", cap="5"))
    channel.refresh_from_db()
    assert channel.cap == 5
    assert ListingDirty.objects.count() == 1


def test_listings_are_imported_with_a_dry_run_first(
    person: Callable[[str], Client], open_side: Callable[..., Side]
) -> None:
    open_side("SHOP")
    Item.objects.create(sku="S-1", name="S", base_unit=Unit.objects.get())
    console = person("administrator")
    rows = b"channel,external_id,sku,unit,status\nSHOP,A,S-1,EA,active\nSHOP,B,S-1,EA,paused\n"
    url = reverse("admin:channels_listing_import")
    upload = SimpleUploadedFile("listings.csv", rows, "text/csv")
    preview = console.post(url, {"import_file": upload, "format": "0"})
    assert preview.status_code == 200, preview.content.decode()[:2000]
    assert Listing.objects.count() == 0
    assert ListingDirty.objects.count() == 0
    confirm: Any = preview.context["confirm_form"]
    console.post(reverse("admin:channels_listing_process_import"), confirm.initial)
    assert list(Listing.objects.order_by("external_id").values_list("external_id", "status")) == [
        ("A", "active"),
        ("B", "paused"),
    ]
    assert ListingDirty.objects.count() == 2


def test_a_file_without_a_needed_column_is_refused_by_name(
    person: Callable[[str], Client], open_side: Callable[..., Side]
) -> None:
    open_side("SHOP")
    console = person("administrator")
    upload = SimpleUploadedFile("listings.csv", b"channel,external_id,item,unit\nSHOP,A,S-1,EA\n", "text/csv")
    page = console.post(reverse("admin:channels_listing_import"), {"import_file": upload, "format": "0"})
    assert "The file has no column sku" in page.content.decode()
    assert Listing.objects.count() == 0
