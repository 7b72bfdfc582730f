"""Sockets under the outgoing HTTP client: checked addresses, and one deadline over every wait."""

import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import httpcore2
import httpx2

from .addresses import AddressNotAllowed, Network, check, networks

Resolver = Callable[[str, int], Sequence[str]]
SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class RequestClock(threading.local):
    """The deadline of the request this thread is making, and whether any of it has left.

    A request is sent and read in the thread that asked for it, so the streams below find theirs here.
    """

    ends_at = math.inf
    sent = False

    @contextmanager
    def running(self, allowed_s: float) -> Iterator[None]:
        """Start the clock; nothing inside may wait beyond it."""
        self.ends_at, self.sent = time.monotonic() + allowed_s, False
        try:
            yield
        finally:
            self.ends_at = math.inf

    def left(self, timeout: float | None = None) -> float | None:
        """The shorter of a timeout and what is left of the request; None is no limit."""
        left = min(self.ends_at - time.monotonic(), math.inf if timeout is None else timeout)
        return None if left == math.inf else left

    def check(self) -> None:
        """Raise ReadTimeout once the deadline has passed."""
        if time.monotonic() > self.ends_at:
            raise httpx2.ReadTimeout("the total deadline passed")


def system_resolver(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, in the order the system prefers."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class GuardedTransport(httpx2.HTTPTransport):
    """httpx2's transport on a network that checks addresses; host name and SNI stay those of the URL."""

    def __init__(
        self,
        clock: RequestClock,
        *,
        allow_private: Iterable[str | Network],
        resolver: Resolver,
        ssl_context: ssl.SSLContext | None,
        max_connections: int,
    ) -> None:
        context = ssl_context or _public_roots()
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=context,
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=5.0,
            network_backend=GuardedNetwork(clock, networks(allow_private), resolver),
        )


class GuardedNetwork(httpcore2.NetworkBackend):
    """Resolves a host once, checks every address, and connects to one of exactly those."""

    def __init__(self, clock: RequestClock, allow_private: Sequence[Network], resolver: Resolver) -> None:
        self._clock = clock
        self._allow_private = allow_private
        self._resolver = resolver
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore2.NetworkStream:
        limit = self._clock.left(timeout)
        ends_at = math.inf if limit is None else time.monotonic() + limit
        try:
            addresses = check(host, self._resolved(host, port, limit), self._allow_private)
        except AddressNotAllowed as refused:
            raise httpcore2.ConnectError(str(refused)) from None
        failed: Exception = httpcore2.ConnectTimeout(f"no connection to {host} in time")
        for address in addresses:
            left = ends_at - time.monotonic()
            if left <= 0:
                break
            try:
                stream = self._sockets.connect_tcp(address, port, left, local_address, socket_options)
                return _DeadlineStream(stream, self._clock)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        raise failed

    def connect_unix_socket(self, path: str, *args: Any, **kwargs: Any) -> httpcore2.NetworkStream:
        raise httpcore2.ConnectError("Outgoing requests never go to a local socket.")

    def sleep(self, seconds: float) -> None:
        raise httpcore2.ConnectError("Connections are not retried here; retries live in rows.")

    def _resolved(self, host: str, port: int, timeout: float | None) -> Sequence[str]:
        """Resolve in a thread of its own: the system's resolver takes no timeout and can hang for a minute."""
        answer: list[Sequence[str] | OSError | UnicodeError] = []

        def resolve() -> None:
            try:
                answer.append(self._resolver(host, port))
            except (OSError, UnicodeError) as error:
                answer.append(error)

        thread = threading.Thread(target=resolve, daemon=True, name="resolve")
        thread.start()
        thread.join(timeout)
        if not answer:
            raise httpcore2.ConnectTimeout(f"{host} could not be resolved in time")
        if isinstance(answer[0], Exception):
            raise httpcore2.ConnectError(f"{host} could not be resolved: {answer[0]}")
        return answer[0]


class _DeadlineStream(httpcore2.NetworkStream):
    """A stream on which no single wait, and no number of short ones, outlasts the request's deadline."""

    def __init__(self, stream: httpcore2.NetworkStream, clock: RequestClock) -> None:
        self._stream = stream
        self._clock = clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left = self._left(timeout, httpcore2.WriteTimeout)
        self._clock.sent = True
        for start in range(0, len(buffer), 65_536):  # each piece waits for what is left then
            self._stream.write(buffer[start : start + 65_536], left)
            left = self._left(timeout, httpcore2.WriteTimeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left = self._left(timeout, httpcore2.ConnectTimeout)
        return _DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, left), self._clock)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _left(self, timeout: float | None, too_late: type[Exception]) -> float | None:
        left = self._clock.left(timeout)
        if left is not None and left <= 0:
            raise too_late("the total deadline passed")
        return left


@cache
def _public_roots() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)
