"""The fast lane: a small WSGI function that answers hot reads in front of Django.

It shares keys, scopes, limits, the SQL and the body with the reference views of the same URLs, and takes a request
only when it is sure of the answer. Everything else, every error among it, is Django's.
"""

import os
import secrets
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final
from urllib.parse import parse_qsl

import psycopg
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connections
from django.http.request import split_domain_port, validate_host
from psycopg_pool import ConnectionPool, PoolTimeout

from apps.access.api.renderers import encode
from apps.access.api.throttling import take
from apps.access.keys import Caller, caller_of
from apps.inventory import answers, availability, stock
from apps.inventory.api.serializers import LOOKUP_MAX
from apps.inventory.api.views import CACHE_CONTROL
from apps.lib.codes import normalise_code
from apps.lib.strict_json import parse

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGI = Callable[[Environ, StartResponse], Iterable[bytes]]

PREFIX: Final = "/api/v1/availability"
LOOKUP: Final = f"{PREFIX}/lookup"
CHANGES: Final = f"{PREFIX}/changes"
SCOPE: Final = "availability:read"
BODY_MAX: Final = 1_048_576
POOL_SIZE: Final = 4
# What clients send that certainly accepts JSON; Django negotiates the rest.
_ACCEPTED: Final = frozenset({"", "*/*", "application/json", "application/json, text/plain, */*"})
_TRACED: Final = ("HTTP_TRACEPARENT", "HTTP_X_REQUEST_ID")


class NotSure(Exception):
    """This request is Django's."""


@dataclass(frozen=True, slots=True)
class Reply:
    body: bytes
    tag: str = ""
    modified: bool = True


class FastLane:
    """Answers availability reads of bearer keys; passes everything else to `django`."""

    def __init__(self, django: WSGI) -> None:
        self._django = django
        self._stock = StockPool()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            reply = self._reply(environ)
        # Whatever is wrong, Django finds it too and writes the error: bad codes and bodies, a lost database.
        except (NotSure, ValueError, psycopg.Error, PoolTimeout, DatabaseError, InterfaceError):
            return self._django(environ, start_response)
        headers = [
            ("Cache-Control", CACHE_CONTROL),
            ("Vary", "Accept, Authorization"),
            ("X-Content-Type-Options", "nosniff"),
            ("traceparent", f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"),
        ]
        if reply.tag:
            headers.append(("ETag", reply.tag))
        if not reply.modified:
            start_response("304 Not Modified", headers)
            return [b""]
        headers += [("Content-Type", "application/json"), ("Content-Length", str(len(reply.body)))]
        start_response("200 OK", headers)
        return [reply.body]

    def close(self) -> None:
        """Give the lane's connections back; a later read opens them again."""
        self._stock.close()

    def _reply(self, environ: Environ) -> Reply:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            raise NotSure
        _check_request(environ)
        if environ["REQUEST_METHOD"] == "POST" and path == LOOKUP:
            return self._lookup(environ)
        if environ["REQUEST_METHOD"] == "GET" and path not in (LOOKUP, CHANGES):
            return self._single(environ, path)
        raise NotSure

    def _single(self, environ: Environ, path: str) -> Reply:
        sku, warehouses = _single_question(path, environ.get("QUERY_STRING", ""))
        caller = _caller(environ)
        bodies = self._bodies([sku], _within(caller, warehouses))
        if bodies[0]["status"] == "unknown":
            raise NotSure
        _take(caller)
        tag = answers.etag(bodies[0])
        modified = not answers.matches(environ.get("HTTP_IF_NONE_MATCH", ""), tag)
        return Reply(encode(bodies[0]), tag, modified)

    def _lookup(self, environ: Environ) -> Reply:
        caller = _caller(environ)
        skus, warehouses = _lookup_question(_body(environ))
        bodies = self._bodies(skus, _within(caller, warehouses))
        _take(caller)
        return Reply(encode({"items": bodies}))

    def _bodies(self, skus: Sequence[str], warehouses: Collection[str] | None) -> list[answers.Body]:
        read = stock.by_sku(self._stock.execute, skus, warehouses)
        if warehouses is not None and read.known_warehouses < len(set(warehouses)):
            raise NotSure
        if any(item.kind == "kit" for item in read.items):
            raise NotSure  # kits need the unit conversions of their components
        stale = _stale()
        found = availability.availabilities(read, self._stock.execute, warehouses)
        written = {item.stock.sku: answers.item_body(item, stale) for item in found}
        return [written.get(sku) or answers.unknown_body(sku) for sku in skus]


class StockPool:
    """Connections of the lane's own, opened on the first read of a process and so never before a fork."""

    def __init__(self) -> None:
        self._pool: ConnectionPool[Any] | None = None
        self._pid = 0
        self._lock = threading.Lock()

    def execute(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """Run a prepared read and fetch its rows."""
        with self._opened().connection(timeout=1) as connection:
            return connection.execute(sql, parameters, prepare=True).fetchall()  # type: ignore[no-any-return]

    def close(self) -> None:
        with self._lock:
            if self._pool is not None:
                self._pool.close()
            self._pool = None

    def _opened(self) -> "ConnectionPool[Any]":
        pid = os.getpid()
        if self._pool is None or self._pid != pid:
            with self._lock:
                if self._pool is None or self._pid != pid:
                    self._pool, self._pid = _new_pool(), pid
        return self._pool


def _new_pool() -> "ConnectionPool[Any]":
    known = connections["default"].settings_dict
    keywords = {
        "dbname": known["NAME"],
        "user": known["USER"],
        "password": known["PASSWORD"],
        "host": known["HOST"],
        "port": known["PORT"],
        "options": "-c TimeZone=UTC",
        "connect_timeout": 3,
        "autocommit": True,
    }
    return ConnectionPool(
        kwargs={name: value for name, value in keywords.items() if value not in ("", None)},
        min_size=1,
        max_size=POOL_SIZE,
        open=True,
        name="fastlane",
    )


def _check_request(environ: Environ) -> None:
    """Only what every part of Django would let through without a change."""
    sure = (
        not environ.get("SCRIPT_NAME")
        and "no-cache" not in environ.get("HTTP_CACHE_CONTROL", "").lower()
        and "HTTP_PRAGMA" not in environ
        and environ.get("HTTP_ACCEPT", "") in _ACCEPTED
        and not any(name in environ for name in _TRACED)  # the caller follows this request in the logs
        and (not settings.SECURE_SSL_REDIRECT or environ.get("HTTP_X_FORWARDED_PROTO") == "https")
    )
    if not sure:
        raise NotSure
    domain, _ = split_domain_port(environ.get("HTTP_HOST", ""))
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        raise NotSure


def _caller(environ: Environ) -> Caller:
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme != "Bearer":
        raise NotSure
    caller = caller_of(token.strip())
    close_old_connections()  # a key that was not remembered was read through Django
    if caller is None or not caller.may(SCOPE):
        raise NotSure
    return caller


def _take(caller: Caller) -> None:
    """After the read, so that a request passed on takes one token only."""
    if take(caller) > 0:
        raise NotSure


def _stale() -> Collection[str]:
    stale = availability.stale_now()
    close_old_connections()
    return stale


def _within(caller: Caller, warehouses: Sequence[str] | None) -> Collection[str] | None:
    if not caller.warehouses:
        return warehouses
    if warehouses is None:
        return caller.warehouses
    if not caller.warehouses.issuperset(warehouses):
        raise NotSure
    return warehouses


def _single_question(path: str, query: str) -> tuple[str, list[str] | None]:
    pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=100)
    asked = [value for name, value in pairs if name == "sku"]
    if path == PREFIX and len(asked) == 1:
        code = asked[0]
    elif path.startswith(f"{PREFIX}/") and not asked:
        code = path[len(PREFIX) + 1 :].encode("latin-1").decode("utf-8")
    else:
        raise NotSure
    warehouses = [normalise_code(value) for name, value in pairs if name == "warehouse"]
    if len(warehouses) + len(asked) < len(pairs) or "\ufffd" in query:
        raise NotSure
    return normalise_code(code), warehouses or None


def _body(environ: Environ) -> object:
    length = environ.get("CONTENT_LENGTH") or ""
    if not length.isdigit() or int(length) > BODY_MAX or environ.get("CONTENT_TYPE") != "application/json":
        raise NotSure
    raw = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = BytesIO(raw)  # for Django, should this turn out to be its request
    return parse(raw)


def _lookup_question(body: object) -> tuple[list[str], list[str] | None]:
    if not isinstance(body, dict) or not body.keys() <= {"skus", "warehouses"} or "skus" not in body:
        raise NotSure
    warehouses = _codes(body["warehouses"]) if "warehouses" in body else None
    if warehouses == []:
        raise NotSure
    return _codes(body["skus"]), warehouses


def _codes(value: object) -> list[str]:
    if not isinstance(value, list) or len(value) > LOOKUP_MAX or not all(isinstance(code, str) for code in value):
        raise NotSure
    return [normalise_code(code) for code in value]
