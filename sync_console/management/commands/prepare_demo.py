"""Everything a demo needs before its processes start, in one process: the schema, and people with their keys."""

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


class Command(BaseCommand):
    help = "Migrate, create the demo's people and keys, and print these as JSON."
    requires_system_checks: list[str] = []  # `make check` runs them; here a second start must be quick

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--credentials-file", type=Path, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", interactive=False, verbosity=0)
        call_command("ensure_demo_users", credentials_file=options["credentials_file"], stdout=self.stdout)
