"""What is dropped when, and what stays for ever."""

from __future__ import annotations

import pytest
from django.db import connection

from apps.sources.inbox import receive
from apps.sources.models import InboxMessage, RawMessage, RejectedMessage
from apps.sources.tidying import tidy
from tests.sources.conftest import CATALOG, event, moved, send

pytestmark = pytest.mark.django_db


def age(days: int) -> None:
    with connection.cursor() as cursor:
        for table in ("rawmessage", "rejectedmessage"):
            cursor.execute(f"UPDATE sources_{table} SET received_at = received_at - %s * interval '1 day'", [days])


def test_raw_bodies_go_after_400_days_once_finished_and_hashes_stay() -> None:
    send(*CATALOG, moved("waits", "receipt", "1", data={"sku": "NEW"}))
    age(399)
    assert tidy() == 0
    age(2)
    assert tidy() == 4
    assert list(RawMessage.objects.values_list("message__event_id", flat=True)) == ["waits"]
    assert InboxMessage.objects.count() == 5
    assert receive(CATALOG).duplicates == 4


def test_refused_messages_go_after_30_days() -> None:
    receive([event("bad", type="no.such")])
    age(29)
    assert tidy() == 0
    age(2)
    assert tidy() == 1
    assert not RejectedMessage.objects.exists()
