"""Channels over the API: drafts, lists and publications with their derived state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.test import Client

from apps.access.keys import create_key, forget_keys
from apps.access.models import ApiClient
from apps.channels.credentials import unseal
from apps.channels.models import Channel, ChannelWarehouse
from apps.integrations.jsonhttp.form import preset
from apps.masterdata.models import Warehouse
from tests.channels.conftest import Side, promise

pytestmark = pytest.mark.django_db

Call = Callable[..., Any]


@pytest.fixture
def call(client: Client) -> Call:
    def made(method: str, path: str, body: object = None, *, scopes: tuple[str, ...] = ("all",), **limits: Any) -> Any:
        forget_keys()
        key = create_key(
            ApiClient.objects.create(
                name=f"c{ApiClient.objects.count()}", scopes=list(scopes), requests_per_s=10_000, **limits
            )
        )
        return client.generic(
            method,
            f"/api/v1{path}",
            data=b"" if body is None else orjson.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )

    return made


def draft(**changed: object) -> dict[str, object]:
    return {
        "code": "NEW",
        "name": "New shop",
        "grade": "A",
        "settings": preset("shop"),
        "credentials": {"secret": "s3cret-value"},
        "currency": "EUR",
        "warehouses": [{"warehouse": "MAIN", "location": "L1"}],
        "buffer": "2",
        "batch_size": 20,
        **changed,
    }


def test_a_draft_is_stored_and_never_live(call: Call) -> None:
    Warehouse.objects.create(code="MAIN", name="Main")
    answer = call("POST", "/channels", draft())
    assert answer.status_code == 201, answer.content
    assert answer.json()["code"] == "NEW"
    assert answer.json()["state"] == "draft"
    assert b"s3cret" not in answer.content
    channel = Channel.objects.get()
    assert (channel.state, channel.buffer, channel.batch_size) == ("draft", 2, 20)
    assert unseal(bytes(channel.credentials)) == {"secret": "s3cret-value"}
    assert b"s3cret" not in bytes(channel.credentials)
    assert ChannelWarehouse.objects.get().location == "L1"
    again = call("POST", "/channels", draft())
    assert again.status_code == 409
    assert Channel.objects.count() == 1


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"settings": {"base_url": "ftp://x", "kinds": {}}}, "/settings/base_url"),
        ({"settings": {}}, "/settings"),
        ({"credentials": {}}, "/settings/auth"),
        ({"currency": "XXQ"}, "/currency"),
        ({"currency": ""}, "/currency"),
        ({"warehouses": [{"warehouse": "NOWHERE"}]}, "/warehouses/0/warehouse"),
        ({"percentage": "101"}, "/percentage"),
        ({"buffer": "-1"}, "/buffer"),
        ({"grade": "Z"}, "/grade"),
    ],
)
def test_a_wrong_draft_names_its_field_and_stores_nothing(call: Call, changed: Any, pointer: str) -> None:
    Warehouse.objects.create(code="MAIN", name="Main")
    answer = call("POST", "/channels", draft(**changed))
    assert answer.status_code == 400, answer.content
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert not Channel.objects.exists()


def test_an_unknown_field_is_refused(call: Call) -> None:
    answer = call("POST", "/channels", draft(grad="A"))
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_field")


def test_reading_needs_the_scope_and_writing_another(call: Call) -> None:
    assert call("GET", "/channels", scopes=("channels:read",)).status_code == 200
    assert call("GET", "/channels", scopes=("orders:read",)).status_code == 403
    assert call("POST", "/channels", draft(), scopes=("channels:read",)).status_code == 403
    assert not Channel.objects.exists()


def test_publications_show_the_state_that_follows_from_their_versions(
    call: Call, open_side: Callable[..., Side]
) -> None:
    side = open_side("SHOP")
    past, later = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    done = {"acked": {"quantity": "4"}, "acked_version": 1, "sent_version": 1, "acked_at": past}
    promise(side, "A", 4)
    promise(side, "B", 4, leased_until="2999-01-01T00:00:00Z", sent_version=1)
    promise(side, "C", 4, must_verify=True, sent_version=1)
    promise(side, "D", 4, **done)
    promise(side, "E", 4, **done, observed={"quantity": "4"}, observed_at=later)
    promise(side, "F", 4, **done, observed={"quantity": "9"}, observed_at=later)
    promise(side, "G", 4, blocked_at=past)
    body = call("GET", "/channels/SHOP/publications").json()
    states = {row["listing"]: row["state"] for row in body["results"]}
    assert states == {
        "A": "due",
        "B": "in_flight",
        "C": "unknown",
        "D": "acknowledged",
        "E": "confirmed",
        "F": "drifted",
        "G": "blocked",
    }
    confirmed = next(row for row in body["results"] if row["listing"] == "E")
    assert confirmed["sku"] == "SKU-E"
    assert confirmed["desired"] == confirmed["acked"] == confirmed["observed"] == {"quantity": "4"}
    assert (confirmed["desired_version"], confirmed["acked_version"], confirmed["acked_at"]) == (1, 1, past)
    only = call("GET", "/channels/SHOP/publications?state=drifted&kind=stock").json()
    assert [row["listing"] for row in only["results"]] == ["F"]


def test_publications_come_in_pages(call: Call, open_side: Callable[..., Side]) -> None:
    side = open_side("SHOP")
    for code in ("A", "B", "C"):
        promise(side, code, 1)
    first = call("GET", "/channels/SHOP/publications?limit=2").json()
    assert [row["listing"] for row in first["results"]] == ["A", "B"]
    second = call("GET", f"/channels/SHOP/publications?limit=2&cursor={first['next']}").json()
    assert ([row["listing"] for row in second["results"]], second["next"]) == (["C"], None)


@pytest.mark.parametrize("query", ["state=late", "kind=order", "foo=1", "cursor=zzz", "limit=0"])
def test_unknown_filters_are_refused(call: Call, open_side: Callable[..., Side], query: str) -> None:
    open_side("SHOP")
    assert call("GET", f"/channels/SHOP/publications?{query}").status_code == 400


def test_a_key_sees_its_channels_only(call: Call, open_side: Callable[..., Side]) -> None:
    open_side("SHOP")
    open_side("MARKET")
    seen = call("GET", "/channels", channels=["SHOP"]).json()["results"]
    assert [row["code"] for row in seen] == ["SHOP"]
    assert call("GET", "/channels/MARKET/publications", channels=["SHOP"]).status_code == 404
    assert call("GET", "/channels/NONE/publications").status_code == 404
