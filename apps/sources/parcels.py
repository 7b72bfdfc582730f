"""From rows to events: one event a row, one event a code, or one counted snapshot in parts."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import orjson

from apps.lib.quantity import plain
from apps.sources.mapping import Rules, Translator
from apps.sources.mapping_functions import MappingError
from apps.sources.shapes import MAPPING_ERROR

LINES_PER_PART: Final = 1_000

Rows = Callable[[], Iterator[dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Feed:
    """A saved mapping, as the import needs it. `grouping` as in docs/mappings.md."""

    source: str
    name: str
    rules: Rules
    grouping: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Parcel:
    """One event and how many rows of the file it stands for; no event: the rows are ignored by the mapping."""

    event: dict[str, Any] | None
    rows: int


def parcels(feed: Feed, rows: Rows) -> Iterator[Parcel]:
    """Every row of the file in exactly one parcel. `rows` is called once, or twice where rows are gathered."""
    if "take" in feed.grouping:
        return _one_per_key(feed, rows)
    if "snapshot" in feed.grouping:
        return _snapshot(feed, rows)
    return _one_per_row(feed, rows)


def event_id(feed: Feed, content: object, occurrence: int) -> str:
    """Hash of mapping, content and the nth occurrence of that content: the same file again is all duplicates,
    a corrected row is new, a repeated line counts."""
    text = orjson.dumps([feed.source, feed.name, content, occurrence], option=orjson.OPT_SORT_KEYS)
    return f"{feed.name}-{hashlib.sha256(text).hexdigest()[:40]}"


class _Occurrences:
    """How often each content has come so far; 16 bytes a row, whatever its length."""

    def __init__(self) -> None:
        self._seen: Counter[bytes] = Counter()

    def next(self, row: dict[str, str]) -> int:
        digest = hashlib.blake2b(orjson.dumps(row, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()
        self._seen[digest] += 1
        return self._seen[digest]


def _one_per_row(feed: Feed, rows: Rows) -> Iterator[Parcel]:
    translator, occurrences = Translator(feed.rules), _Occurrences()
    for row in rows():
        nth = occurrences.next(row)
        try:
            taken = translator.takes(row)
            event = _event(feed, event_id(feed, row, nth), translator, translator.data()) if taken else None
        except MappingError as error:
            event = _unmapped(feed, event_id(feed, row, nth), row, str(error))
        yield Parcel(event, 1)


def _one_per_key(feed: Feed, rows: Rows) -> Iterator[Parcel]:
    """One event a key, from the first row with the key's most frequent value of a column; the rest are ignored."""
    chosen = _most_frequent(feed, rows)
    keys, column = Translator(_key_rules(feed)), feed.grouping["of"]
    translator = Translator(feed.rules)
    for row in rows():
        if not keys.takes(row):
            yield Parcel(None, 1)
            continue
        key = str(keys.data()["key"])
        if chosen.get(key) != row[column]:
            yield Parcel(None, 1)
            continue
        del chosen[key]
        translator.takes(row)
        event = _event(feed, event_id(feed, row, 1), translator, translator.data())
        yield Parcel(event, 1)


def _most_frequent(feed: Feed, rows: Rows) -> dict[str, str]:
    keys, column = Translator(_key_rules(feed)), feed.grouping["of"]
    counts: dict[str, Counter[str]] = {}
    for row in rows():
        if keys.takes(row):
            counts.setdefault(str(keys.data()["key"]), Counter())[row[column]] += 1
    # An empty text names nothing; it wins only where there is no other.
    return {key: max(seen, key=lambda text: (text.strip() != "", seen[text])) for key, seen in counts.items()}


def _key_rules(feed: Feed) -> Rules:
    return Rules(
        feed.rules.event_type,
        {"key": feed.grouping["take"]},
        row_filter=feed.rules.row_filter,
        time_zone=feed.rules.time_zone,
        tables=feed.rules.tables,
    )


def _snapshot(feed: Feed, rows: Rows) -> Iterator[Parcel]:
    """One count in parts of LINES_PER_PART lines, under an id that is the hash of all it holds."""
    lines: list[tuple[dict[str, Any], int]] = []
    instants: list[str] = []
    ignored = 0
    translator = Translator(feed.rules)
    for row in rows():
        if not translator.takes(row):
            ignored += 1
            continue
        lines.append((translator.data(), 1))
        instants.append(str(translator.envelope()["time"]))
    if ignored:
        yield Parcel(None, ignored)
    if lines:
        yield from _parts(feed, _summed(lines) if feed.grouping.get("sum") else lines, _as_of(feed, instants))


def _parts(feed: Feed, lines: list[tuple[dict[str, Any], int]], as_of: str) -> Iterator[Parcel]:
    snapshot = event_id(feed, [line for line, _ in lines], 1)
    complete = feed.grouping["snapshot"] == "complete"
    parts = -(-len(lines) // LINES_PER_PART)
    for part in range(parts):
        chunk = lines[part * LINES_PER_PART : (part + 1) * LINES_PER_PART]
        data: dict[str, Any] = {
            "snapshot": snapshot,
            "part": part + 1,
            "parts": parts,
            "rows": len(lines),
            "as_of": as_of,
            "complete": complete,
            "lines": [line for line, _ in chunk],
        }
        if complete:
            data["warehouses"] = sorted({line["warehouse"] for line, _ in lines})
        event = {**_bare(feed, f"{snapshot}-{part + 1}"), "time": as_of, "data": data}
        yield Parcel(event, sum(count for _, count in chunk))


def _summed(lines: list[tuple[dict[str, Any], int]]) -> list[tuple[dict[str, Any], int]]:
    """One line for each (sku, warehouse, uom): the sum of its quantities."""
    sums: dict[tuple[str, str, str], tuple[Decimal, int]] = {}
    for line, count in lines:
        key = (line["sku"], line["warehouse"], line["uom"])
        total, rows = sums.get(key, (Decimal(0), 0))
        sums[key] = (total + Decimal(line["quantity"]), rows + count)
    return [
        ({"sku": sku, "warehouse": warehouse, "uom": uom, "quantity": plain(total)}, rows)
        for (sku, warehouse, uom), (total, rows) in sums.items()
    ]


def _as_of(feed: Feed, instants: list[str]) -> str:
    """When the count holds: with its newest row, or just before its oldest one (an opening balance)."""
    if feed.grouping.get("as_of") == "before_first":
        first = datetime.fromisoformat(min(instants)) - timedelta(seconds=1)
        return first.isoformat().replace("+00:00", "Z")
    return max(instants)


def _event(feed: Feed, identity: str, translator: Translator, data: dict[str, Any]) -> dict[str, Any]:
    return {**_bare(feed, identity), **translator.envelope(), "data": data}


def _bare(feed: Feed, identity: str) -> dict[str, Any]:
    return {"specversion": "1.0", "id": identity, "source": feed.source, "type": feed.rules.event_type}


def _unmapped(feed: Feed, identity: str, row: dict[str, str], why: str) -> dict[str, Any]:
    """A row the mapping cannot read still becomes an event, so that it waits in the queue instead of vanishing."""
    time = "1970-01-01T00:00:00Z"
    return {**_bare(feed, identity), "time": time, "data": {"unmapped_row": row, MAPPING_ERROR: why}}
