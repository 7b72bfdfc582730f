"""The lists inside an entity (units, identifiers, ship-tos …): replaced or merged by key, written a batch at once."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from django.db.models import Model

from apps.masterdata.changes import LinesMode

Key = tuple[Any, ...]
Values = Mapping[str, Any]
C = TypeVar("C", bound=Model)
CHUNK: Final = 2_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a sent list asks for: values by key, and the keys it removes (merge only)."""

    lines: Mapping[Key, Values]
    removed: Collection[Key] = ()
    mode: LinesMode = "replace"


class Lines(Generic[C]):
    """All lines of one kind in one batch, by the id of their parent."""

    def __init__(self, model: type[C], parent: str, key: tuple[str, ...], unique: tuple[str, ...] = ()) -> None:
        """`key` are the columns that tell lines of one parent apart; `unique` those of the table's constraint."""
        self.model = model
        self._parent = parent
        self._key = key
        self._unique = unique or (parent, *key)
        self._existing: dict[int, dict[Key, C]] = defaultdict(dict)
        self._gone: list[C] = []
        self._kept: list[C] = []

    def load(self, parent_ids: Iterable[int], *related: str) -> None:
        rows = self.model._default_manager.filter(**{f"{self._parent}__in": list(parent_ids)})
        for row in rows.select_related(*related):
            self._existing[getattr(row, self._parent)][self._key_of(row)] = row

    def of(self, parent_id: int | None) -> dict[Key, C]:
        return self._existing.get(parent_id, {}) if parent_id is not None else {}

    def differ(self, parent_id: int | None, wanted: Wanted) -> bool:
        """Whether the list would change anything."""
        existing = self.of(parent_id)
        if wanted.mode == "replace" and existing.keys() - wanted.lines.keys():
            return True
        if any(key in existing for key in wanted.removed):
            return True
        return any(key not in existing or _changes(existing[key], values) for key, values in wanted.lines.items())

    def apply(self, parent_id: int, wanted: Wanted) -> None:
        existing = self.of(parent_id)
        doomed = set(wanted.removed) | (existing.keys() - wanted.lines.keys() if wanted.mode == "replace" else set())
        self._gone += [row for key, row in existing.items() if key in doomed]
        for key, values in wanted.lines.items():
            row = existing.get(key)
            if row is None:
                columns = dict(zip(self._key, key, strict=True))
                self._kept.append(self.model(**{self._parent: parent_id}, **columns, **values))
            elif changed := _changes(row, values):
                for column, value in changed.items():
                    setattr(row, column, value)
                self._kept.append(row)

    def gone(self) -> list[C]:
        return self._gone

    def write(self) -> None:
        self.model._default_manager.filter(pk__in=[row.pk for row in self._gone]).delete()
        columns = [
            column.name
            for column in self.model._meta.concrete_fields
            if not column.primary_key and column.attname not in self._unique
        ]
        if columns:
            self.model._default_manager.bulk_create(
                self._kept,
                batch_size=CHUNK,
                update_conflicts=True,
                unique_fields=[each.removesuffix("_id") for each in self._unique],
                update_fields=columns,
            )
        else:
            self.model._default_manager.bulk_create(self._kept, batch_size=CHUNK, ignore_conflicts=True)

    def _key_of(self, row: C) -> Key:
        return tuple(getattr(row, column) for column in self._key)


def _changes(row: Model, values: Values) -> dict[str, Any]:
    return {column: value for column, value in values.items() if getattr(row, column) != value}
