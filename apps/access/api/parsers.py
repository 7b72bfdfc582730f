"""The one JSON parser of the API."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from apps.lib.errors import Problem
from apps.lib.strict_json import MalformedJSON, parse


class StrictJSONParser(BaseParser):
    """JSON without NaN, duplicate keys, NUL, lone surrogates or depth beyond 32: 400 malformed_json."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return parse(stream.read())
        except MalformedJSON as error:
            raise Problem(400, "malformed_json", str(error)) from error
