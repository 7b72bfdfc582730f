"""Blocking, settling, replaying and healing."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.access.models import Team
from apps.exceptions.models import Activity, BlockedRecord, Cause, Replay
from apps.exceptions.replaying import progress_of
from apps.exceptions.triage import BlockRequest, block, fingerprint, heal, request_replay, settle, waiting
from apps.lib.errors import Block
from tests.exceptions.conftest import Blocking

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def counters(cause: Cause) -> tuple[str, int, int]:
    cause.refresh_from_db()
    return cause.state, cause.open_records, cause.total_records


def history(cause: Cause) -> list[str]:
    return list(cause.activities.order_by("id").values_list("action", flat=True))


def test_many_records_of_one_code_are_one_cause(unknown_warehouse: Blocking) -> None:
    team = Team.objects.get(code="warehouse")
    block([unknown_warehouse(n) for n in range(1, 413)])
    cause = Cause.objects.get()
    assert counters(cause) == ("new", 412, 412)
    assert cause.sentence == "erp warehouse code 'DC-9' is not mapped to any of our warehouses"
    assert (cause.severity, cause.source, cause.value, cause.team) == ("high", "erp", "DC-9", team)
    assert cause.records.filter(state="open").count() == 412
    assert history(cause) == ["created"]


def test_ten_thousand_records_under_five_causes_take_a_handful_of_queries(unknown_warehouse: Blocking) -> None:
    requests = [unknown_warehouse(n, value=f"DC-{n % 5}") for n in range(10_000)]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        block(requests)
    assert len(queries) <= 8
    assert sorted(Cause.objects.values_list("open_records", flat=True)) == [2_000] * 5


def test_fingerprint_is_what_is_wrong_and_not_how_it_is_worded() -> None:
    one = Block("UNKNOWN_ITEM", "item", "sku", "  A  1 ", "first wording", line="1")
    two = Block("UNKNOWN_ITEM", "item", "sku", "A 1", "second wording", line="7")
    assert fingerprint(one, "erp") == fingerprint(two, "erp")
    others = [
        fingerprint(two, "wms"),
        fingerprint(two, "", "erp"),
        fingerprint(Block("UNKNOWN_ITEM", "item", "sku", "a 1", "case counts"), "erp"),
        fingerprint(Block("UNKNOWN_ITEM", "item", "alias", "A 1", "field"), "erp"),
        fingerprint(Block("UNKNOWN_UNIT", "item", "sku", "A 1", "reason"), "erp"),
        fingerprint(Block("UNKNOWN_ITEM", "item", "sku", "A 1", "nobody's", scoped=False), "erp"),
    ]
    assert len({fingerprint(one, "erp"), *others}) == 7
    shared = Block("UNKNOWN_ITEM", "item", "sku", "A 1", "nobody's", scoped=False)
    assert fingerprint(shared, "erp") == fingerprint(shared, "wms")


def test_a_record_that_blocks_again_is_open_again_and_not_doubled(unknown_warehouse: Blocking) -> None:
    block([unknown_warehouse(1), unknown_warehouse(1), unknown_warehouse(1, line="2")])
    cause = Cause.objects.get()
    assert counters(cause) == ("new", 2, 2)
    replay = request_replay(cause.pk, by="maria")
    assert waiting("inbox", 10) == [1]
    block([unknown_warehouse(1)])
    assert counters(cause) == ("ongoing", 2, 2)
    assert sorted(cause.records.values_list("line", "state")) == [("", "open"), ("2", "replaying")]
    progress = progress_of(replay)
    assert (progress.records, progress.waiting, progress.blocked, progress.finished) == (2, 1, 1, False)


def test_settling_closes_what_was_processed_and_keeps_what_blocks_again(
    unknown_warehouse: Blocking, unknown_unit: Blocking
) -> None:
    block([unknown_warehouse(n) for n in (1, 2, 3)] + [unknown_unit(3)])
    warehouse, unit = Cause.objects.order_by("-reason")
    again = unknown_unit(3)
    kept = [(3, "", fingerprint(again.block, again.source).hex())]
    assert settle("inbox", [1, 2, 3], by="process", kept=kept) == 3
    block([again])
    assert counters(warehouse) == ("resolved", 0, 3)
    assert (warehouse.closed_by, warehouse.closed_at is not None) == ("process", True)
    assert counters(unit) == ("new", 1, 1)
    assert history(warehouse) == ["created", "closed"]
    assert settle("inbox", [1, 2, 3], by="process", kept=kept) == 0


def test_only_the_rows_of_the_same_origin_are_settled(unknown_warehouse: Blocking) -> None:
    block([unknown_warehouse(1)])
    other = unknown_warehouse(1)
    block([BlockRequest("publication", 1, other.block, source="erp")])
    assert settle("publication", [1], by="publish", outcome="superseded") == 1
    assert sorted(BlockedRecord.objects.values_list("origin", "state")) == [
        ("inbox", "open"),
        ("publication", "superseded"),
    ]
    assert counters(Cause.objects.get()) == ("new", 1, 2)


def test_a_closed_cause_that_comes_back_is_regressed(unknown_warehouse: Blocking) -> None:
    block([unknown_warehouse(1)])
    settle("inbox", [1], by="process")
    block([unknown_warehouse(2)])
    cause = Cause.objects.get()
    assert counters(cause) == ("regressed", 1, 2)
    assert (cause.closed_at, cause.closed_by) == (None, "")
    assert history(cause) == ["created", "closed", "regressed"]


def test_what_arrives_heals_what_it_blocked_and_is_named_as_what_closed_it(unknown_warehouse: Blocking) -> None:
    block([unknown_warehouse(1), unknown_warehouse(2, value="DC-8"), unknown_warehouse(3, source="wms")])
    assert heal("UNKNOWN_WAREHOUSE", ["DC-9", "DC-7"], source="erp", by="warehouse.upserted erp e-77") == 1
    assert waiting("inbox", 10) == [1]
    settle("inbox", [1], by="process")
    cause = Cause.objects.get(source="erp", value="DC-9")
    assert counters(cause) == ("resolved", 0, 1)
    assert cause.closed_by == "warehouse.upserted erp e-77"
    assert history(cause) == ["created", "healed", "closed"]
    assert BlockedRecord.objects.filter(state="open").count() == 2


def test_healing_nothing_is_one_read_and_no_trace() -> None:
    with CaptureQueriesContext(connection) as queries:
        assert heal("UNKNOWN_ITEM", [f"A-{n}" for n in range(1_000)], by="item.upserted") == 0
        assert heal("UNKNOWN_ITEM", [], by="item.upserted") == 0
    assert len(queries) == 1
    assert not Replay.objects.exists()
    assert not Activity.objects.exists()


def test_a_replay_of_some_records_leaves_the_others_open(unknown_warehouse: Blocking) -> None:
    block([unknown_warehouse(n) for n in (1, 2, 3)])
    cause = Cause.objects.get()
    chosen = cause.records.filter(origin_id__in=[1, 3]).values_list("pk", flat=True)
    assert request_replay(cause.pk, by="maria", record_ids=list(chosen)).records == 2
    assert waiting("inbox", 10) == [1, 3]
    assert waiting("inbox", 1) == [1]
    assert waiting("publication", 10) == []


def test_a_record_is_looked_at_again_three_times_without_anybody(unknown_warehouse: Blocking, frozen_now) -> None:  # type: ignore[no-untyped-def]
    frozen_now(NOON)
    block([unknown_warehouse(1)])
    assert waiting("inbox", 10) == []
    for looked_s in (3, 3 + 30, 3 + 30 + 600):  # each look is set when the one before has blocked it again
        frozen_now(NOON + timedelta(seconds=looked_s - 1))
        assert waiting("inbox", 10) == []
        frozen_now(NOON + timedelta(seconds=looked_s))
        assert waiting("inbox", 10) == [1]
        block([unknown_warehouse(1)])
    frozen_now(NOON + timedelta(days=9))
    assert waiting("inbox", 10) == []


def test_a_cause_that_still_grows_after_its_time_escalates(unknown_warehouse: Blocking, frozen_now) -> None:  # type: ignore[no-untyped-def]
    frozen_now(NOON)
    block([unknown_warehouse(1)])
    cause = Cause.objects.get()
    assert cause.sla_due_at == NOON + timedelta(hours=4)
    frozen_now(NOON + timedelta(hours=3))
    block([unknown_warehouse(2)])
    assert counters(cause) == ("new", 2, 2)
    frozen_now(NOON + timedelta(hours=5))
    block([unknown_warehouse(2)])
    assert counters(cause) == ("new", 2, 2)
    block([unknown_warehouse(3)])
    assert counters(cause) == ("escalating", 3, 3)
