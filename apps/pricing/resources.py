"""Prices and books as files: export as they are, import through set_prices with a dry run that shows the difference."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from import_export import fields, resources
from import_export.results import Result, RowResult
from tablib import Dataset

from apps.lib.quantity import plain
from apps.pricing.entries import NewPrice, PriceOutcome, set_prices
from apps.pricing.models import PriceBook, PriceEntry
from apps.pricing.price_rows import COLUMNS, Mistake, read_rows

ROWS_MAX = 100_000


class PriceBookResource(resources.ModelResource):
    account = fields.Field("account__code", "account")
    channel = fields.Field("channel__code", "channel")
    branch = fields.Field("branch__code", "branch")
    parent = fields.Field("parent__code", "parent")

    class Meta:
        model = PriceBook
        exclude = ("id", "updated_at")
        export_order = ("code", "name", "level", "currency")


class PriceEntryResource(resources.ModelResource):
    """The columns of price_rows.COLUMNS both ways: what is exported can be imported again and changes nothing."""

    book = fields.Field("book__code", "book")
    sku = fields.Field("item__sku", "sku")
    uom = fields.Field("unit__code", "uom")
    effective_from = fields.Field("valid_from", "effective_from")
    effective_to = fields.Field("valid_to", "effective_to")

    class Meta:
        model = PriceEntry
        fields = COLUMNS
        export_order = COLUMNS
        use_transactions = True

    def export_field(self, field: fields.Field, instance: PriceEntry, **kwargs: Any) -> Any:
        match field.column_name:
            case "per" | "min_quantity" | "amount" as name:
                return plain(getattr(instance, name))
            case "effective_from":
                return instance.valid_from.isoformat()
            case "effective_to":
                return instance.valid_to.isoformat() if instance.valid_to else ""
            case "zero_ok":
                return "true" if instance.zero_ok else "false"
        return super().export_field(field, instance, **kwargs)

    def import_data_inner(
        self,
        dataset: Dataset,
        dry_run: bool,
        raise_errors: bool,
        using_transactions: bool,
        collect_failed_rows: bool,
        **kwargs: Any,
    ) -> Result:
        """All rows in one set-based step. A row that is wrong or in conflict stops the import: all or nothing."""
        result = Result()
        result.diff_headers = ["row", "price", "before", "after"]
        result.total_rows = len(dataset)
        if len(dataset) > ROWS_MAX:
            result.append_base_error(
                self.get_error_result_class()(ValidationError(f"At most {ROWS_MAX:,} rows a file."))
            )
            return result
        rows: Sequence[Mapping[str, object]] = dataset.dict
        read = read_rows(rows)
        prices = [price for price in read if isinstance(price, NewPrice)]
        before = _amounts_before(prices)
        with transaction.atomic():
            outcomes = iter(set_prices(prices))
            said = [mistake if isinstance(mistake, Mistake) else next(outcomes) for mistake in read]
            shown = iter(before)
            for number, (row, what) in enumerate(zip(rows, said, strict=True), 1):
                was = "" if isinstance(what, Mistake) else next(shown)
                _tell(result, number, row, what, was)
            if result.has_validation_errors():
                transaction.set_rollback(True)
        return result


def _amounts_before(prices: Sequence[NewPrice]) -> list[str]:
    """What each price's key costs today as of its start, in one query."""
    books = {price.book_id for price in prices}
    items = {price.item_id for price in prices if price.item_id is not None}
    current = PriceEntry.objects.filter(superseded_at=None, book__in=books)
    current = current.filter(Q(item__in=items) | Q(item__isnull=True))
    by_key: dict[tuple[object, ...], list[PriceEntry]] = {}
    for entry in current.only(
        "book", "item", "family", "category", "unit", "min_quantity", "currency", "amount", "valid_from", "valid_to"
    ):
        key = (
            entry.book_id,
            entry.item_id,
            entry.family,
            entry.category,
            entry.unit_id,
            entry.min_quantity,
            entry.currency,
        )
        by_key.setdefault(key, []).append(entry)
    return [_amount_before(by_key.get(tuple(price.key), [])) for price in prices]


def _amount_before(entries: Sequence[PriceEntry]) -> str:
    found = sorted(entries, key=lambda entry: entry.valid_from)
    return ", ".join(f"{plain(e.amount)} {e.currency} from {e.valid_from:%Y-%m-%d}" for e in found)


def _tell(result: Result, number: int, row: Mapping[str, object], what: Mistake | PriceOutcome, before: str) -> None:
    row_result = RowResult()
    if isinstance(what, Mistake):
        row_result.validation_error = ValidationError({what.column: what.detail})
    elif what.block is not None:
        row_result.validation_error = ValidationError({"effective_from": what.block.detail})
    else:
        assert what.effect is not None
        row_result.import_type = _import_type(what, before)
        row_result.diff = [str(number), str(what.effect["subject"]), before or "–", str(what.effect["change"])]
    if row_result.validation_error is not None:
        row_result.import_type = RowResult.IMPORT_TYPE_INVALID
        result.append_invalid_row(number, row, row_result.validation_error)
    result.increment_row_result_total(row_result)
    result.append_row_result(row_result)


def _import_type(outcome: PriceOutcome, before: str) -> str:
    if outcome.status != "applied":
        return str(RowResult.IMPORT_TYPE_SKIP)
    return str(RowResult.IMPORT_TYPE_UPDATE if before else RowResult.IMPORT_TYPE_NEW)
