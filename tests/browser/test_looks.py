"""No page hurts: nothing serious for assistive technology, nothing wider than a phone, no error in the console."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import Open
from tests.console.test_pages import page_addresses

SERIOUS = {"serious", "critical"}


def pages() -> list[str]:
    return [address for address in page_addresses() if ".csv" not in address and "records?" not in address]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_barrier(site: str, sign_in: Open, scheme: str) -> None:
    page = sign_in("administrator", scheme=scheme)
    found = {}
    for address in pages():
        page.goto(f"{site}{address}")
        page.wait_for_load_state("networkidle")
        violations = Axe().run(page).response["violations"]
        bad = [
            f"{violation['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
            for violation in violations
            if violation["impact"] in SERIOUS
            for node in violation["nodes"][:3]
        ]
        if bad:
            found[address] = bad
    assert found == {}


def test_no_page_is_wider_than_a_phone(site: str, sign_in: Open) -> None:
    page = sign_in("administrator", width=390, height=844)
    too_wide = {}
    for address in pages():
        page.goto(f"{site}{address}")
        page.wait_for_load_state("networkidle")
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if over > 0:
            too_wide[address] = over
    assert too_wide == {}
