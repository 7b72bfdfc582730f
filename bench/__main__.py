"""Runs every benchmark, or those named: `python -m bench [ingest availability …]`."""

import os
import sys
from importlib import import_module

import django

from bench.frame import scratch_database

# Each has `main()`, and gets a migrated database of its own.
MODULES = ("ingest", "availability", "prices", "propagation")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sync_console.settings")
    django.setup()
    print("name ratio goal")
    for module in sys.argv[1:] or MODULES:
        with scratch_database():
            import_module(f"bench.{module}").main()


if __name__ == "__main__":
    main()
