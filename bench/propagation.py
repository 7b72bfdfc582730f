"""Real processes, end to end: change to acknowledgement at 100 events/s, and events/s to updated availability."""

import json
import statistics
import time
from random import Random
from typing import Any

import psycopg

from bench.frame import RESULTS
from tests.processes.set_up import SKUS
from tests.processes.world import World, wait_until

SECONDS = 20
RATE = 100
BATCH = 10
ANSWERS_IN_S = 0.05
BULK, BULK_BATCH, BULK_ROUNDS = 20_000, 5_000, 3

# From the database's receipt of an event to the end of the attempt that first carried it (or a newer value), or to
# the plan that found nothing to change; both ends by the same clock.
_LATENCIES = """
WITH first_plan AS (
    SELECT DISTINCT ON (m.id, n.publication_id) m.received_at, n.publication_id, n.planned_at, n.desired_version
    FROM sources_inboxmessage m
    JOIN inventory_stockmovement l ON l.message = m.id
    JOIN inventory_stockposition p USING (item_id, warehouse_id)
    JOIN channels_plannedinput n ON n.kind = 'stock' AND n.subject = p.id AND n.generation >= l.generation
    WHERE m.event_id LIKE 'paced-%%'
    ORDER BY m.id, n.publication_id, n.generation, n.id)
SELECT y.code, extract(epoch FROM greatest(f.planned_at, a.finished_at) - f.received_at)::float8
FROM first_plan f
JOIN channels_publication p ON p.id = f.publication_id JOIN masterdata_system y ON y.id = p.channel_id
JOIN LATERAL (
    SELECT min(a.finished_at) AS finished_at FROM channels_publicationattempt a
    WHERE a.publication_id = p.id AND a.version >= f.desired_version AND a.outcome IN ('acknowledged', 'verified')
) a ON a.finished_at IS NOT NULL
"""

_PENDING = "SELECT 1 FROM sources_inboxmessage WHERE state = 'pending' LIMIT 1"


def main() -> None:
    """Both figures on one installation of their own: web, worker, beat, dispatch loop, sandbox, durable servers."""
    world = World()
    try:
        world.start()
        _propagation(world)
        _ingest(world)
    finally:
        left = world.stop()
    if left:
        raise AssertionError(f"still running: {left}")


def _propagation(world: World) -> None:
    _rest(world)
    world.faults({"kind": "slow", "seconds": ANSWERS_IN_S})
    began, sent = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < SECONDS:
        if sent < spent * RATE:
            _post(world, "paced", sent, BATCH)
            sent += BATCH
        else:
            time.sleep(0.005)
    per_s = sent / (time.perf_counter() - began)
    _rest(world)
    world.faults()
    found: dict[str, list[float]] = {}
    for channel, seconds in world.rows(_LATENCIES):
        found.setdefault(channel, []).append(seconds)
    for channel, seconds in sorted(found.items()):
        if len(seconds) != sent:
            raise AssertionError(f"{channel} tells the way of {len(seconds)} of {sent} events")
        p50, p99 = statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]
        print(f"propagation {channel} p50 {p50:.2f} s, p99 {p99:.2f} s at {per_s:.0f} events/s", flush=True)
        _write(f"propagation_{channel}", {"p50_s": round(p50, 3), "p99_s": round(p99, 3), "events_per_s": per_s})


def _ingest(world: World) -> None:
    """POST to processed, against COPY of the very ledger rows it made into a table of the same indexes."""
    ratios, rates = [], []
    for turn in range(BULK_ROUNDS):
        name = f"bulk{turn}"
        began = time.perf_counter()
        for first in range(0, BULK, BULK_BATCH):
            _post(world, name, first, BULK_BATCH)
        wait_until(lambda: not world.rows(_PENDING), 120, "everything is processed")
        rate = BULK / (time.perf_counter() - began)
        rates.append(rate)
        ratios.append(rate / _copied_per_s(world, name))
    ratio, rate = statistics.median(ratios), statistics.median(rates)
    print(f"ingest-http {ratio:.2f} 0.10", flush=True)
    _write("ingest-http", {"ratio": round(ratio, 3), "goal": 0.10, "candidate_per_s": round(rate)})


def _copied_per_s(world: World, name: str) -> float:
    where = f"SELECT l.* FROM inventory_stockmovement l JOIN sources_inboxmessage m ON m.id = l.message WHERE m.event_id LIKE '{name}-%'"  # noqa: E501
    with psycopg.connect(world.address.database_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_twin (LIKE inventory_stockmovement INCLUDING ALL)")
        with cursor.copy(f"COPY ({where}) TO STDOUT") as rows:
            content = b"".join(bytes(chunk) for chunk in rows)
        connection.commit()
        began = time.perf_counter()
        with cursor.copy("COPY bench_twin FROM STDIN") as copy:
            copy.write(content)
        copied = cursor.rowcount
        connection.commit()
        spent = time.perf_counter() - began
        cursor.execute("DROP TABLE bench_twin")
    if copied != BULK:
        raise AssertionError(f"{copied} of {BULK} events are in the ledger")
    return BULK / spent


def _post(world: World, name: str, first: int, size: int) -> None:
    random = Random(f"{name}-{first}")
    events = [
        {
            "specversion": "1.0",
            "id": f"{name}-{first + number}",
            "source": "wms",
            "type": "stock.moved",
            "time": "2026-02-01T12:00:00Z",
            "data": {"sku": random.choice(SKUS), "warehouse": random.choice(("N1", "N2")), "uom": "EA",
                     "kind": "receipt", "quantity": str(random.randint(1, 9))},
        }
        for number in range(size)
    ]  # fmt: skip
    answer = world.post("/api/v1/events", events)
    if answer.status_code != 202 or answer.json()["accepted"] != size:
        raise AssertionError(f"{answer.status_code} {answer.text[:300]}")


def _rest(world: World) -> None:
    """Until nothing is due anywhere."""
    due = (
        "SELECT 1 FROM sources_inboxmessage WHERE state = 'pending' UNION ALL SELECT 1 FROM inventory_stockdirty"
        " UNION ALL SELECT 1 FROM channels_publication WHERE desired_version > acked_version OR must_verify LIMIT 1"
    )
    wait_until(lambda: not world.rows(due), 120, "everything is processed, planned and acknowledged")


def _write(name: str, result: dict[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps({"name": name, **result}, indent=2) + "\n")
