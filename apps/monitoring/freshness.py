"""Which sources have gone silent."""

from django.db import connection


def silent_sources() -> set[str]:
    """Codes of sources that sent nothing for longer than their `silent_after_s`; one that never sent is not silent."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT y.code FROM sources_source s JOIN masterdata_system y ON y.id = s.system_id"
            " WHERE s.last_seen_at < sync_now() - s.silent_after_s * interval '1 second'"
        )
        return {code for (code,) in cursor.fetchall()}
