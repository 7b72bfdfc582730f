"""Trying blocked publications again: what the exception queue calls for records of origin "publication"."""

from collections.abc import Sequence

from django.db import connection, transaction

from apps.channels.planner import replan
from apps.exceptions import triage
from apps.lib.nudges import nudge

BATCH = 500


def retry(origin_ids: Sequence[int]) -> None:
    """Make these publications due again, in the caller's transaction; nothing is sent in it.

    A refusal of the channel is settled and sent anew under a new version: if the channel refuses again, the cause
    regresses. What could not be planned (no price, no unit) is planned again, and blocks again if it must.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, listing_id, trace ? 'refused', blocked_at IS NOT NULL FROM channels_publication "
            "WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
            [list(origin_ids)],
        )
        rows = cursor.fetchall()
        refused_by_channel = [pk for pk, _, refused, blocked in rows if blocked and not refused]
        cursor.execute(
            "UPDATE channels_publication SET blocked_at = NULL, has_exception = false, attempts = 0, "
            "desired_version = desired_version + 1, next_attempt_at = sync_now() WHERE id = ANY(%s)",
            [refused_by_channel],
        )
    alive = {pk for pk, _, refused, _ in rows if refused}
    triage.settle("publication", [pk for pk in origin_ids if pk not in alive], by="retry")
    unplanned = {listing_id for _, listing_id, refused, _ in rows if refused and listing_id is not None}
    if unplanned:
        replan(unplanned)
    nudge("publish")


def retry_waiting(limit: int = BATCH) -> int:
    """Retry what people and arrivals asked for; how many publications."""
    with transaction.atomic():
        waiting = triage.waiting("publication", limit)
        if waiting:
            retry(waiting)
    return len(waiting)
