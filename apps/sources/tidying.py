"""What is kept only so long: raw bodies of finished messages 400 days, refused messages 30 days."""

from typing import Final

from django.db import connection

BATCH: Final = 5_000
BATCHES: Final = 200

_RAW = """
DELETE FROM sources_rawmessage WHERE message_id IN (
    SELECT r.message_id FROM sources_rawmessage r JOIN sources_inboxmessage m ON m.id = r.message_id
    WHERE r.received_at < sync_now() - interval '400 days' AND m.finished_at IS NOT NULL LIMIT %s)
"""
_REJECTED = """
DELETE FROM sources_rejectedmessage WHERE id IN (
    SELECT id FROM sources_rejectedmessage WHERE received_at < sync_now() - interval '30 days' LIMIT %s)
"""


def tidy() -> int:
    """Drop what is past its time, in small transactions; how many rows went. Hashes and ids stay for ever."""
    return _drop(_RAW) + _drop(_REJECTED)


def _drop(sql: str) -> int:
    total = 0
    for _ in range(BATCHES):
        with connection.cursor() as cursor:
            cursor.execute(sql, [BATCH])
            total += cursor.rowcount
            if cursor.rowcount < BATCH:
                break
    return total
