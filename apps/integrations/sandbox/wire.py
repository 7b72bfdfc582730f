"""HTTP/1.1 as the sandbox speaks it: requests in, answers out, and the ways an answer can go wrong on the wire."""

from __future__ import annotations

import contextlib
import json
import logging
import select
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from email.message import Message
from enum import Enum
from http.server import BaseHTTPRequestHandler
from typing import NoReturn
from urllib.parse import parse_qs, unquote, urlsplit

logger = logging.getLogger("sandbox")

BODY_LIMIT = 32 * 1024 * 1024
CONNECTION_LIMIT = 256
IDLE_TIMEOUT_S = 120
DRIP_PARTS = 40
JOIN_S = 2.0
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Delivery(Enum):
    """How the bytes of an answer leave."""

    PLAIN = "plain"
    HOLD = "hold"  # nothing is sent; the connection closes after `seconds`
    RESET = "reset"  # nothing is sent; the peer sees RST
    DRIP = "drip"  # the body trickles out over `seconds`


@dataclass(frozen=True)
class Request:
    """One request; `segments` are percent-decoded one by one, so a code may contain a slash."""

    method: str
    target: str
    segments: tuple[str, ...]
    raw_query: str
    headers: Message
    body: bytes

    def argument(self, name: str) -> str | None:
        """The last value of a query argument, or None."""
        values = parse_qs(self.raw_query, keep_blank_values=True).get(name)
        return values[-1] if values else None

    def arguments(self, name: str) -> list[str]:
        """Every value of a repeatable query argument."""
        return parse_qs(self.raw_query, keep_blank_values=True).get(name, [])

    def document(self) -> object:
        """The body as JSON; numbers with a point become Decimal."""
        try:
            return json.loads(self.body, parse_float=Decimal, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            refuse(400, None, "malformed_json", f"The body is not valid JSON: {error}.")


@dataclass(frozen=True)
class Answer:
    """A status, a body and how both are delivered; status None where nothing is answered at all."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    delivery: Delivery = Delivery.PLAIN
    seconds: float = 0.0

    def with_headers(self, *headers: tuple[str, str]) -> Answer:
        """The same answer with more headers."""
        return replace(self, headers=(*self.headers, *headers))


Application = Callable[[Request], Answer]


class Refused(Exception):
    """Ends the handling of a request with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def json_answer(status: int, value: object, *headers: tuple[str, str]) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, json.dumps(value, ensure_ascii=False).encode(), headers)


def error_answer(status: int, field: str | None, code: str, message: str, **more: object) -> Answer:
    """An answer in the one error shape all simulated systems share."""
    return json_answer(status, {"errors": [{"field": field, "code": code, "message": message}], **more})


def refuse(status: int, field: str | None, code: str, message: str, **more: object) -> NoReturn:
    """Raise Refused with an error answer."""
    raise Refused(error_answer(status, field, code, message, **more))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Sandbox"
    sys_version = ""
    timeout = IDLE_TIMEOUT_S
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024
    error_content_type = "application/json"
    error_message_format = '{"errors": [{"field": null, "code": "bad_request", "message": "HTTP %(code)d"}]}'

    def __init__(
        self, connection: socket.socket, address: object, application: Application, stopping: threading.Event
    ) -> None:
        self._application = application
        self._stopping = stopping
        super().__init__(connection, address, None)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_") and name[3:] in METHODS:
            return self._exchange
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are kept by the channels, not printed."""

    def _exchange(self) -> None:
        body = self._read_body()
        if body is None:
            return
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            target=self.path,
            segments=tuple(unquote(part) for part in parts.path.split("/") if part),
            raw_query=parts.query,
            headers=self.headers,
            body=body,
        )
        try:
            answer = self._application(request)
        except Refused as refused:
            answer = refused.answer
        except Exception:
            logger.exception("sandbox failed on %s %s", request.method, request.target)
            answer = error_answer(500, None, "sandbox_bug", "The sandbox itself failed; see its log.")
        self._deliver(answer)

    def _read_body(self) -> bytes | None:
        if self.headers.get("Transfer-Encoding"):
            self._turn_away(error_answer(411, None, "length_required", "Send a Content-Length."))
            return None
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()):
            self._turn_away(error_answer(400, None, "bad_request", "Content-Length is not a number."))
            return None
        if int(length) > BODY_LIMIT:
            self._turn_away(error_answer(413, None, "too_large", f"At most {BODY_LIMIT} bytes."))
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return None
        return body

    def _turn_away(self, answer: Answer) -> None:
        """Answer without having read the body, then swallow some of it: closing at once would
        reset the connection and the client would lose the answer."""
        self.close_connection = True
        self._deliver(answer)
        try:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(0.5)
            deadline = time.monotonic() + JOIN_S
            while time.monotonic() < deadline and self.connection.recv(1 << 16):
                pass
        except OSError:
            return

    def _deliver(self, answer: Answer) -> None:
        if answer.delivery is Delivery.HOLD:
            self.close_connection = True
            self._hold(answer.seconds)
            return
        if answer.delivery is Delivery.RESET:
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if answer.delivery is Delivery.DRIP:
            self._drip(answer)
        else:
            self.wfile.write(answer.body)

    def _hold(self, seconds: float) -> None:
        """Keep silent until the time is over, the client is gone or the sandbox stops."""
        deadline = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return
        if self.connection.recv(1, socket.MSG_PEEK):
            self._stopping.wait(max(0.0, deadline - time.monotonic()))

    def _drip(self, answer: Answer) -> None:
        self.wfile.flush()
        parts = min(DRIP_PARTS, len(answer.body))
        size = -(-len(answer.body) // parts)
        for start in range(0, len(answer.body), size):
            if self._stopping.wait(answer.seconds / parts):
                self.close_connection = True
                return
            self.wfile.write(answer.body[start : start + size])
            self.wfile.flush()


class Gate:
    """All listening sockets of one sandbox behind one accepting thread, one thread per connection."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = socket.socketpair()
        self._selector.register(self._wake, selectors.EVENT_READ, None)
        self._listeners: list[socket.socket] = []
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._acceptor = threading.Thread(target=self._accept_all, name="sandbox-accept", daemon=True)

    def listen(self, application: Application, port: int | None) -> int:
        """Bind to 127.0.0.1, to `port` where it is free, else to any; returns the port."""
        listener = _bind(port)
        self._listeners.append(listener)
        self._selector.register(listener, selectors.EVENT_READ, application)
        return int(listener.getsockname()[1])

    def start(self) -> None:
        """Begin to accept."""
        self._acceptor.start()

    def stop(self) -> None:
        """Close everything; answers that were being held or dripped are cut off."""
        self._stopping.set()
        self._waker.send(b"x")
        if self._acceptor.is_alive():
            self._acceptor.join(JOIN_S)
        for listener in self._listeners:
            listener.close()
        with self._lock:
            living = list(self._connections.items())
            for connection, _ in living:
                _hang_up(connection)
        deadline = time.monotonic() + JOIN_S
        for _, thread in living:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._selector.close()
        self._wake.close()
        self._waker.close()

    def _accept_all(self) -> None:
        while not self._stopping.is_set():
            for key, _ in self._selector.select():
                if key.data is not None and isinstance(key.fileobj, socket.socket):
                    self._accept(key.fileobj, key.data)

    def _accept(self, listener: socket.socket, application: Application) -> None:
        try:
            connection, address = listener.accept()
        except OSError:
            return
        connection.setblocking(True)
        thread = threading.Thread(
            target=self._talk, args=(connection, address, application), name="sandbox-talk", daemon=True
        )
        with self._lock:
            if len(self._connections) >= CONNECTION_LIMIT:
                connection.close()
                return
            self._connections[connection] = thread
        thread.start()

    def _talk(self, connection: socket.socket, address: object, application: Application) -> None:
        try:
            _Handler(connection, address, application, self._stopping)
        except OSError:
            pass  # the client went away
        finally:
            with self._lock:
                self._connections.pop(connection, None)
                connection.close()


def _bind(port: int | None) -> socket.socket:
    for candidate in (port, None):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", candidate or 0))
            listener.listen(128)
        except OSError:
            listener.close()
            if candidate is None:
                raise
            continue
        listener.setblocking(False)
        return listener
    raise OSError("no port could be bound")


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
