"""A running demo to speak to over HTTP: the one named by DEMO_JSON, else one of our own, run as a user would."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.world import Api, Json, World, read_demo

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent

# One line per request would bury what a failure says.
logging.getLogger("httpx2").setLevel(logging.WARNING)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder talks to real processes."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.processes)


def _make(target: str, home: Path, **variables: str) -> None:
    """Run a make target against a local folder of its own, so that another demo is left alone."""
    # A user's shell, not the tests': their settings and make's own variables stay behind.
    kept = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in kept or name.startswith(("PIP_", "UV_")) or name.lower().endswith("_proxy")
    } | {"LOCALDEV_HOME": str(home)}
    arguments = ["make", target, *(f"{name}={value}" for name, value in variables.items())]
    done = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"make {target} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.fixture(scope="session")
def demo() -> Iterator[Json]:
    """What demo.json says about the running demo."""
    given = os.environ.get("DEMO_JSON")
    if given:
        yield read_demo(Path(given))
        return
    # The same folder every time: its data may be used, and the second start is quick.
    home = ROOT / ".local" / "contract"
    try:
        _make("demo", home, DETACH="1")
        yield read_demo(home / "demo.json")
    finally:
        _make("stop", home)


@pytest.fixture(scope="session")
def api(demo: Json) -> Api:
    """The demo's key, which may do everything."""
    return Api(demo)


@pytest.fixture(scope="session")
def reader(demo: Json) -> Api:
    """The demo's key that may only read."""
    return Api(demo, demo["api_keys"]["read_only"])


@pytest.fixture
def world(api: Api) -> World:
    """Codes that no other test uses."""
    return World(api)
