"""The fixes of this app: edit what an event says, or discard an event nothing can be done with."""

from collections.abc import Mapping
from typing import Any, ClassVar

from apps.exceptions import triage
from apps.exceptions.fixes import FixField, FixResult, Suggestion
from apps.exceptions.models import BlockedRecord, Cause
from apps.lib.errors import Problem
from apps.sources.claims import ORIGIN
from apps.sources.corrections import Wrong, correct, discard


class Edit:
    """Correct the events of a SCHEMA_VIOLATION or INVALID_IDENTIFIER: `{field: value}`, null takes a field out."""

    name: ClassVar[str] = "edit"
    label: ClassVar[str] = "Correct the message"
    fields: ClassVar[tuple[FixField, ...]] = ()
    # Any field of the message may be corrected, by its name or by a JSON pointer into its data.
    open_fields: ClassVar[bool] = True

    def suggest(self, cause: Cause) -> list[Suggestion]:
        return []

    def apply(self, cause: Cause, fields: Mapping[str, Any], actor: str) -> FixResult:
        if not fields:
            raise Problem(400, "invalid", 'Name what to correct, as in {"quantity": "5"}; null takes a field out.')
        records = BlockedRecord.objects.filter(cause=cause, origin=ORIGIN, state__in=BlockedRecord.WAITING)
        wrong = [
            Wrong(record.origin_id, record.line, str(record.context.get("pointer", "")), cause.value)
            for record in records.order_by("pk")
        ]
        edited = correct(wrong, fields, actor)
        return FixResult(f"Corrected {', '.join(sorted(fields))} in {edited} messages.")


class Discard:
    """End the poisoned messages of a cause without applying them; what was received is kept."""

    name: ClassVar[str] = "discard"
    label: ClassVar[str] = "Discard the message"
    fields: ClassVar[tuple[FixField, ...]] = ()

    def suggest(self, cause: Cause) -> list[Suggestion]:
        return []

    def apply(self, cause: Cause, fields: Mapping[str, Any], actor: str) -> FixResult:
        records = BlockedRecord.objects.filter(cause=cause, origin=ORIGIN, state__in=BlockedRecord.WAITING)
        ids = sorted(set(records.values_list("origin_id", flat=True)))
        discarded = discard(ids, actor)
        triage.settle(ORIGIN, ids, by=actor, outcome="ignored")
        return FixResult(f"Discarded {discarded} messages.", outcome="ignore")
