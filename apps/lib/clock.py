"""The one clock: PostgreSQL's, which tests can freeze and which every lease, due time and expiry is judged by."""

from datetime import datetime

from django.db import connection
from django.db.models import DateTimeField, Func


class Now(Func):
    """The database clock as an expression, so that it can default a column or bound a filter."""

    function = "sync_now"
    template = "%(function)s()"
    output_field = DateTimeField()
    arity = 0


def now() -> datetime:
    """The database's present instant (UTC); one round trip."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sync_now()")
        row = cursor.fetchone()
    assert row is not None
    instant: datetime = row[0]
    return instant
