"""What the record page shows of an event that waits: the message as received, and how it is understood."""

import json
from typing import Any

from apps.sources import batch
from apps.sources.fates import lineage_url
from apps.sources.models import RawMessage
from apps.sources.received import Received


def panel(origin_id: int) -> dict[str, Any]:
    """`{title, raw, canonical, lineage_url}` of one inbox message; `corrected` is who edited it, if anybody."""
    messages = batch.peek([origin_id])
    if not messages:
        return {"title": f"message {origin_id}", "raw": "", "canonical": None, "lineage_url": ""}
    (message,) = messages
    raw = RawMessage.objects.filter(pk=origin_id).first()
    return {
        "title": message.record,
        "raw": bytes(raw.body).decode("utf-8", "replace") if raw is not None else "",
        "canonical": _canonical(message),
        "corrected": raw.corrected_by if raw is not None else "",
        "lineage_url": lineage_url(message.source.code, message.event_id),
    }


def _canonical(message: Received) -> dict[str, Any]:
    return {
        "type": message.type,
        "source": message.source.code,
        "id": message.event_id,
        "time": message.happened_at.isoformat(),
        "received": message.received_at.isoformat(),
        "sequence": message.sequence,
        "stream": message.stream,
        "subject": message.subject,
        "data": json.loads(json.dumps(message.data, default=str)),
    }
