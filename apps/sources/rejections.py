"""Events that were not taken: kept raw, and raised where an id came back with another body."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from apps.exceptions.triage import BlockRequest, block
from apps.lib.errors import Block
from apps.sources.envelope import PAYLOAD_CONFLICT

ORIGIN = "rejected"


@dataclass(frozen=True, slots=True)
class Rejection:
    """One refused event: its place in the request, why, and its bytes."""

    index: int
    source: str
    event_id: str | None
    code: str
    detail: str
    body: bytes


def store_rejections(rejections: Sequence[Rejection]) -> None:
    """Keep the refused events, and open a cause for each id that came back with another body."""
    if not rejections:
        return
    ids = _insert(rejections)
    block(
        [
            BlockRequest(ORIGIN, row_id, _conflict(rejection), source=rejection.source)
            for row_id, rejection in zip(ids, rejections, strict=True)
            if rejection.code == PAYLOAD_CONFLICT
        ]
    )


def _conflict(rejection: Rejection) -> Block:
    event_id = rejection.event_id or ""
    return Block(
        reason=PAYLOAD_CONFLICT,
        entity_type="event",
        field="id",
        value=event_id,
        detail=rejection.detail,
        subject=event_id,
    )


def _insert(rejections: Sequence[Rejection]) -> list[int]:
    """The new ids, in the order given."""
    columns: list[list[object]] = [
        [rejection.source[:200] for rejection in rejections],
        [(rejection.event_id or "")[:200] for rejection in rejections],
        [rejection.code for rejection in rejections],
        [rejection.detail for rejection in rejections],
        [rejection.body for rejection in rejections],
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO sources_rejectedmessage (source, event_id, code, detail, body)"
            " SELECT source, event_id, code, detail, body"
            " FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[]) WITH ORDINALITY"
            " AS given (source, event_id, code, detail, body, place) ORDER BY place RETURNING id",
            columns,
        )
        return [row_id for (row_id,) in cursor.fetchall()]
