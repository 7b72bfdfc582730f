"""A Chromium for the browser tests: found, or fetched, or an exact sentence on how to get one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
DOWNLOAD_TIMEOUT_S = 180.0
APT_TIMEOUT_S = 600.0
HOW_TO = (
    "No Chromium was found and none could be installed, so the browser tests cannot run: "
    "install one (Debian and Ubuntu: `apt-get install chromium`; anywhere: `.venv/bin/playwright install chromium`) "
    "or set CHROMIUM_PATH to the program of an installed one."
)


def find_chromium() -> str | None:
    """Return the program of an installed Chromium: CHROMIUM_PATH, the system's, or Playwright's own."""
    given = os.environ.get("CHROMIUM_PATH")
    if given and Path(given).is_file():
        return given
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    if MAC.exists():
        return str(MAC)
    return _playwright_chromium()


def ensure_chromium() -> str | None:
    """Find a Chromium, or try to get one; None where neither works (HOW_TO says what to do)."""
    return find_chromium() or _download() or _install()


def _playwright_chromium() -> str | None:
    code = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    path = Path(answer.stdout.strip() or "/nonexistent")
    return str(path) if path.is_file() else None


def _download() -> str | None:
    """Let Playwright fetch its own build; not possible on every network."""
    if not _runs([sys.executable, "-m", "playwright", "install", "chromium"], DOWNLOAD_TIMEOUT_S):
        return None
    return _playwright_chromium()


def _install() -> str | None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    install = ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]
    if _runs(["apt-get", "update"], APT_TIMEOUT_S) and _runs(install, APT_TIMEOUT_S):
        return find_chromium()
    return None


def _runs(command: list[str], timeout_s: float) -> bool:
    print(f"trying `{' '.join(command)}`", file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            check=False,
            timeout=timeout_s,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    except (subprocess.TimeoutExpired, OSError):
        return False
    return done.returncode == 0
