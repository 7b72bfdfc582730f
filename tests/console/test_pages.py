"""Every console page answers, to those who may see it, in few queries, however much waits."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.access.models import User
from apps.channels.models import Publication
from apps.exceptions.models import BlockedRecord, Cause
from tests.console import world

QUERIES_MAX = 15
pytestmark = pytest.mark.django_db


def page_addresses() -> list[str]:
    cause = Cause.objects.order_by("-open_records").first()
    record = BlockedRecord.objects.order_by("pk").first()
    publication = Publication.objects.order_by("pk").first()
    assert cause is not None
    assert record is not None
    assert publication is not None
    return [
        "/console/",
        "/console/triage/",
        "/console/triage/?tab=resolved",
        "/console/triage/?search=DC-07&reason=UNKNOWN_WAREHOUSE&severity=high&order=records&page=1",
        f"/console/causes/{cause.pk}/",
        f"/console/causes/{cause.pk}/records?page=1",
        f"/console/causes/{cause.pk}/records.csv",
        f"/console/records/{record.pk}/",
        "/console/lineage/",
        "/console/lineage/?search=BR-6205-2RS",
        "/console/lineage/wms/rcv-0000/",
        "/console/channels/",
        "/console/channels/SHOP/publications/",
        "/console/channels/SHOP/publications/?state=due&kind=stock&search=S-BR",
        "/console/channels/SHOP/publications.csv",
        f"/console/channels/SHOP/publications/{publication.pk}/",
    ]


def test_every_page_opens_in_few_queries_with_hundreds_of_causes(
    filled: dict[str, User], as_role: dict[str, Client]
) -> None:
    world.many_causes(300)
    counted = {}
    for address in page_addresses():
        with CaptureQueriesContext(connection) as queries:
            response = as_role["triager"].get(address)
            b"".join(response.streaming_content) if response.streaming else response.content
        assert response.status_code == 200, address
        counted[address] = len(queries)
    assert {address: number for address, number in counted.items() if number > QUERIES_MAX} == {}
