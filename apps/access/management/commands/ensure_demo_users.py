"""ensure_demo_users: one person per role and two API keys, the same on every run; prints them as JSON."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from rest_framework_api_key.crypto import KeyGenerator

from apps.access.capabilities import ADMINISTRATOR, ROLES
from apps.access.clients import READ_SCOPES, ClientTerms, restore_key, set_client
from apps.access.models import User

LOGIN = "admin"
KEYS = {
    "api_key": ("demo", ClientTerms(scopes=["all"], requests_per_s=2_000)),
    "read_only": ("demo read-only", ClientTerms(scopes=READ_SCOPES, requests_per_s=2_000)),
}


class Command(BaseCommand):
    help = "Create the demo's people and keys, or restore them from the credentials file; prints JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        default = settings.BASE_DIR / ".local" / "credentials.json"
        parser.add_argument(
            "--credentials-file",
            type=Path,
            default=default,
            help=f"where passwords and keys are kept between runs, readable by its owner only (default {default})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO and not settings.DEBUG:
            raise CommandError("These logins are for a demo: set DEMO=1, or create people in the console instead.")
        credentials = _credentials(options["credentials_file"])
        people = {_username(role): role for role in ROLES} | {LOGIN: ADMINISTRATOR}
        with transaction.atomic():
            hashes = {
                name: _ensure_person(name, credentials["passwords"][name], role, credentials["hashes"].get(name, ""))
                for name, role in people.items()
            }
            for name, (client, terms) in KEYS.items():
                restore_key(set_client(client, terms), credentials["keys"][name])
        if hashes != credentials["hashes"]:
            _write(options["credentials_file"], credentials | {"hashes": hashes})
        self.stdout.write(json.dumps(_printed(credentials)))


def _printed(credentials: dict[str, Any]) -> dict[str, Any]:
    passwords, keys = credentials["passwords"], credentials["keys"]
    people = {role: {"username": _username(role), "password": passwords[_username(role)]} for role in ROLES}
    return {
        "username": LOGIN,
        "password": passwords[LOGIN],
        "users": people,
        "api_key": keys["api_key"],
        "api_keys": {"read_only": keys["read_only"]},
    }


def _credentials(path: Path) -> dict[str, Any]:
    """What the file holds, completed with what is missing; written for the owner's eyes only."""
    try:
        kept = json.loads(path.read_text())
    except FileNotFoundError:
        kept = {}
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} cannot be read ({error}); remove it to have new passwords made.") from error
    if not isinstance(kept, dict):
        raise CommandError(f"{path} holds no credentials; remove it to have new passwords made.")
    passwords = {name: secrets.token_urlsafe(15) for name in [LOGIN, *map(_username, ROLES)]}
    keys = {name: KeyGenerator().generate()[0] for name in KEYS}
    complete = {
        "passwords": passwords | kept.get("passwords", {}),
        "keys": keys | kept.get("keys", {}),
        "hashes": kept.get("hashes", {}),
    }
    if complete != kept:
        _write(path, complete)
    return complete


def _write(path: Path, credentials: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(credentials, file, indent=1)
    beside.replace(path)


def _ensure_person(username: str, password: str, role: str, known_hash: str) -> str:
    """The hash of the person's password. One that is as we left it is not checked: that costs a third of a second."""
    person, _ = User.objects.get_or_create(username=username)
    person.is_active = person.is_staff = True
    if not (known_hash and person.password == known_hash) and not person.check_password(password):
        person.set_password(password)
    person.save()
    person.groups.set([Group.objects.get_or_create(name=role)[0]])
    return str(person.password)


def _username(role: str) -> str:
    return role.replace(" ", "-")
