"""The console as a person uses it: by keyboard and pointer, in a real browser, by role."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from apps.exceptions.models import BlockedRecord, Cause
from apps.sources.models import InboxMessage
from apps.sources.processing import drain
from tests.browser.conftest import Open


def cause_of(value: str) -> Cause:
    return Cause.objects.get(value=value, reason__startswith="UNKNOWN")


def pane_shows(page: Page, value: str) -> None:
    expect(page.locator("#pane h2")).to_contain_text(value)


def test_every_number_of_the_overview_leads_to_what_it_counts(site: str, sign_in: Open) -> None:
    page = sign_in("viewer")
    tile = page.locator("a.sc-tile", has_text="Blocked")
    expect(tile.locator("strong")).to_have_text(str(BlockedRecord.objects.filter(state="open").count()))
    expect(page.locator("table td.sc-number:not(:has(a))")).to_have_count(0)
    page.get_by_role("row", name=re.compile("SHOP")).get_by_role("link", name="8").click()
    expect(page).to_have_url(re.compile(r"/console/channels/SHOP/publications/\?state=due$"))
    expect(page.locator("tbody tr")).to_have_count(8)


def test_triage_is_driven_by_the_keyboard(site: str, sign_in: Open) -> None:
    page = sign_in("triager")
    page.goto(f"{site}/console/triage/")
    pane_shows(page, "DC-07")
    page.keyboard.press("j")
    second = page.locator("#board tr[data-cause]").nth(1)
    expect(second).to_have_attribute("aria-current", "true")
    page.keyboard.press("Enter")
    expect(page.locator("#pane h2")).to_have_text(second.locator("[data-open]").inner_text())
    expect(page).to_have_url(re.compile(f"cause={second.get_attribute('data-cause')}"))
    page.keyboard.press("k")
    expect(page.locator("#board tr[data-cause]").first).to_have_attribute("aria-current", "true")
    page.keyboard.press("x")
    expect(page.locator("[data-bulk]")).to_contain_text("1 selected")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("KRT")
    expect(page.locator("#board tr[data-cause]")).to_have_count(1)
    expect(page).to_have_url(re.compile("search=KRT"))
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()


def test_a_preview_says_what_a_fix_clears_and_the_fix_clears_it(site: str, sign_in: Open) -> None:
    page = sign_in("triager")
    page.goto(f"{site}/console/triage/?cause={cause_of('DC-07').pk}")
    pane_shows(page, "DC-07")
    page.get_by_label("Means our").fill("CHI-01")
    page.get_by_role("button", name="Preview").first.click()
    preview = page.locator("[data-preview]")
    expect(preview).to_contain_text("Clears 24, 3 still blocked by UNKNOWN_UNIT.")
    assert cause_of("DC-07").state == "new"
    page.get_by_role("button", name="Apply and replay 27 records").click()
    expect(page.locator("#toast")).to_contain_text("27 records are being replayed")
    expect(page.locator("#pane")).to_contain_text("by triager")
    drain()
    expect(page.locator("#progress")).to_contain_text("27 resolved", timeout=10_000)
    assert InboxMessage.objects.filter(event_id__startswith="dc7-", state="processed").count() == 24
    assert BlockedRecord.objects.filter(cause__value="KRT", state="open").count() == 20


def test_a_suggested_fix_needs_no_typing(site: str, sign_in: Open) -> None:
    page = sign_in("triager")
    page.goto(f"{site}/console/causes/{cause_of('CHI-1').pk}/")
    offer = page.locator(".sc-offer-best")
    expect(offer).to_contain_text("CHI-1 → CHI-01")
    offer.get_by_role("button").click()
    expect(page.locator("[data-clears]")).to_have_text("Clears 11")


def test_what_a_fix_refuses_is_said_in_place_and_nothing_happens(site: str, sign_in: Open) -> None:
    page = sign_in("triager")
    page.goto(f"{site}/console/causes/{cause_of('DC-07').pk}/")
    page.get_by_label("Means our").fill("NOWHERE")
    page.get_by_role("button", name="Preview").first.click()
    expect(page.locator("#notice")).to_contain_text("NOWHERE")
    assert cause_of("DC-07").open_records == 27
    sign_in.errors.clear()  # type: ignore[attr-defined]  # the refusal's own status, which browsers log


def test_a_record_shows_what_was_sent_and_how_far_it_came(site: str, sign_in: Open) -> None:
    page = sign_in("viewer")
    record = BlockedRecord.objects.filter(cause__value="DC-07").order_by("pk").first()
    assert record is not None
    page.goto(f"{site}/console/records/{record.pk}/")
    expect(page.locator("[data-raw]")).to_contain_text('"warehouse": "DC-07"')
    expect(page.locator(".sc-way")).to_contain_text("Received")
    page.goto(f"{site}/console/lineage/?search=rcv-0000")
    expect(page).to_have_url(re.compile("/console/lineage/wms/rcv-0000/$"))
    expect(page.locator(".sc-way")).to_contain_text("BR-6205-2RS at CHI-01")
    expect(page.locator(".sc-way").get_by_role("link", name="S-BR-6205-2RS")).to_be_visible()


def test_a_viewer_sees_no_actions_and_the_server_refuses_them_as_well(site: str, sign_in: Open) -> None:
    page = sign_in("viewer")
    cause = cause_of("DC-07")
    page.goto(f"{site}/console/causes/{cause.pk}/")
    expect(page.locator("#pane form, #pane [data-key]")).to_have_count(0)
    tokens = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    for action in ("preview", "resolve", "assign", "snooze", "replay", "dismiss", "comment"):
        answer = page.request.post(
            f"{site}/console/causes/{cause.pk}/{action}",
            form={"reason": "x", "text": "x", "for": "1h"},
            headers={"X-CSRFToken": tokens["csrftoken"]},
        )
        assert answer.status == 403, action
    for action in ("pause", "resume"):
        answer = page.request.post(
            f"{site}/console/channels/SHOP/{action}", headers={"X-CSRFToken": tokens["csrftoken"]}
        )
        assert answer.status == 403
    cause.refresh_from_db()
    assert (cause.state, cause.open_records, cause.owner) == ("new", 27, None)
