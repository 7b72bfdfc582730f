"""Rows become events, each row in exactly one parcel, under ids that make a file idempotent."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from apps.sources.mapping import Rules
from apps.sources.parcels import LINES_PER_PART, Feed, parcels

MOVES = Feed("erp", "stream", Rules("stock.moved", {"sku": "row.sku"}, {"time": "instant(row.at)"}), {})
ITEMS = Feed(
    "erp",
    "items",
    Rules("item.upserted", {"sku": "upper(row.sku)", "name": "row.name"}, {"time": "instant(row.at)"}, "row.sku != ''"),
    {"take": "upper(row.sku)", "of": "name"},
)
COUNT = Feed(
    "erp",
    "count",
    Rules(
        "stock.counted",
        {"sku": "row.sku", "warehouse": "'W'", "uom": "'EA'", "quantity": "dec(row.q)"},
        {"time": "instant(row.at)"},
    ),
    {"snapshot": "complete"},
)
AT = "2010-12-01 08:00:00"


def rows_of(*rows: dict[str, str]) -> Iterator[dict[str, str]]:
    return iter([{"at": AT, **row} for row in rows])


def test_an_identical_row_is_another_line_and_the_same_file_the_same_events() -> None:
    rows = [{"sku": "A"}, {"sku": "A"}, {"sku": "B"}]
    first = [p.event["id"] for p in parcels(MOVES, lambda: rows_of(*rows)) if p.event]
    assert len(set(first)) == 3
    assert [p.event["id"] for p in parcels(MOVES, lambda: rows_of(*rows)) if p.event] == first


def test_a_corrected_row_is_new_and_leaves_its_neighbours_alone() -> None:
    before = [p.event["id"] for p in parcels(MOVES, lambda: rows_of({"sku": "A"}, {"sku": "B"})) if p.event]
    after = [p.event["id"] for p in parcels(MOVES, lambda: rows_of({"sku": "A"}, {"sku": "C"})) if p.event]
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_a_row_the_mapping_cannot_read_still_becomes_an_event() -> None:
    [parcel] = parcels(MOVES, lambda: iter([{"sku": "A", "at": "yesterday"}]))
    assert parcel.event is not None
    assert parcel.event["data"]["unmapped_row"] == {"sku": "A", "at": "yesterday"}
    assert "yesterday" in parcel.event["data"]["mapping_error"]


def test_one_item_a_code_under_its_most_frequent_description() -> None:
    rows = [
        {"sku": "a1", "name": ""},
        {"sku": "A1", "name": "LANTERN"},
        {"sku": "A1", "name": "lantern?"},
        {"sku": "a1", "name": "LANTERN"},
        {"sku": "", "name": "postage"},
    ]
    found = list(parcels(ITEMS, lambda: rows_of(*rows)))
    assert [p.event["data"] for p in found if p.event] == [{"sku": "A1", "name": "LANTERN"}]
    assert sum(p.rows for p in found) == 5
    assert sum(p.rows for p in found if p.event is None) == 4


def test_a_count_is_one_snapshot_in_parts() -> None:
    rows = [{"sku": f"S{n}", "q": str(n)} for n in range(LINES_PER_PART + 1)]
    one, two = [p.event["data"] for p in parcels(COUNT, lambda: rows_of(*rows)) if p.event]
    assert (one["part"], two["part"], one["parts"]) == (1, 2, 2)
    assert one["snapshot"] == two["snapshot"]
    assert (len(one["lines"]), len(two["lines"])) == (LINES_PER_PART, 1)
    assert (one["rows"], one["complete"], one["warehouses"]) == (LINES_PER_PART + 1, True, ["W"])


def test_an_opening_count_sums_per_code_and_stands_before_the_first_row() -> None:
    grouping = {"snapshot": "partial", "sum": True, "as_of": "before_first"}
    opening = Feed("erp", "opening", COUNT.rules, grouping)
    rows = [{"sku": "A", "q": "2"}, {"sku": "B", "q": "1"}, {"sku": "A", "q": "3"}]
    [parcel] = parcels(opening, lambda: rows_of(*rows))
    assert parcel.event is not None
    assert parcel.rows == 3
    assert parcel.event["data"]["as_of"] == "2010-12-01T07:59:59Z"
    assert [(line["sku"], line["quantity"]) for line in parcel.event["data"]["lines"]] == [("A", "5"), ("B", "1")]


@given(st.lists(st.tuples(st.sampled_from(["a", "A", "b", ""]), st.sampled_from(["x", "y", ""])), max_size=30))
def test_every_row_is_in_exactly_one_parcel(pairs: list[tuple[str, str]]) -> None:
    rows = [{"sku": sku, "name": name} for sku, name in pairs]
    for feed in (MOVES, ITEMS):
        assert sum(p.rows for p in parcels(feed, lambda: rows_of(*rows))) == len(rows)
