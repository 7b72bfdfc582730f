"""Price resolution: the goldens, and what must hold for any set of entries."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.lib.money import money_text, round_line
from apps.lib.quantity import plain
from apps.masterdata.conversion import ItemFactor, UnitGraph
from apps.pricing.ladder import LADDER, LADDER_NOT_MONOTONE, MISSING_PRICE, PRICE_AMBIGUOUS, Level
from apps.pricing.resolution import Candidate, LineResult, PriceContext, PriceLine, line_amount, resolve_line

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
USD = PriceContext("USD", NOW)
UNITS = UnitGraph("EACH", [ItemFactor("CASE", 12, 1), ItemFactor("DOZEN", 12, 1), ItemFactor("PALLET", 480, 1)])


def entry(
    amount: str, uom: str = "EACH", start: str = "0", *, level: Level = "list", book: str = "LIST", **more: object
) -> Candidate:
    fields: dict[str, object] = {"version": 1, "entry_id": 1, "currency": "USD", "effective_from": START, **more}
    return Candidate(
        level=level,
        book=book,
        uom=uom,
        amount=Decimal(amount),
        min_quantity=Decimal(start),
        **fields,  # type: ignore[arg-type]
    )


def line(quantity: str, uom: str = "EACH", **more: Decimal) -> PriceLine:
    return PriceLine("A-1", Decimal(quantity), uom, UNITS, **more)


def resolve(quantity: str, uom: str, candidates: Sequence[Candidate], context: PriceContext = USD) -> LineResult:
    return resolve_line(line(quantity, uom), candidates, context)


def price(quantity: str, uom: str, candidates: Sequence[Candidate], context: PriceContext = USD) -> str:
    result = resolve(quantity, uom, candidates, context)
    assert result.status == "ok", result.detail
    assert result.extended_price is not None
    return money_text(result.extended_price, context.currency)


def ladder_of(result: LineResult) -> str:
    return " ".join(f"{plain(b.unit_price)}/{plain(b.min_quantity)}" for b in result.breaks)


# The golden numbers


def test_the_requested_unit_wins_inside_a_book() -> None:
    book = [entry("2.00", "EACH"), entry("20.00", "CASE")]
    assert price("1", "CASE", book) == "20.00"
    assert price("12", "EACH", book) == "24.00"


@pytest.mark.parametrize(
    ("quantity", "uom", "candidate", "extended", "unit"),
    [
        ("250", "EACH", entry("12.37", per=Decimal(100)), "30.93", "0.1237"),
        ("20000", "EACH", entry("10.00", "DOZEN"), "16666.67", "0.833333"),
        ("1", "CASE", entry("100"), "1200.00", "1200"),
        ("3", "EACH", entry("1200", "DOZEN"), "300.00", "100"),
        ("3", "EACH", entry("1200", per=Decimal(12)), "300.00", "100"),
        ("2", "PALLET", entry("20.00", "CASE"), "1600.00", "800"),
    ],
)
def test_a_line_is_computed_from_the_exact_fraction_and_rounded_once(
    quantity: str, uom: str, candidate: Candidate, extended: str, unit: str
) -> None:
    result = resolve(quantity, uom, [candidate])
    assert price(quantity, uom, [candidate]) == extended
    assert result.unit_price is not None
    assert plain(result.unit_price) == unit
    assert result.price_uom == uom


def test_a_credit_is_rounded_away_from_zero() -> None:
    credit = PriceContext("USD", NOW, credit=True)
    assert price("-1", "EACH", [entry("0.125")], credit) == "-0.13"


@pytest.mark.parametrize(("currency", "text"), [("JPY", "31"), ("KWD", "30.925")])
def test_each_currency_has_its_minor_unit(currency: str, text: str) -> None:
    candidate = entry("12.37", per=Decimal(100), currency=currency)
    assert price("250", "EACH", [candidate], PriceContext(currency, NOW)) == text


def test_books_of_one_level_merge_by_priority() -> None:
    default = [entry(amount, start=start, book="DEFAULT") for amount, start in (("9", "1"), ("8", "2"), ("6", "5"))]
    custom = [
        entry(amount, start=start, book="CUSTOM", priority=1) for amount, start in (("8", "1"), ("7", "2"), ("7", "4"))
    ]
    result = resolve("1", "EACH", [*custom, *default])
    assert ladder_of(result) == "9/1 8/2 7/4 6/5"
    assert [price(quantity, "EACH", [*default, *custom]) for quantity in ("1", "2", "3", "4", "5")] == [
        "9.00", "16.00", "24.00", "28.00", "30.00",
    ]  # fmt: skip


# Levels


def test_the_ladder_names_every_level_in_order() -> None:
    assert LADDER == (
        "quote", "contract_ship_to", "contract_bill_to", "special", "group", "type", "channel", "branch", "list",
    )  # fmt: skip


@pytest.mark.parametrize("place", range(len(LADDER)))
def test_the_most_specific_level_answers_even_when_it_is_dearer(place: int) -> None:
    candidates = [entry(str(100 - index), level=level, book=level) for index, level in enumerate(LADDER)]
    result = resolve("1", "EACH", candidates[place:])
    assert (result.level, result.book) == (LADDER[place], LADDER[place])


def test_a_channel_says_whether_its_book_stands_below_the_branch() -> None:
    candidates = [entry("9", level="channel", book="WEB"), entry("8", level="branch", book="NORTH"), entry("10")]
    assert resolve("1", "EACH", candidates).book == "WEB"
    below = PriceContext("USD", NOW, channel_below_branch=True)
    assert resolve("1", "EACH", candidates, below).book == "NORTH"
    assert resolve("1", "EACH", candidates[::2], below).book == "WEB"


def test_a_more_specific_price_hides_the_breaks_below_it() -> None:
    candidates = [entry("9", "EACH", "1", level="channel", book="WEB"), entry("5", "EACH", "10")]
    result = resolve("10", "EACH", candidates)
    assert (result.book, ladder_of(result)) == ("WEB", "9/1")


def test_a_level_without_a_price_for_the_quantity_falls_through() -> None:
    candidates = [entry("7", "EACH", "10", level="channel", book="WEB"), entry("9", "EACH", "1")]
    result = resolve("9", "EACH", candidates)
    assert (result.book, ladder_of(result)) == ("LIST", "9/1 7/10")
    assert resolve("10", "EACH", candidates).book == "WEB"


def test_inside_a_level_the_item_comes_before_its_family_and_the_branch_before_its_region() -> None:
    candidates = [
        entry("1", scope="all", level="branch", book="A"),
        entry("2", scope="category", level="branch", book="A"),
        entry("3", scope="family", level="branch", book="A"),
        entry("4", scope="item", reach=1, level="branch", book="REGION"),
        entry("5", scope="item", reach=0, level="branch", book="BRANCH", priority=9),
    ]
    for index in (4, 3, 2, 1, 0):
        assert price("1", "EACH", candidates[: index + 1]) == f"{index + 1}.00"


# Books of one level


def test_an_unmerged_book_of_first_priority_is_used_alone() -> None:
    alone = entry("9", "EACH", "1", book="ALONE", merge_allowed=False)
    other = entry("5", "EACH", "5", book="OTHER", priority=1)
    result = resolve("5", "EACH", [other, alone])
    assert (result.book, ladder_of(result)) == ("ALONE", "9/1")


def test_an_unmerged_book_counts_only_where_no_earlier_one_prices_the_item() -> None:
    first = entry("9", "EACH", "1", book="FIRST")
    alone = entry("5", "EACH", "5", book="ALONE", priority=1, merge_allowed=False)
    third = entry("6", "EACH", "5", book="THIRD", priority=2)
    result = resolve("5", "EACH", [alone, third, first])
    assert (result.book, ladder_of(result)) == ("THIRD", "9/1 6/5")


def test_an_unmerged_book_that_does_not_reach_the_quantity_leaves_it_to_the_next_level() -> None:
    alone = entry("5", "EACH", "5", level="channel", book="ALONE", merge_allowed=False)
    other = entry("6", "EACH", "1", level="channel", book="OTHER", priority=1)
    result = resolve("2", "EACH", [alone, other, entry("9")])
    assert result.book == "LIST"
    assert {t.candidate.book: t.reason for t in result.trace} == {
        "ALONE": "break_not_met",
        "OTHER": "hidden_by_book",
        "LIST": "won",
    }


def test_equal_priority_with_different_amounts_is_ambiguous_never_a_pick() -> None:
    candidates = [entry("9", book="A"), entry("8", book="B"), entry("1", book="C", priority=1)]
    result = resolve("1", "EACH", candidates)
    assert (result.status, result.reason) == ("blocked", PRICE_AMBIGUOUS)
    assert (result.unit_price, result.extended_price, result.book, result.breaks) == (None, None, None, ())
    assert result.detail == (
        "1 EACH of A-1 in USD: 9 per 1 EACH in A, 8 per 1 EACH in B are equally specific; "
        "give one book a smaller priority or end one price."
    )
    assert [t.outcome for t in result.trace] == ["tied", "tied", "lost"]


def test_equal_priority_with_the_same_price_is_no_conflict() -> None:
    candidates = [entry("9", book="B"), entry("900", book="A", per=Decimal(100))]
    assert resolve("1", "EACH", candidates).book == "A"


def test_net_and_gross_of_the_same_number_are_not_the_same_price() -> None:
    result = resolve("1", "EACH", [entry("9", book="A"), entry("9", book="B", tax_included=True)])
    assert result.reason == PRICE_AMBIGUOUS


def test_the_later_start_wins_a_tie() -> None:
    later = entry("8", book="B", effective_from=START + timedelta(days=1))
    assert resolve("1", "EACH", [entry("9", book="A"), later]).book == "B"


def test_two_unmerged_books_of_one_priority_must_agree() -> None:
    books = [entry("9", book="A", merge_allowed=False), entry("8", book="B", merge_allowed=False)]
    assert resolve("1", "EACH", books).reason == PRICE_AMBIGUOUS
    assert resolve("1", "EACH", [books[0], entry("9", book="B")]).status == "ok"
    assert resolve("1", "EACH", [books[0], entry("8", book="B")]).reason == PRICE_AMBIGUOUS


# Units and breaks


@pytest.mark.parametrize(
    ("quantity", "amount"), [("9", "90.00"), ("9.999999", "100.00"), ("10", "80.00"), ("11", "88.00")]
)
def test_the_greatest_threshold_not_above_the_quantity_counts(quantity: str, amount: str) -> None:
    book = [entry("10", start="1"), entry("8", start="10"), entry("7", start="100")]
    assert price(quantity, "EACH", book) == amount


def test_a_break_counts_in_its_own_unit() -> None:
    book = [entry("2.00", start="1"), entry("1.50", start="12")]
    assert price("12", "EACH", book) == "18.00"
    assert price("1", "CASE", book) == "24.00"
    assert price("24", "CASE", book) == "576.00"
    converted = PriceContext("USD", NOW, convert_breaks=True)
    assert price("1", "CASE", book, converted) == "18.00"
    dozens = resolve("6", "EACH", [entry("24", "DOZEN"), entry("18", "DOZEN", "1")], converted)
    assert ladder_of(dozens) == "2/1 1.5/12"


def test_the_base_unit_comes_before_any_other() -> None:
    book = [entry("2.00"), entry("700", "PALLET"), entry("21", "DOZEN")]
    assert price("1", "CASE", book) == "24.00"
    assert price("1", "CASE", book[1:2]) == "17.50"


def test_two_other_units_with_different_prices_are_ambiguous() -> None:
    book = [entry("700", "PALLET"), entry("21", "DOZEN")]
    assert resolve("1", "CASE", book).reason == PRICE_AMBIGUOUS


def test_a_unit_that_cannot_be_converted_does_not_compete() -> None:
    result = resolve("1", "EACH", [entry("9", "ROLL"), entry("10", level="list")])
    assert result.extended_price == 10
    assert [t.reason for t in result.trace] == ["won", "unit_not_convertible"]


def test_a_ladder_that_rises_with_the_quantity_is_warned_about() -> None:
    assert resolve("1", "EACH", [entry("9", start="1"), entry("8", start="5")]).warnings == ()
    assert resolve("1", "EACH", [entry("9", start="1"), entry("9.5", start="5")]).warnings == (LADDER_NOT_MONOTONE,)


# Lines that no price can help


def test_refused_lines() -> None:
    book = [entry("2")]
    for quantity in ("0", "-1"):
        assert resolve(quantity, "EACH", book).status == "invalid_quantity"
    assert resolve("1", "ROLL", book).status == "unknown_unit"
    asked = resolve_line(line("7", order_multiple=Decimal(6)), book, USD)
    assert (asked.status, asked.detail) == ("not_a_whole_pack", "7 EACH of A-1: order a multiple of 6 EACH.")
    assert resolve_line(line("12", order_multiple=Decimal(6)), book, USD).status == "ok"
    assert resolve_line(line("2", order_minimum=Decimal(3)), book, USD).status == "invalid_quantity"
    whole = PriceLine("A-1", Decimal("1.5"), "EACH", UnitGraph("EACH", decimals={"EACH": 0}))
    fraction = resolve_line(whole, book, USD)
    assert (fraction.status, fraction.reason) == ("invalid_quantity", "FRACTION_NOT_ALLOWED")
    assert resolve("99999999999999", "CASE", [entry("99999999999999")]).status == "invalid_quantity"


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (entry("5", currency="EUR"), "other_currency"),
        (entry("5", effective_from=NOW + timedelta(seconds=1)), "not_yet_effective"),
        (entry("5", effective_to=NOW), "ended"),
        (entry("0.00"), "zero_is_no_entry"),
        (entry("5", start="2"), "break_not_met"),
        (entry("5", per=Decimal(0)), "invalid_per"),
    ],
)
def test_what_does_not_count_leaves_no_price_and_says_why(candidate: Candidate, reason: str) -> None:
    result = resolve("1", "EACH", [candidate])
    assert (result.status, result.reason) == ("no_price", MISSING_PRICE)
    assert (result.unit_price, result.extended_price) == (None, None)
    assert [t.reason for t in result.trace] == [reason]
    assert result.detail is not None
    assert "1 EACH of A-1 in USD" in result.detail


def test_an_unmeant_zero_does_not_hide_the_next_level_and_a_meant_one_is_a_price() -> None:
    free = {"level": "channel", "book": "WEB"}
    assert price("1", "EACH", [entry("0", **free), entry("9")]) == "9.00"  # type: ignore[arg-type]
    assert price("1", "EACH", [entry("0", zero_ok=True, **free), entry("9")]) == "0.00"  # type: ignore[arg-type]


# Time


def test_a_price_counts_from_its_first_instant_to_before_its_last() -> None:
    old = entry("9", effective_to=NOW)
    new = entry("8", effective_from=NOW, entry_id=2)
    before = PriceContext("USD", NOW - timedelta(microseconds=1))
    assert price("1", "EACH", [new, old], before) == "9.00"
    assert price("1", "EACH", [new, old]) == "8.00"


def test_the_answer_says_when_it_ends_and_when_it_changes() -> None:
    ends, starts = NOW + timedelta(days=10), NOW + timedelta(days=5)
    current = entry("9", effective_to=ends)
    assert resolve("1", "EACH", [current]).valid_until == ends
    override = entry("8", level="channel", book="WEB", effective_from=starts)
    result = resolve("1", "EACH", [current, override])
    assert (result.valid_until, result.next_change_at) == (starts, starts)
    new_break = entry("7", start="10", effective_from=starts)
    result = resolve("1", "EACH", [current, new_break])
    assert (result.valid_until, result.next_change_at) == (ends, starts)


def test_a_change_that_does_not_touch_the_answer_is_not_announced() -> None:
    web = entry("8", level="channel", book="WEB", start="1")
    hidden = entry("9", start="1", effective_to=NOW + timedelta(days=5))
    result = resolve("1", "EACH", [web, hidden])
    assert (result.valid_until, result.next_change_at) == (None, None)


def test_a_missing_price_says_when_one_starts() -> None:
    starts = NOW + timedelta(days=5)
    result = resolve("1", "EACH", [entry("9", effective_from=starts)])
    assert (result.status, result.valid_until, result.next_change_at) == ("no_price", None, starts)


# Properties

days = st.integers(-3, 3).map(lambda offset: NOW + timedelta(days=offset))
candidates = st.builds(
    entry,
    st.sampled_from(["0", "0.01", "1", "2.5", "9.99", "12.37"]),
    st.sampled_from(["EACH", "CASE", "PALLET", "ROLL"]),
    st.sampled_from(["0", "1", "2", "10"]),
    level=st.sampled_from(["channel", "branch", "list"]),
    book=st.sampled_from("ABC"),
    version=st.integers(1, 2),
    scope=st.sampled_from(["item", "family"]),
    priority=st.integers(0, 2),
    merge_allowed=st.booleans(),
    per=st.sampled_from([Decimal(1), Decimal(100)]),
    effective_from=days,
    effective_to=st.none() | days,
    currency=st.sampled_from(["USD", "USD", "EUR"]),
)
entries = st.lists(candidates, max_size=8).map(
    lambda found: [replace(candidate, entry_id=number) for number, candidate in enumerate(found)]
)
quantities = st.sampled_from(["0.5", "1", "2", "9", "10", "250"])
asked_units = st.sampled_from(["EACH", "CASE", "DOZEN"])


@given(entries, quantities, asked_units, st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_changes_nothing(
    given_entries: list[Candidate], quantity: str, uom: str, order: random.Random
) -> None:
    shuffled = given_entries.copy()
    order.shuffle(shuffled)
    assert resolve(quantity, uom, shuffled) == resolve(quantity, uom, given_entries)


@given(entries, quantities, asked_units)
def test_a_line_is_rounded_exactly_once(given_entries: list[Candidate], quantity: str, uom: str) -> None:
    result = resolve(quantity, uom, given_entries)
    if result.winner is None:
        assert (result.unit_price, result.extended_price) == (None, None)
        return
    exact = line_amount(line(quantity, uom), result.winner)
    assert result.extended_price == round_line(exact, "USD")
    assert abs(Fraction(result.extended_price) - exact) <= Fraction(1, 200)


@given(entries, quantities, asked_units)
def test_every_candidate_is_in_the_trace_and_only_the_winner_won(
    given_entries: list[Candidate], quantity: str, uom: str
) -> None:
    result = resolve(quantity, uom, given_entries)
    assert len(result.trace) == len(given_entries)
    assert {t.candidate for t in result.trace if t.outcome == "won"} == ({result.winner} if result.winner else set())
    assert all(t.reason and t.detail for t in result.trace)


@given(entries, quantities, asked_units)
def test_until_the_announced_change_the_answer_stays(given_entries: list[Candidate], quantity: str, uom: str) -> None:
    now = resolve(quantity, uom, given_entries)
    last = (now.next_change_at or NOW + timedelta(days=30)) - timedelta(microseconds=1)
    later = resolve(quantity, uom, given_entries, PriceContext("USD", last))
    assert (later.status, later.winner, later.breaks) == (now.status, now.winner, now.breaks)


@given(entries, quantities, asked_units)
def test_a_break_shown_is_the_price_at_that_quantity(given_entries: list[Candidate], quantity: str, uom: str) -> None:
    for shown in resolve(quantity, uom, given_entries).breaks:
        assert resolve(str(shown.min_quantity), uom, given_entries).unit_price == shown.unit_price
