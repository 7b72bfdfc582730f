"""Real exports, read through the shipped mappings: every row is accounted for."""

import json
import os
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.exceptions import decisions
from apps.exceptions.models import BlockedRecord, Cause
from apps.inventory.models import StockMovement, StockPosition
from apps.masterdata.models import Item, System, Unit, Warehouse
from apps.monitoring.invariants import breaches
from apps.pricing.models import PriceEntry
from apps.sources import processing
from apps.sources.models import InboxMessage, Mapping, Source
from apps.sources.presets import install

SHARED = Path(os.environ.get("SHARED_DIR", Path(__file__).resolve().parents[3] / "shared")) / "data"
needs_data = pytest.mark.skipif(
    not SHARED.is_dir(), reason="needs the AdventureWorks and Online Retail exports: set SHARED_DIR to their folder"
)
ADVENTUREWORKS = ("UnitMeasure", "Location", "Product", "ProductInventory", "ProductListPriceHistory")

pytestmark = pytest.mark.django_db


def import_feed(source: str, *files: Path, **options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command("import_feed", source, *map(str, files), json=True, stdout=out, **options)
    summary: dict[str, Any] = json.loads(out.getvalue())
    for run in [summary, *summary["runs"]]:
        assert run["rows"] == run["applied"] + run["duplicate"] + run["ignored"] + run["blocked"]
    return summary


def run_of(summary: dict[str, Any], mapping: str) -> dict[str, int]:
    [run] = [run for run in summary["runs"] if run["mapping"] == mapping]
    return {name: run[name] for name in ("rows", "applied", "duplicate", "ignored", "blocked")}


@needs_data
def test_adventureworks_becomes_units_warehouses_items_stock_and_dated_prices() -> None:
    files = [SHARED / "adventureworks" / f"{name}.csv" for name in ADVENTUREWORKS]
    summary = import_feed("adventureworks", *reversed(files))  # the mappings' order decides, not the files'
    assert (summary["rows"], summary["applied"], summary["blocked"]) == (2020, 2020, 0)
    assert (Unit.objects.count(), Warehouse.objects.count(), Item.objects.count()) == (38, 14, 504)
    assert StockPosition.objects.count() == 1069
    crib = StockPosition.objects.get(item__sku="AR-5381", warehouse__code="1")  # ProductID 1, by its alias
    assert crib.on_hand == Decimal(408)
    assert sum(StockPosition.objects.values_list("on_hand", flat=True)) == Decimal(335_974)
    assert PriceEntry.objects.filter(superseded_at=None).count() == 395
    assert breaches() == []

    again = import_feed("adventureworks", *files)
    assert (again["applied"], again["duplicate"]) == (0, 2020)


@needs_data
def test_inclusive_last_days_become_exclusive_ends() -> None:
    folder = SHARED / "adventureworks"
    import_feed("adventureworks", *[folder / f"{name}.csv" for name in ADVENTUREWORKS])
    history = PriceEntry.objects.filter(item__sku="HL-U509-R", superseded_at=None).order_by("valid_from")
    assert [(f"{entry.valid_from:%F}", f"{entry.valid_to:%F}" if entry.valid_to else None) for entry in history] == [
        ("2011-05-31", "2012-05-30"),
        ("2012-05-30", "2013-05-30"),
        ("2013-05-30", None),
    ]


@pytest.fixture(scope="module")
def december() -> Path:
    return SHARED / "online-retail" / "2010-12.csv.gz"


@needs_data
def test_a_month_of_orders_every_row_accounted_for_and_the_causes_fixed(december: Path) -> None:
    summary = import_feed("online-retail", december, opening=december)
    assert run_of(summary, "items") == {
        "rows": 42_481, "applied": 2_752, "duplicate": 0, "ignored": 39_729, "blocked": 0,
    }  # fmt: skip
    stream = {"rows": 42_481, "applied": 42_286, "duplicate": 0, "ignored": 0, "blocked": 195}
    assert run_of(summary, "stream") == stream
    # 500 lines repeat another line of the file: they are sales of their own.
    assert StockMovement.objects.exclude(kind="count").count() == 42_286
    assert not StockPosition.objects.filter(on_hand__lt=0).exists() or _causes("NEGATIVE_STOCK")
    assert breaches() == []

    for cause in _causes("UNKNOWN_ITEM"):
        _ignore(cause)
    _process()
    assert not BlockedRecord.objects.filter(origin="inbox", state__in=BlockedRecord.WAITING).exists()
    assert InboxMessage.objects.filter(type="stock.moved", state="ignored").count() == 195
    assert breaches() == []

    again = import_feed("online-retail", december, mapping="stream")
    assert run_of(again, "stream") == {
        "rows": 42_481, "applied": 0, "duplicate": 42_481, "ignored": 0, "blocked": 0,
    }  # fmt: skip


def _causes(reason: str) -> list[Cause]:
    return list(Cause.objects.filter(reason=reason, open_records__gt=0))


def _ignore(cause: Cause) -> None:
    decisions.resolve(cause.pk, "ignore", {}, by="tester", reason="a fee, no goods")


def _process() -> None:
    while processing.process():
        pass


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


STREAM = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


def test_identical_lines_count_each_and_a_corrected_line_is_new(tmp_path: Path) -> None:
    line = "1,85123A,LANTERN,6,2010-12-01 08:26:00,2.55,1,UK\n"
    first = import_feed("online-retail", write(tmp_path, "2010-12.csv", STREAM + line + line))
    assert run_of(first, "stream")["applied"] == 2
    second = import_feed("online-retail", write(tmp_path, "2010-12.csv", STREAM + line + line.replace(",6,", ",7,")))
    assert run_of(second, "stream") == {"rows": 2, "applied": 1, "duplicate": 1, "ignored": 0, "blocked": 0}
    assert StockPosition.objects.get(item__sku="85123A").on_hand == Decimal(-19)


def test_cancellations_return_and_other_negatives_adjust(tmp_path: Path) -> None:
    lines = (
        "1,85123A,LANTERN,6,2010-12-01 08:26:00,2.55,1,UK\n"
        "C2,85123a,LANTERN,-2,2010-12-01 09:00:00,2.55,1,UK\n"
        "3,85123A,,-1,2010-12-01 10:00:00,0,,UK\n"
    )
    import_feed("online-retail", write(tmp_path, "2010-12.csv", STREAM + lines))
    found = StockMovement.objects.order_by("happened_at").values_list("kind", "quantity", "on_hand_delta")
    assert list(found) == [("ship", 6, -6), ("return", 2, 2), ("adjustment", -1, -1)]


def test_a_row_the_mapping_cannot_read_is_blocked_and_its_neighbours_applied(tmp_path: Path) -> None:
    lines = "1,85123A,LANTERN,6,2010-12-01 08:26:00,2.55,1,UK\n1,85123A,LANTERN,six,2010-12-01 08:26:00,2.55,1,UK\n"
    path = write(tmp_path, "2010-12.csv", STREAM + lines)
    import_feed("online-retail", path, mapping="items")
    summary = import_feed("online-retail", path, mapping="stream")
    assert (summary["applied"], summary["blocked"]) == (1, 1)
    [cause] = _causes("SCHEMA_VIOLATION")
    assert cause.open_records == 1
    assert "six" in BlockedRecord.objects.get(cause=cause).detail


def test_a_file_no_mapping_reads_names_the_patterns(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"No mapping of source adventureworks reads stock\.csv.*Product\.csv"):
        import_feed("adventureworks", write(tmp_path, "stock.csv", "A\n1\n"))


def test_the_shipped_mappings_exist_and_are_not_overwritten() -> None:
    mapping = Mapping.objects.get(source__system__code="online-retail", name="stream")
    Mapping.objects.filter(pk=mapping.pk).update(row_filter="false")
    install(System, Source, Mapping)
    assert Mapping.objects.get(pk=mapping.pk).row_filter == "false"
