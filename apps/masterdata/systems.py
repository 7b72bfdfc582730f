"""The identities of outside systems, which cross references, sources and channels point to."""

from dataclasses import dataclass

from django.db import connection

from apps.masterdata.changes import Sender


@dataclass(frozen=True, slots=True)
class SystemSender:
    """A system's own voice, for what a person does on its behalf (a cause of that source, an import)."""

    system_id: int | None
    code: str
    accepts_our_codes: bool = True
    folds_case: bool = False


def ensure_system(code: str, name: str = "") -> int:
    """The id of the system `code`, made where there is none; safe to run twice at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO masterdata_system (code, name) VALUES (%s, %s) ON CONFLICT (code) DO NOTHING",
            [code, name or code],
        )
        cursor.execute("SELECT id FROM masterdata_system WHERE code = %s", [code])
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def find_sender(code: str) -> Sender | None:
    """The system of that code as a sender, or None."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM masterdata_system WHERE code = %s", [code])
        row = cursor.fetchone()
    return SystemSender(int(row[0]), code) if row is not None else None
