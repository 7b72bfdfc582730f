"""Outgoing HTTP against real sockets: what was never sent, what nobody knows, what came back."""

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import httpx2
import pytest

from apps.lib.addresses import AddressNotAllowed, check, destination, networks
from apps.lib.http import Client, OutcomeUnknown, OutgoingRefused, masked_headers, masked_url, shared_client
from apps.lib.strict_json import MalformedJSON

LOOPBACK = ("127.0.0.0/8",)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Behaviour = Callable[[socket.socket, bytes], bool]  # whether to keep the connection


class RawServer:
    """A server that says exactly the bytes a test wants, and remembers what it was asked."""

    def __init__(self) -> None:
        self.behave: Behaviour = says(OK)
        self.requests: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/stock"

    def stop(self) -> None:
        self.stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while request := _read_request(connection):
                self.requests.append(request)
                if not self.behave(connection, request):
                    return


def _read_request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += (chunk := connection.recv(65_536))
        if not chunk:
            return b""
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def says(answer: bytes, *, keep: bool = True) -> Behaviour:
    def behave(connection: socket.socket, request: bytes) -> bool:
        connection.sendall(answer)
        return keep

    return behave


@pytest.fixture
def server() -> Iterator[RawServer]:
    running = RawServer()
    yield running
    running.stop()


@pytest.fixture
def client() -> Iterator[Client]:
    made = Client(allow_private=LOOPBACK, total_deadline_s=5, max_body=1000)
    yield made
    made.close()


def test_sends_once_and_reads_the_answer(server: RawServer, client: Client) -> None:
    server.behave = says(b'HTTP/1.1 409 Conflict\r\nX-Version: 7\r\nContent-Length: 7\r\n\r\n{"a":1}')
    answer = client.request("PUT", server.url + "?x=1", headers={"Authorization": "Bearer s"}, body=b'{"q":3}')
    assert (answer.status, answer.headers["x-version"], answer.json()) == (409, "7", {"a": 1})
    assert len(server.requests) == 1
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"PUT /stock?x=1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}".encode() in head
    assert b"Accept-Encoding: identity" in head
    assert body == b'{"q":3}'


def test_an_answer_that_is_no_json_says_so(server: RawServer, client: Client) -> None:
    server.behave = says(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>")
    with pytest.raises(MalformedJSON):
        client.request("GET", server.url).json()


def test_connections_are_kept_alive(server: RawServer, client: Client) -> None:
    for _ in range(5):
        client.request("GET", server.url)
    assert (server.connections, len(server.requests)) == (1, 5)


def test_threads_share_a_client(server: RawServer, client: Client) -> None:
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(client.request("GET", server.url).status)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert statuses == [200] * 8


def test_redirects_are_answers_not_followed(server: RawServer, client: Client) -> None:
    server.behave = says(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")
    assert client.request("GET", server.url).status == 302
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://2130706433:{port}/",
    ],
)
def test_private_addresses_need_the_allow_list(server: RawServer, url: str) -> None:
    with pytest.raises(OutgoingRefused, match="not a public address") as refused:
        Client().request("GET", url.format(port=server.port))
    assert refused.value.sent is False
    assert (server.connections, server.requests) == (0, [])


def test_every_address_of_a_host_is_checked(server: RawServer) -> None:
    asked: list[str] = []

    def resolver(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1", "10.0.0.7"]

    with pytest.raises(OutgoingRefused, match=r"shop\.test is at 10\.0\.0\.7"):
        Client(allow_private=LOOPBACK, resolver=resolver).request("GET", f"http://shop.test:{server.port}/")
    assert asked == ["shop.test"]
    assert server.connections == 0


def test_resolves_once_and_connects_to_the_checked_address(server: RawServer) -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    client = Client(allow_private=LOOPBACK, resolver=lambda host, port: next(answers))
    assert client.request("GET", f"http://shop.test:{server.port}/").status == 200
    assert f"Host: shop.test:{server.port}".encode() in server.requests[0]


def test_the_next_address_is_tried_when_one_does_not_answer(server: RawServer) -> None:
    client = Client(allow_private=LOOPBACK, resolver=lambda host, port: ["127.0.0.9", "127.0.0.1"])
    assert client.request("GET", f"http://shop.test:{server.port}/").status == 200


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://example.com/", "must begin with http"),
        ("/relative", "must begin with http"),
        ("http://", "must begin with http"),
        ("file:///etc/passwd", "must begin with http"),
        ("http://user:secret@example.com/", "put credentials in their fields"),
        ("http://exa mple.com/", "cannot be built|not sent"),
        ("http://example.com:99999/", "cannot be built|not sent"),
    ],
)
def test_wrong_addresses_are_refused(url: str, said: str) -> None:
    with pytest.raises(OutgoingRefused, match=said) as refused:
        Client().request("GET", url)
    assert "secret" not in refused.value.detail


def test_an_unknown_host_was_not_sent() -> None:
    def resolver(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror("Name or service not known")

    with pytest.raises(OutgoingRefused, match="could not be resolved"):
        Client(resolver=resolver).request("GET", "http://shop.test/")


def test_a_resolver_that_hangs_is_left_behind() -> None:
    forever = threading.Event()

    def resolver(host: str, port: int) -> Sequence[str]:
        forever.wait(30)
        return []

    with pytest.raises(OutgoingRefused, match="could not be resolved in time"):
        Client(resolver=resolver, connect_s=0.1).request("GET", "http://shop.test/")
    forever.set()


def test_a_closed_port_was_not_sent(client: Client) -> None:
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    with pytest.raises(OutgoingRefused) as refused:
        client.request("POST", f"http://127.0.0.1:{port}/", body=b"x")
    assert refused.value.sent is False


def _resets(connection: socket.socket, request: bytes) -> bool:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    return False


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(_resets, id="reset"),
        pytest.param(says(b"", keep=False), id="closed without an answer"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", keep=False), id="half an answer"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nContent-Le", keep=False), id="half a head"),
        pytest.param(says(b"nonsense\r\n\r\n"), id="no HTTP"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001), id="announced too large"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000, keep=False), id="turns out too large"),
        pytest.param(
            says(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"), id="compressed"
        ),
    ],
)
def test_a_missing_answer_is_an_unknown_outcome(server: RawServer, client: Client, behaviour: Behaviour) -> None:
    server.behave = behaviour
    with pytest.raises(OutcomeUnknown, match="read back before sending again") as unknown:
        client.request("POST", server.url + "?token=hush", body=b"x")
    assert unknown.value.sent is True
    assert "hush" not in unknown.value.detail
    assert len(server.requests) == 1  # never repeated by itself


def test_the_client_works_after_an_unknown_outcome(server: RawServer, client: Client) -> None:
    server.behave = says(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000)
    with pytest.raises(OutcomeUnknown):
        client.request("GET", server.url)
    server.behave = says(OK)
    assert client.request("GET", server.url).body == b"ok"


def _silent(server: RawServer) -> Behaviour:
    return lambda connection, request: server.stopping.wait(30)


def _drips(server: RawServer, head: bytes) -> Behaviour:
    def behave(connection: socket.socket, request: bytes) -> bool:
        connection.sendall(head)
        while not server.stopping.wait(0.02):
            connection.sendall(b"x")
        return False

    return behave


@pytest.mark.parametrize("kind", ["silent", "dripping body", "dripping head"])
def test_the_total_deadline_ends_every_wait(server: RawServer, kind: str) -> None:
    server.behave = {
        "silent": _silent(server),
        "dripping body": _drips(server, b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"),
        "dripping head": _drips(server, b"HTTP/1.1 200 OK\r\nX-Slow: "),
    }[kind]
    client = Client(allow_private=LOOPBACK, total_deadline_s=0.3)
    with pytest.raises(OutcomeUnknown) as unknown:
        client.request("POST", server.url, body=b"x")
    assert unknown.value.sent is True


def test_a_request_can_have_a_shorter_deadline(server: RawServer, client: Client) -> None:
    server.behave = _silent(server)
    with pytest.raises(OutcomeUnknown):
        client.request("GET", server.url, deadline_s=0.1)


def test_a_slow_request_does_not_shorten_the_next(server: RawServer, client: Client) -> None:
    client.request("GET", server.url, deadline_s=0.5)
    assert client.request("GET", server.url).status == 200
    assert server.connections == 1


@pytest.mark.parametrize(
    ("address", "end"),
    [
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("64:ff9b::a9fe:a9fe", "169.254.169.254"),
        ("64:ff9b:1::7f00:1", "64:ff9b:1::7f00:1"),  # a network's own translation prefix: not global, so refused
        ("2002:7f00:1::", "127.0.0.1"),
        ("::7f00:1", "127.0.0.1"),
        ("::1", "::1"),
        ("2606:4700::1111", "2606:4700::1111"),
        ("8.8.8.8", "8.8.8.8"),
    ],
)
def test_an_address_is_judged_by_where_it_ends(address: str, end: str) -> None:
    assert str(destination(ipaddress.ip_address(address))) == end


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "ff0e::1", "2001:db8::1",
        "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:a00:1::", "::7f00:1",
    ],
)  # fmt: skip
def test_what_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(AddressNotAllowed):
        check("shop.test", [address], ())
    with pytest.raises(AddressNotAllowed):
        check("shop.test", ["8.8.8.8", address], ())


def test_the_allow_list_is_exact() -> None:
    allowed = networks(["10.0.0.0/24", "fd00::7"])
    assert check("erp", ["10.0.0.9", "fd00::7", "::ffff:10.0.0.9"], allowed)
    for address in ("10.0.1.9", "fd00::8", "127.0.0.1"):
        with pytest.raises(AddressNotAllowed):
            check("erp", [address], allowed)
    with pytest.raises(AddressNotAllowed, match="no address"):
        check("erp", [], allowed)


def test_a_transport_can_stand_in_for_the_network() -> None:
    client = Client(transport=httpx2.MockTransport(lambda request: httpx2.Response(201, content=request.content)))
    assert client.request("POST", "http://shop.test/", body=b"x").body == b"x"


def test_secrets_are_masked() -> None:
    headers = {
        "Authorization": "Bearer s",
        "X-Api-Key": "s",
        "Cookie": "s",
        "webhook-signature": "s",
        "X_Access_Token": "s",
        "Idempotency-Id": "i",
        "Content-Type": "application/json",
    }
    masked = masked_headers(headers)
    assert "s" not in masked.values()
    assert (masked["Idempotency-Id"], masked["Content-Type"]) == ("i", "application/json")
    assert headers["Authorization"] == "Bearer s"
    assert masked_url("https://u:p@shop.test:8443/a?token=s#f") == "https://shop.test:8443/a"


def test_one_client_per_setting() -> None:
    assert shared_client() is shared_client()
    assert shared_client(allow_private=LOOPBACK) is not shared_client()
