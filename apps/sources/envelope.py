"""What makes a JSON object an event of ours: its CloudEvents attributes, judged without reading `data`."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

MISSING_ATTRIBUTE = "MISSING_ATTRIBUTE"
UNKNOWN_SOURCE = "UNKNOWN_SOURCE"
UNSUPPORTED_TYPE = "UNSUPPORTED_TYPE"
PAYLOAD_CONFLICT = "PAYLOAD_CONFLICT"

_SOURCE = re.compile(r"[A-Za-z0-9._-]{1,100}")
_TIME = re.compile(
    r"(?:19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_SEQUENCE = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """The attributes of one accepted event."""

    source: str
    id: str
    type: str
    happened_at: datetime
    subject: str
    sequence: int | None
    stream: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an event is not taken: one of the four envelope codes, and what to do."""

    code: str
    detail: str


def read_envelope(event: object, routed: Collection[str], announced: Collection[str] = ()) -> Envelope | Refusal:
    """The envelope of a parsed event, or the first thing wrong with it.

    `routed` are the types this installation processes, `announced` those of the contract it does not take yet.
    An attribute that is null counts as absent (CloudEvents JSON format, 3.1).
    """
    if not isinstance(event, dict):
        return Refusal(MISSING_ATTRIBUTE, f"This element is {_kind(event)}; send each event as a JSON object.")
    refusal = _refuse_identity(event) or _refuse_type(event["type"], routed, announced)
    if refusal is not None:
        return refusal
    happened_at = _instant(event["time"])
    if happened_at is None:
        return Refusal(
            MISSING_ATTRIBUTE,
            f"time is {_shown(event['time'])}; send an instant of the years 1900 to 2999 with its offset, "
            "such as 2026-01-31T12:00:00Z.",
        )
    subject, stream, sequence = event.get("subject"), event.get("stream"), event.get("sequence")
    refusal = _refuse_optional(subject, stream, sequence)
    if refusal is not None:
        return refusal
    return Envelope(
        source=event["source"],
        id=event["id"],
        type=event["type"],
        happened_at=happened_at,
        subject=subject or "",
        sequence=None if sequence is None else int(sequence),
        stream=stream or "",
    )


def claimed_identity(event: object) -> tuple[str, str | None]:
    """The source and id an event says it has, however wrong the rest is."""
    if not isinstance(event, dict):
        return "", None
    source, event_id = event.get("source"), event.get("id")
    return source if isinstance(source, str) else "", event_id if isinstance(event_id, str) else None


def _refuse_identity(event: dict[str, object]) -> Refusal | None:
    for name in ("id", "source", "type", "time", "specversion"):
        value = event.get(name)
        if value is None or value == "":
            return Refusal(MISSING_ATTRIBUTE, f"The attribute {name} is missing; add it (it is required).")
        if not isinstance(value, str):
            return Refusal(MISSING_ATTRIBUTE, f"The attribute {name} is {_kind(value)}; send it as a string.")
    event_id, source = str(event["id"]), str(event["source"])
    if len(event_id) > 200:
        return Refusal(MISSING_ATTRIBUTE, f"id has {len(event_id)} characters; send at most 200.")
    if not event_id.isprintable():
        return Refusal(MISSING_ATTRIBUTE, f"id {_shown(event_id)} has control characters; send printable ones.")
    if event["specversion"] != "1.0":
        return Refusal(MISSING_ATTRIBUTE, f'specversion is {_shown(event["specversion"])}; send "1.0".')
    if not _SOURCE.fullmatch(source):
        return Refusal(
            UNKNOWN_SOURCE,
            f"source is {_shown(source)}; send the source's code: 1 to 100 letters, digits, '.', '-' or '_', no URI.",
        )
    return None


def _refuse_type(type_: str, routed: Collection[str], announced: Collection[str]) -> Refusal | None:
    if type_ in routed:
        return None
    if type_ in announced:
        return Refusal(
            UNSUPPORTED_TYPE,
            f"This installation does not take {type_} yet; keep the event and send it once the type is supported.",
        )
    nearest = get_close_matches(type_, [*routed, *announced], n=1)
    hint = f" Did you mean {nearest[0]}?" if nearest else ""
    return Refusal(
        UNSUPPORTED_TYPE,
        f"Nobody knows the type {_shown(type_)}; the types and their schemas are at /api/v1/schema/events/.{hint}",
    )


def _refuse_optional(subject: object, stream: object, sequence: object) -> Refusal | None:
    for name, value, limit in (("subject", subject, 200), ("stream", stream, 100)):
        if value is not None and (not isinstance(value, str) or len(value) > limit):
            return Refusal(
                MISSING_ATTRIBUTE, f"{name} is {_shown(value)}; send a string of at most {limit} characters or omit it."
            )
    if sequence is not None and (not isinstance(sequence, str) or not _SEQUENCE.fullmatch(sequence)):
        return Refusal(
            MISSING_ATTRIBUTE,
            f'sequence is {_shown(sequence)}; send an integer of at most 18 digits written as a string, such as "42".',
        )
    return None


def _instant(text: str) -> datetime | None:
    if not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _shown(value: object) -> str:
    if isinstance(value, str):
        return '"' + value[:60].encode("unicode_escape").decode() + ('…"' if len(value) > 60 else '"')
    return _kind(value)
