"""The ERP and the WMS against a real HTTP receiver standing where the console stands."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from apps.integrations.sandbox.server import Sandbox

from .conftest import NO_AUTHORITIES

http = httpx2.Client(timeout=10, verify=NO_AUTHORITIES)


class Receiver:
    """Takes events and answers with the statuses it was told, then 202."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.bodies.append(body)
                receiver.headers.append({"path": self.path, **dict(self.headers.items())})
                status = receiver.statuses.pop(0) if receiver.statuses else 202
                count = len(body) if isinstance(body, list) else 1
                answer = json.dumps({"accepted": count, "duplicates": 0, "rejected": []}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def ids(self) -> list[str]:
        """Ids of all events that arrived, in order of arrival."""
        events = [event for body in self.bodies for event in (body if isinstance(body, list) else [body])]
        return [event["id"] for event in events]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.close()


@pytest.fixture
def linked(tmp_path: Path, receiver: Receiver) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "sandbox", console_url=receiver.url, api_key="prefix.secret") as running:
        yield running


def emit(base: str, *numbers: int) -> dict[str, Any]:
    events = [{"type": "stock.moved", "id": f"e{number}", "data": {"n": number}} for number in numbers]
    answer = http.post(f"{base}/emit", json=events[0] if len(events) == 1 else events)
    assert answer.status_code in (200, 202), answer.text
    return dict(answer.json())


def fault(base: str, *faults: dict[str, Any]) -> None:
    assert http.put(f"{base}/faults", json=list(faults)).status_code == 200


def state(base: str) -> dict[str, Any]:
    return dict(http.get(f"{base}/state").json())


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread's work; the bound only ends a run that is broken."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_event_is_wrapped_and_the_consoles_answer_comes_back(linked: Sandbox, receiver: Receiver) -> None:
    asked = {"type": "stock.moved", "data": {"sku": "A", "quantity": "3"}, "subject": "A"}
    answer = http.post(f"{linked.erp}/emit", json=asked)
    body = answer.json()
    assert (answer.status_code, body["accepted"], body["status"], body["delivered"]) == (200, 1, 202, True)
    event = receiver.bodies[0]
    assert event["id"] == body["id"]
    assert (event["specversion"], event["source"], event["type"], event["sequence"], event["subject"]) == (
        "1.0",
        "erp",
        "stock.moved",
        "1",
        "A",
    )
    assert event["data"] == {"sku": "A", "quantity": "3"}
    assert event["time"].endswith("Z")
    sent = receiver.headers[0]
    assert (sent["path"], sent["Authorization"]) == ("/api/v1/events", "Bearer prefix.secret")
    assert sent["Content-Type"] == "application/cloudevents+json"


def test_list_is_one_batch_with_rising_sequence_and_each_system_counts_alone(
    linked: Sandbox, receiver: Receiver
) -> None:
    assert emit(linked.wms, 1, 2, 3)["sequences"] == ["1", "2", "3"]
    assert emit(linked.erp, 4)["sequences"] == ["1"]
    assert [event["source"] for event in receiver.bodies[0]] == ["wms"] * 3
    assert receiver.headers[0]["Content-Type"] == "application/cloudevents-batch+json"


def test_given_attributes_are_kept_and_the_count_goes_on_from_them(linked: Sandbox, receiver: Receiver) -> None:
    given = {"type": "t", "data": None, "id": "mine", "sequence": 50, "time": "2024-05-01T00:00:00Z"}
    assert http.post(f"{linked.erp}/emit", json=given).json()["ids"] == ["mine"]
    assert emit(linked.erp, 1)["sequences"] == ["51"]
    event = receiver.bodies[0]
    assert (event["sequence"], event["time"], event["data"]) == ("50", "2024-05-01T00:00:00Z", None)


def test_silence_keeps_events_until_it_is_over(linked: Sandbox, receiver: Receiver) -> None:
    fault(linked.erp, {"kind": "silent"})
    held = emit(linked.erp, 1)
    assert (held["held"], held["delivered"], held["status"]) == (True, False, None)
    emit(linked.erp, 2)
    assert (state(linked.erp)["outbox"], receiver.ids) == (2, [])
    fault(linked.erp)
    until(lambda: state(linked.erp)["outbox"] == 0)
    assert receiver.ids == ["e1", "e2"]
    assert state(linked.erp)["sent"] == 2


def test_silence_ends_by_itself(linked: Sandbox, receiver: Receiver) -> None:
    fault(linked.erp, {"kind": "silent", "seconds": 0.1})
    emit(linked.erp, 1)
    until(lambda: receiver.ids == ["e1"])


def test_shuffle_delivers_all_in_another_order(linked: Sandbox, receiver: Receiver) -> None:
    fault(linked.erp, {"kind": "shuffle"}, {"kind": "duplicate"})
    for number in range(6):
        emit(linked.erp, number)
    assert receiver.ids == []
    fault(linked.erp)
    until(lambda: state(linked.erp)["outbox"] == 0)
    asked = [f"e{number}" for number in range(6) for _ in range(2)]
    assert sorted(receiver.ids) == asked
    assert receiver.ids != asked
    assert emit(linked.erp, 7)["delivered"] is True


def test_duplicate_sends_each_twice(linked: Sandbox, receiver: Receiver) -> None:
    fault(linked.erp, {"kind": "duplicate"})
    assert emit(linked.erp, 1, 2)["accepted"] == 2
    until(lambda: state(linked.erp)["outbox"] == 0)
    assert receiver.ids == ["e1", "e2", "e1", "e2"]
    assert receiver.bodies[0] == receiver.bodies[1]


def test_failed_delivery_is_retried_in_order(linked: Sandbox, receiver: Receiver) -> None:
    receiver.statuses = [503]
    failed = emit(linked.erp, 1)
    assert (failed["status"], failed["delivered"], failed["held"]) == (503, False, False)
    until(lambda: state(linked.erp)["outbox"] == 0)
    assert receiver.ids == ["e1", "e1"]


def test_what_cannot_heal_is_not_sent_again(linked: Sandbox, receiver: Receiver) -> None:
    receiver.statuses = [400]
    assert (emit(linked.erp, 1)["status"], state(linked.erp)["outbox"]) == (400, 0)
    assert state(linked.erp)["refused"][0]["ids"] == ["e1"]
    assert emit(linked.erp, 2)["delivered"] is True
    assert receiver.ids == ["e1", "e2"]


def test_console_may_be_named_later(tmp_path: Path, receiver: Receiver) -> None:
    with Sandbox(tmp_path) as sandbox:
        assert emit(sandbox.wms, 1)["delivered"] is False
        named = http.put(f"{sandbox.wms}/console", json={"url": receiver.url, "api_key": "k.s"})
        assert named.json() == {"url": receiver.url}
        until(lambda: receiver.ids == ["e1"])
        assert receiver.headers[0]["Authorization"] == "Bearer k.s"
    assert "k.s" not in (tmp_path / "wms.json").read_text()


def test_outbox_and_sequence_survive_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    with Sandbox(tmp_path, console_url=receiver.url) as sandbox:
        fault(sandbox.erp, {"kind": "silent"})
        emit(sandbox.erp, 1, 2)
    assert receiver.ids == []
    with Sandbox(tmp_path, console_url=receiver.url) as sandbox:
        until(lambda: receiver.ids == ["e1", "e2"])
        assert emit(sandbox.erp, 3)["sequences"] == ["3"]


def test_sequence_never_falls_after_a_kill(tmp_path: Path, receiver: Receiver) -> None:
    (tmp_path / "erp.json").write_text('{"sequence": 7, "sent": 7, "closed": false, "outbox": []}')
    with Sandbox(tmp_path, console_url=receiver.url) as sandbox:
        assert emit(sandbox.erp, 1)["sequences"] == ["100008"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("emit", {"data": {}}, "[0].type"),
        ("emit", [{"type": "t", "data": {}}, {"type": "t"}], "[1].data"),
        ("emit", {"type": "t", "data": {}, "source": "x"}, "[0].source"),
        ("emit", {"type": "t", "data": {}, "sequence": "one"}, "[0].sequence"),
        ("faults", [{"kind": "loud"}], "[0].kind"),
        ("faults", [{"kind": "silent", "seconds": "8h"}], "[0].seconds"),
        ("console", {"url": "ftp://x"}, "url"),
    ],
)
def test_wrong_request_is_named_and_sends_nothing(
    linked: Sandbox, receiver: Receiver, path: str, body: Any, field: str
) -> None:
    answer = http.request("POST" if path == "emit" else "PUT", f"{linked.erp}/{path}", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)
    assert (receiver.ids, state(linked.erp)["outbox"], state(linked.erp)["sequence"]) == ([], 0, "0")
