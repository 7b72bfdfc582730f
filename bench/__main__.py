"""Runs every benchmark, or those named: `python -m bench [--markdown] [ingest availability …]`.

`--markdown` writes the figures of the last runs (bench/results/) to docs/benchmarks.md afterwards; with `--only` it
measures nothing.
"""

import os
import sys
from importlib import import_module

import django

from bench.frame import scratch_database
from bench.table import write_table

# Each has `main()`, and gets a migrated database of its own.
MODULES = ("ingest", "availability", "prices", "publish", "propagation")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sync_console.settings")
    django.setup()
    named = [name for name in sys.argv[1:] if not name.startswith("-")]
    if "--only" not in sys.argv:
        print("name ratio goal")
        for module in named or MODULES:
            with scratch_database():
                import_module(f"bench.{module}").main()
    if "--markdown" in sys.argv:
        print(f"written to {write_table()}")


if __name__ == "__main__":
    main()
