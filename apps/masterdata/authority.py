"""Who owns which field: the owner's value counts, another's is kept as a difference and shown, never applied."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from apps.lib.clock import Now
from apps.masterdata.changes import Sender, system_of
from apps.masterdata.models import Authority, FieldDifference


class Owners:
    """The owners of one entity's field groups; where none is set, anybody's value counts."""

    def __init__(self, entity: str) -> None:
        rows = Authority.objects.filter(entity=entity).values_list("group", "system_id", "system__code")
        self._owners = {group: (system_id, code) for group, system_id, code in rows}

    def allow(self, group: str, sender: Sender) -> bool:
        return group not in self._owners or self._owners[group][0] == sender.system_id

    def owner(self, group: str) -> str:
        """The owning system's code, or an empty text."""
        return self._owners[group][1] if group in self._owners else ""


@dataclass(frozen=True, slots=True)
class _Said:
    code: str
    field: str
    theirs: Any
    ours: Any
    event: str


class Differences:
    """Collects what one sender says and may not decide; `save` writes it in a few statements."""

    def __init__(self, entity: str, sender: Sender) -> None:
        self._entity = entity
        self._sender = sender
        self._refused: dict[tuple[str, str], _Said] = {}
        self._settled: dict[tuple[str, str], Any] = {}

    def refuse(self, code: str, field: str, *, theirs: Any, ours: Any, event: str) -> None:
        self._settled.pop((code, field), None)
        self._refused[code, field] = _Said(code, field, theirs, ours, event)

    def settle(self, code: str, field: str, value: Any) -> None:
        """The field holds `value` now, and the sender agrees."""
        self._refused.pop((code, field), None)
        self._settled[code, field] = value

    def refused(self, code: str) -> tuple[str, ...]:
        return tuple(field for said_of, field in self._refused if said_of == code)

    def save(self, codes: Iterable[str]) -> None:
        """Writes those of `codes` (the rest was blocked)."""
        alive = set(codes)
        self._write([said for (code, _), said in self._refused.items() if code in alive])
        self._update({key: value for key, value in self._settled.items() if key[0] in alive})

    def save_all(self) -> None:
        self._write(list(self._refused.values()))
        self._update(self._settled)

    def _write(self, refused: list[_Said]) -> None:
        if not refused:
            return
        system_id = system_of(self._sender)
        FieldDifference.objects.bulk_create(
            [
                FieldDifference(
                    entity=self._entity,
                    code=said.code,
                    field=said.field,
                    system_id=system_id,
                    theirs=said.theirs,
                    ours=said.ours,
                    event=said.event,
                    seen_at=Now(),
                )
                for said in refused
            ],
            batch_size=2_000,
            update_conflicts=True,
            unique_fields=["entity", "code", "field", "system"],
            update_fields=["theirs", "ours", "event", "seen_at"],
        )

    def _update(self, settled: dict[tuple[str, str], Any]) -> None:
        """Differences about settled fields: gone where the two agree, else shown against the new value."""
        if not settled:
            return
        kept, gone = [], []
        codes, fields = {code for code, _ in settled}, {field for _, field in settled}
        for row in FieldDifference.objects.filter(entity=self._entity, code__in=codes, field__in=fields):
            if (row.code, row.field) not in settled:
                continue
            ours = settled[row.code, row.field]
            if row.system_id == self._sender.system_id or row.theirs == ours:
                gone.append(row.pk)
            elif row.ours != ours:
                row.ours = ours
                kept.append(row)
        FieldDifference.objects.filter(pk__in=gone).delete()
        FieldDifference.objects.bulk_update(kept, ["ours"], batch_size=500)
