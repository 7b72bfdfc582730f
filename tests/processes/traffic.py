"""A warehouse at work: movements posted over HTTP until every one is answered 2xx, and the sums they must make."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from typing import Any

from tests.processes.set_up import CASE, OPENING, SKUS
from tests.processes.world import World

BATCH = 8
PAUSE_S = 0.1
WAREHOUSES = ("N1", "N2")
Place = tuple[str, str]


class Traffic:
    """Posts batches in a thread of its own. A batch without an answer is posted again, under the same ids."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._dice = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._number = 0
        self._open: list[dict[str, Any]] = []
        self.answered: dict[str, dict[str, Any]] = {}  # every event that was answered 2xx
        self.repeats = 0  # answered 2xx and posted once more on purpose
        self.unanswered = 0  # posts that failed and were made again
        self.refused: list[str] = []

    def start(self) -> Traffic:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Finish the batch in hand and stop."""
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            batch = [self._event() for _ in range(BATCH)]
            self._post(batch)
            if self._dice.random() < 0.1:
                self._post(batch)
                self.repeats += len(batch)
            self._stop.wait(PAUSE_S)

    def _post(self, batch: list[dict[str, Any]]) -> None:
        while True:
            answer = self._world.post("/api/v1/events", batch)
            if answer.status_code == 202:
                self.refused += [str(one) for one in answer.json()["rejected"]]
                self.answered |= {event["id"]: event["data"] for event in batch}
                return
            if answer.status_code < 500:
                self.refused.append(f"{answer.status_code} {answer.text[:300]}")
                return
            self.unanswered += 1
            time.sleep(0.2)

    def _event(self) -> dict[str, Any]:
        self._number += 1
        if self._open and self._dice.random() < 0.3:
            data = {**self._open.pop(self._dice.randrange(len(self._open))), "kind": "ship"}
        else:
            kind = self._dice.choice(("receipt", "pick", "adjustment", "pick"))
            quantity = str(self._dice.randint(1, 5) * (-1 if kind == "adjustment" else 1))
            # Few items take most of the movements, as in any warehouse: values are overtaken while in flight.
            sku = SKUS[min(int(self._dice.expovariate(0.12)), len(SKUS) - 1)]
            data = {"sku": sku, "warehouse": self._dice.choice(WAREHOUSES), "kind": kind, "quantity": quantity,
                    "uom": "EA"}  # fmt: skip
            if kind == "pick":
                data |= {"order": f"O-{self._number}", "line": "1"}
                self._open.append(data)
        return {
            "specversion": "1.0",
            "id": f"traffic-{self._number}",
            "source": "wms",
            "type": "stock.moved",
            "time": "2026-02-01T12:00:00Z",
            "sequence": str(self._number),
            "data": data,
        }

    def available(self) -> dict[Place, tuple[int, int]]:
        """(on hand, available) per item and warehouse, from the answered events alone."""
        on_hand: dict[Place, int] = defaultdict(lambda: OPENING)
        picked: dict[tuple[Place, str], int] = defaultdict(int)
        shipped: dict[tuple[Place, str], int] = defaultdict(int)
        for data in self.answered.values():
            place, quantity = (data["sku"], data["warehouse"]), int(data["quantity"])
            if data["kind"] in ("receipt", "adjustment"):
                on_hand[place] += quantity
            elif data["kind"] == "pick":
                picked[place, data["order"]] += quantity
            else:
                shipped[place, data["order"]] += quantity
                on_hand[place] -= quantity
        unbacked: dict[Place, int] = defaultdict(int)
        for (place, order), quantity in picked.items():
            unbacked[place] += max(0, quantity - shipped[place, order])
        return {
            (sku, warehouse): (on_hand[sku, warehouse], on_hand[sku, warehouse] - unbacked[sku, warehouse])
            for sku in SKUS
            for warehouse in WAREHOUSES
        }

    def shown(self, channel: str) -> dict[str, int]:
        """What the channel must show in the end, by its own codes and in its own units."""
        found = self.available()
        size = CASE if channel == "MARKET" else 1
        return {
            f"{channel[0]}-{sku}": sum(max(0, found[sku, place][1]) // size for place in WAREHOUSES) for sku in SKUS
        }
