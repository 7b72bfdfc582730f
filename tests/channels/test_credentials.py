"""Secrets of channels: encrypted, rotated, never in plain."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command

from apps.channels.credentials import seal, unseal
from apps.channels.models import Channel
from apps.lib.errors import Problem
from apps.masterdata.models import System


def test_secrets_are_unreadable_at_rest() -> None:
    sealed = seal({"secret": "s3cret-value"})
    assert b"s3cret" not in sealed
    assert unseal(sealed) == {"secret": "s3cret-value"}
    assert (seal({}), unseal(b"")) == (b"", {})


@pytest.mark.django_db
def test_rotation_leaves_nothing_under_the_old_key(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.CREDENTIAL_KEYS = [old]
    system = System.objects.create(code="SHOP", name="Shop")
    Channel.objects.create(system=system, connector="jsonhttp", grade="A", credentials=seal({"secret": "x"}))
    settings.CREDENTIAL_KEYS = [new, old]
    call_command("rotate_credentials")
    assert "1 channels" in capsys.readouterr().out
    settings.CREDENTIAL_KEYS = [new]
    assert unseal(bytes(Channel.objects.get().credentials)) == {"secret": "x"}
    settings.CREDENTIAL_KEYS = [old]
    with pytest.raises(Problem, match="No key of CREDENTIAL_KEYS opens these credentials"):
        unseal(bytes(Channel.objects.get().credentials))
