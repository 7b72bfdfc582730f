"""Reading the queue: order, tabs, facets, search, and never a scan of records."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.access.models import Team, User
from apps.exceptions import decisions, queue
from apps.exceptions.models import Cause
from apps.exceptions.queue import Facet, Wanted
from apps.exceptions.timeline import timeline
from apps.exceptions.triage import block, settle
from tests.exceptions.conftest import Blocking

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def found(**wanted: object) -> list[str]:
    return sorted(cause.value for cause in queue.page(Wanted(**wanted))[0])  # type: ignore[arg-type]


def test_search_finds_value_sku_order_source_and_channel(unknown_warehouse: Blocking) -> None:
    block(
        [
            unknown_warehouse(1, value="DC-9", sku="PUMP-1", order="SO-77"),
            unknown_warehouse(2, value="XX", sku="bolt/9", source="wms-9"),
        ]
    )
    assert [found(search=text) for text in ("dc-9", "pump", "so-77", " ERP ", "Not mapped")] == [
        ["DC-9"],
        ["DC-9"],
        ["DC-9"],
        ["DC-9"],
        ["DC-9", "XX"],
    ]
    assert [found(search=text) for text in ("BOLT/9", "wms", "so-78", "%", "_")] == [["XX"], ["XX"], [], [], []]


def test_searching_a_sku_uses_an_index() -> None:
    rows = queue.causes(Wanted(search="PUMP-1"))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = rows.explain()
    for index in ("blocked_subject", "blocked_sku", "blocked_order"):
        assert index in plan


def test_tabs_count_what_they_show(unknown_warehouse: Blocking) -> None:
    team = Team.objects.get(code="erp")
    maria = User.objects.create(username="maria")
    maria.teams.add(team)
    block([unknown_warehouse(n, value=f"DC-{n}") for n in range(1, 8)])
    causes = {cause.value: cause.pk for cause in Cause.objects.all()}
    decisions.assign(causes["DC-1"], by="maria", changes={"user": "maria"})
    decisions.assign(causes["DC-2"], by="maria", changes={"team": "erp"})
    decisions.snooze(causes["DC-3"], by="maria", until=datetime.now(UTC) + timedelta(hours=1))
    decisions.dismiss(causes["DC-4"], by="maria", reason="a test")
    settle("inbox", [5], by="process")
    with CaptureQueriesContext(connection) as queries:
        counts = queue.tab_counts(maria)
    assert counts == {"open": 4, "mine": 1, "team": 1, "unassigned": 3, "snoozed": 1, "resolved": 2}
    assert len(queries) == 1
    for tab, count in counts.items():
        assert len(found(tab=tab, user=maria)) == count
    assert found(tab="mine", user=maria) == ["DC-1"]
    assert sorted(found(tab="unassigned", user=maria)) == ["DC-2", "DC-6", "DC-7"]


def test_a_snooze_ends_by_itself_and_a_new_cause_grows_old(unknown_warehouse: Blocking, frozen_now) -> None:  # type: ignore[no-untyped-def]
    frozen_now(NOON)
    block([unknown_warehouse(1, value="A"), unknown_warehouse(2, value="B")])
    decisions.snooze(Cause.objects.get(value="A").pk, by="maria", until=NOON + timedelta(hours=2))
    assert (found(states=("snoozed",)), found(states=("new",))) == (["A"], ["B"])
    frozen_now(NOON + timedelta(hours=2))
    assert found(states=("snoozed", "new")) == []
    assert found(states=("ongoing",)) == ["A", "B"]
    assert Cause.objects.get(value="A").state == "snoozed"


def test_pages_follow_each_other_in_every_order(unknown_warehouse: Blocking) -> None:
    block([unknown_warehouse(n, value=f"DC-{n % 13}") for n in range(60)])
    settle("inbox", [n for n in range(60) if n % 13 in (2, 7)], by="process")
    for ordering in [f"{sign}{name}" for name in queue.ORDERINGS for sign in ("", "-")]:
        seen: list[Cause] = []
        after = None
        while True:
            causes, after = queue.page(Wanted(), ordering=ordering, after=after, limit=4)
            seen += causes
            if after is None:
                break
        assert sorted(cause.value for cause in seen) == sorted(f"DC-{n}" for n in range(13))
        assert [cause.closed_at is not None for cause in seen] == [False] * 11 + [True] * 2
        column = queue.ORDERINGS[ordering.removeprefix("-")]
        values = [getattr(cause, column) for cause in seen[:11]]
        assert values == sorted(values, reverse=ordering.startswith("-"))


def test_facets_count_causes(unknown_warehouse: Blocking, unknown_unit: Blocking) -> None:
    block([unknown_warehouse(1), unknown_warehouse(2, value="X"), unknown_unit(3, source="wms")])
    facets = queue.facets(Wanted())
    assert facets["reason"] == [Facet("UNKNOWN_WAREHOUSE", 2), Facet("UNKNOWN_UNIT", 1)]
    assert facets["source"] == [Facet("erp", 2), Facet("wms", 1)]
    assert facets["channel"] == []
    assert queue.facets(Wanted(source="wms"))["reason"] == [Facet("UNKNOWN_UNIT", 1)]


def test_a_queue_of_100000_records_in_300_causes_is_read_from_its_causes(unknown_warehouse: Blocking) -> None:
    block([unknown_warehouse(n, value=f"DC-{n}") for n in range(300)])
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO exceptions_blockedrecord (origin, origin_id, line, cause_id, subject, source, channel, field,"
            " value, detail, context, state, closed_by) SELECT 'inbox', 1000 + n, '', c.id, 'AB-' || n, 'erp', '',"
            " 'warehouse', c.value, '', '{}', 'open', '' FROM generate_series(1, 99700) n JOIN (SELECT id, value,"
            " row_number() OVER (ORDER BY id) - 1 AS turn FROM exceptions_cause) c ON c.turn = n % 300"
        )
        cursor.execute(
            "UPDATE exceptions_cause SET open_records = r.n, total_records = r.n FROM (SELECT cause_id,"
            " count(*) AS n FROM exceptions_blockedrecord GROUP BY 1) r WHERE r.cause_id = id"
        )
    with CaptureQueriesContext(connection) as queries:
        causes, after = queue.page(Wanted(), limit=100)
        queue.tab_counts(User(pk=1))
        queue.facets(Wanted())
        assert queue.records_open() == 100_000
    assert (len(causes), after is None) == (100, False)
    assert len(queries) == 1 + 1 + 4 + 1
    assert not [query["sql"] for query in queries if "blockedrecord" in query["sql"]]


def test_the_timeline_merges_what_was_done_and_what_was_said(unknown_warehouse: Blocking, triager: User) -> None:
    block([unknown_warehouse(1)])
    cause = Cause.objects.get()
    decisions.comment(cause.pk, author=triager, text="Is this the new hall?")
    decisions.comment(cause.pk, by="erp-bridge", text="It is.")
    decisions.dismiss(cause.pk, by="maria", reason="a test")
    entries = [(entry.actor, entry.action, entry.text) for entry in timeline(cause)]
    assert entries == [
        ("maria", "dismissed", ""),
        ("erp-bridge", "commented", "It is."),
        ("maria", "commented", "Is this the new hall?"),
        ("system", "created", ""),
    ]
