"""What an answer proves about each item of a push. Whatever it does not prove is unknown."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from apps.channels.connectors import ItemOutcome, Outcome, PushItem, Value
from apps.channels.values import same
from apps.integrations.jsonhttp.form import Accept, Conflict, ErrorReader, Form, Reader, Write
from apps.integrations.jsonhttp.templates import MISSING, at, read_number, text_at
from apps.lib.http import Response
from apps.lib.strict_json import MalformedJSON

DETAIL_LIMIT = 1_000
UNIX_TIMES = 1_000_000_000  # a reset from here on is an instant, below it seconds to wait
# Refusals that say nothing about the item: asked again later, they may end otherwise.
TRANSIENT = frozenset({408, 421, 423, 425, 449})


@dataclass(frozen=True, slots=True)
class Words:
    """A refusal in the channel's own words."""

    code: str = ""
    field: str = ""
    message: str = ""

    def __str__(self) -> str:
        said = f"{self.code}: {self.message}" if self.code and self.message else self.code or self.message
        return f"{self.field}: {said}" if self.field and said else said


def judge(form: Form, write: Write, items: Sequence[PushItem], response: Response) -> list[ItemOutcome]:
    """The outcome of each item, in order, and for how long the channel is not to be called after it."""
    outcomes = _judge(form, write, items, response)
    spent_s = spent_for_s(form, response)
    return [replace(outcome, retry_after_s=max(outcome.retry_after_s, spent_s)) for outcome in outcomes]


def _judge(form: Form, write: Write, items: Sequence[PushItem], response: Response) -> list[ItemOutcome]:
    status = response.status
    if status == 429:
        wait_s = retry_after_s(response, form.retry_after_header)
        return all_of(items, Outcome.THROTTLED, status, "The channel asks us to slow down.", retry_after_s=wait_s)
    document = _document(response)
    if status in (401, 403):
        said = words(document, form.errors)
        detail = f"The channel does not accept our credentials ({said or status}); enter valid ones."
        return all_of(items, Outcome.REJECTED, status, detail, reason="CREDENTIALS_REJECTED", code=said.code)
    clash = _conflict(write, items, status, document)
    if clash is not None:
        return [clash]
    if 400 <= status < 500 and status not in TRANSIENT:
        said = words(document, form.errors)
        detail = str(said) or f"HTTP {status} without an explanation"
        return all_of(items, Outcome.REJECTED, status, detail, code=said.code or str(status), field=said.field)
    if not 200 <= status < 300:
        return all_of(items, Outcome.UNKNOWN, status, f"HTTP {status}: nobody knows whether it was applied.")
    return _accepted(form, write, items, status, document)


def all_of(
    items: Sequence[PushItem], outcome: Outcome, status: int | None, detail: str, **more: Any
) -> list[ItemOutcome]:
    """The same outcome for every item."""
    return [ItemOutcome(item.publication_id, outcome, status, detail[:DETAIL_LIMIT], **more) for item in items]


def words(document: object, errors: ErrorReader) -> Words:
    """The first error of an answer."""
    found = at(document, errors.list)
    entry = found[0] if isinstance(found, list) and found else found
    return Words(text_at(entry, errors.code), text_at(entry, errors.field), text_at(entry, errors.message)[:500])


def retry_after_s(response: Response, header: str) -> float:
    """Seconds of Retry-After; 0 where there is none (a date is taken as none: our own back-off is shorter)."""
    text = response.headers.get(header, "").strip()
    return float(min(int(text), 86_400)) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0


def spent_for_s(form: Form, response: Response) -> float:
    """Seconds until the channel grants requests again, where it says that none is left; else 0."""
    left = response.headers.get(form.remaining_header, "") if form.remaining_header else ""
    if not form.reset_header or left.strip() != "0":
        return 0.0
    reset_s = response.headers.get(form.reset_header, "").strip()
    if not (reset_s.isascii() and reset_s.isdigit() and len(reset_s) < 12):
        return 0.0
    seconds = float(reset_s) - time.time() if int(reset_s) >= UNIX_TIMES else float(reset_s)
    return min(max(0.0, seconds), 86_400.0)


def read_value(document: object, readers: Mapping[str, Reader]) -> Value | None:
    """The value at its pointers, or None where any part is missing, null or no such number."""
    value: dict[str, str] = {}
    for name in sorted(readers, reverse=True):  # the currency before the amount that needs it
        reader = readers[name]
        read = read_number(at(document, reader.at), reader.as_, value.get("currency", ""))
        if read is None:
            return None
        value[name] = read
    return value


def _document(response: Response) -> object:
    try:
        return response.json()
    except MalformedJSON:
        return MISSING


def _conflict(write: Write, items: Sequence[PushItem], status: int, document: object) -> ItemOutcome | None:
    """Compare-and-set failed, told about exactly this item; any other answer of that status is judged as usual."""
    rule = write.conflict
    if rule is None or status != rule.status or len(items) != 1 or text_at(document, rule.id) != items[0].external_id:
        return None
    shows, token = read_value(document, rule.value), text_at(document, rule.token)
    return ItemOutcome(
        items[0].publication_id, Outcome.CONFLICT, status, _clash_detail(rule, shows), shows=shows, token=token
    )


def _clash_detail(rule: Conflict, shows: Value | None) -> str:
    return f"The channel holds {dict(shows) if shows else 'nothing'}, not what we expected (HTTP {rule.status})."


def _accepted(form: Form, write: Write, items: Sequence[PushItem], status: int, document: object) -> list[ItemOutcome]:
    if not isinstance(document, dict):
        return all_of(items, Outcome.UNKNOWN, status, "The answer is no JSON object, so it acknowledges nothing.")
    errors = at(document, form.errors.list)
    if errors is not MISSING and errors:
        said = words(document, form.errors)
        return all_of(items, Outcome.UNKNOWN, status, f"HTTP {status} with errors: {said or 'without words'}")
    if write.accept.accepted:
        return _counted(write.accept, items, status, document)
    if write.accept.items is None:
        return (
            [_judged(write.accept, items[0], document, status)]
            if len(items) == 1
            else all_of(items, Outcome.UNKNOWN, status, "One answer for several items acknowledges none of them.")
        )
    return _listed(write.accept, items, status, at(document, write.accept.items))


def _listed(accept: Accept, items: Sequence[PushItem], status: int, rows: object) -> list[ItemOutcome]:
    """Each item by its own row; one that has none, or several, is unknown."""
    by_key: dict[tuple[str, str], list[object]] = {}
    for row in rows if isinstance(rows, list) else []:
        by_key.setdefault((text_at(row, accept.id), text_at(row, accept.location)), []).append(row)
    outcomes = []
    for item in items:
        found = by_key.get((item.external_id, item.location if accept.location else ""), [])
        if len(found) == 1:
            outcomes.append(_judged(accept, item, found[0], status))
        else:
            said = f"The answer names {item.external_id} {len(found)} times."
            outcomes += all_of([item], Outcome.UNKNOWN, status, said)
    return outcomes


def _judged(accept: Accept, item: PushItem, row: object, status: int) -> ItemOutcome:
    named = text_at(row, accept.id)
    if named != item.external_id:
        said = f"The answer speaks of {named or 'no item'}, not of {item.external_id}."
        return all_of([item], Outcome.UNKNOWN, status, said)[0]
    if accept.status:
        verdict = _verdict(accept, item, row, status)
        if verdict is not None:
            return verdict
    shows = read_value(row, accept.value)
    if shows is None or not same(item.value, shows):
        held = dict(shows) if shows else "no value"
        said = f"The answer for {item.external_id} holds {held}, {dict(item.value)} was sent."
        return all_of([item], Outcome.UNKNOWN, status, said)[0]
    return ItemOutcome(item.publication_id, Outcome.ACKNOWLEDGED, status, shows=shows, token=text_at(row, accept.token))


def _verdict(accept: Accept, item: PushItem, row: object, status: int) -> ItemOutcome | None:
    """The outcome where the row's status word is not one of success."""
    word = text_at(row, accept.status)
    if word in accept.applied:
        return None
    said = Words(text_at(row, accept.code), text_at(row, accept.field), text_at(row, accept.message)[:500])
    if word in accept.refused:
        return all_of([item], Outcome.REJECTED, status, str(said) or word, code=said.code or word, field=said.field)[0]
    return all_of([item], Outcome.UNKNOWN, status, f"status is {word!r}: neither applied nor refused. {said}")[0]


def _counted(accept: Accept, items: Sequence[PushItem], status: int, document: object) -> list[ItemOutcome]:
    """A channel that says how many it took and names the refused ones: only a count that adds up acknowledges."""
    accepted, rejected = at(document, accept.accepted), at(document, accept.rejected)
    rows = {text_at(row, accept.id): row for row in rejected} if isinstance(rejected, list) else {}
    sent = {item.external_id for item in items}
    if (
        isinstance(accepted, bool)
        or not isinstance(accepted, int)
        or accepted + len(rows) != len(sent)
        or set(rows) - sent
    ):
        said = f"{accepted!r} accepted and {len(rows)} refused do not make the {len(sent)} sent."
        return all_of(items, Outcome.UNKNOWN, status, said if accepted is not MISSING else "The answer counts nothing.")
    outcomes = []
    for item in items:
        row = rows.get(item.external_id)
        if row is None:
            outcomes.append(ItemOutcome(item.publication_id, Outcome.ACKNOWLEDGED, status))
            continue
        refusal = Words(text_at(row, accept.code), text_at(row, accept.field), text_at(row, accept.message)[:500])
        outcomes += all_of([item], Outcome.REJECTED, status, str(refusal), code=refusal.code, field=refusal.field)
    return outcomes
