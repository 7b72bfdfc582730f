"""The correlation id of what was received, for the log lines of everything that follows from it."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable

from django.db import connection

log = logging.getLogger(__name__)

NAMED_MAX = 50


def traces_of(message_ids: Collection[int]) -> set[str]:
    """The trace ids under which these messages were received."""
    if not message_ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT trace_id FROM sources_inboxmessage WHERE id = ANY(%s)", [list(message_ids)])
        return {trace for (trace,) in cursor.fetchall() if trace}


def log_received(source_counts: Counter[str], accepted: int, duplicates: int, rejected: int, trace_id: str) -> None:
    """One line a request."""
    log.info(
        "received",
        extra={
            "sources": dict(source_counts),
            "accepted": accepted,
            "duplicates": duplicates,
            "rejected": rejected,
            "trace_ids": [trace_id] if trace_id else [],
        },
    )


def log_processed(fates: Iterable[tuple[int, str]]) -> None:
    """One line a batch: what became of its messages, and the traces they came under."""
    fates = list(fates)
    if not fates or not log.isEnabledFor(logging.INFO):
        return
    ids = [message_id for message_id, _ in fates]
    log.info(
        "processed",
        extra={
            "fates": dict(Counter(status for _, status in fates)),
            "messages": ids[:NAMED_MAX],
            "trace_ids": sorted(traces_of(ids))[:NAMED_MAX],
        },
    )
