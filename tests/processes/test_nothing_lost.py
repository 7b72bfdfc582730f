"""Nothing is lost: real processes, killed, flushed and cut off while pushes are in flight; then everything adds up."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.processes.traffic import Traffic
from tests.processes.world import World, wait_until

pytestmark = pytest.mark.processes

SEED = 20_260_201
SLOW_S = 0.8  # far below the deadline, so that a busy machine does not open the breaker
CHANNELS = ("SHOP", "MARKET", "FEED")
TRIES = 4
IN_SYNC_S = 110

STARTED = """
SELECT a.idempotency_key, y.code, g.external_id FROM channels_publicationattempt a
JOIN channels_publication p ON p.id = a.publication_id JOIN channels_listing g ON g.id = p.listing_id
JOIN masterdata_system y ON y.id = p.channel_id WHERE a.outcome = 'started' AND a.finished_at IS NULL
"""


@pytest.fixture
def world(pytestconfig: pytest.Config) -> Iterator[World]:
    capturing: Any = pytestconfig.pluginmanager.getplugin("capturemanager")

    def report(line: str) -> None:
        """Shown also where the test passes: when each fault struck, and what was in flight."""
        with capturing.global_and_fixture_disabled():
            print(line, flush=True)

    made = World(report)
    try:
        made.start()
        yield made
    except BaseException:
        print(made.logs())
        raise
    finally:
        left = made.stop()
    assert left == [], f"still running: {left}"


def test_every_event_counts_once_and_every_channel_shows_the_right_number(world: World) -> None:
    world.faults({"kind": "slow", "seconds": SLOW_S, "on": "write"})
    traffic = Traffic(world, SEED).start()
    wait_until(lambda: len(traffic.answered) > 200, 20, "traffic flows")

    _kill_the_worker_in_flight(world)
    _flush_valkey(world)
    _stop_postgres_hard(world, traffic)
    _run_two_beats(world, traffic)
    _do_without_valkey(world, traffic)

    traffic.stop()
    world.say(
        f"traffic ends: {len(traffic.answered)} events answered 2xx, {traffic.repeats} posted twice, "
        f"{traffic.unanswered} posts without an answer"
    )
    world.faults()
    assert traffic.refused == []
    took_s = wait_until(lambda: _in_sync(world), IN_SYNC_S, "all is processed, planned and acknowledged")
    world.say(f"in sync {took_s:.1f} s after the last event")

    _each_event_counted_once(world, traffic)
    _positions_are_right(world, traffic)
    _channels_are_right(world, traffic)
    _no_acknowledgement_was_false(world)
    _invariants_hold(world)


def _kill_the_worker_in_flight(world: World) -> None:
    """SIGKILL while a request of ours is being answered; without one in flight the kill does not count."""
    for attempt in range(TRIES):
        wait_until(lambda: bool(_under_way(world)), 60, "a push is under way")
        pid = world.living("worker")
        world.kill("worker")
        wait_until(lambda killed=pid: world.living("worker") != killed, 10, "the worker is gone")  # type: ignore[misc]
        time.sleep(0.2)  # an answer that had been recorded before the kill may still be committing
        cut_off = _under_way(world)
        orphans = world.rows(STARTED)
        world.say(
            f"worker {pid} killed: {len(cut_off)} requests under way at SHOP, {len(orphans)} attempts started "
            f"and never finished ({', '.join(sorted({code for _, code, _ in orphans})) or 'none'})"
        )
        wait_until(lambda: world.living("worker") is not None, 20, "a worker runs again")
        if cut_off and orphans:
            return
        world.say(f"nothing was in flight at kill {attempt + 1}: again")
    pytest.fail(f"no push was in flight at any of {TRIES} kills")


def _flush_valkey(world: World) -> None:
    with world.broker() as broker:
        keys = broker.dbsize()
        broker.flushall()
    world.say(f"Valkey flushed: {keys} keys gone, {len(world.rows(STARTED))} attempts in flight")


def _stop_postgres_hard(world: World, traffic: Traffic) -> None:
    wait_until(lambda: bool(world.rows(STARTED)), 30, "a push is in flight")
    in_flight = len(world.rows(STARTED))
    due = world.rows("SELECT count(*) FROM sources_inboxmessage WHERE state = 'pending'")[0][0]
    world.services.postgres.stop(signal.SIGQUIT)
    world.say(f"PostgreSQL stopped as by a power cut: {in_flight} attempts in flight, {due} messages pending")
    with pytest.raises(psycopg.OperationalError):
        world.rows("SELECT 1")
    world.services.ensure()
    before = len(traffic.answered)
    took_s = wait_until(lambda: len(traffic.answered) > before, 30, "events are taken again")
    world.say(f"PostgreSQL is back; events are taken again {took_s:.1f} s later")


def _run_two_beats(world: World, traffic: Traffic) -> None:
    world.child(world.beat("second-beat"))
    before = _acknowledged(world), len(traffic.answered)
    time.sleep(5)  # the fault lasts that long
    world.say(f"two beats for 5 s: {len(traffic.answered) - before[1]} events taken meanwhile")
    world.end_child("second-beat")


def _do_without_valkey(world: World, traffic: Traffic) -> None:
    """The dispatch loop carries on: what it began itself is acknowledged while there is no broker."""
    world.services.valkey.stop(signal.SIGKILL)
    lost_at, taken = world.rows("SELECT clock_timestamp()")[0][0], len(traffic.answered)
    world.say(f"Valkey killed: {len(world.rows(STARTED))} attempts in flight")
    runs = "SELECT min(started_at) FROM monitoring_looprun WHERE runner = 'dispatch' AND started_at > %s"
    wait_until(lambda: bool(world.rows(runs, [lost_at])[0][0]), 30, "the dispatch loop steps in")
    stepped_in_at = world.rows("SELECT clock_timestamp()")[0][0]
    told = "SELECT count(*) FROM channels_publicationattempt WHERE started_at > %s AND outcome = 'acknowledged'"
    wait_until(
        lambda: world.rows(told, [stepped_in_at])[0][0] > 20 and len(traffic.answered) > taken + 40,
        40,
        "without Valkey events are taken, and what the dispatch loop sent is acknowledged",
    )
    world.say(
        f"without Valkey: {len(traffic.answered) - taken} events taken; since the dispatch loop stepped in "
        f"{world.rows(told, [stepped_in_at])[0][0]} values were sent and acknowledged"
    )
    world.services.ensure()


def _under_way(world: World) -> list[tuple[str, str]]:
    """SHOP's requests that are being answered right now, and are started attempts of ours."""
    started = {key: listing for key, code, listing in world.rows(STARTED) if code == "SHOP"}
    since = datetime.now(UTC) - timedelta(seconds=SLOW_S * 0.8)
    requests: list[dict[str, Any]] = world.control("SHOP", "/requests", limit=100)["requests"]
    keys = {
        value
        for one in requests
        if one["method"] == "PUT" and datetime.fromisoformat(one["at"].replace("Z", "+00:00")) > since
        for name, value in one["headers"].items()
        if name.lower() == "idempotency-key"
    }
    return [(key, started[key]) for key in keys & started.keys()]


def _acknowledged(world: World) -> int:
    sql = "SELECT count(*) FROM channels_publicationattempt WHERE outcome IN ('acknowledged', 'verified')"
    return int(world.rows(sql)[0][0])


def _in_sync(world: World) -> bool:
    """By the API: nothing pending among the events, every publication acknowledged."""
    for status in ("pending", "replaying"):
        events = world.get("/api/v1/events", status=status, limit=1)
        if events.status_code != 200 or events.json()["results"]:
            return False
    # What is processed must also have been planned; no read of the API says so.
    if world.rows("SELECT 1 FROM inventory_stockdirty LIMIT 1") or world.rows(
        "SELECT 1 FROM channels_listingdirty LIMIT 1"
    ):
        return False
    for channel in CHANNELS:
        answer = world.get(f"/api/v1/channels/{channel}/publications", limit=1000)
        if answer.status_code != 200 or len(answer.json()["results"]) != 40:
            return False
        if any(row["state"] not in ("acknowledged", "confirmed") for row in answer.json()["results"]):
            return False
    return True


def _each_event_counted_once(world: World, traffic: Traffic) -> None:
    rows = world.rows(
        "SELECT m.event_id, m.state, count(l.id) FROM sources_inboxmessage m"
        " LEFT JOIN inventory_stockmovement l ON l.message = m.id"
        " WHERE m.event_id LIKE 'traffic-%%' GROUP BY m.id"
    )
    assert {event_id for event_id, _, _ in rows} == set(traffic.answered)
    assert [row for row in rows if row[1:] != ("processed", 1)] == []


def _positions_are_right(world: World, traffic: Traffic) -> None:
    rows = world.rows(
        "SELECT i.sku, w.code, p.on_hand::int, p.available::int,"
        " (SELECT sum(l.on_hand_delta)::int FROM inventory_stockmovement l"
        "  WHERE l.item_id = p.item_id AND l.warehouse_id = p.warehouse_id)"
        " FROM inventory_stockposition p JOIN masterdata_item i ON i.id = p.item_id"
        " JOIN masterdata_warehouse w ON w.id = p.warehouse_id"
    )
    expected = traffic.available()
    assert {(sku, place): (on_hand, available) for sku, place, on_hand, available, _ in rows} == expected
    assert [row for row in rows if row[2] != row[4]] == []


def _channels_are_right(world: World, traffic: Traffic) -> None:
    for channel in CHANNELS:
        state = world.control(channel, "/state")["listings"]
        assert {code: one["quantity"] for code, one in state.items()} == traffic.shown(channel), channel


def _no_acknowledgement_was_false(world: World) -> None:
    """What counts as acknowledged, the channel held at some time before."""
    rows = world.rows(
        "SELECT y.code, g.external_id, (a.value->>'quantity')::int, a.started_at, a.finished_at"
        " FROM channels_publicationattempt a JOIN channels_publication p ON p.id = a.publication_id"
        " JOIN channels_listing g ON g.id = p.listing_id JOIN masterdata_system y ON y.id = p.channel_id"
        " WHERE a.outcome IN ('acknowledged', 'verified')"
    )
    held: dict[tuple[str, str], list[tuple[datetime, int]]] = {}
    for channel in CHANNELS:
        for change in world.control(channel, "/history", limit=20_000)["changes"]:
            at = datetime.fromisoformat(change["at"].replace("Z", "+00:00"))
            held.setdefault((channel, change["listing"]), []).append((at, change["quantity"]))
    false = [
        row
        for row in rows
        if not any(at <= row[4] and quantity == row[2] for at, quantity in held.get((row[0], row[1]), []))
    ]
    assert rows
    assert false == []


def _invariants_hold(world: World) -> None:
    from apps.monitoring.invariants import INVARIANTS

    for invariant in INVARIANTS:
        assert world.rows(invariant.breaks.replace("%", "%%")) == [], invariant.name
