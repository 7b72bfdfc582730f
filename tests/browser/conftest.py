"""A real Chromium on a live server with the console's world in it; pages that fail on any console error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from apps.access.models import User
from localdev.chromium import HOW_TO, find_chromium
from tests.console import world
from tests.console.conftest import people  # noqa: F401

Open = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in str(item.path):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    path = find_chromium()
    if path is None:
        pytest.fail(HOW_TO)
    flags = ["--no-sandbox", "--disable-background-networking"]
    return {**browser_type_launch_args, "executable_path": path, "args": flags}


@pytest.fixture
def site(transactional_db: None, live_server: Any, people: dict[str, User]) -> str:  # noqa: F811
    """The address of a live console over a catalogue, blocked facts and a channel."""
    world.catalogue()
    world.facts()
    world.channel()
    world.daily_life(people)
    return str(live_server.url)


@pytest.fixture
def sign_in(site: str, context: BrowserContext) -> Iterator[Open]:
    """Sign in as a role through the login page; what the browser reports as an error fails the test at its end."""
    errors: list[str] = []
    context.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    context.on("weberror", lambda error: errors.append(str(error.error)))

    def opened(role: str, *, width: int = 1400, height: int = 1000, scheme: str = "light") -> Page:
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.goto(f"{site}/console/login/")
        page.evaluate("scheme => localStorage.setItem('_x_adminTheme', JSON.stringify(scheme))", scheme)
        page.fill("input[name=username]", role.replace(" ", "-"))
        page.fill("input[name=password]", world.PASSWORD)
        page.click("#login-form button[type=submit]")
        page.wait_for_url(f"{site}/console/")
        return page

    opened.errors = errors  # type: ignore[attr-defined]
    yield opened
    assert errors == []
