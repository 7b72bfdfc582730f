"""One effect and one answer per client and Idempotency-Key."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from apps.access.idempotency import forget_old_answers, idempotent
from apps.access.keys import Caller
from apps.access.models import IdempotencyRecord, Team
from apps.lib.errors import Problem


def caller(number: int = 1) -> Caller:
    none: frozenset[str] = frozenset()
    return Caller(number, f"client-{number}", frozenset({"orders:write"}), none, none, none, none, 1_000_000)


class Orders(APIView):
    """Takes an order (a real row) and answers with its number; refuses, fails or waits when told to."""

    scopes = {"POST": "orders:write"}
    throttle_classes: list[Any] = []
    entered: threading.Event | None = None
    leave: threading.Event | None = None

    @idempotent
    def post(self, request: Request) -> Response:
        code = request.data["code"]
        made = Team.objects.create(code=code, name="order")
        if self.entered is not None and self.leave is not None:
            self.entered.set()
            self.leave.wait(30)
        if code == "refused":
            raise Problem(409, "insufficient_stock", "There is not enough of it.")
        if code == "unavailable":
            raise Problem(503, "unavailable", "Not now.")
        if code == "bug":
            raise RuntimeError("a bug")
        response = Response({"number": made.pk}, status=201)
        response["Location"] = f"/orders/{made.pk}"
        return response


def post(code: str, key: str | None = "k-1", *, as_: Caller | None = None, body: bytes | None = None) -> HttpResponse:
    headers = {} if key is None else {"HTTP_IDEMPOTENCY_KEY": key}
    content = body if body is not None else b'{"code": "%s"}' % code.encode()
    request = APIRequestFactory().post("/orders", content, content_type="application/json", **headers)
    request.user = as_ or caller()
    view = Orders.as_view(authentication_classes=[_As])
    response = view(request)
    if hasattr(response, "render"):
        response.render()
    return response  # type: ignore[no-any-return]


def orders() -> int:
    return Team.objects.filter(name="order").count()


class _As:
    def authenticate(self, request: Request) -> tuple[object, None]:
        return request._request.user, None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


@pytest.mark.django_db
def test_the_same_request_has_one_effect_and_one_answer() -> None:
    first, second = post("A"), post("A")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert second["Content-Type"] == "application/json"
    assert orders() == 1


@pytest.mark.django_db
def test_the_same_json_in_other_words_is_the_same_request() -> None:
    post("A", body=b'{"code": "A", "b": 1}')
    assert post("A", body=b'{ "b":1,"code":"A"}')["Idempotency-Replayed"] == "true"


@pytest.mark.django_db
@pytest.mark.parametrize("key", [None, "", "  "])
def test_without_a_key_nothing_happens(key: str | None) -> None:
    answer = post("A", key)
    assert answer.status_code == 400
    assert b"idempotency_key_missing" in answer.content
    assert not orders()
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.django_db
def test_a_key_of_255_characters_is_taken_and_a_longer_one_is_not() -> None:
    assert post("A", "x" * 255).status_code == 201
    assert post("B", "x" * 256).status_code == 400
    assert orders() == 1


@pytest.mark.django_db
def test_another_body_under_the_same_key_is_refused() -> None:
    post("A")
    answer = post("B")
    assert answer.status_code == 422
    assert b"idempotency_key_reused" in answer.content
    assert orders() == 1


@pytest.mark.django_db
def test_keys_of_two_clients_do_not_meet() -> None:
    assert post("A").status_code == 201
    assert post("B", as_=caller(2)).status_code == 201
    assert orders() == 2


@pytest.mark.django_db
def test_a_refusal_is_kept_and_its_work_undone() -> None:
    first, second = post("refused"), post("refused")
    assert (first.status_code, second.status_code) == (409, 409)
    assert first.content == second.content
    assert second["Idempotency-Replayed"] == "true"
    assert second["Content-Type"] == "application/problem+json"
    assert not orders()


@pytest.mark.django_db
def test_a_malformed_body_is_an_answer_too() -> None:
    first, second = post("", body=b'{"code": '), post("", body=b'{"code": ')
    assert (first.status_code, second.status_code) == (400, 400)
    assert second["Idempotency-Replayed"] == "true"


@pytest.mark.django_db
def test_a_failure_is_not_kept() -> None:
    assert post("unavailable").status_code == 503
    with pytest.raises(RuntimeError):
        post("bug", "k-2")
    assert not IdempotencyRecord.objects.exists()
    assert not orders()
    assert post("unavailable").status_code == 503


@pytest.mark.django_db
def test_a_claim_of_a_dead_process_is_taken_over_once_it_is_old() -> None:
    post("A")
    Team.objects.filter(name="order").delete()
    record = IdempotencyRecord.objects.get()
    record.status, record.response = None, None
    record.locked_until = datetime.now(UTC) + timedelta(minutes=1)
    record.save()
    assert post("A").status_code == 409
    assert not orders()
    IdempotencyRecord.objects.update(locked_until=datetime.now(UTC) - timedelta(seconds=1))
    assert post("A").status_code == 201
    assert orders() == 1


@pytest.mark.django_db
def test_answers_are_kept_thirty_days(frozen_now: Callable[[datetime], None]) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    frozen_now(start)
    post("A")
    frozen_now(start + timedelta(days=30))
    assert forget_old_answers() == 0
    assert post("A")["Idempotency-Replayed"] == "true"
    frozen_now(start + timedelta(days=30, seconds=1))
    assert forget_old_answers() == 1


@pytest.mark.django_db(transaction=True)
def test_while_it_runs_the_same_request_hears_so(monkeypatch: pytest.MonkeyPatch) -> None:
    entered, leave = threading.Event(), threading.Event()
    monkeypatch.setattr(Orders, "entered", entered)
    monkeypatch.setattr(Orders, "leave", leave)
    answers: list[int] = []

    def first() -> None:
        answers.append(post("A").status_code)
        connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(30)
    second = post("A")
    assert (second.status_code, second["Retry-After"]) == (409, "1")
    assert b"in_progress" in second.content
    assert post("B").status_code == 422
    leave.set()
    thread.join(30)
    assert answers == [201]
    assert post("A")["Idempotency-Replayed"] == "true"
    assert orders() == 1
