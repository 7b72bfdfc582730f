"""Prices of many lines: the goldens through the database, dates, parties, past answers, constant queries."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.lib.errors import Problem
from apps.lib.money import money_text
from apps.lib.quantity import plain
from apps.masterdata.models import Account, Branch, Item, ItemUnit, ShipTo, System, Unit, UnitConversion, Warehouse
from apps.pricing.entries import set_prices
from apps.pricing.models import PriceBook, PriceEntry
from apps.pricing.quotes import LineResult, PriceContext, PriceLine, resolve
from apps.pricing.rates import NewRate, set_rates
from tests.pricing.conftest import World

Books = Callable[..., PriceBook]
JAN, JUN, AUG = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 6, 8))


def one(quantity: str = "1", uom: str | None = "EACH", sku: str = "A-1", **context: object) -> LineResult:
    asked = PriceContext(**{"currency": "USD", "on": JUN, **context})  # type: ignore[arg-type]
    return resolve(asked, [PriceLine(sku, Decimal(quantity), uom)])[0]


def extended(result: LineResult) -> str:
    assert result.extended_price is not None, (result.status, result.detail)
    return money_text(result.extended_price, result.currency)


# The goldens


def test_the_requested_unit_wins_inside_a_book(world: World) -> None:
    world.set("2.00")
    world.set("20.00", unit_id=world.case.pk)
    assert extended(one("1", "CASE")) == "20.00"
    assert extended(one("12", "EACH")) == "24.00"


def test_a_line_is_rounded_once_from_the_exact_fraction(world: World) -> None:
    world.set("12.37", per=Decimal(100))
    assert extended(one("250")) == "30.93"


def test_a_price_per_dozen_times_twenty_thousand(world: World) -> None:
    dozen = Unit.objects.create(code="DOZEN", name="Dozen")
    UnitConversion.objects.create(unit=dozen, to_unit=world.each, numerator=12)
    world.set("10.00", unit_id=dozen.pk)
    found = one("20000")
    assert extended(found) == "16666.67"
    assert found.unit_price is not None
    assert plain(found.unit_price) == "0.833333"


def test_a_case_at_the_price_of_its_pieces(world: World) -> None:
    world.set("100")
    assert extended(one("1", "CASE")) == "1200.00"


def test_three_pieces_at_the_price_of_a_dozen(world: World) -> None:
    world.set("1200", unit_id=world.case.pk)
    assert extended(one("3")) == "300.00"


def test_a_credit_rounds_away_from_zero(world: World) -> None:
    world.set("0.125")
    assert extended(one("-1", credit=True)) == "-0.13"


def test_a_yen_has_no_and_a_dinar_three_digits(world: World) -> None:
    world.set("10.5", currency="JPY")
    world.set("1.0005", currency="KWD")
    assert extended(one(currency="JPY")) == "11"
    assert extended(one(currency="KWD")) == "1.001"


def test_books_of_a_level_merge_by_priority(world: World, make_book: Books) -> None:
    PriceBook.objects.filter(pk=world.book.pk).update(priority=1)
    custom = make_book("CUSTOM", priority=2)
    for book, ladder in ((world.book, ("9/1", "8/2", "6/5")), (custom, ("8/1", "7/2", "7/4"))):
        for step in ladder:
            amount, start = step.split("/")
            world.set(amount, book_id=book.pk, min_quantity=Decimal(start))
    found = one("4")
    assert [f"{plain(b.unit_price)}/{plain(b.min_quantity)}" for b in found.breaks] == ["9/1", "8/2", "7/4", "6/5"]
    assert (found.book, extended(found)) == ("CUSTOM", "28.00")


def test_a_break_counts_in_its_own_unit_only(world: World) -> None:
    pallet = Unit.objects.create(code="BOX24", name="Box of 24")
    ItemUnit.objects.create(item=world.item, unit=pallet, numerator=24)
    world.set("10")
    world.set("8", min_quantity=Decimal(24))
    assert extended(one("24")) == "192.00"
    assert extended(one("1", "BOX24")) == "240.00"
    assert extended(one("1", "BOX24", convert_breaks=True)) == "192.00"


# The ladder


def test_the_channel_s_book_comes_before_the_list_and_only_for_that_channel(world: World, make_book: Books) -> None:
    shop = System.objects.create(code="SHOP", name="Shop")
    System.objects.create(code="MARKET", name="Market")
    web = make_book("WEB", "channel", channel=shop)
    world.set("100")
    world.set("95", book_id=web.pk)
    assert (one().book, one().level) == ("LIST", "list")
    found = one(channel="SHOP")
    assert (found.book, found.level, extended(found)) == ("WEB", "channel", "95.00")
    assert one(channel="MARKET").book == "LIST"


def test_every_level_of_books_is_asked_in_order(world: World, make_book: Books) -> None:
    shop = System.objects.create(code="SHOP", name="Shop")
    branch = Branch.objects.create(code="BER", name="Berlin", region="EAST")
    account = Account.objects.create(code="C-1", name="One", groups=["GOLD", "ALL"], type="FITTER", branch=branch)
    Account.objects.create(code="C-2", name="Two")
    books = [
        make_book("SPECIAL", "special", account=account),
        make_book("GOLD", "group", group="GOLD"),
        make_book("ALL", "group", group="ALL"),
        make_book("FITTER", "type", type="FITTER"),
        make_book("WEB", "channel", channel=shop),
        make_book("BER", "branch", branch=branch),
        make_book("EAST", "branch", region="EAST"),
        make_book("EVERY", "branch"),
        world.book,
    ]
    for place, book in enumerate(books):
        world.set(str(place + 1), book_id=book.pk)
    for book in books:
        assert one(account="C-1", channel="SHOP").book == book.code
        set_prices([world.price(None, JAN, book_id=book.pk)])
    assert one(account="C-1", channel="SHOP").status == "no_price"
    assert one(account="C-2").status == "no_price"


def test_the_branch_is_the_named_one_else_the_warehouse_s_the_ship_to_s_the_account_s(
    world: World, make_book: Books
) -> None:
    branches = {code: Branch.objects.create(code=code, name=code) for code in ("ASKED", "STORE", "SITE", "HOME")}
    account = Account.objects.create(code="C-1", name="One", branch=branches["HOME"])
    ShipTo.objects.create(account=account, code="1", branch=branches["SITE"])
    Warehouse.objects.create(code="W", name="W", branch=branches["STORE"])
    for place, (code, branch) in enumerate(branches.items()):
        world.set(str(place + 1), book_id=make_book(code, "branch", branch=branch).pk)
    assert one(account="C-1", ship_to="1", warehouse="W", branch="ASKED").book == "ASKED"
    assert one(account="C-1", ship_to="1", warehouse="W").book == "STORE"
    assert one(account="C-1", ship_to="1").book == "SITE"
    assert one(account="C-1").book == "HOME"


def test_item_before_family_before_category(world: World) -> None:
    world.set("3", item_id=None, category="PARTS")
    assert extended(one()) == "3.00"
    world.set("2", item_id=None, family="VALVES")
    assert extended(one()) == "2.00"
    assert extended(one(sku="B-2")) == "3.00"
    world.set("1")
    assert extended(one()) == "1.00"


def test_two_equally_specific_prices_block_the_line(world: World, make_book: Books) -> None:
    world.set("10", JAN)
    world.set("11", JAN, book_id=make_book("OTHER").pk)
    found = one()
    assert (found.status, found.reason, found.unit_price) == ("blocked", "PRICE_AMBIGUOUS", None)


# Dates


def test_the_last_day_still_has_the_old_price_also_where_the_clocks_change(world: World) -> None:
    PriceBook.objects.update(time_zone="America/New_York")
    # The source says "until March 8, inclusive": the mapping adds the day. The clocks change on March 8.
    world.set("10", date(2026, 1, 1), effective_to=date(2026, 3, 9))
    world.set("12", date(2026, 3, 9))
    assert extended(one(on=date(2026, 3, 8))) == "10.00"
    assert extended(one(on=date(2026, 3, 9))) == "12.00"
    assert extended(one(on=datetime(2026, 3, 9, 3, 59, 59, tzinfo=UTC))) == "10.00"
    assert extended(one(on=datetime(2026, 3, 9, 4, tzinfo=UTC))) == "12.00"


def test_a_plain_date_is_the_day_of_each_book(world: World, make_book: Books) -> None:
    PriceBook.objects.filter(pk=world.book.pk).update(time_zone="America/New_York", priority=2)
    tokyo = make_book("TOKYO", time_zone="Asia/Tokyo", priority=1)
    world.set("10", date(2026, 1, 1))
    world.set("9", date(2026, 6, 5), book_id=tokyo.pk)
    before, then = one(on=date(2026, 6, 4)), one(on=date(2026, 6, 5))
    assert (before.book, then.book) == ("LIST", "TOKYO")
    assert before.valid_until == datetime(2026, 6, 4, 15, tzinfo=UTC)


def test_the_answer_says_until_when_it_holds(world: World) -> None:
    world.set("10", JAN)
    world.set("12", AUG)
    found = one()
    assert (found.valid_until, found.next_change_at) == (AUG, AUG)
    assert one(on=AUG).valid_until is None


def test_without_a_date_the_database_clock_decides(world: World, frozen_now: Callable[[datetime], None]) -> None:
    world.set("10", JAN)
    world.set("12", AUG)
    frozen_now(AUG - timedelta(seconds=1))
    assert extended(one(on=None)) == "10.00"
    frozen_now(AUG)
    assert extended(one(on=None)) == "12.00"


def test_a_back_dated_change_leaves_the_past_answer_as_it_was(
    world: World, frozen_now: Callable[[datetime], None]
) -> None:
    frozen_now(datetime(2026, 2, 1, tzinfo=UTC))
    world.set("10", JAN)
    frozen_now(datetime(2026, 7, 1, tzinfo=UTC))
    world.set("11", datetime(2026, 5, 1, tzinfo=UTC))
    assert extended(one()) == "11.00"
    assert extended(one(known_at=datetime(2026, 6, 30, tzinfo=UTC))) == "10.00"
    assert one(known_at=datetime(2026, 1, 31, tzinfo=UTC)).status == "no_price"
    assert PriceEntry.objects.filter(superseded_at__isnull=False).count() == 1


@pytest.mark.parametrize("day", [date(1, 1, 1), date(9999, 12, 31), datetime(9999, 12, 31, tzinfo=UTC)])
def test_a_date_out_of_range_is_refused(world: World, day: date) -> None:
    with pytest.raises(Problem) as refused:
        one(on=day)
    assert (refused.value.status, refused.value.errors[0].pointer) == (400, "/on")


# Statuses


def test_what_cannot_be_priced_says_why_and_has_no_price(world: World) -> None:
    world.set("10")
    ItemUnit.objects.filter(item=world.item).update(order_multiple=2, order_minimum=4)
    Account.objects.create(code="HELD", name="Held", status="on_hold")
    Item.objects.create(sku="STOP", name="Stop", base_unit=world.each, status="blocked")
    found = {
        "unknown_item": one(sku="NOPE"),
        "unknown_unit": one(uom="PALLET"),
        "invalid_quantity": one("2", "CASE"),
        "not_a_whole_pack": one("5", "CASE"),
        "no_price": one(currency="EUR"),
        "unknown_account": one(account="NOBODY"),
        "on_hold": one(account="HELD"),
        "restricted": one(sku="STOP"),
    }
    assert {status: result.status for status, result in found.items()} == {status: status for status in found}
    for result in found.values():
        assert (result.unit_price, result.extended_price, result.book, result.price_ref) == (None,) * 4
        assert result.detail
    assert one("0").status == one("-1").status == one("0.5").status == "invalid_quantity"
    assert one("4", "CASE").status == "ok"


@pytest.mark.parametrize("name", ["channel", "branch", "warehouse"])
def test_a_code_of_the_request_that_nobody_knows_is_refused(world: World, name: str) -> None:
    with pytest.raises(Problem) as refused:
        one(**{name: "NOPE"})
    assert refused.value.errors[0].pointer == f"/{name}"


def test_a_book_that_converts_takes_the_rate_of_the_date(world: World, make_book: Books) -> None:
    euros = make_book("EUROS", currency="EUR", convert=True)
    world.set("10.00", book_id=euros.pk, currency="EUR")
    assert (one().status, one().reason) == ("blocked", "MISSING_RATE")
    set_rates([NewRate(from_currency="EUR", to_currency="USD", rate=Decimal("1.1"), effective_from=date(2026, 1, 1))])
    set_rates([NewRate(from_currency="EUR", to_currency="USD", rate=Decimal("1.2"), effective_from=date(2026, 7, 1))])
    assert extended(one()) == "11.00"
    assert extended(one(on=AUG)) == "12.00"
    PriceBook.objects.update(convert=False)
    assert one().status == "no_price"


def test_a_converted_price_holds_until_its_rate_changes(world: World, make_book: Books) -> None:
    euros = make_book("EUROS", currency="EUR", convert=True)
    world.set("10", book_id=euros.pk, currency="EUR")
    july = date(2026, 7, 1)
    for start, rate in ((date(2026, 1, 1), "1.1"), (july, "1.2")):
        set_rates([NewRate(from_currency="EUR", to_currency="USD", rate=Decimal(rate), effective_from=start)])
    found = one()
    assert extended(found) == "11.00"
    assert found.valid_until == found.next_change_at == datetime(2026, 7, 1, tzinfo=UTC)
    assert (one(on=AUG).valid_until, one(on=AUG).next_change_at) == (None, None)
    assert (one(currency="EUR").valid_until, one(currency="EUR").next_change_at) == (None, None)


def test_a_missing_rate_of_a_book_that_would_lose_does_not_matter(world: World, make_book: Books) -> None:
    shop = System.objects.create(code="SHOP", name="Shop")
    world.set("10", book_id=make_book("WEB", "channel", channel=shop).pk)
    world.set("9", book_id=make_book("EUROS", currency="EUR", convert=True).pk, currency="EUR")
    assert extended(one(channel="SHOP")) == "10.00"


def test_lines_come_back_in_the_order_asked_and_twice_where_asked_twice(world: World) -> None:
    world.set("10")
    lines = [PriceLine(sku, Decimal(1), "EACH", id=n) for n, sku in enumerate(["A-1", "NOPE", "A-1", "B-2"])]
    found = resolve(PriceContext(currency="USD", on=JUN), lines)
    assert [(r.id, r.sku, r.status) for r in found] == [
        (0, "A-1", "ok"),
        (1, "NOPE", "unknown_item"),
        (2, "A-1", "ok"),
        (3, "B-2", "no_price"),
    ]


def test_a_thousand_lines_take_as_many_queries_as_one(world: World) -> None:
    items = Item.objects.bulk_create([Item(sku=f"S-{n}", name="x", base_unit=world.each) for n in range(1_000)])
    set_prices([world.price("10", item_id=item.pk) for item in items])
    context = PriceContext(currency="USD", on=JUN)
    with CaptureQueriesContext(connection) as single:
        resolve(context, [PriceLine("S-1", Decimal(1))])
    with CaptureQueriesContext(connection) as many:
        found = resolve(context, [PriceLine(item.sku, Decimal(3)) for item in items])
    assert {extended(result) for result in found} == {"30.00"}
    assert len(single) == len(many) == 6
