"""What is written as PostgreSQL's text comes back from PostgreSQL as it was."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.lib.postgres_text import NULL, copy_text, plain_array, text_array

pytestmark = pytest.mark.django_db

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
ALLOWED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def asked(sql: str, *parameters: object) -> object:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()[0]


@ALLOWED
@given(st.lists(TEXTS | st.sampled_from(["", "NULL", "null", "{}", "a,b", ' "', "\\", "\\N", "None"]) | st.none()))
def test_texts_come_back_as_they_were(values: list[str | None]) -> None:
    assert asked("SELECT %s::text[]", text_array(values)) == values


@ALLOWED
@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none()))
def test_integers_come_back_as_they_were(values: list[int | None]) -> None:
    assert asked("SELECT %s::bigint[]", plain_array(values)) == values


@ALLOWED
@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**13), max_value=10**13)))
def test_decimals_come_back_as_they_were(values: list[Decimal]) -> None:
    assert asked("SELECT %s::numeric[]", plain_array(values)) == values


def test_a_decimal_with_an_exponent_is_the_same_number() -> None:
    assert asked("SELECT %s::numeric[]", plain_array([Decimal("1E+3"), Decimal("1E-6")])) == [
        Decimal(1000),
        Decimal("0.000001"),
    ]


def test_instants_come_back_as_they_were_whatever_their_offset() -> None:
    instants = [
        datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=UTC),
        datetime(1900, 1, 1, tzinfo=timezone(timedelta(hours=-11, minutes=-30))),
        None,
    ]
    assert asked("SELECT %s::timestamptz[]", plain_array(instants)) == instants


@ALLOWED
@given(TEXTS | st.sampled_from(["", "\\N", "\\.", "a\tb", "a\r\nb", "\\", "\\\\t"]))
def test_a_copied_text_comes_back_as_it_was(value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE IF NOT EXISTS copied (one text, other text) ON COMMIT DROP")
        cursor.execute("TRUNCATE copied")
        with cursor.copy("COPY copied FROM STDIN") as copy:
            copy.write(f"{copy_text(value)}\t{NULL}\n")
        cursor.execute("SELECT one, other FROM copied")
        assert cursor.fetchall() == [(value, None)]
