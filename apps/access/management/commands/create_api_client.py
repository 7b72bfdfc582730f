"""create_api_client NAME --scope …: a system that may call the API; prints its key, once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from apps.access.clients import ClientTerms, UnknownScope, set_client
from apps.access.keys import create_key
from apps.access.models import ApiClient


class Command(BaseCommand):
    help = "Create an API client and print its key. The key is shown this once and kept nowhere."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="how the client is called in history and limits")
        parser.add_argument("--scope", action="append", required=True, help="repeat for several; all for everything")
        for noun in ("channel", "account", "warehouse", "source"):
            parser.add_argument(f"--{noun}", action="append", default=[], help=f"only this {noun}; repeat for several")
        parser.add_argument("--rate", type=int, default=100, help="requests per second (default 100)")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"].strip()
        if not 1 <= len(name) <= 100:
            raise CommandError("The name has 1 to 100 characters.")
        if not 1 <= options["rate"] <= 1_000_000:
            raise CommandError("--rate is 1 to 1,000,000 requests per second.")
        terms = ClientTerms(
            scopes=options["scope"],
            channels=options["channel"],
            accounts=options["account"],
            warehouses=options["warehouse"],
            sources=options["source"],
            requests_per_s=options["rate"],
        )
        with transaction.atomic():
            if ApiClient.objects.filter(name=name).exists():
                raise CommandError(f"There is a client {name!r} already; choose another name, or add a key to it.")
            try:
                client = set_client(name, terms)
            except UnknownScope as error:
                raise CommandError(str(error)) from error
            key = create_key(client)
        self.stdout.write(key)
