"""A person's correction of an event: kept beside what was received, which is never changed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from apps.lib import strict_json
from apps.lib.errors import FieldError, Problem
from apps.sources import shapes
from apps.sources.received import line_labels

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with one message: the line, the pointer into its data, and the value that was refused."""

    message_id: int
    line: str
    pointer: str
    value: str


def correct(wrong: Sequence[Wrong], fields: Mapping[str, Any], by: str) -> int:
    """Set the fields in each message; null takes a field out. How many messages were edited.

    A name is a JSON pointer into `data` ("/lines/0/uom"), or a field: where the finding is, else of the line
    that is blocked, else of the document.
    """
    by_message: dict[int, list[Wrong]] = {}
    for one in wrong:
        by_message.setdefault(one.message_id, []).append(one)
    edited: list[tuple[int, bytes]] = []
    for message_id, event_type, body in _bodies(list(by_message)):
        event = strict_json.parse(body)
        assert isinstance(event, dict)
        if not isinstance(event.get("data"), dict):
            event["data"] = {}
        for one in by_message[message_id]:
            for name, value in fields.items():
                for path in _paths(event["data"], event_type, one, name):
                    _put(event["data"], path, value, name)
        edited.append((message_id, strict_json.canonical(event)))
    _store(edited, by)
    return len(edited)


def _paths(data: dict[str, Any], event_type: str, wrong: Wrong, name: str) -> list[Path]:
    if name.startswith("/"):
        return [_path(name)]
    found = _path(wrong.pointer)
    if found and found[-1] == name:
        return [found]
    listed: list[Path] = [
        (key, index, name)
        for key, lines in data.items()
        if isinstance(lines, list)
        for index, line in enumerate(lines)
        if isinstance(line, dict) and line.get(name) == wrong.value
    ]
    if listed and not wrong.line:
        return listed
    if wrong.line and isinstance(data.get("lines"), list):
        labels = line_labels(data["lines"])
        if wrong.line in labels and name in _known(event_type, line=True):
            return [("lines", labels.index(wrong.line), name)]
    return [(name,)]


def _known(event_type: str, *, line: bool) -> Mapping[str, Any]:
    properties: dict[str, Any] = shapes.documents()[event_type]["properties"]
    if not line:
        return properties
    found: dict[str, Any] = properties.get("lines", {}).get("items", {}).get("properties", {})
    return found


def _path(pointer: str) -> Path:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:] if part]
    return tuple(int(part) if part.isascii() and part.isdigit() and len(part) <= 9 else part for part in parts)


def _put(data: Any, path: Path, value: Any, name: str) -> None:
    here = data
    try:
        for part in path[:-1]:
            here = here[part]
        if value is None and isinstance(here, dict):
            here.pop(path[-1], None)
        else:
            here[path[-1]] = value
    except (KeyError, IndexError, TypeError) as error:
        raise Problem(
            400,
            "invalid",
            f"{name[:100]} is no place in this message; name a field, or a JSON pointer into data (/lines/0/uom).",
            [FieldError("invalid", "no such place in the message", f"/{name[:100]}")],
        ) from error


def _bodies(ids: list[int]) -> list[tuple[int, str, bytes]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.id, m.type, coalesce(r.corrected, r.body) FROM sources_inboxmessage m"
            " JOIN sources_rawmessage r ON r.message_id = m.id WHERE m.id = ANY(%s) ORDER BY m.id FOR UPDATE OF r",
            [ids],
        )
        return [(message_id, event_type, bytes(body)) for message_id, event_type, body in cursor.fetchall()]


def _store(edited: Sequence[tuple[int, bytes]], by: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sources_rawmessage r SET corrected = g.corrected, corrected_by = %s"
            " FROM unnest(%s::int8[], %s::bytea[]) AS g (message_id, corrected) WHERE r.message_id = g.message_id",
            [by[:200], [message_id for message_id, _ in edited], [corrected for _, corrected in edited]],
        )


def discard(ids: Sequence[int], by: str) -> int:
    """End messages without applying them; how many."""
    change = [{"kind": "discarded", "subject": "message", "change": f"by {by}", "generation": None}]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sources_inboxmessage SET state = 'ignored', due_at = NULL, finished_at = sync_now(), effects = %s"
            " WHERE id = ANY(%s) AND state IN ('pending', 'blocked', 'quarantined')",
            [json.dumps(change), list(ids)],
        )
        return int(cursor.rowcount)
