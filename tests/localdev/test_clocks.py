"""One fixture stops both clocks, and lets them go again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import connection

INSTANT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_both_clocks_stand_still(frozen_now: Callable[[datetime], None]) -> None:
    frozen_now(INSTANT)

    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('sync.now')::timestamptz")
        assert cursor.fetchone() == (INSTANT,)
    assert datetime.now(UTC) == INSTANT


def test_an_instant_without_a_zone_is_refused(frozen_now: Callable[[datetime], None]) -> None:
    with pytest.raises(ValueError, match="needs a time zone"):
        frozen_now(INSTANT.replace(tzinfo=None))

    assert datetime.now(UTC) != INSTANT


@pytest.mark.django_db
def test_the_clocks_run_again_afterwards() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nullif(current_setting('sync.now', true), '')")
        assert cursor.fetchone() == (None,)
    assert datetime.now(UTC) != INSTANT
