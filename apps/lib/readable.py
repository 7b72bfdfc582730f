"""Messages as people read them: text, laid out where it is JSON, cut where it is long; never markup."""

import json
from dataclasses import dataclass
from typing import Any, Final

from apps.lib.strict_json import MalformedJSON, parse

SHOWN_MAX: Final = 200_000


@dataclass(frozen=True, slots=True)
class RawText:
    """`exact` as it came; `pretty` laid out, empty where it is no JSON or was cut."""

    exact: str
    pretty: str
    cut: bool


def raw_text(text: str) -> RawText:
    """The text for a page, at most SHOWN_MAX characters of it."""
    if len(text) > SHOWN_MAX:
        return RawText(text[:SHOWN_MAX], "", cut=True)
    try:
        return RawText(text, laid_out(parse(text.encode())), cut=False)
    except (MalformedJSON, UnicodeEncodeError):
        return RawText(text, "", cut=False)


def laid_out(value: object) -> str:
    """Indented JSON, numbers as they were written; nothing for None."""
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False, default=str)


class IndentedJSON(json.JSONEncoder):
    """How a form lays out JSON for a person: `field.encoder = IndentedJSON`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "indent": 2})
