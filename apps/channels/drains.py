"""One drain of a channel at a time, in all processes together, so that a slow channel holds one worker, not all."""

from django.db import connection

_TAKE = """
UPDATE channels_channel SET draining_by = %(token)s, draining_until = sync_now() + make_interval(secs => %(lease)s)
WHERE system_id = %(channel)s AND (draining_by = %(token)s OR coalesce(draining_until <= sync_now(), true))
"""
_LEAVE = """
UPDATE channels_channel SET draining_by = '', draining_until = NULL
WHERE system_id = %(channel)s AND draining_by = %(token)s
"""


def take(channel_id: int, token: str, lease_s: float) -> bool:
    """Become, or stay, the one that drains this channel; a lost drainer's turn ends with its lease."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"channel": channel_id, "token": token, "lease": lease_s})
        return bool(cursor.rowcount == 1)


def leave(channel_id: int, token: str) -> None:
    """Let the next one in."""
    with connection.cursor() as cursor:
        cursor.execute(_LEAVE, {"channel": channel_id, "token": token})
