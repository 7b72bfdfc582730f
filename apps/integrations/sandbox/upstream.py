"""The simulated ERP and WMS: they wrap what they are told as CloudEvents and get it to the console."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from .listings import utc_now
from .outbox import BATCH_LIMIT, ConsoleAnswer, Emission, Event, Faults, next_batch, post_events, shuffled
from .wire import JOIN_S, Answer, Request, error_answer, json_answer, refuse

EMIT_FIELDS = {"type", "data", "id", "sequence", "subject", "time", "stream", "traceparent"}
FIRST_RETRY_S = 0.5
LAST_RETRY_S = 30.0
TICK_S = 0.1
SEQUENCE_LEAP = 100_000
REFUSED_LIMIT = 100


class Upstream:
    """One upstream system: `/emit`, `/faults`, `/state`, `/console`."""

    def __init__(self, source: str, console_url: str | None, api_key: Callable[[], str]) -> None:
        self.source = source
        self.changed: Callable[[], None] = lambda: None
        self._console_url = console_url
        self._api_key = api_key
        self._faults = Faults()
        self._lock = threading.Lock()  # outbox, sequence, faults
        self._sending = threading.Lock()  # one delivery at a time keeps the order
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._outbox: list[Emission] = []
        self._sequence = 0
        self._sent = 0
        self._failures = 0
        self._retry_at = 0.0
        self._last_answer: dict[str, Any] | None = None
        self._refused: deque[dict[str, Any]] = deque(maxlen=REFUSED_LIMIT)
        self._courier = threading.Thread(target=self._deliver_forever, name=f"sandbox-{source}", daemon=True)
        self._routes: dict[tuple[str, tuple[str, ...]], Callable[[Request], Answer]] = {
            ("POST", ("emit",)): self._emit,
            ("PUT", ("faults",)): self._set_faults,
            ("PUT", ("console",)): self._set_console,
            ("GET", ("state",)): self._state,
        }

    def __call__(self, request: Request) -> Answer:
        """Serve one request."""
        route = self._routes.get((request.method, request.segments))
        if route is None:
            known = "POST /emit, PUT /faults, PUT /console, GET /state"
            return error_answer(404, None, "not_found", f"The {self.source} has {known}.")
        return route(request)

    def start(self) -> None:
        """Begin to deliver what is in the outbox."""
        self._courier.start()

    def stop(self) -> None:
        """Stop delivering; the outbox keeps what is left."""
        self._stopping.set()
        self._wanted.set()
        if self._courier.is_alive():
            self._courier.join(JOIN_S)
        self.changed()

    def snapshot(self) -> dict[str, Any]:
        """What survives a restart; never the key."""
        with self._lock:
            return {
                "sequence": self._sequence,
                "sent": self._sent,
                "closed": self._stopping.is_set(),
                "outbox": [{"events": one.events, "shuffle": one.shuffle} for one in self._outbox],
            }

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Take over what `snapshot` gave."""
        self._sequence = stored.get("sequence", 0)
        if stored and not stored["closed"]:
            # Killed: numbers given in the last moment were not written, and none may come twice.
            self._sequence += SEQUENCE_LEAP
        self._sent = stored.get("sent", 0)
        self._outbox = [Emission(one["events"], shuffle=one["shuffle"]) for one in stored.get("outbox", [])]

    def _emit(self, request: Request) -> Answer:
        document = _passed_through(request)
        asked = document if isinstance(document, list) else [document]
        if not 1 <= len(asked) <= BATCH_LIMIT:
            refuse(413, None, "too_many", f"{len(asked)} events: 1 to {BATCH_LIMIT} in one call.")
        checked = [_event_asked(entry, index) for index, entry in enumerate(asked)]
        with self._lock:
            events = [self._wrapped(entry) for entry in checked]
            shuffle = self._faults.active("shuffle")
            emission = Emission(events, shuffle)
            self._outbox.append(emission)
            if self._faults.active("duplicate"):
                self._outbox.append(Emission(events, shuffle))
        self.changed()
        self._flush(until=emission)
        return self._emitted(emission)

    def _emitted(self, emission: Emission) -> Answer:
        answer = emission.answer
        said: dict[str, Any] = answer.body if answer and isinstance(answer.body, dict) else {}
        ids = [event["id"] for event in emission.events]
        report = {
            **said,
            "id": ids[0],
            "ids": ids,
            "sequences": [event["sequence"] for event in emission.events],
            "status": answer.status if answer else None,
            "delivered": answer is not None and answer.taken,
            "held": answer is None,
        }
        return json_answer(200 if answer and answer.settled else 202, report)

    def _wrapped(self, asked: dict[str, Any]) -> Event:
        sequence = asked.get("sequence")
        self._sequence = self._sequence + 1 if sequence is None else max(self._sequence, int(sequence))
        event: Event = {
            "specversion": "1.0",
            "id": asked.get("id") or f"{self.source}-{uuid.uuid4().hex}",
            "source": self.source,
            "type": asked["type"],
            "time": asked.get("time") or utc_now(),
            "sequence": str(self._sequence if sequence is None else sequence),
            "datacontenttype": "application/json",
        }
        event.update({name: asked[name] for name in ("subject", "stream", "traceparent") if name in asked})
        return {**event, "data": asked["data"]}

    def _set_faults(self, request: Request) -> Answer:
        document = _passed_through(request)
        with self._lock:
            self._faults.replace(document)
            if self._faults.active("shuffle"):
                for emission in self._outbox:
                    emission.shuffle = True
            described = self._faults.describe()
        self._wanted.set()
        return json_answer(200, {"faults": described})

    def _set_console(self, request: Request) -> Answer:
        body = _passed_through(request)
        if not isinstance(body, dict) or set(body) - {"url", "api_key"}:
            refuse(400, None, "invalid", "An object with url, api_key or both is wanted.")
        url, key = body.get("url"), body.get("api_key")
        if url is not None and not (isinstance(url, str) and url.startswith(("http://", "https://"))):
            refuse(400, "url", "invalid", f"url is {url!r}: the console's http(s) address.")
        if key is not None and not (isinstance(key, str) and key.isascii() and key.isprintable()):
            refuse(400, "api_key", "invalid", "api_key is a text of printable ASCII.")
        with self._lock:
            self._console_url = url or self._console_url
            if key is not None:
                self._api_key = lambda: key
            self._failures = 0
        self._wanted.set()
        return json_answer(200, {"url": self._console_url})

    def _state(self, request: Request) -> Answer:
        with self._lock:
            return json_answer(
                200,
                {
                    "source": self.source,
                    "console": self._console_url,
                    "outbox": sum(len(emission.events) for emission in self._outbox),
                    "sent": self._sent,
                    "sequence": str(self._sequence),
                    "last_answer": self._last_answer,
                    "refused": list(self._refused),
                    "faults": self._faults.describe(),
                },
            )

    def _flush(self, until: Emission | None = None) -> None:
        """Deliver from the head until the outbox is empty, held or a delivery fails.

        An emit waits only for its own emission; what is behind it is the courier's."""
        with self._sending:
            while not self._stopping.is_set() and not (until and until.answer):
                batch = self._due()
                if not batch or not self._deliver(batch):
                    break
        self._wanted.set()

    def _due(self) -> list[Emission]:
        with self._lock:
            if self._faults.holding():
                return []
            if any(emission.shuffle for emission in self._outbox):
                last = [emission for emission in self._outbox if not emission.shuffle]
                self._outbox = shuffled(one for one in self._outbox if one.shuffle) + last
            return next_batch(self._outbox)

    def _deliver(self, batch: list[Emission]) -> bool:
        events = [event for emission in batch for event in emission.events]
        answer = self._posted(events)
        with self._lock:
            for emission in batch:
                emission.answer = answer
            self._last_answer = {"status": answer.status, "body": answer.body, "at": utc_now()}
            if answer.settled:
                del self._outbox[: len(batch)]
                self._failures = 0
            else:
                pause_s = min(LAST_RETRY_S, FIRST_RETRY_S * 2 ** min(self._failures, 10))
                self._retry_at = time.monotonic() + pause_s
                self._failures += 1
            if answer.taken:
                self._sent += len(events)
            elif answer.settled:
                ids = [event["id"] for event in events[:REFUSED_LIMIT]]
                self._refused.append({"ids": ids, **self._last_answer})
        self.changed()
        return answer.settled

    def _posted(self, events: list[Event]) -> ConsoleAnswer:
        with self._lock:
            url, key = self._console_url, self._api_key
        if not url:
            return ConsoleAnswer(None, {"detail": "No console yet: PUT /console {url, api_key}."})
        try:
            return post_events(url, key(), events)
        except OSError as error:
            return ConsoleAnswer(None, {"detail": f"The API key cannot be read: {error}."})

    def _deliver_forever(self) -> None:
        while not self._stopping.is_set():
            pause_s = self._pause()
            if pause_s == 0:
                self._flush()
                continue
            self._wanted.wait(pause_s)
            self._wanted.clear()

    def _pause(self) -> float | None:
        """Seconds until the courier has something to do; None where only an emit can bring it."""
        with self._lock:
            if not self._outbox:
                return None
            if self._faults.holding():
                return TICK_S
            return max(0.0, self._retry_at - time.monotonic()) if self._failures else 0.0


def _passed_through(request: Request) -> Any:
    """The body as it came: what is in `data` is the caller's, numbers are not touched by us."""
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError) as error:
        refuse(400, None, "malformed_json", f"The body is not valid JSON: {error}.")


def _event_asked(entry: object, index: int) -> dict[str, Any]:
    if not isinstance(entry, dict):
        refuse(400, f"[{index}]", "invalid", f"[{index}] is {entry!r}: an object with type and data.")
    unknown = sorted(set(entry) - EMIT_FIELDS)
    if unknown:
        refuse(400, f"[{index}].{unknown[0]}", "unknown_field", f"Known: {', '.join(sorted(EMIT_FIELDS))}.")
    if not isinstance(entry.get("type"), str) or not entry["type"]:
        refuse(400, f"[{index}].type", "invalid", f"type is {entry.get('type')!r}: an event type.")
    if "data" not in entry:
        refuse(400, f"[{index}].data", "invalid", "data is missing.")
    sequence = entry.get("sequence")
    if sequence is not None and not str(sequence).removeprefix("-").isdecimal():
        refuse(400, f"[{index}].sequence", "invalid", f"sequence is {sequence!r}: an integer.")
    return {name: value for name, value in entry.items() if value is not None or name == "data"}
