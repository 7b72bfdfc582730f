"""Several loops at once, on real connections: every message is worked on once, and none is lost."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from apps.inventory.models import StockMovement
from apps.sources import processing
from apps.sources.inbox import receive
from tests.sources.conftest import CATALOG, moved, on_hand, send, states


@pytest.mark.django_db(transaction=True)
def test_three_loops_at_once_book_every_movement_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing, "BATCH", 50)
    send(*CATALOG)
    receive([moved(f"m{number}", "receipt", "1") for number in range(600)])
    start = threading.Barrier(3)
    done: list[int] = []

    def loop() -> None:
        start.wait()
        try:
            while worked := processing.process(50):
                done.append(worked)
        finally:
            connection.close()

    threads = [threading.Thread(target=loop) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    processing.drain()
    assert set(states().values()) == {"processed"}
    assert (on_hand(), StockMovement.objects.count(), sum(done)) == ("W1 600", 600, 600)
