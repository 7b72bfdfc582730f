"""One batch's rows of an entity: load what exists, change it field by field under the owners, write it at once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model

from apps.lib.clock import Now
from apps.lib.errors import Block
from apps.masterdata.authority import Differences, Owners
from apps.masterdata.blocks import broken_rule
from apps.masterdata.changes import Sender, Unset, UpsertResult, effect, lock_entity

REQUIRED: Final = object()
M = TypeVar("M", bound=Model)
CHUNK: Final = 2_000


@dataclass(frozen=True, slots=True)
class Field:
    """A field as events name it, its column, the group that owns it, and what null makes of it."""

    name: str
    column: str
    group: str
    empty: Any = REQUIRED
    # Returns what is wrong with a value, or nothing.
    check: Callable[[Any], str] | None = None
    # The dotted attribute that shows the value (a foreign key's code).
    shown: str = ""

    def show(self, row: Model) -> Any:
        value: Any = row
        for name in (self.shown or self.column).split("."):
            value = getattr(value, name, None)
        return value if isinstance(value, str | int | bool | dict | list | None) else str(value)


@dataclass(slots=True)
class Change(Generic[M]):
    """One upsert on its way: the row, what changed in it, what blocks it."""

    code: str
    row: M
    created: bool
    event: str = ""
    changed: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    ignored: bool = False

    @property
    def alive(self) -> bool:
        return not self.blocks and not self.ignored

    def changes(self, name: str) -> None:
        if name not in self.changed:
            self.changed.append(name)


class Rows(Generic[M]):
    """The rows of one entity in one batch. Locks the entity until the transaction ends."""

    def __init__(self, model: type[M], entity: str, code_column: str, fields: Sequence[Field], sender: Sender) -> None:
        self.model = model
        self.entity = entity
        self.sender = sender
        self.owners = Owners(entity)
        self.differences = Differences(entity, sender)
        self._code_column = code_column
        self._fields = {each.name: each for each in fields}
        self._existing: dict[str, M] = {}
        self._timed = any(column.name == "updated_at" for column in model._meta.get_fields())

    def load(self, codes: Iterable[str], *related: str) -> None:
        lock_entity(self.entity)
        rows = self.model._default_manager.filter(**{f"{self._code_column}__in": sorted(set(codes))})
        self._existing = {getattr(row, self._code_column): row for row in rows.select_related(*related)}

    def change(self, code: str, event: str = "") -> Change[M]:
        row = self._existing.get(code)
        if row is None:
            return Change(code, self.model(**{self._code_column: code}), created=True, event=event)
        return Change(code, row, created=False, event=event)

    def set(self, change: Change[M], name: str, value: Any, shown: Any = None) -> None:
        """Give a field its new value (None clears); `shown` is how to show it, where the value is a key."""
        if isinstance(value, Unset):
            return
        spec = self._fields[name]
        if value is None:
            if spec.empty is REQUIRED:
                self._violation(change, name, "null", f"{name} cannot be cleared; send a value or leave it out.")
                return
            value = spec.empty() if callable(spec.empty) else spec.empty
        value = self._checked(change, spec, value)
        shown = value if shown is None else shown
        if not change.created and getattr(change.row, spec.column) == value:
            self.differences.settle(change.code, name, shown)
        elif change.created or self.may(change, spec.group, name, theirs=shown, ours=lambda: spec.show(change.row)):
            setattr(change.row, spec.column, value)
            change.changes(name)
            self.differences.settle(change.code, name, shown)

    def require(self, change: Change[M], name: str, value: Any) -> bool:
        """A new row needs the field."""
        if change.created and isinstance(value, Unset):
            detail = f"{self.entity} {change.code} is new and needs {name}; send it with the first event."
            self._violation(change, name, "required", detail)
            return False
        return True

    def may(self, change: Change[M], group: str, name: str, *, theirs: Any, ours: Callable[[], Any]) -> bool:
        """Whether the sender decides fields of `group`; where not, what it says is kept (a person is refused)."""
        if change.created or self.owners.allow(group, self.sender):
            return True
        if self.sender.system_id is None:
            owner = self.owners.owner(group)
            detail = (
                f"{name} of {self.entity} {change.code} is owned by {owner}; "
                f"change it there, or change the authority of {self.entity}.{group} first."
            )
            change.blocks.append(Block("NOT_AUTHORITATIVE", self.entity, name, change.code, detail))
        else:
            self.differences.refuse(change.code, name, theirs=theirs, ours=ours(), event=change.event)
        return False

    def write(self, changes: Iterable[Change[M]]) -> None:
        """Insert and update everything that changed and is alive, in a few statements."""
        alive = [change for change in changes if change.alive]
        dirty = [change.row for change in alive if change.created or change.changed]
        columns = [each.column.removesuffix("_id") for each in self._fields.values()]
        if self._timed:
            columns.append("updated_at")
            for row in dirty:
                row.updated_at = Now()  # type: ignore[attr-defined]
        self.model._default_manager.bulk_create(
            dirty,
            batch_size=CHUNK,
            update_conflicts=True,
            unique_fields=[self._code_column],
            update_fields=columns,
        )
        self.differences.save(change.code for change in alive)

    def result(self, change: Change[M]) -> UpsertResult:
        if change.ignored:
            return UpsertResult(change.code, "ignored")
        if change.blocks:
            return UpsertResult(change.code, "blocked", tuple(change.blocks))
        differences = self.differences.refused(change.code)
        if change.created:
            said = effect(self.entity, change.code, None)
            return UpsertResult(change.code, "created", effects=(said,), differences=differences)
        if change.changed:
            said = effect(self.entity, change.code, change.changed)
            return UpsertResult(change.code, "changed", effects=(said,), differences=differences)
        return UpsertResult(change.code, "unchanged", differences=differences)

    def _checked(self, change: Change[M], spec: Field, value: Any) -> Any:
        wrong = spec.check(value) if spec.check is not None else ""
        if not wrong and isinstance(value, str) and "\0" in value:
            wrong = "it holds a NUL character"
        column = self.model._meta.get_field(spec.column.removesuffix("_id"))
        if not wrong and not column.is_relation:
            try:
                value = column.clean(value, change.row)  # type: ignore[union-attr]
            except ValidationError as error:
                wrong = " ".join(error.messages)
        if wrong:
            detail = f"{spec.name} of {self.entity} {change.code} is {str(value)[:100]!r}: {wrong}"
            self._violation(change, spec.name, "value", detail.rstrip(".") + "; correct it.")
        return value

    def _violation(self, change: Change[M], name: str, rule: str, detail: str) -> None:
        event_type = f"{self.entity}.upserted"
        change.blocks.append(broken_rule(event_type, f"/{name}", rule, detail, subject=change.code))
