"""Setting prices: successions, versions, conflicts, and that a batch is the same as one after the other."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from apps.masterdata.models import Authority, FieldDifference, Item, System, Unit
from apps.pricing import dirty
from apps.pricing.entries import NewPrice, count_prices, set_prices
from apps.pricing.models import PriceBook, PriceDirty, PriceEntry, PriceSubject
from apps.pricing.successions import Change, Entry, Succession, Terms
from tests.pricing.conftest import HAPPENED, World

JAN, MAR, JUN = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 3, 6))


def test_a_price_without_a_start_counts_from_the_time_of_its_event(world: World) -> None:
    outcome = world.set("10.00", message=7)
    assert world.current() == ["10 2026-01-01.. v1"]
    subject = PriceSubject.objects.get()
    assert outcome.status == "applied"
    assert outcome.effect == {
        "kind": "price",
        "subject": "LIST/A-1",
        "change": "fixed 10 USD per EACH as of 2026-01-01T00:00:00Z",
        "subject_id": subject.pk,
        "generation": 1,
    }
    assert PriceEntry.objects.get().message == 7


def test_a_later_start_ends_the_open_price_there(world: World) -> None:
    world.set("10", JAN)
    world.set("12", JUN)
    assert world.current() == ["10 2026-01-01..2026-06-01 v2", "12 2026-06-01.. v1"]
    assert PriceEntry.objects.filter(superseded_at__isnull=False).count() == 1


def test_the_same_start_is_a_new_version(world: World) -> None:
    world.set("10", JAN)
    world.set("11", JAN)
    assert world.current() == ["11 2026-01-01.. v2"]


def test_the_same_price_again_changes_nothing(world: World) -> None:
    world.set("10", JAN)
    outcome = world.set("10", JAN)
    assert outcome.status == "unchanged"
    assert outcome.effect is not None
    assert outcome.effect["generation"] == 1
    assert PriceEntry.objects.count() == 1


def test_a_price_that_would_swallow_a_later_one_is_a_conflict_and_changes_nothing(world: World) -> None:
    world.set("12", JUN)
    outcome = world.set("10", JAN, message=9, line="1")
    assert outcome.status == "blocked"
    assert outcome.block is not None
    assert (outcome.block.reason, outcome.block.value, outcome.block.line) == ("PRICE_CONFLICT", "LIST/A-1", "1")
    assert "2026-06-01T00:00:00Z" in outcome.block.detail
    assert world.current() == ["12 2026-06-01.. v1"]
    assert PriceSubject.objects.get().generation == 1


def test_a_price_that_ends_in_time_goes_before_a_later_one(world: World) -> None:
    world.set("12", JUN)
    assert world.set("10", JAN, effective_to=JUN).status == "applied"
    assert world.current() == ["10 2026-01-01..2026-06-01 v1", "12 2026-06-01.. v1"]


def test_a_correction_of_a_price_with_a_successor_keeps_the_day_of_the_succession(world: World) -> None:
    world.set("10", JAN)
    world.set("12", JUN)
    assert world.set("9", JAN).status == "applied"
    assert world.current() == ["9 2026-01-01..2026-06-01 v3", "12 2026-06-01.. v1"]


def test_a_back_dated_start_inside_a_succession_needs_an_end(world: World) -> None:
    world.set("10", JAN)
    world.set("12", JUN)
    assert world.set("11", MAR).status == "blocked"
    assert world.set("11", MAR, effective_to=JUN).status == "applied"
    assert world.current() == ["10 2026-01-01..2026-03-01 v3", "11 2026-03-01..2026-06-01 v1", "12 2026-06-01.. v1"]


def test_no_amount_ends_the_price(world: World) -> None:
    world.set("10", JAN)
    assert world.set(None, MAR).status == "applied"
    assert world.current() == ["10 2026-01-01..2026-03-01 v2"]
    assert world.set(None, JUN).status == "unchanged"


def test_ending_a_price_where_it_starts_removes_it_and_its_versions_go_on(world: World) -> None:
    world.set("10", JAN)
    world.set(None, JAN)
    assert world.current() == []
    world.set("11", JAN)
    assert world.current() == ["11 2026-01-01.. v2"]


def test_an_unmeant_zero_is_no_entry_and_says_so(world: World) -> None:
    outcome = world.set("0", JAN)
    assert outcome.status == "ignored"
    assert outcome.effect is not None
    assert outcome.effect["change"] == "none: 0 USD per EACH without zero_ok is no entry"
    assert world.current() == []
    assert world.set("0", JAN, zero_ok=True).status == "applied"
    assert world.current() == ["0 2026-01-01.. v1"]


def test_an_end_before_the_start_is_blocked(world: World) -> None:
    outcome = world.set("10", JUN, effective_to=JAN)
    assert outcome.block is not None
    assert (outcome.block.reason, outcome.block.field) == ("SCHEMA_VIOLATION", "/effective_to")
    assert world.current() == []


def test_other_units_breaks_and_currencies_have_successions_of_their_own(world: World) -> None:
    world.set("10", JUN)
    assert world.set("100", JAN, unit_id=world.case.pk).status == "applied"
    assert world.set("9", JAN, min_quantity=Decimal(10)).status == "applied"
    assert world.set("8", JAN, currency="EUR").status == "applied"
    assert world.set("7", JAN, item_id=None, family="VALVES").status == "applied"
    assert world.set("6", JAN, item_id=None, category="PARTS").status == "applied"
    assert PriceEntry.objects.filter(superseded_at=None).count() == 6


def test_plain_dates_are_midnight_in_the_book_s_time_zone_also_where_clocks_change(world: World) -> None:
    PriceBook.objects.update(time_zone="America/New_York")
    world.set("10", date(2026, 3, 8), effective_to=date(2026, 3, 9))
    assert world.current() == ["10 2026-03-08T05:00Z..2026-03-09T04:00Z v1"]


def test_a_batch_that_names_a_key_often_ends_like_one_after_the_other_and_keeps_every_step(world: World) -> None:
    outcomes = set_prices([world.price("10", JAN), world.price("12", JUN), world.price("11", JAN)])
    assert [outcome.status for outcome in outcomes] == ["applied"] * 3
    assert world.current() == ["11 2026-01-01..2026-06-01 v3", "12 2026-06-01.. v1"]
    assert PriceEntry.objects.count() == 4
    assert PriceSubject.objects.get().generation == 1


def test_a_past_answer_can_be_rebuilt(world: World) -> None:
    world.set("10", JAN)
    first = PriceEntry.objects.get().recorded_at
    world.set("11", JAN)
    old, new = PriceEntry.objects.order_by("id")
    assert (old.recorded_at, old.superseded_at, new.superseded_at) == (first, new.recorded_at, None)
    assert old.amount == 10


def test_two_current_prices_for_one_instant_are_impossible(world: World) -> None:
    world.set("10", JAN)
    with pytest.raises(IntegrityError, match="entry_no_overlap"), transaction.atomic():
        PriceEntry.objects.create(
            book=world.book, item=world.item, unit=world.each, amount=11, currency="USD", valid_from=MAR
        )
    assert world.current() == ["10 2026-01-01.. v1"]


def test_a_source_that_does_not_own_prices_changes_none(world: World) -> None:
    owner, stranger = System.objects.create(code="ERP", name="ERP"), System.objects.create(code="WMS", name="WMS")
    Authority.objects.create(entity="price_book", group="prices", system=owner)
    outcome = world.set("10", JAN, system_id=stranger.pk)
    assert outcome.status == "ignored"
    assert outcome.effect is not None
    assert outcome.effect["change"] == "kept as a difference: the prices of price books are owned by ERP"
    assert differences() == [("LIST", "A-1 per EACH in USD", "WMS", "10", None)]
    assert not PriceEntry.objects.exists()
    assert world.set("12", JAN, system_id=owner.pk).status == "applied"
    assert differences() == [("LIST", "A-1 per EACH in USD", "WMS", "10", "12")]
    assert world.set("13", MAR, system_id=owner.pk).status == "applied"
    world.set(None, MAR, system_id=stranger.pk)
    assert differences() == [("LIST", "A-1 per EACH in USD", "WMS", None, "13")]
    world.set("13", MAR, system_id=stranger.pk)
    assert differences() == []
    assert world.current() == ["12 2026-01-01..2026-03-01 v2", "13 2026-03-01.. v1"]


def test_a_complete_list_of_a_source_that_does_not_own_prices_ends_none(world: World) -> None:
    owner, stranger = System.objects.create(code="ERP", name="ERP"), System.objects.create(code="WMS", name="WMS")
    Authority.objects.create(entity="price_book", group="prices", system=owner)
    world.set("10", JAN, system_id=owner.pk)
    world.set("20", JAN, item_id=world.other.pk, system_id=owner.pk)
    said = world.price("11", MAR, system_id=stranger.pk)
    outcomes = count_prices(world.book.pk, [said], MAR, complete=True, message=3)
    assert [outcome.status for outcome in outcomes] == ["ignored", "ignored"]
    assert world.current() == ["10 2026-01-01.. v1", "20 2026-01-01.. v1"]
    assert differences() == [
        ("LIST", "A-1 per EACH in USD", "WMS", "11", "10"),
        ("LIST", "B-2 per EACH in USD", "WMS", None, "20"),
    ]


def differences() -> list[tuple[str, str, str, str | None, str | None]]:
    rows = FieldDifference.objects.order_by("code", "field")
    return list(rows.values_list("code", "field", "system__code", "theirs", "ours"))


def test_a_complete_list_ends_what_it_does_not_name(world: World) -> None:
    world.set("10", JAN)
    world.set("100", JAN, unit_id=world.case.pk)
    world.set("20", JAN, item_id=world.other.pk)
    outcomes = count_prices(world.book.pk, [world.price("11", MAR)], MAR, complete=True, message=3)
    assert [outcome.status for outcome in outcomes] == ["applied"] * 3
    assert world.current(item=world.item, unit=world.each) == ["10 2026-01-01..2026-03-01 v2", "11 2026-03-01.. v1"]
    assert world.current(item=world.item, unit=world.case) == ["100 2026-01-01..2026-03-01 v2"]
    assert world.current(item=world.other) == ["20 2026-01-01..2026-03-01 v2"]


def test_a_partial_list_and_spared_items_end_nothing(world: World) -> None:
    world.set("10", JAN)
    world.set("20", JAN, item_id=world.other.pk)
    count_prices(world.book.pk, [], MAR, complete=False)
    count_prices(world.book.pk, [], MAR, complete=True, spared_items=[world.item.pk, world.other.pk])
    assert world.current() == ["10 2026-01-01.. v1", "20 2026-01-01.. v1"]


def test_marks_are_cleared_only_at_the_generation_that_was_taken(world: World) -> None:
    world.set("10", JAN)
    (taken,) = dirty.take(10)
    assert (taken.book_id, taken.item_id, taken.generation) == (world.book.pk, world.item.pk, 1)
    world.set("11", JAN)
    assert dirty.clear([(taken.subject_id, taken.generation)]) == 0
    (again,) = dirty.take(10)
    assert again.generation == 2
    assert dirty.clear([(again.subject_id, again.generation)]) == 1
    assert not PriceDirty.objects.exists()


def test_a_family_price_concerns_the_items_of_the_family(world: World) -> None:
    world.set("10", JAN, item_id=None, family="VALVES")
    world.set("10", JAN, item_id=world.other.pk)
    by_item = {subject.item_id: subject.pk for subject in PriceSubject.objects.all()}
    assert dirty.items_of(list(by_item.values())) == {
        by_item[None]: [world.item.pk],
        by_item[world.other.pk]: [world.other.pk],
    }


def test_ten_thousand_prices_take_a_constant_number_of_statements(
    world: World, django_assert_max_num_queries: object
) -> None:
    items = Item.objects.bulk_create(
        [Item(sku=f"S-{n}", name="x", base_unit=world.each) for n in range(10_000)], batch_size=5_000
    )
    prices = [world.price("10", JAN, item_id=item.pk) for item in items]
    with django_assert_max_num_queries(20):  # type: ignore[operator]
        outcomes = set_prices(prices)
    assert {outcome.status for outcome in outcomes} == {"applied"}
    assert PriceEntry.objects.count() == 10_000


# A slow reference: one price at a time, day by day, no cleverness about intervals.

DAY = timedelta(days=1)
HORIZON = 14
changes = st.lists(
    st.tuples(st.integers(0, 8), st.sampled_from([None, "0", "1", "2", "3"]), st.one_of(st.none(), st.integers(1, 5))),
    max_size=12,
)


class Reference:
    """day of start → (end or None, amount), changed by the sentences of the contract, checked day by day."""

    def __init__(self) -> None:
        self.entries: dict[int, tuple[int | None, str]] = {}

    def apply(self, start: int, amount: str | None, length: int | None) -> str:
        if amount == "0":
            return "no_entry"
        later = [day for day in self.entries if day > start]
        end = None if length is None else start + length
        if amount is not None:
            if end is None and start in self.entries and later:
                end = self.entries[start][0]
            if any(end is None or day < end for day in later):
                return "conflict"
            if self.entries.get(start) == (end, amount):
                return "unchanged"
        covering = [day for day in self.entries if start in self._days(day)]
        for day in covering:
            self.entries[day] = (start, self.entries[day][1])
            if day == start:
                del self.entries[day]
        if amount is None:
            return "ended" if covering else "unchanged"
        self.entries[start] = (end, amount)
        return "set"

    def _days(self, start: int) -> Iterable[int]:
        end = self.entries[start][0]
        return range(start, HORIZON if end is None else end)


@given(changes)
def test_successions_agree_with_a_slow_reference(history: list[tuple[int, str | None, int | None]]) -> None:
    reference, succession = Reference(), Succession([])
    for start, amount, length in history:
        at = JAN + start * DAY
        length = None if amount is None else length
        end = None if length is None else at + length * DAY
        terms = None if amount is None else Terms(Decimal(amount))
        fate, _ = succession.apply(Change(at, terms, end))
        assert fate == reference.apply(start, amount, length)
        found = {
            (e.start - JAN).days: (None if e.end is None else (e.end - JAN).days, str(e.terms.amount))
            for e in succession.current
        }
        assert found == reference.entries
    numbers = [(entry.start, entry.version) for entry in succession.written]
    assert len(numbers) == len(set(numbers))
    assert {id(e) for e in succession.current} <= {id(e) for e in succession.written}


@pytest.mark.parametrize("seed", range(6))
def test_a_batch_is_the_same_as_one_by_one(world: World, seed: int) -> None:
    import random

    chance = random.Random(seed)
    prices: list[NewPrice] = []
    for _ in range(60):
        amount = chance.choice([None, "0", "1", "2", "3"])
        start = JAN + chance.randrange(8) * DAY
        length = chance.choice([None, None, 1, 3]) if amount is not None else None
        prices.append(
            world.price(
                amount,
                start,
                item_id=chance.choice([world.item.pk, world.other.pk]),
                unit_id=chance.choice([world.each.pk, world.case.pk]),
                effective_to=None if length is None else start + length * DAY,
            )
        )
    columns = ("item", "unit", "amount", "valid_from", "valid_to", "version")
    together = [outcome.status for outcome in set_prices(prices)]
    batch = sorted(map(str, PriceEntry.objects.filter(superseded_at=None).values_list(*columns)))
    written = PriceEntry.objects.count()
    PriceEntry.objects.all().delete()
    assert [set_prices([price])[0].status for price in prices] == together
    assert sorted(map(str, PriceEntry.objects.filter(superseded_at=None).values_list(*columns))) == batch
    assert PriceEntry.objects.count() == written


def test_entries_compare_by_value() -> None:
    assert Entry(HAPPENED, None, Terms(Decimal("1.0"))) == Entry(HAPPENED, None, Terms(Decimal(1)))


@pytest.mark.django_db(transaction=True)
def test_writers_of_the_same_prices_wait_for_each_other() -> None:
    each = Unit.objects.create(code="EACH", name="Each")
    book = PriceBook.objects.create(code="LIST", level="list", currency="USD")
    items = [Item.objects.create(sku=f"S-{n}", name="x", base_unit=each).pk for n in range(20)]

    def write(writer: int) -> list[str]:
        prices = [
            NewPrice(
                book_id=book.pk,
                unit_id=each.pk,
                item_id=item,
                currency="USD",
                amount=Decimal(writer + 1),
                happened_at=JAN,
            )
            for item in (items if writer % 2 else reversed(items))
        ]
        try:
            return [outcome.status for outcome in set_prices(prices)]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as writers:
        statuses = list(writers.map(write, range(4)))
    assert statuses == [["applied"] * 20] * 4
    current = PriceEntry.objects.filter(superseded_at=None)
    assert (current.count(), set(current.values_list("version", flat=True))) == (20, {4})
    assert PriceEntry.objects.count() == 80
    assert set(PriceSubject.objects.values_list("generation", flat=True)) == {4}
