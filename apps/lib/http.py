"""The one seam through which anything of ours talks HTTP to the outside.

Two failures matter to a caller: the request never left (send it again), or nobody knows (read back first).
"""

import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpx2

from . import strict_json
from .addresses import Network
from .guarded_network import GuardedTransport, RequestClock, Resolver, system_resolver

MAX_BODY = 5 * 1024 * 1024
MASK = "***"

_SECRET_NAMES = ("authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "signature", "hmac")


class OutgoingError(Exception):
    """A request without a usable answer. `sent`: whether any byte of it may have reached the other side."""

    def __init__(self, detail: str, *, sent: bool) -> None:
        super().__init__(detail)
        self.detail = detail
        self.sent = sent


class OutgoingRefused(OutgoingError):
    """Never sent: a forbidden address, no connection, a wrong URL. Safe to repeat."""


class OutcomeUnknown(OutgoingError):
    """Sent, and the answer is missing, late, cut or too large: the other side may have applied it."""


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer of any status. Header names compare without case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed_s: float

    def json(self) -> object:
        """The body as strict JSON, or MalformedJSON."""
        return strict_json.parse(self.body)


class Client:
    """Requests with a total deadline, a body cap, no redirects, no proxies, no cookies.

    Thread-safe; connections are kept alive and shared. `allow_private` are the networks
    beyond public addresses that may be reached. `transport` replaces the network in tests.
    """

    def __init__(
        self,
        *,
        allow_private: Iterable[str | Network] = (),
        total_deadline_s: float = 10.0,
        connect_s: float = 3.0,
        max_body: int = MAX_BODY,
        max_connections: int = 100,
        ssl_context: ssl.SSLContext | None = None,
        resolver: Resolver = system_resolver,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._total_deadline_s = total_deadline_s
        self._connect_s = connect_s
        self._max_body = max_body
        self._clock = RequestClock()
        self._transport = transport or GuardedTransport(
            self._clock,
            allow_private=allow_private,
            resolver=resolver,
            ssl_context=ssl_context,
            max_connections=max_connections,
        )
        self._mocked = transport is not None

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        deadline_s: float | None = None,
    ) -> Response:
        """Send once and read the whole answer, or raise OutgoingRefused or OutcomeUnknown."""
        allowed_s = self._total_deadline_s if deadline_s is None else deadline_s
        request = self._built(method, url, headers, body, allowed_s)
        started = time.monotonic()
        with self._clock.running(allowed_s):
            try:
                return self._exchanged(request, started)
            except (httpx2.TransportError, httpx2.StreamError, ValueError, OSError) as error:
                raise self._failure(request, error, started) from error

    def close(self) -> None:
        """Close the kept connections."""
        self._transport.close()

    def _built(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: bytes, allowed_s: float
    ) -> httpx2.Request:
        connect_s = min(self._connect_s, allowed_s)
        timeout = {"connect": connect_s, "pool": connect_s, "read": allowed_s, "write": allowed_s}
        try:
            request = httpx2.Request(
                method,
                url,
                headers={"Accept-Encoding": "identity", "User-Agent": "sync-console", **(headers or {})},
                content=body,
                extensions={"timeout": timeout},
            )
        except (httpx2.InvalidURL, ValueError) as error:
            raise OutgoingRefused(f"The request cannot be built: {error}.", sent=False) from None
        if request.url.scheme not in ("http", "https") or not request.url.host:
            raise OutgoingRefused("The address must begin with http:// or https:// and name a host.", sent=False)
        if request.url.userinfo:
            raise OutgoingRefused("The address holds a user or password; put credentials in their fields.", sent=False)
        return request

    def _exchanged(self, request: httpx2.Request, started: float) -> Response:
        response = self._transport.handle_request(request)
        self._clock.sent = True
        try:
            body = self._read(response)
        finally:
            response.close()
        return Response(response.status_code, response.headers, body, time.monotonic() - started)

    def _read(self, response: httpx2.Response) -> bytes:
        encoding = response.headers.get("content-encoding", "identity").lower()
        if encoding not in ("", "identity"):
            raise ValueError(f"the answer is compressed ({encoding[:20]}) although it was asked for plain")
        announced = response.headers.get("content-length", "")
        if announced.isdigit() and len(announced) < 20 and int(announced) > self._max_body:
            raise ValueError(f"the answer announces {announced} bytes, more than {self._max_body}")
        chunks: list[bytes] = []
        size = 0
        for chunk in [response.content] if response.is_stream_consumed else response.iter_raw():
            size += len(chunk)
            if size > self._max_body:
                raise ValueError(f"the answer is longer than {self._max_body} bytes")
            chunks.append(chunk)
            self._clock.check()
        return b"".join(chunks)

    def _failure(self, request: httpx2.Request, error: Exception, started: float) -> OutgoingError:
        where = f"{request.method} {masked_url(request.url)}"
        said = str(error) or type(error).__name__
        if self._clock.sent or (self._mocked and not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)):
            waited = f"{time.monotonic() - started:.1f}"
            detail = f"{where}: outcome unknown after {waited} s ({said}); read back before sending again."
            return OutcomeUnknown(detail, sent=True)
        return OutgoingRefused(f"{where}: not sent ({said}).", sent=False)


def masked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as they may be logged or stored: whatever names a secret is masked."""
    return {name: MASK if _is_secret(name) else value for name, value in headers.items()}


def masked_url(url: httpx2.URL | str) -> str:
    """An address as it may be shown: without user, password, query and fragment, where secrets live."""
    parsed = httpx2.URL(url) if isinstance(url, str) else url
    return str(parsed.copy_with(username="", password="", query=None, fragment=None))


_shared: dict[tuple[object, ...], Client] = {}
_shared_lock = threading.Lock()


def shared_client(*, allow_private: tuple[str, ...] = (), total_deadline_s: float = 10.0) -> Client:
    """One client per process and setting, so that connections are kept between tasks."""
    key = (allow_private, total_deadline_s)
    with _shared_lock:
        if key not in _shared:
            _shared[key] = Client(allow_private=allow_private, total_deadline_s=total_deadline_s)
        return _shared[key]


def _is_secret(name: str) -> bool:
    lowered = name.lower().replace("_", "-")
    return any(word in lowered for word in _SECRET_NAMES) or lowered.endswith("-key")
