"""Encrypt every channel's credentials with the newest key of CREDENTIAL_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from apps.channels.credentials import rotated
from apps.channels.models import Channel


class Command(BaseCommand):
    help = "Put the new key first in CREDENTIAL_KEYS, run this, then remove the old key."

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            channels = list(Channel.objects.select_for_update().exclude(credentials=b"").order_by("pk"))
            for channel in channels:
                channel.credentials = rotated(bytes(channel.credentials))
            Channel.objects.bulk_update(channels, ["credentials"], batch_size=500)
        self.stdout.write(f"{len(channels)} channels now use the newest key.")
