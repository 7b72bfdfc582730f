"""Price lists that arrive in parts: which parts are there, so that the last one can count the whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.db import connection

from apps.sources import batch
from apps.sources.received import Received

_LOCK_SPACE: Final = 1_347_176_276  # "PLST": locks of price lists alone


@dataclass(frozen=True, slots=True)
class PriceList:
    """One part of a list; a list in one piece is part 1 of 1."""

    message: Received
    book: str
    as_of: str
    part: int
    parts: int
    complete: bool


def list_of(message: Received) -> PriceList:
    data = message.data
    return PriceList(
        message, data["book"].strip(), data["as_of"], data.get("part", 1), data.get("parts", 1), data["complete"]
    )


def whole_list(
    message: Received, own: PriceList, seen: Mapping[tuple[int, str, int], PriceList]
) -> Sequence[PriceList] | None:
    """All parts of this list in order, if this was the one still missing; None where others are."""
    if own.parts == 1:
        return [own]
    _lock(message, own)
    _remember(message, own)
    others = {part.part: part for part in _other_parts(message, own)}
    parts = []
    for number in range(1, own.parts + 1):
        here = seen.get((message.source.system_id, own.book, number))
        part = own if number == own.part else here if here is not None else others.get(number)
        if part is None or part.as_of != own.as_of:
            return None
        parts.append(part)
    return parts


def _lock(message: Received, own: PriceList) -> None:
    """One reader of a list's parts at a time, until the transaction ends: of two at once neither sees the other's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, hashtext(%s))",
            [_LOCK_SPACE, f"{message.source.system_id} {own.book} {own.as_of}"],
        )


def _remember(message: Received, own: PriceList) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO sources_pricelistpart (source_id, book, as_of, part, message) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (source_id, book, as_of, part) DO UPDATE SET message = excluded.message",
            [message.source.system_id, own.book, own.as_of, own.part, message.id],
        )


def _other_parts(message: Received, own: PriceList) -> list[PriceList]:
    """Parts of the same book and instant that were read so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.message FROM sources_pricelistpart p"
            " WHERE p.source_id = %s AND p.book = %s AND p.as_of = %s AND p.part <> %s",
            [message.source.system_id, own.book, own.as_of, own.part],
        )
        ids = [message_id for (message_id,) in cursor.fetchall()]
    parts = [batch.check(found) for found in batch.peek([i for i in ids if i != message.id])]
    return [list_of(part.message) for part in parts if not part.whole]
