"""From 412 blocked movements to an exact ledger: one code mapped once, previewed before, replayed after."""

import pytest
from django.db.models import Sum

from apps.exceptions import decisions
from apps.exceptions.errors import CauseClosed
from apps.exceptions.models import BlockedRecord, Cause
from apps.exceptions.preview import StillBlocked, preview
from apps.exceptions.replaying import progress_of
from apps.inventory.models import StockMovement, StockPosition
from apps.masterdata.models import CrossReference
from apps.sources.models import InboxMessage
from apps.sources.processing import drain
from tests.sources.conftest import CATALOG, event, send

pytestmark = pytest.mark.django_db


def movement(number: int) -> dict[str, object]:
    uom = "KRT" if number <= 3 else "EA"
    data = {"sku": "AB-1", "warehouse": "DC-9", "kind": "receipt", "quantity": str(number), "uom": uom}
    return event(f"m-{number}", data=data)


def numbers() -> tuple[int, int, int, str]:
    """Ledger rows, positions, cross references, and Σ of the ledger."""
    total = StockMovement.objects.aggregate(total=Sum("base_quantity"))["total"]
    return (
        StockMovement.objects.count(),
        StockPosition.objects.count(),
        CrossReference.objects.count(),
        format((total or 0).normalize(), "f") if total else "0",
    )


def states() -> dict[str, int]:
    found: dict[str, int] = {}
    for state in InboxMessage.objects.filter(type="stock.moved").values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


@pytest.fixture
def warehouse() -> Cause:
    """412 receipts of 1 to 412 pieces at DC-9; the first three are counted in KRT."""
    send(*CATALOG)
    send(*(movement(number) for number in range(1, 413)))
    cause = Cause.objects.get(reason="UNKNOWN_WAREHOUSE")
    assert cause.open_records == 412
    assert (states(), numbers()) == ({"blocked": 412}, (0, 0, 0, "0"))
    return cause


def unit_cause() -> Cause:
    return Cause.objects.get(reason="UNKNOWN_UNIT")


def test_mapping_one_code_replays_all_it_blocked(warehouse: Cause) -> None:
    before = BlockedRecord.objects.filter(state="open").count()
    shown = preview(warehouse.pk, "map", {"target": "W1"}, by="maria")
    assert (shown.clears, shown.still_blocked) == (409, [StillBlocked("UNKNOWN_UNIT", 3)])
    assert (states(), numbers()) == ({"blocked": 412}, (0, 0, 0, "0"))
    assert BlockedRecord.objects.filter(state="open").count() == before

    done = decisions.resolve(
        warehouse.pk, "map", {"target": "W1"}, by="maria", reason="DC-9 is W1", preview_token=shown.preview_token
    )
    assert done.replay is not None
    assert done.replay.records == 412
    drain()
    assert states() == {"processed": 409, "blocked": 3}
    expected = sum(range(4, 413))
    assert numbers() == (409, 1, 1, str(expected))
    assert StockPosition.objects.get().on_hand == expected
    warehouse.refresh_from_db()
    unit = unit_cause()
    assert (warehouse.state, warehouse.open_records, warehouse.closed_by) == ("resolved", 0, "maria")
    assert (unit.open_records, unit.closed_at) == (3, None)
    progress = progress_of(done.replay)
    assert (progress.resolved, progress.blocked, progress.waiting) == (412, 0, 0)
    with pytest.raises(CauseClosed, match="resolved by maria"):
        decisions.resolve(warehouse.pk, "map", {"target": "W1"}, by="paul", reason="me too")

    decisions.resolve(unit.pk, "map", {"target": "EA"}, by="paul", reason="Karton is what they call a piece")
    drain()
    assert (states(), numbers()) == ({"processed": 412}, (412, 1, 2, str(expected + 6)))
    assert not BlockedRecord.objects.filter(state__in=BlockedRecord.WAITING).exists()


def test_the_missing_warehouse_mends_its_cause_without_a_person(warehouse: Cause) -> None:
    send(event("w9", type="warehouse.upserted", data={"code": "DC-9", "name": "Distribution centre 9"}))
    drain()
    assert states() == {"processed": 409, "blocked": 3}
    warehouse.refresh_from_db()
    assert (warehouse.state, warehouse.open_records) == ("resolved", 0)
    assert warehouse.closed_by not in ("", "maria")
    assert [entry.action for entry in warehouse.activities.order_by("pk")] == ["created", "healed", "closed"]
    assert unit_cause().open_records == 3


def test_ignoring_a_code_ends_its_records_as_ignored(warehouse: Cause) -> None:
    shown = preview(warehouse.pk, "ignore", {}, by="maria")
    decisions.resolve(warehouse.pk, "ignore", {}, by="maria", reason="not ours", preview_token=shown.preview_token)
    drain()
    assert states() == {"ignored": 412}
    assert numbers()[0] == 0
    assert not BlockedRecord.objects.filter(state__in=BlockedRecord.WAITING).exists()
