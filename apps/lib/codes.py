"""Codes of items, units, warehouses and all the rest: one spelling, and the nearest known ones."""

import re
import unicodedata
from collections.abc import Iterable

from rapidfuzz import fuzz, process

MAX_LENGTH = 100
_LEAST_SCORE = 50.0

_NOT_A_LETTER_OR_DIGIT = re.compile(r"[\W_]+")


class InvalidCode(ValueError):
    """A text that is no code; `detail` names it and the rule."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def normalise_code(text: str) -> str:
    """Trimmed, NFC, 1-100 characters, no control characters. Case and leading zeros stay as they are."""
    if text.isascii() and text.isprintable():  # the common case needs no table look-up
        code = text.strip()
    else:
        code = unicodedata.normalize("NFC", text.strip())
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in code):
            raise InvalidCode(f"The code {code[:MAX_LENGTH]!a} holds a control character; remove it.")
    if not 1 <= len(code) <= MAX_LENGTH:
        said = f"{len(code)} characters" if code else "empty"
        raise InvalidCode(f"The code {code[:20]!a} is {said}; send 1 to {MAX_LENGTH} characters.")
    return code


def nearest(code: str, candidates: Iterable[str], limit: int = 5) -> list[tuple[str, float]]:
    """The most similar candidates, best first, with a score of 0..1 (1 is the same text).

    Case and punctuation hardly count: DC9 and dc-9 are near DC-9. What is not half alike is left out.
    """
    known = list(dict.fromkeys(candidates))
    found = process.extract(
        _compact(code), known, scorer=fuzz.ratio, processor=_compact, limit=limit * 4, score_cutoff=_LEAST_SCORE
    )
    scored = [(text, round((0.9 * score + 0.1 * fuzz.ratio(code, text)) / 100, 4)) for text, score, _ in found]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:limit]


def _compact(code: str) -> str:
    return _NOT_A_LETTER_OR_DIGIT.sub("", code).casefold() or code
