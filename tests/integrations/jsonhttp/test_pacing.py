"""The channel's own words about how fast it may be called."""

import time

import pytest

from apps.channels.connectors import Outcome, PushItem
from apps.integrations.jsonhttp.answers import judge, spent_for_s
from apps.integrations.jsonhttp.form import Form, parse, preset
from apps.lib.http import Response

LEFT, RESET = "X-RateLimit-Remaining", "X-RateLimit-Reset"


@pytest.fixture
def form() -> Form:
    return parse(preset("shop", remaining_header=LEFT, reset_header=RESET))


@pytest.mark.parametrize(
    ("left", "reset", "seconds"),
    [("0", "30", 30), ("0", "999999", 86_400), ("1", "30", 0), ("", "30", 0), ("0", "", 0), ("0", "soon", 0)],
)
def test_a_channel_with_no_request_left_is_not_called_until_its_reset(
    form: Form, left: str, reset: str, seconds: float
) -> None:
    assert spent_for_s(form, Response(200, {LEFT: left, RESET: reset}, b"{}", 0.1)) == seconds


def test_a_reset_may_be_an_instant(form: Form) -> None:
    later = Response(200, {LEFT: "0", RESET: str(int(time.time()) + 600)}, b"{}", 0.1)
    assert 500 < spent_for_s(form, later) <= 600
    assert spent_for_s(form, Response(200, {LEFT: "0", RESET: "1000000000"}, b"{}", 0.1)) == 0


def test_without_the_headers_in_the_form_nothing_is_read() -> None:
    plain = parse(preset("shop"))
    assert spent_for_s(plain, Response(200, {LEFT: "0", RESET: "30"}, b"{}", 0.1)) == 0


def test_every_outcome_carries_the_wait(form: Form) -> None:
    item = PushItem(
        publication_id=1,
        kind="stock",
        external_id="A",
        location="",
        value={"quantity": "5"},
        version=1,
        idempotency_key="k",
    )
    write = form.kinds["stock"]
    refused = Response(422, {LEFT: "0", RESET: "30"}, b'{"errors":[]}', 0.1)
    (outcome,) = judge(form, write, [item], refused)
    assert (outcome.outcome, outcome.retry_after_s) == (Outcome.REJECTED, 30)
    slower = Response(429, {"Retry-After": "5", LEFT: "0", RESET: "30"}, b"{}", 0.1)
    (outcome,) = judge(form, write, [item], slower)
    assert (outcome.outcome, outcome.retry_after_s) == (Outcome.THROTTLED, 30)
