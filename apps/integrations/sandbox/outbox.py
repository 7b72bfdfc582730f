"""The outbox of a simulated ERP or WMS: events wait here until the console has taken them."""

from __future__ import annotations

import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .wire import error_answer, refuse

BATCH_LIMIT = 10_000
DELIVERY_TIMEOUT_S = 15.0
ANSWER_LIMIT = 4 * 1024 * 1024
# A console that refuses the whole request will refuse it again: only these heal by waiting.
HEALING = frozenset({401, 403, 404, 408, 409, 425, 429})
KINDS = ("silent", "shuffle", "duplicate")
Event = dict[str, Any]


@dataclass
class Emission:
    """Events handed over together, and the console's answer once there is one."""

    events: list[Event]
    shuffle: bool = False  # held back to be delivered in another order
    answer: ConsoleAnswer | None = None


@dataclass(frozen=True)
class ConsoleAnswer:
    """What the console said, or why it could not be reached (status None)."""

    status: int | None
    body: Any

    @property
    def settled(self) -> bool:
        """Whether sending again would change nothing."""
        if self.status is None:
            return False
        return self.status < 500 and self.status not in HEALING and not 300 <= self.status < 400

    @property
    def taken(self) -> bool:
        """Whether the console has the events now."""
        return self.status is not None and 200 <= self.status < 300


class Faults:
    """silent, shuffle and duplicate of one upstream system, with their ends."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends: dict[str, float | None] = {}

    def replace(self, document: object) -> None:
        """Put this list in place of the present one; Refused (400) when any of it is wrong."""
        if not isinstance(document, list):
            refuse(400, None, "invalid", "Faults are a list: [{kind, seconds?}].")
        self._ends = dict(self._read(entry, index) for index, entry in enumerate(document))

    def active(self, kind: str) -> bool:
        """Whether a fault of this kind goes on."""
        if kind not in self._ends:
            return False
        end = self._ends[kind]
        return end is None or self._clock() < end

    def holding(self) -> bool:
        """Whether events are to be kept back."""
        return self.active("silent") or self.active("shuffle")

    def describe(self) -> list[dict[str, Any]]:
        """The faults that go on, with the seconds that are left."""
        now = self._clock()
        return [
            {"kind": kind, "seconds_left": None if end is None else round(end - now, 3)}
            for kind, end in self._ends.items()
            if self.active(kind)
        ]

    def _read(self, entry: object, index: int) -> tuple[str, float | None]:
        if not isinstance(entry, dict) or set(entry) - {"kind", "seconds"}:
            refuse(400, f"[{index}]", "invalid", f"[{index}] is {entry!r}: a fault is {{kind, seconds?}}.")
        kind, seconds = entry.get("kind"), entry.get("seconds")
        if kind not in KINDS:
            refuse(400, f"[{index}].kind", "unknown_kind", f"kind is {kind!r}: one of {', '.join(KINDS)}.")
        if seconds is None:
            return str(kind), None
        if isinstance(seconds, bool | str) or not 0 <= seconds <= 86_400:
            refuse(400, f"[{index}].seconds", "invalid", f"seconds is {seconds!r}: a number from 0 to 86400.")
        return str(kind), self._clock() + float(seconds)


def shuffled(emissions: Iterable[Emission]) -> list[Emission]:
    """The same events, singly, in another order than they came in."""
    before = [event for emission in emissions for event in emission.events]
    after = list(before)
    while len({event["id"] for event in before}) > 1 and after == before:
        random.shuffle(after)
    return [Emission([event]) for event in after]


def next_batch(outbox: list[Emission]) -> list[Emission]:
    """The emissions at the head that fit into one request; an event never twice in one."""
    batch: list[Emission] = []
    seen: set[str] = set()
    for emission in outbox:
        ids = {str(event["id"]) for event in emission.events}
        if batch and (ids & seen or len(seen) + len(ids) > BATCH_LIMIT):
            break
        batch.append(emission)
        seen |= ids
    return batch


def _plain_opener() -> urllib.request.OpenerDirector:
    """HTTP and HTTPS only: no proxy of the environment, no redirects, no files."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    return opener


_opener = _plain_opener()


def post_events(console_url: str, api_key: str, events: list[Event]) -> ConsoleAnswer:
    """POST events to the console; a lone one goes as an object, several as a batch."""
    kind = "cloudevents" if len(events) == 1 else "cloudevents-batch"
    document: object = events[0] if len(events) == 1 else events
    request = urllib.request.Request(  # noqa: S310 (the opener knows http and https only)
        f"{console_url.rstrip('/')}/api/v1/events",
        data=json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass"),
        headers={"Content-Type": f"application/{kind}+json", "Authorization": f"Bearer {api_key}"},
        method="POST",
    )
    try:
        with _opener.open(request, timeout=DELIVERY_TIMEOUT_S) as response:
            if response is None:
                raise ValueError(f"{console_url} is not an http address")
            return ConsoleAnswer(response.status, _readable(response.read(ANSWER_LIMIT)))
    except urllib.error.HTTPError as error:
        with error:
            return ConsoleAnswer(error.code, _readable(error.read(ANSWER_LIMIT)))
    except (OSError, ValueError) as error:
        return ConsoleAnswer(None, json.loads(error_answer(502, None, "unreachable", str(error)).body))


def _readable(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
