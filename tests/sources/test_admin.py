"""Sources, inbox and refused messages in the console."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from apps.access.models import User
from apps.sources.inbox import receive
from apps.sources.models import InboxMessage, RejectedMessage, Source
from tests.sources.conftest import event

pytestmark = pytest.mark.django_db


def signed_in(role: str) -> Client:
    user = User.objects.create_user(f"{role} person", password="a long enough one", is_staff=True)
    user.groups.add(Group.objects.get_or_create(name=role)[0])
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def received() -> None:
    receive([event("m1"), event("m2", source="wms"), event("bad", type="no.such")])


@pytest.mark.usefixtures("received")
@pytest.mark.parametrize("page", ["source", "inboxmessage", "rejectedmessage"])
def test_a_viewer_sees_the_pages_and_changes_nothing(page: str) -> None:
    client = signed_in("viewer")
    assert client.get(f"/console/sources/{page}/").status_code == 200
    model = {"source": Source, "inboxmessage": InboxMessage, "rejectedmessage": RejectedMessage}[page]
    row = model.objects.order_by("pk").last()
    assert row is not None
    assert client.get(f"/console/sources/{page}/{row.pk}/change/").status_code == 200
    assert client.post(f"/console/sources/{page}/{row.pk}/change/", {}).status_code == 403
    assert client.get(f"/console/sources/{page}/add/").status_code == 403


@pytest.mark.usefixtures("received")
def test_the_inbox_is_searched_by_event_and_filtered_by_state_and_source() -> None:
    client = signed_in("viewer")
    found = client.get("/console/sources/inboxmessage/", {"q": "m1"}).content.decode()
    assert "/console/lineage/erp/m1/" in found
    assert "/console/lineage/wms/m2/" not in found
    assert client.get("/console/sources/inboxmessage/", {"state__exact": "pending"}).status_code == 200


@pytest.mark.usefixtures("received")
def test_an_administrator_sets_the_policies_of_a_source() -> None:
    source = Source.objects.get(system__code="erp")
    answer = signed_in("administrator").post(
        f"/console/sources/source/{source.pk}/change/",
        {
            "kind": "erp",
            "silent_after_s": "600",
            "accepts_our_codes": "on",
            "folds_case": "on",
            "stock_facts": "documents",
            "on_hand_falls_at": "pick",
        },
    )
    assert answer.status_code == 302, answer.content.decode()[:2000]
    source.refresh_from_db()
    assert (source.folds_case, source.stock_facts, source.on_hand_falls_at) == (True, "documents", "pick")
    assert source.accepted == 1
