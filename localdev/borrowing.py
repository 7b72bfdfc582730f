"""Management commands by hand, in a checkout with a demo: they speak to the demo's servers."""

from __future__ import annotations

import json
import os
import sys

from localdev.paths import DEMO_FILE, ENV_FILE

REQUIRED = ("SECRET_KEY", "CREDENTIAL_KEYS", "DATABASE_URL", "REDIS_URL")


def borrow_demo_environment() -> None:
    """Fill what settings require and the environment lacks from the demo of this checkout, if there is one.

    Changes nothing where all is given, as in production, or where no demo was started: settings then fail loudly.
    """
    missing = [name for name in REQUIRED if not os.environ.get(name)]
    if not missing or not DEMO_FILE.is_file() or not ENV_FILE.is_file():
        return
    demo, kept = json.loads(DEMO_FILE.read_text()), json.loads(ENV_FILE.read_text())
    found = {"DATABASE_URL": demo["database_url"], "REDIS_URL": demo["redis_url"], **kept}
    for name in missing:
        os.environ[name] = found[name]
    for name, value in (("DEMO", "1"), ("AUTO_REGISTER_SOURCES", "1"), ("ALLOW_PRIVATE_NETWORKS", "127.0.0.0/8")):
        os.environ.setdefault(name, value)
    sys.stderr.write(f"Using the demo at {demo['url']}.\n")
