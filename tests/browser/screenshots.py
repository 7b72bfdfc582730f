"""Pictures of every page, light and dark, wide and narrow: `SHOTS=folder pytest tests/browser/screenshots.py`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Open
from tests.console.test_pages import page_addresses

SHOTS = os.environ.get("SHOTS")


@pytest.mark.skipif(not SHOTS, reason="SHOTS names no folder to put pictures in")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_take_pictures(site: str, sign_in: Open, width: int, scheme: str) -> None:
    page = sign_in("administrator", width=width, height=1000 if width > 1000 else 844, scheme=scheme)
    wanted = os.environ.get("ONLY", "")
    for number, address in enumerate(page_addresses()):
        if ".csv" in address or "records?" in address or wanted not in address:
            continue
        page.goto(f"{site}{address}")
        page.wait_for_load_state("networkidle")
        _take(page, f"{number:02}-{scheme}-{width}")


def _take(page: Page, name: str) -> None:
    folder = Path(SHOTS or ".")
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", full_page=not name.endswith("1400"))
