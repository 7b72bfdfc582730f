"""Contract §8 and §9: a movement reaches the channels, whatever they answer, and an acknowledgement is never a lie."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.contract.world import Api, Json, World, problem, until

PATIENCE_S = 120.0


@dataclass(frozen=True)
class Listing:
    """A listing whose channel shows the right number now, and a warehouse of that channel."""

    channel: str
    code: str
    sku: str
    uom: str
    warehouse: str
    quantity: int


def control(demo: Json, channel: str) -> str:
    return str(demo["sandbox"]["channels"][channel]["control"])


def shows(api: Api, channel: str, code: str) -> Any:
    """The quantity the channel shows of a listing, None where it forgot it."""
    listings = api.get(control(api.demo, channel) + "/state").json()["listings"]
    return listings.get(code, {}).get("quantity")


def publication(api: Api, listing: Listing) -> Json:
    rows = api.read(f"/channels/{listing.channel}/publications", search=listing.code, kind="stock")["results"]
    (found,) = [row for row in rows if row["listing"] == listing.code]
    result: Json = found
    return result


def choose(world: World, channel: str) -> Listing:
    """A listing of the sample that a movement of one sell unit changes by exactly one."""
    api = world.api
    rows = api.read(f"/channels/{channel}/publications", kind="stock", limit=1000)["results"]
    random.shuffle(rows)
    for row in rows:
        if row["state"] not in ("acknowledged", "confirmed") or int(row["desired"]["quantity"]) < 3:
            continue
        answer = api.get(f"/availability/{row['sku']}", params={"channel": channel})
        if answer.status_code != 200 or answer.json()["available"] != row["desired"]["quantity"]:
            continue
        found = answer.json()
        listing = Listing(channel, row["listing"], row["sku"], found["uom"], "", int(found["available"]))
        for warehouse in (position["warehouse"] for position in found["by_warehouse"]):
            if _rises_by_one(world, listing, warehouse):
                return Listing(channel, row["listing"], row["sku"], found["uom"], warehouse, listing.quantity + 1)
    pytest.skip(f"no listing of {channel} follows its stock one to one")


def move(world: World, listing: Listing, kind: str, quantity: int, warehouse: str | None = None) -> Json:
    data = {
        "sku": listing.sku,
        "warehouse": warehouse or listing.warehouse,
        "kind": kind,
        "quantity": str(quantity),
        "uom": listing.uom,
    }
    # What happened before the sample's last count is inside it, so these happen now.
    now = datetime.now(UTC).isoformat()
    return world.event("stock.moved", data, source="wms", id=f"{world.mark}-{random.getrandbits(48):x}", time=now)


def _rises_by_one(world: World, listing: Listing, warehouse: str) -> bool:
    """Receive one and see whether the channel's number follows: capped and buffered listings do not."""
    event = move(world, listing, "receipt", 1, warehouse)
    world.send(event)
    if world.fate(event)["status"] != "processed":
        return False
    wanted = str(listing.quantity + 1)
    path = f"/availability/{listing.sku}"
    seen = until(lambda: world.api.read(path, channel=listing.channel)["available"], lambda now: now == wanted, 2)
    return bool(seen == wanted)


def converges(world: World, listing: Listing, wanted: int, seconds: float) -> None:
    """Wait for the number and its acknowledgement; at no moment may an acknowledgement be ahead of the channel."""
    api = world.api

    def look() -> tuple[Any, Any]:
        # Read the acknowledgement first: what is acknowledged must be there already.
        row = publication(api, listing)
        shown = shows(api, listing.channel, listing.code)
        acked = (row["acked"] or {}).get("quantity")
        if row["state"] in ("acknowledged", "confirmed") and acked == str(wanted):
            assert shown == wanted, (row, shown)
        return shown, acked

    assert until(look, lambda seen: seen == (wanted, str(wanted)), seconds) == (wanted, str(wanted))


@pytest.fixture(autouse=True)
def no_faults(demo: Json, api: Api) -> Iterator[None]:
    """Leave every channel as it was."""
    yield
    for channel in demo["sandbox"]["channels"]:
        assert api.call("PUT", control(demo, channel) + "/faults", json=[]).status_code == 200


@pytest.mark.parametrize("channel", ["SHOP", "MARKET", "FEED"])
def test_a_receipt_shows_on_the_channel_within_ten_seconds(world: World, channel: str) -> None:
    listing = choose(world, channel)
    event = move(world, listing, "receipt", 3)
    world.apply(event)
    wanted = listing.quantity + 3
    converges(world, listing, wanted, 10)
    row = publication(world.api, listing)
    assert row["desired"]["quantity"] == str(wanted)
    assert row["desired_version"] == row["acked_version"]
    plans = world.api.read(f"/lineage/wms/{event['id']}")["plans"]
    (plan,) = [plan for plan in plans if plan["channel"] == channel and plan["listing"] == listing.code]
    assert plan["acked_at"]
    assert plan["attempt"]


def test_a_decrease_reaches_the_channel_too(world: World) -> None:
    listing = choose(world, "SHOP")
    world.apply(move(world, listing, "ship", 2))
    converges(world, listing, listing.quantity - 2, 10)


def test_a_publication_has_every_field_of_the_contract(world: World) -> None:
    listing = choose(world, "SHOP")
    row = publication(world.api, listing)
    assert set(row) >= {
        "listing",
        "sku",
        "kind",
        "state",
        "desired",
        "acked",
        "observed",
        "desired_version",
        "acked_version",
        "desired_at",
        "acked_at",
        "observed_at",
    }
    assert row["sku"] == listing.sku


def test_publications_are_filtered_and_an_unknown_channel_is_404(api: Api) -> None:
    assert api.get("/channels/SHOP/publications", params={"state": "nonsense"}).status_code == 400
    assert api.get("/channels/SHOP/publications", params={"colour": "red"}).status_code == 400
    problem(api.get("/channels/NO-SUCH/publications"), 404, "not_found")


def test_the_counts_of_a_channel_are_those_of_its_publications(api: Api) -> None:
    for channel in api.read("/channels")["results"]:
        for state in ("due", "unknown", "blocked", "drifted"):
            path = f"/channels/{channel['code']}/publications"
            rows = api.read(path, state=state, limit=1000)["results"]
            assert len(rows) == channel[state], (channel["code"], state)


FAULTS: list[Json] = [
    {"kind": "429", "times": 3, "retry_after": 1},
    {"kind": "500", "times": 3},
    {"kind": "500_after_apply", "times": 2},
    {"kind": "timeout", "times": 1},
    {"kind": "timeout_after_apply", "times": 1},
    {"kind": "reset", "times": 2},
    {"kind": "half_batch", "times": 2},
    {"kind": "wrong_id", "times": 1},
    {"kind": "wrong_value", "times": 1},
    {"kind": "html", "times": 2},
    {"kind": "error_in_200", "times": 2},
    {"kind": "huge", "times": 1},
    {"kind": "slow", "times": 1},
]


# The rest of the kinds costs minutes, so it is kept for `make acceptance`.
QUICK = ("429", "500")


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, id=fault["kind"], marks=() if fault["kind"] in QUICK else pytest.mark.acceptance)
        for fault in FAULTS
    ],
)
@pytest.mark.parametrize("channel", ["SHOP", "MARKET"])
def test_a_fault_of_the_channel_ends_with_the_right_number(world: World, channel: str, fault: Json) -> None:
    listing = choose(world, channel)
    converges(world, listing, listing.quantity, 20)
    answer = world.api.call("PUT", control(world.api.demo, channel) + "/faults", json=[fault])
    assert answer.status_code == 200, answer.text
    world.apply(move(world, listing, "receipt", 2))
    converges(world, listing, listing.quantity + 2, PATIENCE_S)


@pytest.mark.parametrize("channel", ["SHOP", "MARKET"])
def test_the_newest_number_wins_when_the_channel_comes_back(world: World, channel: str) -> None:
    listing = choose(world, channel)
    url = control(world.api.demo, channel) + "/faults"
    assert world.api.call("PUT", url, json=[{"kind": "500", "seconds": 5}]).status_code == 200
    world.apply(*(move(world, listing, "receipt", 1) for _ in range(5)))
    world.apply(move(world, listing, "ship", 2))
    converges(world, listing, listing.quantity + 3, PATIENCE_S)


def test_what_the_channel_forgot_is_told_again_with_the_next_change(world: World) -> None:
    listing = choose(world, "SHOP")
    converges(world, listing, listing.quantity, 20)
    answer = world.api.post(control(world.api.demo, "SHOP") + "/forget", {"listings": [listing.code]})
    assert answer.status_code == 200, answer.text
    world.apply(move(world, listing, "receipt", 2))
    seen = until(
        lambda: (shows(world.api, "SHOP", listing.code), publication(world.api, listing)["state"]),
        lambda now: now[0] == listing.quantity + 2 or now[1] in ("blocked", "drifted"),
        PATIENCE_S,
    )
    assert seen[0] == listing.quantity + 2 or seen[1] in ("blocked", "drifted"), seen


def test_the_sandbox_wms_speaks_to_us(world: World) -> None:
    listing = choose(world, "SHOP")
    data = move(world, listing, "receipt", 4)["data"]
    answer = world.api.post(world.api.demo["sandbox"]["wms"] + "/emit", {"type": "stock.moved", "data": data})
    assert answer.status_code == 200, answer.text
    converges(world, listing, listing.quantity + 4, 15)
