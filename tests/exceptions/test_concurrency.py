"""Counters stay exact and nothing deadlocks, however many loops block and settle at once."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from apps.exceptions import decisions
from apps.exceptions.errors import CauseClosed
from apps.exceptions.models import BlockedRecord, Cause
from apps.exceptions.triage import block, fingerprint, settle
from tests.exceptions.conftest import Blocking, Depot

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*works: Callable[[], None]) -> list[Exception]:
    """Run them all from one start; what they raised."""
    start = threading.Barrier(len(works))
    raised: list[Exception] = []

    def run(work: Callable[[], None]) -> None:
        try:
            start.wait(30)
            work()
        except Exception as error:
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


def check_counters() -> None:
    for cause in Cause.objects.all():
        waiting = cause.records.filter(state__in=BlockedRecord.WAITING).count()
        assert (cause.open_records, cause.total_records) == (waiting, cause.records.count()), cause.sentence
        assert (cause.closed_at is not None) == (waiting == 0)


def test_counters_are_exact_when_loops_block_and_settle_at_once(unknown_warehouse: Blocking) -> None:
    def loop(number: int) -> Callable[[], None]:
        def work() -> None:
            mine = range(number * 1_000, number * 1_000 + 20)
            for turn in range(6):
                codes = [f"DC-{(n + turn * number) % 5}" for n in mine]
                found = [unknown_warehouse(n, value=code) for n, code in zip(mine, codes, strict=True)]
                if number % 2:  # the order of the input must not matter
                    found.reverse()
                kept = [(r.origin_id, "", fingerprint(r.block, r.source).hex()) for r in found[::2]]
                with transaction.atomic():
                    settle("inbox", list(mine), by="loop", kept=kept)
                    block(found)

        return work

    assert at_once(*(loop(number) for number in range(4))) == []
    assert Cause.objects.count() == 5
    assert BlockedRecord.objects.filter(state="open").count() == 80
    check_counters()


def test_of_two_people_who_resolve_at_once_one_does_and_the_other_hears_of_it(depot: Depot) -> None:
    depot.take(3)
    cause = Cause.objects.get()

    def person(name: str) -> Callable[[], None]:
        return lambda: _resolve(cause.pk, name)

    raised = at_once(person("maria"), person("paul"))
    assert [type(error) for error in raised] == [CauseClosed]
    cause.refresh_from_db()
    assert cause.closed_by in ("maria", "paul")
    assert isinstance(raised[0], CauseClosed)
    assert raised[0].who == cause.closed_by
    assert cause.replays.filter(records=3).count() == 1


def _resolve(cause_id: int, name: str) -> None:
    decisions.resolve(cause_id, "name", {"target": "DC-09"}, by=name, reason="the new hall")
