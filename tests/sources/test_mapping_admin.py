"""Mappings in the console: checked before they are saved, each change a new version."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from apps.access.models import User
from apps.sources.models import Mapping

pytestmark = pytest.mark.django_db


def signed_in(role: str) -> Client:
    user = User.objects.create_user(f"a {role}", password="x", is_staff=True)
    user.groups.add(Group.objects.get_or_create(name=role)[0])
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def mapping() -> Mapping:
    return Mapping.objects.get(source__system__code="online-retail", name="stream")


def form(mapping: Mapping, **changed: Any) -> dict[str, Any]:
    values = {
        "source": mapping.source_id,
        "name": mapping.name,
        "file_pattern": mapping.file_pattern,
        "encoding": "utf-8",
        "time_zone": mapping.time_zone,
        "event_type": mapping.event_type,
        "position": mapping.position,
        "row_filter": mapping.row_filter,
        "fields": mapping.fields,
        "envelope": mapping.envelope,
        "grouping": mapping.grouping,
        "tables": mapping.tables,
        "prelude": mapping.prelude,
        "sample_row": "",
        **changed,
    }
    return {name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in values.items()}


def save(client: Client, mapping: Mapping, **changed: Any) -> Any:
    return client.post(reverse("admin:sources_mapping_change", args=[mapping.pk]), form(mapping, **changed))


def test_a_change_is_a_new_version_and_the_old_one_stays(mapping: Mapping) -> None:
    answer = save(signed_in("administrator"), mapping, row_filter="sign(row.Quantity) > 0")
    assert answer.status_code == 302
    old, new = Mapping.objects.filter(source=mapping.source, name="stream").order_by("version")
    assert (old.version, old.is_current, old.row_filter) == (1, False, "")
    assert (new.version, new.is_current, new.row_filter) == (2, True, "sign(row.Quantity) > 0")
    assert new.created_by == "a administrator"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"fields": {"sku": "row.Code +"}}, "Syntax error"),
        ({"envelope": {}}, "It needs"),
        ({"time_zone": "Mars/Base"}, "is no time zone"),
        ({"event_type": "stock.teleported"}, "is no event type"),
        ({"sample_row": {"StockCode": "1"}}, "no column"),
    ],
)
def test_rules_that_cannot_work_are_refused_and_nothing_is_saved(
    mapping: Mapping, changed: dict[str, Any], message: str
) -> None:
    answer = save(signed_in("administrator"), mapping, **changed)
    assert answer.status_code == 200
    assert message in answer.content.decode()
    assert Mapping.objects.filter(source=mapping.source, name="stream").count() == 1


def test_a_viewer_reads_but_does_not_change(mapping: Mapping) -> None:
    client = signed_in("viewer")
    assert client.get(reverse("admin:sources_mapping_change", args=[mapping.pk])).status_code == 200
    assert save(client, mapping, row_filter="false").status_code == 403
    mapping.refresh_from_db()
    assert mapping.row_filter == ""
