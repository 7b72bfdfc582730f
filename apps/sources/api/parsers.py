"""Bodies of POST /events: kept as bytes, because the inbox stores what was sent and parses it once."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser


class EventParser(BaseParser):
    """Hands the bytes on; apps.sources.inbox parses them strictly."""

    media_type = "application/json"

    def parse(  # type: ignore[override]
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return bytes(stream.read())


class CloudEventParser(EventParser):
    media_type = "application/cloudevents+json"


class CloudEventBatchParser(EventParser):
    media_type = "application/cloudevents-batch+json"


EVENT_PARSERS = [EventParser, CloudEventParser, CloudEventBatchParser]
