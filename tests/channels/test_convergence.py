"""Whatever values are wanted and whatever faults strike: once they stop, each channel shows the last value."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.channels import blocked, publisher, readback
from apps.channels.models import Publication
from tests.channels.conftest import Side, overdue, promise, want

pytestmark = pytest.mark.django_db(transaction=True)

KINDS = (
    *("429", "500", "500_after_apply", "timeout", "timeout_after_apply", "reset", "half_batch", "wrong_id"),
    *("wrong_value", "html", "error_in_200", "huge", "slow", "unauthorized"),
)
number = st.integers(0, 9)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("want"), number),
        st.tuples(st.just("fault"), st.sampled_from(KINDS)),
        st.tuples(st.just("edit"), number),
        st.tuples(st.just("forget"), st.none()),
    ),
    min_size=1,
    max_size=6,
)
names = count()
few = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def strike(side: Side, kind: str) -> None:
    more: dict[str, Any] = {"seconds": 1} if kind in ("timeout", "timeout_after_apply", "slow") else {}
    side.fault({"kind": kind, "times": 1, **more})


def settle(side: Side) -> None:
    """Faults are over: let every wait end until nothing is due."""
    side.fault()
    for _ in range(6):
        overdue(side.channel)
        blocked.retry(list(Publication.objects.filter(blocked_at__isnull=False).values_list("pk", flat=True)))
        publisher.publish(side.channel.pk)
        readback.read_back(side.channel.pk)


def acknowledged_only_what_was_shown(side: Side, publication: Publication, code: str) -> None:
    acked = publication.attempt_log.filter(outcome__in=("acknowledged", "verified")).values_list("value", flat=True)
    held = {quantity for quantity in side.held(code) if quantity is not None}
    assert {int(value["quantity"]) for value in acked} <= held


@pytest.fixture(params=["SHOP", "MARKET"])
def side(request: pytest.FixtureRequest, open_side: Callable[..., Side]) -> Side:
    return open_side(request.param, form={"deadline_s": 0.2})


@few
@given(steps=steps)
def test_the_end_state_is_the_last_desired_value(side: Side, steps: list[tuple[str, Any]]) -> None:
    code = f"L{next(names)}"
    side.seed(code, quantity=5)
    publication = promise(side, code, 5)
    desired = 5
    for step, value in steps:
        if step == "want":
            want(publication, value)
            desired = value
        elif step == "edit":
            side.edit(code, quantity=value)
        elif step == "forget":
            side.forget(code)
        else:
            strike(side, value)
        overdue(side.channel)
        publisher.publish(side.channel.pk, budget_s=1)
        publication.refresh_from_db()
        assert publication.acked_version <= publication.sent_version <= publication.desired_version
    settle(side)
    publication.refresh_from_db()
    assert side.shows(code) == desired
    assert publication.acked == publication.observed == {"quantity": str(desired)}
    assert publication.acked_version == publication.desired_version
    acknowledged_only_what_was_shown(side, publication, code)
