"""Canonical movements → ledger, positions and dirty marks, against raw COPY of the same rows into the same table."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

from bench.distributor import Shop, make_shop
from bench.frame import compare

BATCH = 5_000
AT = datetime(2026, 1, 5, tzinfo=UTC)
DELTAS = ("receipt", "receipt", "adjustment", "scrap", "transfer_in", "transfer_out")
PICKING = ("receipt", "pick", "ship")

Batches = Iterator[Sequence[Any]]


def main() -> None:
    """Uniform and skewed keys, then picks and ships of orders, which also keep open picks."""
    shop, messages = make_shop(), count(1)
    _open(shop, messages)
    _twin_table()
    for name, goal, kinds, choose in [
        ("ingest uniform", 0.30, DELTAS, _uniform),
        ("ingest skewed", 0.40, DELTAS, _skewed),
        ("ingest picking", None, PICKING, _uniform),
    ]:
        batches = _batches(shop, messages, kinds, choose)
        copied = _batches(shop, messages, kinds, choose)
        compare(name, _copying(copied), _recording(batches), goal=goal)
    _check()


def _open(shop: Shop, messages: Iterator[int]) -> None:
    """Stock everywhere, so that what goes out is there, as it mostly is."""
    from apps.inventory.movements import NewMovement, record

    plenty = Decimal(1_000_000)
    for warehouse in shop.warehouse_ids:
        record(
            [
                NewMovement(
                    next(messages), "", AT, shop.source_id, None, item, warehouse, "receipt", plenty, shop.unit_id,
                    plenty, AT,
                )
                for item in shop.item_ids
            ]
        )  # fmt: skip


def _recording(batches: Batches) -> Callable[[], int]:
    from apps.inventory.movements import record

    ready = _ahead(batches)

    def step() -> int:
        answers = record(next(ready))
        if any(answer.status != "applied" for answer in answers):
            raise AssertionError("a new movement was not applied")
        return len(answers)

    return step


def _copying(batches: Batches) -> Callable[[], int]:
    """The rows as bytes, made beforehand: nothing but COPY is measured."""
    from django.db import connection

    from apps.inventory.movements import LEDGER_COLUMNS

    ready = _ahead(_encoded(batch) for batch in batches)

    def step() -> int:
        rows = next(ready)
        with connection.cursor() as cursor, cursor.copy(f"COPY bench_ledger ({LEDGER_COLUMNS}) FROM STDIN") as copy:
            copy.write(rows)
        return BATCH

    return step


def _ahead(batches: Iterator[Any], size: int = 60) -> Iterator[Any]:
    """Makes batches in advance; a measurement that outruns them makes more, which only slows it."""
    ready = [next(batches) for _ in range(size)]
    while True:
        yield ready.pop() if ready else next(batches)


def _batches(
    shop: Shop, messages: Iterator[int], kinds: Sequence[str], choose: Callable[[Random, int], int]
) -> Batches:
    from apps.inventory.movements import NewMovement

    random = Random(7)
    while True:
        batch = []
        for n in range(BATCH):
            message, kind = next(messages), kinds[n % len(kinds)]
            quantity = Decimal(random.randint(1, 40))
            order = f"SO-{message // len(kinds)}" if kind in ("pick", "ship") else ""
            batch.append(
                NewMovement(
                    message, "", AT, shop.source_id, message, shop.item_ids[choose(random, len(shop.item_ids))],
                    random.choice(shop.warehouse_ids), kind, quantity, shop.unit_id, quantity, AT, order,
                )
            )  # fmt: skip
        yield batch


def _encoded(batch: Sequence[Any]) -> bytes:
    text = "".join(
        "\t".join(str(value) for value in (*row[:11], row[10], 0, 0, 1, *row[11:16])) + "\n" for row in batch
    )
    return text.encode()


def _uniform(random: Random, size: int) -> int:
    return random.randrange(size)


def _skewed(random: Random, size: int) -> int:
    """A few items move most."""
    return min(size - 1, int(random.paretovariate(0.6)) - 1)


def _twin_table() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_ledger (LIKE inventory_stockmovement INCLUDING ALL)")


def _check() -> None:
    """Every position is the sum of its ledger, or the run counts for nothing."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM inventory_stockposition p LEFT JOIN (SELECT item_id, warehouse_id, "
            "sum(on_hand_delta) AS total FROM inventory_stockmovement GROUP BY 1, 2) l USING (item_id, warehouse_id) "
            "WHERE p.on_hand <> coalesce(l.total, 0)"
        )
        if cursor.fetchone() != (0,):
            raise AssertionError("positions and ledger disagree")
