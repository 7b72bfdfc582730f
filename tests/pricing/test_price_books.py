"""Price books, costs and rates: partial upserts, what blocks them, what they wake."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from apps.exceptions import triage
from apps.exceptions.models import BlockedRecord
from apps.masterdata.changes import Person
from apps.masterdata.models import Account, Authority, Branch, CrossReference, FieldDifference, System, Warehouse
from apps.masterdata.systems import SystemSender
from apps.pricing import dirty
from apps.pricing.costs import CostOutcome, NewCost, set_costs
from apps.pricing.models import Cost, ExchangeRate, PriceBook, PriceDirty
from apps.pricing.price_books import BookUpsert, find_books, unknown_book, upsert_book, upsert_books
from apps.pricing.rates import NewRate, set_rates
from tests.pricing.conftest import HAPPENED, World

PERSON = Person("pat")


@pytest.fixture
def erp(db: None) -> SystemSender:
    return SystemSender(System.objects.create(code="ERP", name="ERP").pk, "ERP")


def test_a_book_is_made_with_what_was_sent_and_the_rest_by_default(erp: SystemSender) -> None:
    result = upsert_book(BookUpsert(code="LIST", level="list", currency="USD"), erp)
    assert (result.status, result.effects) == (
        "created",
        ({"kind": "price_book", "subject": "LIST", "change": "created"},),
    )
    book = PriceBook.objects.get()
    assert (book.level, book.currency, book.time_zone, book.priority, book.merge_allowed) == (
        "list",
        "USD",
        "UTC",
        100,
        True,
    )


def test_what_is_absent_stays_and_null_clears(erp: SystemSender) -> None:
    upsert_book(BookUpsert(code="L", level="list", currency="USD", name="List", timezone="Europe/Berlin"), erp)
    result = upsert_book(BookUpsert(code="L", name=None, priority=5), erp)
    assert result.effects[0]["change"] == "changed name, priority"
    book = PriceBook.objects.get()
    assert (book.name, book.priority, book.time_zone, book.currency) == ("", 5, "Europe/Berlin", "USD")
    assert upsert_book(BookUpsert(code="L", priority=5), erp).status == "unchanged"


def test_a_book_stands_for_whom_its_level_says(erp: SystemSender) -> None:
    account = Account.objects.create(code="C-1", name="One")
    branch = Branch.objects.create(code="BER", name="Berlin")
    shop = System.objects.create(code="SHOP", name="Shop")
    CrossReference.objects.create(system_id=erp.system_id, kind="account", code="4711", target="C-1")
    results = upsert_books(
        [
            BookUpsert(code="S", level="special", currency="USD", account="4711"),
            BookUpsert(code="W", level="channel", currency="USD", channel="SHOP"),
            BookUpsert(code="B", level="branch", currency="USD", branch="BER", parent="S"),
        ],
        erp,
    )
    assert [result.status for result in results] == ["created", "created", "blocked"]
    assert results[2].blocks[0].reason == "UNKNOWN_PRICE_BOOK"
    assert (
        upsert_book(BookUpsert(code="B", level="branch", currency="USD", branch="BER", parent="S"), erp).status
        == "created"
    )
    assert PriceBook.objects.get(code="S").account_id == account.pk
    assert PriceBook.objects.get(code="W").channel_id == shop.pk
    assert PriceBook.objects.get(code="B").branch_id == branch.pk


@pytest.mark.parametrize(
    ("book", "reason", "field"),
    [
        (BookUpsert(code="X", currency="USD"), "SCHEMA_VIOLATION", "/level"),
        (BookUpsert(code="X", level="list"), "SCHEMA_VIOLATION", "/currency"),
        (BookUpsert(code="X", level="list", currency="ZZZ"), "SCHEMA_VIOLATION", "/currency"),
        (BookUpsert(code="X", level="list", currency="USD", timezone="Mars"), "SCHEMA_VIOLATION", "/timezone"),
        (BookUpsert(code="X", level="channel", currency="USD"), "SCHEMA_VIOLATION", "/channel"),
        (BookUpsert(code="X", level="group", currency="USD"), "SCHEMA_VIOLATION", "/group"),
        (BookUpsert(code="X", level="channel", currency="USD", channel="NOPE"), "UNKNOWN_CHANNEL", "channel"),
        (BookUpsert(code="X", level="special", currency="USD", account="NOPE"), "UNKNOWN_ACCOUNT", "account"),
        (BookUpsert(code="X", level="branch", currency="USD", branch="NOPE"), "UNKNOWN_BRANCH", "branch"),
    ],
)
def test_a_wrong_book_blocks_whole(erp: SystemSender, book: BookUpsert, reason: str, field: str) -> None:
    result = upsert_book(book, erp)
    assert result.status == "blocked"
    assert [(block.reason, block.field) for block in result.blocks] == [(reason, field)]
    assert not PriceBook.objects.exists()


def test_a_book_that_arrives_replays_what_waited_for_it(erp: SystemSender) -> None:
    block = unknown_book("LIST", "ERP")
    triage.block([triage.BlockRequest("inbox", 7, block, source="ERP")])
    assert BlockedRecord.objects.get().state == "open"
    upsert_book(BookUpsert(code="LIST", level="list", currency="USD"), erp)
    assert BlockedRecord.objects.get().state == "replaying"


def test_what_decides_prices_marks_every_price_of_the_book(world: World) -> None:
    world.set("10")
    world.set("20", item_id=world.other.pk)
    PriceDirty.objects.all().delete()
    upsert_book(BookUpsert(code="LIST", name="A new name"), PERSON)
    assert dirty.take(10) == []
    upsert_book(BookUpsert(code="LIST", priority=1), PERSON)
    assert [(mark.item_id, mark.generation) for mark in dirty.take(10)] == [(world.item.pk, 2), (world.other.pk, 2)]


def test_a_source_that_does_not_own_prices_is_kept_as_a_difference(erp: SystemSender) -> None:
    upsert_book(BookUpsert(code="L", level="list", currency="USD"), erp)
    Authority.objects.create(entity="price_book", group="prices", system_id=erp.system_id)
    other = SystemSender(System.objects.create(code="CRM", name="CRM").pk, "CRM")
    result = upsert_book(BookUpsert(code="L", priority=1), other)
    assert (result.status, result.differences) == ("unchanged", ("priority",))
    assert PriceBook.objects.get().priority == 100
    assert FieldDifference.objects.get().theirs == 1


def test_books_are_found_by_our_code(world: World) -> None:
    assert find_books(["LIST", "NOPE"])["LIST"].id == world.book.pk
    assert set(find_books(["LIST", "NOPE"])) == {"LIST"}


def test_a_cost_is_kept_per_basis_warehouse_and_day_and_replaced_on_the_same(world: World) -> None:
    Warehouse.objects.create(code="W", name="W")

    def cost(amount: str, **more: object) -> NewCost:
        fields: dict[str, object] = {
            "item_id": world.item.pk,
            "basis": "standard",
            "unit_id": world.each.pk,
            "amount": Decimal(amount),
            "currency": "USD",
            "happened_at": HAPPENED,
            **more,
        }
        return NewCost(**fields)  # type: ignore[arg-type]

    set_costs([cost("80"), cost("81"), cost("90", basis="average"), cost("82", effective_from=date(2026, 2, 1))])
    assert set_costs([cost("79")]) == [
        CostOutcome(True, {"kind": "cost", "subject": "A-1", "change": "standard 79 USD"})
    ]
    found = Cost.objects.order_by("basis", "effective_from").values_list("basis", "amount")
    assert list(found) == [("average", 90), ("standard", 79), ("standard", 82)]
    tokyo = cost("1", basis="last", effective_from=date(2026, 2, 1), time_zone="Asia/Tokyo")
    set_costs([tokyo])
    assert Cost.objects.get(basis="last").effective_from == datetime(2026, 1, 31, 15, tzinfo=UTC)


def test_a_rate_replaces_that_of_the_same_day_and_marks_books_that_convert(world: World) -> None:
    world.set("10")
    PriceBook.objects.update(convert=True)
    PriceDirty.objects.all().delete()
    rate = NewRate(from_currency="EUR", to_currency="USD", rate=Decimal("1.1"), effective_from=HAPPENED)
    assert set_rates([rate]) == [{"kind": "rate", "subject": "EUR → USD", "change": "1.1"}]
    set_rates([NewRate(from_currency="EUR", to_currency="USD", rate=Decimal("1.2"), effective_from=HAPPENED)])
    assert ExchangeRate.objects.get().rate == Decimal("1.2")
    assert [mark.generation for mark in dirty.take(5)] == [3]
