"""The connector for any channel that speaks JSON over HTTP; what it says and how it is understood is the form's."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import orjson

from apps.channels.connectors import (
    Access,
    Check,
    InvalidSettings,
    ItemOutcome,
    Outcome,
    Page,
    PushItem,
    ReadFailed,
    Shown,
)
from apps.integrations.jsonhttp.answers import all_of, judge, read_value, retry_after_s, spent_for_s, words
from apps.integrations.jsonhttp.form import Form, Write, parse
from apps.integrations.jsonhttp.templates import Unfit, at, filled, path_filled, placeholders, text_at
from apps.lib.http import Client, OutcomeUnknown, OutgoingError, OutgoingRefused, Response, shared_client
from apps.lib.strict_json import MalformedJSON

WIDEST_BATCH = 1_000


def open_channel(access: Access) -> "JsonHttpConnector":
    """The connector of one channel, or InvalidSettings."""
    form = parse(access.settings)
    if form.auth.scheme != "none" and not access.credentials.get("secret"):
        raise InvalidSettings(("/auth", f"{form.auth.scheme} needs a secret: enter it under credentials"))
    return JsonHttpConnector(form, access.credentials.get("secret", ""), access.allow_private)


class JsonHttpConnector:
    """One channel, opened; see Connector for the contract."""

    def __init__(
        self, form: Form, secret: str, allow_private: tuple[str, ...], *, client: Client | None = None
    ) -> None:
        self.deadline_s = float(form.deadline_s)
        self.settles_after_s = float(form.settles_after_s)
        self._form = form
        self._client = client or shared_client(allow_private=allow_private, total_deadline_s=self.deadline_s)
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            **form.headers,
            **_authorization(form, secret),
        }

    def handles(self, kind: str) -> bool:
        return kind in self._form.kinds

    def readable(self, kind: str) -> bool:
        return self._form.read is not None and kind in self._form.read.kinds

    def sends_many(self, kind: str) -> bool:
        return kind in self._form.kinds and bool(self._form.kinds[kind].items)

    def reads_many(self, kind: str) -> int:
        read = self._form.read
        return read.many_limit if read is not None and read.many else 1

    def conditional(self, kind: str) -> bool:
        return kind in self._form.kinds and bool(self._form.kinds[kind].expect)

    def push(self, items: Sequence[PushItem], trace_id: str = "") -> list[ItemOutcome]:
        write = self._form.kinds[items[0].kind]
        if not write.items and len(items) > 1:
            return [outcome for item in items for outcome in self.push([item], trace_id)]
        try:
            body = orjson.dumps(_body(write, items[:WIDEST_BATCH]))
        except Unfit as unfit:
            return all_of(items, Outcome.REJECTED, None, f"{unfit}; correct the unit or the form.", code="UNFIT")
        try:
            response = self._sent(write, items[0], body, trace_id)
        except OutgoingRefused as refused:
            return all_of(items, Outcome.NOT_SENT, None, refused.detail)
        except OutcomeUnknown as unknown:
            return all_of(items, Outcome.UNKNOWN, None, unknown.detail)
        return judge(self._form, write, items, response)

    def read(self, kind: str, external_ids: Sequence[str]) -> list[Shown]:
        read = self._form.read
        if read is None or kind not in read.kinds:
            raise ReadFailed("This channel cannot be read back.")
        shown: list[Shown] = []
        if read.many:
            for start in range(0, len(external_ids), read.many_limit):
                codes = external_ids[start : start + read.many_limit]
                path = read.many.replace("{external_ids}", ",".join(quote(code, safe="") for code in codes))
                document = self._got(path)
                shown += self._named(kind, codes, self._rows(document))
        else:
            for code in external_ids:
                document = self._got(path_filled(read.one, {"external_id": code}), absent=404)
                shown += self._named(kind, [code], [] if document is None else [document], exact=True)
        return shown

    def read_page(self, cursor: str) -> Page:
        read = self._form.read
        if read is None or not read.page:
            raise ReadFailed("This channel cannot be read page by page.")
        document = self._got(read.page.replace("{cursor}", quote(cursor, safe="")))
        rows = self._rows(document)
        shown = tuple(one for kind in read.kinds for row in rows for one in [self._shown(kind, row)] if one)
        return Page(shown, text_at(document, read.next) or None)

    def check(self) -> Check:
        read = self._form.read
        if read is None:
            return Check(True, "The settings are complete; a write-only channel cannot be tried without writing.")
        try:
            if read.page:
                self._rows(self._got(read.page.replace("{cursor}", "")))
            else:
                self._got(path_filled(read.one or read.many.replace("{external_ids}", "0"), {"external_id": "0"}), 404)
        except ReadFailed as failed:
            return Check(False, failed.detail)
        return Check(True, "The channel answered and accepted the credentials.")

    def _sent(self, write: Write, first: PushItem, body: bytes, trace_id: str) -> Response:
        headers = dict(self._headers)
        if self._form.idempotency_header and not write.items:
            headers[self._form.idempotency_header] = first.idempotency_key
        if trace_id:
            headers["traceparent"] = f"00-{trace_id}-{trace_id[:16]}-01"
        path = path_filled(write.path, _places(first)) if not write.items else write.path
        return self._client.request(
            write.method, self._form.base_url + path, headers=headers, body=body, deadline_s=self.deadline_s
        )

    def _got(self, path: str, absent: int = 0) -> object:
        """The JSON at a path; None for the status `absent`; ReadFailed for all that proves nothing."""
        try:
            response = self._client.request(
                "GET", self._form.base_url + path, headers=self._headers, deadline_s=self.deadline_s
            )
        except OutgoingError as error:
            raise ReadFailed(error.detail) from error
        if absent and response.status == absent:
            return None
        try:
            document = response.json()
        except MalformedJSON as error:
            raise ReadFailed(
                f"HTTP {response.status}, and no JSON: {error.detail}"[:500], http_status=response.status
            ) from error
        said = words(document, self._form.errors)
        if response.status != 200 or str(said):
            wait_s = max(retry_after_s(response, self._form.retry_after_header), spent_for_s(self._form, response))
            raise ReadFailed(
                f"HTTP {response.status}: {said or 'no explanation'}",
                http_status=response.status,
                retry_after_s=wait_s if response.status == 429 else 0.0,
            )
        return document

    def _rows(self, document: object) -> list[object]:
        read = self._form.read
        assert read is not None
        rows = at(document, read.items) if read.items is not None else document
        if not isinstance(rows, list):
            raise ReadFailed(f"The answer has no list of listings at {read.items or 'its top'}.")
        return rows

    def _named(self, kind: str, codes: Sequence[str], rows: list[object], *, exact: bool = False) -> list[Shown]:
        """What was asked for, and only that; a single read that speaks of another listing proves nothing."""
        found = [one for row in rows for one in [self._shown(kind, row)] if one]
        wrong = [one.external_id for one in found if one.external_id not in codes]
        if wrong or (exact and len(found) != len(rows)):
            raise ReadFailed(f"Asked for {codes[0]}, the answer speaks of {wrong[0] if wrong else 'nothing'}.")
        seen = {one.external_id for one in found}
        return [*found, *(Shown(kind, code, "", None) for code in codes if code not in seen)]

    def _shown(self, kind: str, row: object) -> Shown | None:
        read = self._form.read
        assert read is not None
        code, reader = text_at(row, read.id), read.kinds[kind]
        if not code:
            return None
        return Shown(kind, code, text_at(row, read.location), read_value(row, reader.value), text_at(row, reader.token))


def _body(write: Write, items: Sequence[PushItem]) -> object:
    if not write.items:
        return {**write.envelope, **_item_body(write, items[0])}
    return {**write.envelope, write.items: [_item_body(write, item) for item in items]}


def _item_body(write: Write, item: PushItem) -> dict[str, Any]:
    """The item, with the expectation where all that it needs is known."""
    places = _places(item)
    body: dict[str, Any] = filled(write.item, places)
    if write.expect and all(places.get(name) for name in placeholders(write.expect)):
        body |= filled(write.expect, places)
    return body


def _places(item: PushItem) -> dict[str, str]:
    expected = {f"expected.{name}": value for name, value in (item.expected or {}).items()}
    return {
        **item.value,
        **expected,
        "external_id": item.external_id,
        "location": item.location,
        "version": str(item.version),
        "token": item.token,
        "idempotency_key": item.idempotency_key,
    }


def _authorization(form: Form, secret: str) -> Mapping[str, str]:
    auth = form.auth
    if auth.scheme == "bearer":
        return {"Authorization": f"Bearer {secret}"}
    if auth.scheme == "header":
        return {auth.name: secret}
    if auth.scheme == "basic":
        return {"Authorization": "Basic " + base64.b64encode(f"{auth.username}:{secret}".encode()).decode()}
    return {}
