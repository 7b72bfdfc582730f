"""The schema and the models agree, and the ledger refuses to be rewritten."""

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection


@pytest.mark.django_db
def test_no_model_change_lacks_a_migration() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["inventory_stockmovement", "access_auditevent"])
def test_append_only_tables_refuse_updates(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal", [table])
        assert "append_only" in {name for (name,) in cursor.fetchall()}


@pytest.mark.django_db
def test_an_audit_event_cannot_be_edited() -> None:
    from apps.access.models import AuditEvent

    event = AuditEvent.objects.create(actor="tester", action="try", object="test")
    with pytest.raises(DatabaseError, match="append-only"):
        AuditEvent.objects.filter(pk=event.pk).update(action="changed")
