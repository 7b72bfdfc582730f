"""Preview shows what resolve will do and keeps nothing; resolve does it once."""

import pytest
from django.db import connection, transaction

from apps.access.models import AuditEvent, Team
from apps.exceptions import decisions
from apps.exceptions.errors import CauseClosed, PreviewStale
from apps.exceptions.models import Activity, BlockedRecord, Cause, Replay
from apps.exceptions.preview import StillBlocked, preview
from apps.exceptions.replaying import progress_of
from apps.exceptions.triage import block, waiting
from apps.lib.errors import Problem
from tests.exceptions.conftest import Blocking, Depot, rows_of

TABLES = ("exceptions_cause", "exceptions_blockedrecord", "exceptions_activity", "exceptions_replay", "access_team")


def warehouse_cause() -> Cause:
    return Cause.objects.get(reason="UNKNOWN_WAREHOUSE", value="DC-9")


def everything() -> list[object]:
    causes = Cause.objects.order_by("pk").values_list("pk", "state", "open_records", "revision", "closed_at")
    records = BlockedRecord.objects.order_by("pk").values_list("pk", "state", "replay", "closed_at", "recheck_at")
    return [*map(rows_of, TABLES), list(causes), list(records)]


@pytest.mark.django_db
def test_preview_tells_what_clears_and_what_stays_and_changes_nothing(depot: Depot) -> None:
    depot.take(412, without_unit=3)
    before = everything()
    shown = preview(warehouse_cause().pk, "name", {"target": "DC-09"}, by="maria")
    assert (shown.clears, shown.still_blocked) == (409, [StillBlocked("UNKNOWN_UNIT", 3)])
    assert (shown.total, shown.records, shown.sampled) == (412, 412, False)
    assert (shown.deltas, shown.approvals, shown.summary) == ([], [], "DC-9 is DC-09")
    assert depot.calls == [100, 100, 100, 100, 12]
    assert everything() == before


@pytest.mark.django_db
def test_preview_of_more_than_500_records_tries_the_first_500_and_says_so(depot: Depot) -> None:
    depot.take(620, without_unit=10)
    shown = preview(warehouse_cause().pk, "name", {"target": "DC-09"}, by="maria")
    assert (shown.total, shown.records, shown.sampled, shown.clears) == (620, 500, True, 490)


@pytest.mark.django_db(transaction=True)
def test_a_preview_sends_nothing_and_calls_nobody_afterwards(depot: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    depot.take(5)
    sent: list[str] = []
    monkeypatch.setattr("apps.lib.nudges._send", sent.append)
    monkeypatch.setattr(depot, "retry", lambda ids: transaction.on_commit(lambda: sent.append("committed")))
    preview(warehouse_cause().pk, "name", {"target": "DC-09"}, by="maria")
    assert sent == []
    assert not Team.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)
    decisions.resolve(warehouse_cause().pk, "name", {"target": "DC-09"}, by="maria", reason="the new hall")
    assert set(sent) == {"apps.sources.tasks.process"}


@pytest.mark.django_db
def test_a_fix_that_refuses_leaves_everything_as_it_was(depot: Depot) -> None:
    depot.take(2)
    before = everything()
    for asked in (preview, lambda *a, by: decisions.resolve(*a, by=by, reason="why")):
        with pytest.raises(Problem, match="No warehouse has the code 'NOWHERE'"):
            asked(warehouse_cause().pk, "name", {"target": "NOWHERE"}, by="maria")
    assert everything() == before
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fix", "fields", "code", "detail"),
    [
        ("nmae", {"target": "X"}, "invalid", "'nmae' is no fix for UNKNOWN_WAREHOUSE; it takes name."),
        ("name", {"tarket": "X"}, "unknown_field", "The fix name has no field 'tarket'. Did you mean target?"),
        ("name", {}, "invalid", "name needs target (Ours)."),
    ],
)
def test_a_wrong_fix_or_field_is_refused_by_name(
    depot: Depot, fix: str, fields: dict[str, str], code: str, detail: str
) -> None:
    depot.take(1)
    with pytest.raises(Problem) as refused:
        decisions.resolve(warehouse_cause().pk, fix, fields, by="maria", reason="why")
    assert (refused.value.status, refused.value.code, refused.value.detail) == (400, code, detail)
    assert warehouse_cause().state == "new"


@pytest.mark.django_db
def test_resolving_replays_everything_once_and_names_who_was_first(depot: Depot) -> None:
    depot.take(412, without_unit=3)
    shown = preview(warehouse_cause().pk, "name", {"target": "DC-09"}, by="maria")
    done = decisions.resolve(
        warehouse_cause().pk,
        "name",
        {"target": "DC-09"},
        by="maria",
        reason="the new hall",
        preview_token=shown.preview_token,
    )
    assert done.replay is not None
    assert (done.replay.records, done.replay.requested_by, done.replay.reason) == (412, "maria", "the new hall")
    assert Team.objects.get().name == "DC-09"
    assert len(waiting("inbox", 1_000)) == 412
    depot.retry(waiting("inbox", 1_000))
    cause, unit = warehouse_cause(), Cause.objects.get(reason="UNKNOWN_UNIT")
    assert (cause.state, cause.open_records, cause.total_records, cause.closed_by) == ("resolved", 0, 412, "maria")
    assert (unit.state, unit.open_records) == ("new", 3)
    progress = progress_of(done.replay)
    assert (progress.resolved, progress.waiting, progress.finished) == (412, 0, True)
    assert waiting("inbox", 10) == []
    with pytest.raises(CauseClosed) as refused:
        decisions.resolve(cause.pk, "name", {"target": "DC-09"}, by="paul", reason="me too")
    assert (refused.value.status, refused.value.who, refused.value.when) == (409, "maria", cause.closed_at)
    assert "resolved by maria at" in refused.value.detail
    with pytest.raises(CauseClosed):
        preview(cause.pk, "name", {"target": "DC-09"}, by="paul")
    assert Team.objects.count() == 1
    audit = AuditEvent.objects.get()
    assert (audit.actor, audit.action, audit.object) == ("maria", "exceptions.resolved", f"cause:{cause.pk}")
    assert audit.detail["reason"] == "the new hall"


@pytest.mark.django_db
def test_a_preview_is_stale_once_somebody_changed_the_cause(depot: Depot) -> None:
    depot.take(2)
    cause = warehouse_cause()
    shown = preview(cause.pk, "name", {"target": "DC-09"}, by="maria")
    decisions.replay(cause.pk, by="paul", reason="again")
    with pytest.raises(PreviewStale) as refused:
        decisions.resolve(
            cause.pk, "name", {"target": "DC-09"}, by="maria", reason="why", preview_token=shown.preview_token
        )
    assert (refused.value.status, refused.value.who) == (409, "paul")
    assert refused.value.when == cause.activities.latest("at").at
    assert not Team.objects.exists()


@pytest.mark.django_db
def test_a_preview_is_stale_once_more_records_came(depot: Depot) -> None:
    depot.take(2)
    shown = preview(warehouse_cause().pk, "name", {"target": "DC-09"}, by="maria")
    depot.take(1)
    with pytest.raises(PreviewStale, match="a new record of erp changed the cause"):
        decisions.resolve(
            warehouse_cause().pk,
            "name",
            {"target": "DC-09"},
            by="maria",
            reason="why",
            preview_token=shown.preview_token,
        )


@pytest.mark.django_db
def test_a_token_of_other_fields_is_refused(depot: Depot) -> None:
    depot.take(2)
    shown = preview(warehouse_cause().pk, "name", {"target": "DC-09"}, by="maria")
    with pytest.raises(Problem) as refused:
        decisions.resolve(
            warehouse_cause().pk,
            "name",
            {"target": "DC-10"},
            by="maria",
            reason="why",
            preview_token=shown.preview_token,
        )
    assert (refused.value.status, refused.value.errors[0].pointer) == (400, "/preview_token")


@pytest.mark.django_db
def test_resolving_without_replay_leaves_the_records_and_the_cause_open(depot: Depot) -> None:
    depot.take(3)
    done = decisions.resolve(
        warehouse_cause().pk, "name", {"target": "DC-09"}, by="maria", reason="later", replay=False
    )
    cause = warehouse_cause()
    assert (done.replay, cause.state, cause.open_records) == (None, "ongoing", 3)
    assert waiting("inbox", 10) == []
    batch = decisions.replay(cause.pk, by="maria")
    assert (batch.records, waiting("inbox", 10)) == (3, [1, 2, 3])


@pytest.mark.django_db
def test_a_resolved_cause_that_blocks_after_all_is_regressed(depot: Depot) -> None:
    depot.take(2)
    decisions.resolve(warehouse_cause().pk, "name", {"target": "DC-09"}, by="maria", reason="why")
    Team.objects.all().delete()
    depot.retry(waiting("inbox", 10))
    cause = warehouse_cause()
    assert (cause.state, cause.open_records, cause.total_records, cause.closed_at) == ("regressed", 2, 2, None)
    assert waiting("inbox", 10) == []


@pytest.mark.django_db
def test_a_dismissed_cause_keeps_its_records_and_comes_back(unknown_warehouse: Blocking) -> None:
    block([unknown_warehouse(1)])
    cause = Cause.objects.get()
    decisions.dismiss(cause.pk, by="maria", reason="a test system")
    cause.refresh_from_db()
    assert (cause.state, cause.closed_by, cause.open_records) == ("dismissed", "maria", 1)
    for again in (
        lambda: decisions.dismiss(cause.pk, by="paul", reason="same"),
        lambda: decisions.assign(cause.pk, by="paul", changes={"user": None}),
    ):
        with pytest.raises(CauseClosed, match="dismissed by maria"):
            again()
    block([unknown_warehouse(2)])
    cause.refresh_from_db()
    assert (cause.state, cause.open_records, cause.closed_by) == ("regressed", 2, "")
    actions = Activity.objects.order_by("pk").values_list("actor", "action")
    assert list(actions) == [("system", "created"), ("maria", "dismissed"), ("system", "regressed")]


@pytest.mark.django_db
def test_ignoring_the_last_record_closes_the_cause(unknown_warehouse: Blocking) -> None:
    block([unknown_warehouse(1), unknown_warehouse(2)])
    cause = Cause.objects.get()
    first, second = cause.records.order_by("pk").values_list("pk", flat=True)
    assert decisions.ignore(cause.pk, [first], by="maria", reason="noise") == 1
    cause.refresh_from_db()
    assert (cause.state, cause.open_records) == ("new", 1)
    assert decisions.ignore(cause.pk, [first, second], by="maria", reason="noise") == 1
    cause.refresh_from_db()
    assert (cause.state, cause.open_records) == ("resolved", 0)
    assert not Replay.objects.exists()
