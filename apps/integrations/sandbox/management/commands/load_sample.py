"""`manage.py load_sample`: the sample distributor, or only the addresses of its channels."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.integrations.sandbox.sample import EXPECTED, load, point_channels


class Command(BaseCommand):
    help = "Load the sample distributor; idempotent. With --urls-only, only point its channels at the sandbox."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--sandbox", type=Path, help="the sandbox's file of addresses; without it, no channels")
        parser.add_argument("--urls-only", action="store_true", help="the sandbox moved: change the addresses only")

    def handle(self, *args: Any, **options: Any) -> None:
        sandbox: Path | None = options["sandbox"]
        if options["urls_only"]:
            if sandbox is None:
                raise CommandError("--urls-only needs --sandbox FILE: where the sandbox wrote its addresses.")
            point_channels(sandbox)
            return
        began = time.monotonic()
        found = load(sandbox, lambda step: print(f"  {time.monotonic() - began:5.1f} s  {step}", flush=True))
        print(f"  {time.monotonic() - began:5.1f} s  {found}")
        if sandbox is not None and found != EXPECTED:
            self.stderr.write(
                f"The sample holds {found}, not {EXPECTED}: the database was not empty, or a rule changed."
            )
