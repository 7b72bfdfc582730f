"""Faults on demand: which requests they strike, and what the struck request gets instead of its answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from .calls import Call, Row
from .wire import Answer, Delivery, Refused, error_answer, json_answer, refuse

KINDS = (
    "429",
    "500",
    "500_after_apply",
    "timeout",
    "timeout_after_apply",
    "reset",
    "half_batch",
    "wrong_id",
    "wrong_value",
    "html",
    "error_in_200",
    "huge",
    "slow",
    "unauthorized",
)
# What bends a change only makes sense on a change: a read-back in between must not use it up.
ON_WRITES = frozenset({"500_after_apply", "timeout_after_apply", "half_batch", "wrong_id", "wrong_value"})
# For these `seconds` is how long the answer takes; for all others how long the fault lasts.
HOLDING = {"timeout": 30.0, "timeout_after_apply": 30.0, "slow": 5.0}
FIELDS = frozenset({"kind", "times", "seconds", "retry_after", "listing", "on", "for_seconds"})
HUGE_BYTES = 21 * 1024 * 1024
FAULT_LIMIT = 100
MAX_SECONDS = 86_400


@dataclass
class Fault:
    """One fault as it was asked for, and what is left of it."""

    kind: str
    on: str
    times: int | None = None
    hold_s: float = 0.0
    until: float | None = None
    retry_after: int | None = None
    listing: str | None = None
    hits: int = 0
    asked: dict[str, Any] = field(default_factory=dict)

    def strikes(self, call: Call, now: float) -> bool:
        """Whether this request is one it was meant for."""
        if self.times is not None and self.hits >= self.times:
            return False
        if self.until is not None and now >= self.until:
            return False
        if self.on != "any" and (self.on == "write") != call.writes:
            return False
        return self.listing is None or self.listing in call.touched

    def meant(self, listing: str) -> bool:
        """Whether it bends this part of a struck request."""
        return self.listing is None or self.listing == listing


class FaultBoard:
    """The faults of one channel, first match first. The channel's lock guards it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._faults: list[Fault] = []

    def replace(self, document: object) -> None:
        """Put this list in place of the present one; Refused (400) when any of it is wrong."""
        if not isinstance(document, list):
            refuse(400, None, "invalid", "Faults are a list: [{kind, times?, seconds?, retry_after?, listing?}].")
        if len(document) > FAULT_LIMIT:
            refuse(400, None, "too_many", f"At most {FAULT_LIMIT} faults at once.")
        now = self._clock()
        self._faults = [read_fault(entry, index, now) for index, entry in enumerate(document)]

    def take(self, call: Call) -> Fault | None:
        """The fault that strikes this request, counted as one hit."""
        now = self._clock()
        for fault in self._faults:
            if fault.strikes(call, now):
                fault.hits += 1
                return fault
        return None

    def describe(self) -> list[dict[str, Any]]:
        """The faults with their hits and whether they are still active."""
        now = self._clock()
        return [{**fault.asked, "hits": fault.hits, "active": _lasts(fault, now)} for fault in self._faults]


def read_fault(entry: object, index: int, now: float) -> Fault:
    """One entry of PUT /faults; Refused (400) names the field, the rule and the value."""
    where = f"[{index}]"
    if not isinstance(entry, dict):
        refuse(400, where, "invalid", f"{where} is {entry!r}: a fault is an object with a kind.")
    unknown = sorted(set(entry) - FIELDS)
    if unknown:
        refuse(400, f"{where}.{unknown[0]}", "unknown_field", f"A fault has {', '.join(sorted(FIELDS))}.")
    kind = _kind(entry.get("kind"), where)
    seconds = _seconds(entry, "seconds", where)
    lifetime = _seconds(entry, "for_seconds", where)
    if kind not in HOLDING and lifetime is None:
        lifetime = seconds
    listing = entry.get("listing")
    if listing is not None and not isinstance(listing, str):
        refuse(400, f"{where}.listing", "invalid", f"listing is {listing!r}: give the listing's code.")
    on = entry.get("on") or ("write" if kind in ON_WRITES else "any")
    if on not in ("write", "read", "any"):
        refuse(400, f"{where}.on", "invalid", f"on is {on!r}: write, read or any.")
    return Fault(
        kind=kind,
        on=on,
        times=_count(entry, "times", where, least=1),
        hold_s=HOLDING.get(kind, 0.0) if seconds is None else seconds,
        until=None if lifetime is None else now + lifetime,
        retry_after=_count(entry, "retry_after", where, least=0),
        listing=listing,
        asked={**_as_asked(entry), "kind": kind, "on": on},
    )


def answer_under(fault: Fault | None, call: Call) -> Answer:
    """Carry out the call as the fault has it. Holding and dripping are left to the wire."""
    if fault is None:
        return _plainly(call)
    return _OUTCOMES[fault.kind](fault, call)


def _plainly(call: Call) -> Answer:
    return _rendered(call, range(len(call.touched)), lambda index: call.act(index, apply=True))


def _rendered(call: Call, indexes: Iterable[int], row: Callable[[int], Row]) -> Answer:
    try:
        return call.render([row(index) for index in indexes])
    except Refused as refused:
        return refused.answer


def _bent(fault: Fault, call: Call, bend: Callable[[Row], Row]) -> Answer:
    """A lie about the parts that are meant: they are not applied, the others are."""

    def row(index: int) -> Row:
        if fault.meant(call.touched[index]):
            return bend(call.act(index, apply=False))
        return call.act(index, apply=True)

    return _rendered(call, range(len(call.touched)), row)


def _too_many_requests(fault: Fault, call: Call) -> Answer:
    answer = error_answer(429, None, "too_many_requests", "Too many requests: slow down.")
    return _with_retry_after(fault, answer)


def _server_error(fault: Fault, call: Call) -> Answer:
    answer = error_answer(500, None, "internal_error", "Something went wrong on our side.")
    return _with_retry_after(fault, answer)


def _server_error_after_apply(fault: Fault, call: Call) -> Answer:
    _plainly(call)
    return _server_error(fault, call)


def _hold(fault: Fault, call: Call) -> Answer:
    return Answer(0, b"", delivery=Delivery.HOLD, seconds=fault.hold_s)


def _hold_after_apply(fault: Fault, call: Call) -> Answer:
    _plainly(call)
    return _hold(fault, call)


def _reset(fault: Fault, call: Call) -> Answer:
    return Answer(0, b"", delivery=Delivery.RESET)


def _half_batch(fault: Fault, call: Call) -> Answer:
    half = range(len(call.touched) // 2)
    return _rendered(call, half, lambda index: call.act(index, apply=True))


def _html(fault: Fault, call: Call) -> Answer:
    page = b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>Back soon</h1></body></html>"
    return Answer(200, page, content_type="text/html; charset=utf-8")


def _error_in_200(fault: Fault, call: Call) -> Answer:
    error = {"field": None, "code": "temporarily_unavailable", "message": "The change was not saved."}
    return json_answer(200, {"errors": [error]})


def _huge(fault: Fault, call: Call) -> Answer:
    answer = _plainly(call)
    separator = b"" if answer.body == b"{}" else b", "
    padding = separator + b'"padding": "' + b"x" * HUGE_BYTES + b'"}'
    return replace(answer, body=answer.body[:-1] + padding)


def _slow(fault: Fault, call: Call) -> Answer:
    return replace(_plainly(call), delivery=Delivery.DRIP, seconds=fault.hold_s)


def _unauthorized(fault: Fault, call: Call) -> Answer:
    answer = error_answer(401, None, "unauthorized", "The access token is not valid any more.")
    return answer.with_headers(("WWW-Authenticate", 'Bearer error="invalid_token"'))


_OUTCOMES: dict[str, Callable[[Fault, Call], Answer]] = {
    "429": _too_many_requests,
    "500": _server_error,
    "500_after_apply": _server_error_after_apply,
    "timeout": _hold,
    "timeout_after_apply": _hold_after_apply,
    "reset": _reset,
    "half_batch": _half_batch,
    "wrong_id": lambda fault, call: _bent(fault, call, call.misname),
    "wrong_value": lambda fault, call: _bent(fault, call, call.misstate),
    "html": _html,
    "error_in_200": _error_in_200,
    "huge": _huge,
    "slow": _slow,
    "unauthorized": _unauthorized,
}


def _with_retry_after(fault: Fault, answer: Answer) -> Answer:
    if fault.retry_after is None:
        return answer
    return answer.with_headers(("Retry-After", str(fault.retry_after)))


def _as_asked(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in entry.items()}


def _lasts(fault: Fault, now: float) -> bool:
    spent = fault.times is not None and fault.hits >= fault.times
    return not spent and (fault.until is None or now < fault.until)


def _kind(value: object, where: str, kinds: Sequence[str] = KINDS) -> str:
    kind = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if kind not in kinds:
        refuse(400, f"{where}.kind", "unknown_kind", f"kind is {value!r}: one of {', '.join(kinds)}.")
    return kind


def _seconds(entry: dict[str, Any], name: str, where: str) -> float | None:
    value = entry.get(name)
    if value is None:
        return None
    try:
        seconds = -1.0 if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = -1.0
    if not 0 <= seconds <= MAX_SECONDS:
        refuse(400, f"{where}.{name}", "invalid", f"{name} is {value!r}: a number from 0 to {MAX_SECONDS}.")
    return seconds


def _count(entry: dict[str, Any], name: str, where: str, *, least: int) -> int | None:
    value = entry.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        refuse(400, f"{where}.{name}", "invalid", f"{name} is {value!r}: a whole number, at least {least}.")
    return value
