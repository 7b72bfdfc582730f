"""What the pages do when asked, and what they refuse."""

from __future__ import annotations

import csv
import io

import pytest
from django.db import transaction
from django.test import Client

from apps.access.models import AuditEvent, User
from apps.channels.models import Channel
from apps.exceptions.models import Activity, Cause, Comment
from apps.exceptions.triage import BlockRequest, block
from apps.lib.errors import Block
from tests.console import world

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def unknown(code: str, subject: str = "AB-1", origin_id: int = 1) -> Cause:
    found = Block("UNKNOWN_WAREHOUSE", "warehouse", "warehouse", code, f"{code} is not known.", subject=subject)
    with transaction.atomic():
        block([BlockRequest("inbox", origin_id, found, source="wms")])
    return Cause.objects.get(value=code)


def body(response: object) -> str:
    return b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]


def test_somebody_who_is_not_signed_in_is_sent_to_the_login_page(people: dict[str, User]) -> None:
    answer = Client().get("/console/triage/?tab=mine")
    assert answer.status_code == 302
    assert answer["Location"] == "/console/login/?next=/console/triage/%3Ftab%3Dmine"


def test_somebody_without_a_role_is_refused_in_the_console_s_look(people: dict[str, User]) -> None:
    stranger = User.objects.create_user("stranger", password=world.PASSWORD, is_staff=True)
    client = Client()
    client.force_login(stranger)
    for address in ("/console/", "/console/triage/", "/console/lineage/", "/console/channels/"):
        answer = client.get(address)
        assert answer.status_code == 403
        assert "Your role does not allow" in answer.content.decode()


def test_a_part_comes_without_the_shell_and_a_restored_page_with_it(as_role: dict[str, Client]) -> None:
    unknown("DC-7")
    part = as_role["viewer"].get("/console/triage/", headers=HTMX).content.decode()
    whole = as_role["viewer"].get("/console/triage/", headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert "DC-7" in part
    assert "<html" not in part
    assert "<html" in whole.content.decode()


def test_an_export_holds_nothing_a_spreadsheet_would_run(as_role: dict[str, Client]) -> None:
    cause = unknown("=1+1", subject='@SUM("x")')
    answer = as_role["viewer"].get(f"/console/causes/{cause.pk}/records.csv")
    head, row = list(csv.reader(io.StringIO(body(answer))))
    cells = dict(zip(head, row, strict=True))
    assert cells["value"] == "'=1+1"
    assert cells["subject"] == '\'@SUM("x")'
    assert cells["state"] == "open"


def test_markup_in_a_value_is_shown_as_text(as_role: dict[str, Client]) -> None:
    cause = unknown("<script>alert(1)</script>")
    for address in ("/console/triage/", f"/console/causes/{cause.pk}/", "/console/"):
        text = as_role["triager"].get(address).content.decode()
        assert "<script>alert(1)" not in text
        assert "&lt;script&gt;alert(1)" in text


def test_several_causes_are_assigned_at_once_and_a_closed_one_is_left_alone(as_role: dict[str, Client]) -> None:
    causes = [unknown(code) for code in ("DC-7", "DC-8", "DC-9")]
    closed = causes[2]
    as_role["triager"].post(f"/console/causes/{closed.pk}/dismiss", {"reason": "an old test"})
    ids = [str(cause.pk) for cause in causes]
    answer = as_role["triager"].post("/console/triage/bulk", {"action": "assign", "cause": ids}, headers=HTMX)
    assert answer.status_code == 204
    assert "2 of 3 causes" in answer["HX-Trigger"]
    owners = {cause.value: cause.owner and cause.owner.username for cause in Cause.objects.select_related("owner")}
    assert owners == {"DC-7": "triager", "DC-8": "triager", "DC-9": None}


def test_a_dismissal_needs_a_reason(as_role: dict[str, Client]) -> None:
    cause = unknown("DC-7")
    answer = as_role["triager"].post(f"/console/causes/{cause.pk}/dismiss", {"reason": " "}, headers=HTMX)
    assert answer.status_code == 400
    assert answer["HX-Retarget"] == "#notice"
    cause.refresh_from_db()
    assert cause.state == "new"
    assert not Activity.objects.filter(cause=cause, action="dismissed").exists()


def test_a_fix_is_not_applied_without_its_preview(as_role: dict[str, Client]) -> None:
    cause = unknown("DC-7")
    answer = as_role["triager"].post(
        f"/console/causes/{cause.pk}/resolve", {"fix": "ignore", "reason": "x"}, headers=HTMX
    )
    assert answer.status_code == 400
    assert "Preview the fix first" in answer.content.decode()
    cause.refresh_from_db()
    assert (cause.state, cause.open_records) == ("new", 1)


def test_a_second_person_is_told_who_was_first(as_role: dict[str, Client]) -> None:
    cause = unknown("DC-7")
    as_role["administrator"].post(f"/console/causes/{cause.pk}/dismiss", {"reason": "known outage"})
    answer = as_role["triager"].post(f"/console/causes/{cause.pk}/snooze", {"for": "1d"}, headers=HTMX)
    assert answer.status_code == 409
    assert "dismissed by administrator" in answer.content.decode()


def test_a_comment_is_kept_with_its_author(as_role: dict[str, Client]) -> None:
    cause = unknown("DC-7")
    as_role["triager"].post(f"/console/causes/{cause.pk}/comment", {"text": "The WMS was asked."}, headers=HTMX)
    said = Comment.objects.get(cause=cause)
    assert (said.text, said.author and said.author.username) == ("The WMS was asked.", "triager")


@pytest.mark.parametrize("role", ["viewer", "triager"])
def test_only_who_may_write_channels_pauses_one(filled: dict[str, User], as_role: dict[str, Client], role: str) -> None:
    assert as_role[role].post("/console/channels/SHOP/pause").status_code == 403
    assert Channel.objects.get().state == "live"
    assert "Pause" not in as_role[role].get("/console/channels/").content.decode()


def test_a_channel_is_paused_and_resumed_once(filled: dict[str, User], as_role: dict[str, Client]) -> None:
    client = as_role["administrator"]
    client.post("/console/channels/SHOP/pause")
    assert Channel.objects.get().state == "paused"
    again = client.post("/console/channels/SHOP/pause", follow=True).content.decode()
    assert "SHOP is not live any more" in again
    client.post("/console/channels/SHOP/resume")
    assert Channel.objects.get().state == "live"
    assert list(AuditEvent.objects.filter(object="channel:SHOP").values_list("action", flat=True)) == [
        "channels.paused",
        "channels.live",
    ]


@pytest.mark.parametrize("address", ["/console/causes/999999/", "/console/records/999999/", "/console/lineage/x/y/"])
def test_what_is_not_there_is_404(as_role: dict[str, Client], address: str) -> None:
    assert as_role["viewer"].get(address).status_code == 404


@pytest.mark.parametrize(
    "query", ["tab=%00", "page=-1", "page=99999999999", "search=%25_%5C", "order=password", "reason=x%00"]
)
def test_odd_parameters_of_the_board_fall_back(as_role: dict[str, Client], query: str) -> None:
    assert as_role["viewer"].get(f"/console/triage/?{query}").status_code == 200
