"""1,000 price lines: quotes.resolve against a query per line through the ORM, alternating, in one transaction."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from time import perf_counter

from django.db import connection, transaction

from apps.lib.clock import now
from apps.masterdata.conversion import ItemFactor, UnitGraph
from apps.masterdata.models import Item, ItemUnit, System, Unit
from apps.pricing import ladder
from apps.pricing.entries import NewPrice, set_prices
from apps.pricing.models import PriceBook, PriceEntry
from apps.pricing.quotes import PriceContext, PriceLine, resolve
from apps.pricing.resolution import resolve_line
from bench.frame import Step, compare

ITEMS, LINES = 5_000, 1_000
# The one-SQL form took 14.8 µs of CPU a line, the ORM 1,814; what resolves line by line in Python pays for it.
GOAL = 10.0

Priced = list[tuple[str, Decimal | None]]


def main() -> None:
    """Both ways give the same prices first; then they alternate. Leaves nothing behind."""
    with transaction.atomic():
        lines = _world()
        compare("prices 1,000 lines vs ORM per line", _step(_per_line, lines), _step(_in_bulk, lines), goal=GOAL)
        transaction.set_rollback(True)


def _world() -> list[PriceLine]:
    """5,000 items in a list book, half of them also in a channel's book, with a break and a future price."""
    each = Unit.objects.create(code="bench EACH", name="Each")
    case = Unit.objects.create(code="bench CASE", name="Case")
    items = Item.objects.bulk_create(
        [Item(sku=f"bench {n:05}", name="x", base_unit=each) for n in range(ITEMS)], batch_size=5_000
    )
    ItemUnit.objects.bulk_create([ItemUnit(item=item, unit=case, numerator=12) for item in items], batch_size=5_000)
    shop = System.objects.create(code="bench SHOP", name="Shop")
    books = [
        PriceBook.objects.create(code="bench LIST", level="list", currency="USD"),
        PriceBook.objects.create(code="bench WEB", level="channel", channel=shop, currency="USD"),
    ]
    prices = [price for n, item in enumerate(items) for price in _prices(n, item.pk, books, each.pk)]
    started = perf_counter()
    set_prices(prices)
    print(f"  set_prices: {len(prices) / (perf_counter() - started):,.0f} prices/s ({len(prices):,} new)")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE pricing_priceentry, masterdata_item, masterdata_itemunit")
    asked = items[:: ITEMS // LINES]
    return [PriceLine(item.sku, Decimal(n % 30 + 1), "bench EACH") for n, item in enumerate(asked)]


def _prices(n: int, item_id: int, books: Sequence[PriceBook], unit_id: int) -> list[NewPrice]:
    def price(book: PriceBook, amount: int, start: int = 0, year: int = 2020) -> NewPrice:
        return NewPrice(
            book_id=book.pk,
            unit_id=unit_id,
            item_id=item_id,
            currency="USD",
            amount=Decimal(amount) / 100,
            min_quantity=Decimal(start),
            happened_at=datetime(year, 1, 1, tzinfo=UTC),
        )

    of_list = [price(books[0], 1000 + n), price(books[0], 900 + n, 10), price(books[0], 1100 + n, 0, 2199)]
    return [*of_list, price(books[1], 950 + n)] if n % 2 else of_list


def _step(way: Callable[[Sequence[PriceLine]], Priced], lines: Sequence[PriceLine]) -> Step:
    """A batch of lines through one of the two ways; a wrong price fails the round."""
    expected = _per_line(lines)

    def step() -> int:
        if way(lines) != expected:
            raise AssertionError("The two ways disagree on a price; the round does not count.")
        return len(lines)

    return step


def _in_bulk(lines: Sequence[PriceLine]) -> Priced:
    context = PriceContext(currency="USD", channel="bench SHOP")
    return [(result.sku, result.extended_price) for result in resolve(context, lines)]


def _per_line(lines: Sequence[PriceLine]) -> Priced:
    context = ladder.PriceContext("USD", now())
    return [(line.sku, _one(line, context)) for line in lines]


def _one(line: PriceLine, context: ladder.PriceContext) -> Decimal | None:
    """How it is written without a thought for the number of queries."""
    item = Item.objects.select_related("base_unit").get(sku=line.sku)
    factors = [ItemFactor(u.unit.code, u.numerator, u.denominator) for u in item.units.select_related("unit")]
    graph = UnitGraph(item.base_unit.code, factors, decimals={}, sku=item.sku)
    entries = PriceEntry.objects.filter(item=item, superseded_at=None, currency="USD").select_related("book", "unit")
    candidates = [
        ladder.Candidate(
            level="list" if entry.book.level == "list" else "channel",
            book=entry.book.code,
            version=entry.version,
            entry_id=entry.pk,
            uom=entry.unit.code,
            amount=entry.amount,
            currency=entry.currency,
            effective_from=entry.valid_from,
            effective_to=entry.valid_to,
            per=entry.per,
            min_quantity=entry.min_quantity,
            priority=entry.book.priority,
        )
        for entry in entries
    ]
    asked = ladder.PriceLine(line.sku, line.quantity, str(line.uom), graph)
    return resolve_line(asked, candidates, context, trace=False).extended_price
