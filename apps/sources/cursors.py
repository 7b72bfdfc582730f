"""Absolute facts in their own order: what is older than what was applied changes nothing.

One row per source and entity. Where an upsert is partial, it remembers the position per field, so that an older
message still sets what no newer one has said.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cmp_to_key
from typing import Any, Final

from django.db import connection

from apps.sources.received import Received

# Type → the fields of `data` that name the entity; what follows None is optional there.
_ENTITIES: Final[dict[str, tuple[str, ...]]] = {
    "unit.upserted": ("code",),
    "branch.upserted": ("code",),
    "warehouse.upserted": ("code",),
    "account.upserted": ("code",),
    "item.upserted": ("sku",),
    "price_book.upserted": ("code",),
    "cross_reference.upserted": ("kind", "code"),
    "price.set": ("book", "sku", "family", "category", "uom", "currency", "min_quantity", "effective_from"),
    "price_list.counted": ("book", "part"),
    "cost.set": ("sku", "basis", "warehouse", "currency", "effective_from"),
    "rate.set": ("from", "to", "effective_from"),
    "stocking.upserted": ("sku", "warehouse", "effective_from"),
}
_PARTIAL: Final = frozenset(
    {
        "unit.upserted",
        "branch.upserted",
        "warehouse.upserted",
        "account.upserted",
        "item.upserted",
        "price_book.upserted",
        "stocking.upserted",
    }
)

# A row lock cannot hold what is not there yet: entities without a cursor are locked by a slot of their hash. The
# slots bound what a first load takes of the server's lock table, whatever the number of loops.
_LOCK_SPACE: Final = 1_129_664_083  # "CURS": slots of cursors alone
_LOCK_NEW: Final = f"""
SELECT count(pg_advisory_xact_lock({_LOCK_SPACE}, slot)) FROM (
    SELECT DISTINCT hashtext(k.source_id || ' ' || k.entity) & 4095 AS slot
    FROM unnest(%s::int8[], %s::text[]) AS k (source_id, entity)
    WHERE NOT EXISTS (SELECT 1 FROM sources_entitycursor c WHERE c.source_id = k.source_id AND c.entity = k.entity)
    ORDER BY slot
) unknown
"""
_LOCK_KNOWN: Final = """
SELECT c.source_id, c.entity, c.sequence, c.stream, c.happened_at, c.message, c.fields
FROM sources_entitycursor c JOIN unnest(%s::int8[], %s::text[]) AS k (source_id, entity) USING (source_id, entity)
ORDER BY c.source_id, c.entity FOR UPDATE OF c
"""
# The same order as Place.follows; an equal place may still add to the fields.
_WRITE: Final = """
INSERT INTO sources_entitycursor AS known (source_id, entity, sequence, stream, happened_at, message, fields)
SELECT * FROM unnest(%s::int8[], %s::text[], %s::int8[], %s::text[], %s::timestamptz[], %s::int8[], %s::jsonb[])
ON CONFLICT (source_id, entity) DO UPDATE SET sequence = excluded.sequence, stream = excluded.stream,
    happened_at = excluded.happened_at, message = excluded.message, fields = excluded.fields
WHERE CASE WHEN excluded.sequence IS NOT NULL AND known.sequence IS NOT NULL AND excluded.stream = known.stream
           THEN (excluded.sequence, excluded.message) >= (known.sequence, known.message)
           ELSE (excluded.happened_at, excluded.message) >= (known.happened_at, known.message) END
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message stands: by sequence within one stream, otherwise by time, at last by arrival."""

    sequence: int | None
    stream: str
    happened_at: datetime
    message: int

    def follows(self, other: "Place") -> bool:
        """Whether this is newer than `other`; a message never follows itself."""
        if self.sequence is not None and other.sequence is not None and self.stream == other.stream:
            if self.sequence != other.sequence:
                return self.sequence > other.sequence
        elif self.happened_at != other.happened_at:
            return self.happened_at > other.happened_at
        return self.message > other.message

    def as_json(self) -> list[Any]:
        return [self.sequence, self.stream, self.happened_at.isoformat(), self.message]


@dataclass(slots=True)
class Cursor:
    """The newest place applied of an entity, and of each of its fields where upserts are partial."""

    newest: Place
    fields: dict[str, Place] = field(default_factory=dict)


Key = tuple[int, str]
Cursors = dict[Key, Cursor]


def in_order(messages: Sequence[Received]) -> list[Received]:
    """The messages as given, but those of one entity among themselves oldest first."""
    slots: dict[Key, list[int]] = defaultdict(list)
    for index, message in enumerate(messages):
        key = entity_of(message)
        if key is not None:
            slots[key].append(index)
    ordered = list(messages)
    for indexes in slots.values():
        if len(indexes) > 1:
            group = sorted((messages[index] for index in indexes), key=cmp_to_key(_older_first))
            for index, message in zip(indexes, group, strict=True):
                ordered[index] = message
    return ordered


def lock_cursors(messages: Iterable[Received]) -> Cursors:
    """The cursors of the entities these messages speak of, locked in key order until the transaction ends.

    An entity without a cursor is locked as well: whoever else brings its first fact waits, and then reads the cursor
    written here.
    """
    keys = sorted({key for message in messages if (key := entity_of(message)) is not None})
    if not keys:
        return {}
    arrays: list[Any] = [[source for source, _ in keys], [entity for _, entity in keys]]
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_NEW, arrays)
        cursor.execute(_LOCK_KNOWN, arrays)
        return {
            (source, entity): Cursor(Place(sequence, stream, at, message), _places(fields))
            for source, entity, sequence, stream, at, message, fields in cursor.fetchall()
        }


def newer_part(message: Received, cursors: Cursors) -> Received | None:
    """What of the message is not older than what was applied: all, some fields, or None (superseded)."""
    key = entity_of(message)
    cursor = cursors.get(key) if key is not None else None
    if cursor is None:
        return message
    place = place_of(message)
    if place.follows(cursor.newest) or place == cursor.newest:
        return message
    if message.type not in _PARTIAL:
        return None
    naming = {*_ENTITIES[message.type], "lines_mode"}
    kept = {
        name: value
        for name, value in message.data.items()
        if name in naming or name not in cursor.fields or not cursor.fields[name].follows(place)
    }
    return replace(message, data=kept) if kept.keys() - naming else None


def advance(applied: Iterable[Received], cursors: Cursors) -> None:
    """Remember the places of messages that were applied, in one statement."""
    moved: dict[Key, Cursor] = {}
    for message in applied:
        key = entity_of(message)
        if key is None:
            continue
        place = place_of(message)
        cursor = moved.setdefault(key, cursors.get(key) or Cursor(place))
        if place.follows(cursor.newest):
            cursor.newest = place
        if message.type in _PARTIAL:
            for name in message.data:
                if name not in cursor.fields or place.follows(cursor.fields[name]):
                    cursor.fields[name] = place
    _write(moved)


def entity_of(message: Received) -> Key | None:
    """The source and the entity an absolute fact speaks of; None for facts that add up."""
    names = _ENTITIES.get(message.type)
    if names is None:
        return None
    parts = [message.data.get(name) for name in names]
    if "effective_from" in names and message.type != "stocking.upserted" and parts[-1] is None:
        parts[-1] = message.happened_at.isoformat()
    text = json.dumps(["" if part is None else str(part).strip() for part in parts], ensure_ascii=False)
    return message.source.system_id, f"{message.type.partition('.')[0]}:{text}"


def place_of(message: Received) -> Place:
    return Place(message.sequence, message.stream, message.happened_at, message.id)


def _older_first(one: Received, other: Received) -> int:
    return 1 if place_of(one).follows(place_of(other)) else -1


def _places(fields: Any) -> dict[str, Place]:
    value = json.loads(fields) if isinstance(fields, str) else fields
    return {
        name: Place(sequence, stream, datetime.fromisoformat(at), message)
        for name, (sequence, stream, at, message) in (value or {}).items()
    }


def _write(moved: dict[Key, Cursor]) -> None:
    if not moved:
        return
    rows = sorted(moved.items(), key=lambda entry: entry[0])
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            [
                [source for (source, _), _ in rows],
                [entity for (_, entity), _ in rows],
                [found.newest.sequence for _, found in rows],
                [found.newest.stream for _, found in rows],
                [found.newest.happened_at for _, found in rows],
                [found.newest.message for _, found in rows],
                [
                    json.dumps({name: place.as_json() for name, place in found.fields.items()})
                    if found.fields
                    else None
                    for _, found in rows
                ],
            ],
        )
