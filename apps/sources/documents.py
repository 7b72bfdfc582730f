"""Which form of a stock document came first: a shipment sent as movements and as a document books once."""

from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection


class DocumentKey(NamedTuple):
    """A document of a source: `kind` is the movement it makes, `number` the source's own."""

    source_id: int
    kind: str
    number: str


def first_forms(spoken: Sequence[tuple[DocumentKey, str]]) -> dict[DocumentKey, str]:
    """Per document the form that was heard first, now or ever; two statements for the whole batch."""
    if not spoken:
        return {}
    first: dict[DocumentKey, str] = {}
    for key, form in spoken:
        first.setdefault(key, form)
    keys = sorted(first)
    columns: list[list[object]] = [
        [key.source_id for key in keys],
        [key.kind for key in keys],
        [key.number for key in keys],
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO sources_stockdocument (source_id, kind, number, form)"
            " SELECT * FROM unnest(%s::int8[], %s::text[], %s::text[], %s::text[])"
            " ON CONFLICT (source_id, kind, number) DO NOTHING",
            [*columns, [first[key] for key in keys]],
        )
        cursor.execute(
            "SELECT d.source_id, d.kind, d.number, d.form FROM sources_stockdocument d"
            " JOIN unnest(%s::int8[], %s::text[], %s::text[]) AS k (source_id, kind, number)"
            " USING (source_id, kind, number)",
            columns,
        )
        return {DocumentKey(source_id, kind, number): form for source_id, kind, number, form in cursor.fetchall()}
