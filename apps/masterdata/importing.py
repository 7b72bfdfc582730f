"""Imports in the browser: every row becomes an upsert, the file is judged whole, and a preview shows the difference."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, ClassVar, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.html import format_html
from import_export import resources
from import_export.results import Error, Result, RowResult

from apps.lib.errors import Block
from apps.lib.spreadsheet_safety import neutralise
from apps.masterdata.cells import CellError, Row
from apps.masterdata.changes import Person, Sender, UpsertResult

ROWS_MAX: Final = 5_000
_KINDS: Final = {
    "created": RowResult.IMPORT_TYPE_NEW,
    "changed": RowResult.IMPORT_TYPE_UPDATE,
    "unchanged": RowResult.IMPORT_TYPE_SKIP,
    "ignored": RowResult.IMPORT_TYPE_SKIP,
}


class UpsertResource(resources.ModelResource):  # type: ignore[misc]
    """Reads rows by column name, applies them through the entity's upserts, and exports the same columns.

    Subclasses name `key` columns and define `upsert_of` (raise CellError for a wrong cell), `apply`,
    and `existing` (our rows for the keys of the file, by key).
    """

    key: ClassVar[tuple[str, ...]] = ("code",)

    def __init__(self, actor: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._person = Person(actor)

    def upsert_of(self, row: Row) -> Any:
        raise NotImplementedError

    def apply(self, upserts: Sequence[Any], sender: Sender) -> list[UpsertResult]:
        raise NotImplementedError

    def existing(self, keys: set[tuple[str, ...]]) -> dict[tuple[str, ...], Any]:
        raise NotImplementedError

    def columns(self) -> list[str]:
        return [field.column_name for field in self.get_import_fields()]

    def export_field(self, field: Any, instance: Any, **kwargs: Any) -> Any:
        return neutralise(super().export_field(field, instance, **kwargs))

    def import_data_inner(
        self,
        dataset: Any,
        dry_run: bool,
        raise_errors: bool,
        using_transactions: bool,
        collect_failed_rows: bool,
        **kwargs: Any,
    ) -> Result:
        result = self.get_result_class()()
        result.diff_headers = self.get_diff_headers()
        result.total_rows = len(dataset)
        if said := self._wrong_file(dataset):
            result.append_base_error(Error(ValueError(said)))
            return result
        rows = [Row(number, dict(zip(dataset.headers, cells, strict=True))) for number, cells in enumerate(dataset, 1)]
        with transaction.atomic():
            self._import(rows, result)
            if dry_run or result.has_validation_errors():
                transaction.set_rollback(True)
        return result

    def _import(self, rows: Sequence[Row], result: Result) -> None:
        upserts: list[Any] = []
        taken: list[Row] = []
        for row in rows:
            try:
                upserts.append(self.upsert_of(row))
                taken.append(row)
            except CellError as error:
                self._refuse(result, row, {error.column: [error.detail]})
        keys = {row.key(self.key) for row in taken}
        before = self._shown(keys)
        outcomes = self.apply(upserts, self._person)
        after = self._shown(keys)
        for row, outcome in zip(taken, outcomes, strict=True):
            if outcome.status == "blocked":
                self._refuse(result, row, self._by_column(outcome.blocks))
                continue
            self._accept(result, row, outcome, before, after)

    def _accept(
        self,
        result: Result,
        row: Row,
        outcome: UpsertResult,
        before: Mapping[tuple[str, ...], list[str]],
        after: Mapping[tuple[str, ...], list[str]],
    ) -> None:
        key = row.key(self.key)
        told = RowResult()
        told.import_type = _KINDS[outcome.status]
        told.object_repr = " ".join(key)
        told.diff = [_difference(old, new) for old, new in _aligned(before.get(key), after.get(key))]
        result.increment_row_result_total(told)
        result.append_row_result(told)

    def _refuse(self, result: Result, row: Row, errors: Mapping[str, list[str]]) -> None:
        told = RowResult()
        told.import_type = RowResult.IMPORT_TYPE_INVALID
        told.validation_error = ValidationError(dict(errors))
        result.increment_row_result_total(told)
        result.append_invalid_row(row.number, row.cells, told.validation_error)
        result.append_row_result(told)

    def _by_column(self, blocks: Sequence[Block]) -> dict[str, list[str]]:
        columns = self.columns()
        errors: dict[str, list[str]] = {}
        for block in blocks:
            name = next((part for part in reversed(block.field.split("/")) if part in columns), columns[0])
            errors.setdefault(name, []).append(block.detail)
        return errors

    def _shown(self, keys: set[tuple[str, ...]]) -> dict[tuple[str, ...], list[str]]:
        fields = self.get_user_visible_fields()
        return {
            key: [str(self.export_field(field, instance) or "") for field in fields]
            for key, instance in self.existing(keys).items()
        }

    def _wrong_file(self, dataset: Any) -> str:
        if len(dataset) > ROWS_MAX:
            return (
                f"The file has {len(dataset):,} rows; the browser takes {ROWS_MAX:,}. "
                f"Load it with: python manage.py import_feed SOURCE FILE"
            )
        known, headers = self.columns(), list(dataset.headers or ())
        for header in headers:
            if header not in known:
                near = get_close_matches(str(header), known, n=1)
                hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
                return f"Nobody knows the column {str(header)[:60]!r}. {hint}"
        if missing := [name for name in self.key if name not in headers]:
            return f"The column {missing[0]} is missing: it says which row is meant."
        if len(set(headers)) != len(headers):
            return "A column is there twice; keep one of each."
        return ""


def _aligned(before: list[str] | None, after: list[str] | None) -> list[tuple[str, str]]:
    size = len(before or after or [])
    return list(zip(before or [""] * size, after or [""] * size, strict=True))


def _difference(old: str, new: str) -> str:
    if old == new:
        return format_html("<span>{}</span>", new)
    removed = format_html('<del style="background:#ffe6e6;">{}</del>', old) if old else ""
    added = format_html('<ins style="background:#e6ffe6;">{}</ins>', new) if new else ""
    return format_html("{}{}", removed, added)
