"""Fixes for what a channel refused."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from apps.exceptions.fixes import FixField, FixResult, Suggestion

if TYPE_CHECKING:
    from apps.exceptions.models import Cause


class Retry:
    """Send again what the channel refused: the listing or the channel was corrected on the other side."""

    name: ClassVar[str] = "retry"
    label: ClassVar[str] = "Send again"
    fields: ClassVar[tuple[FixField, ...]] = ()

    def suggest(self, cause: "Cause") -> list[Suggestion]:
        return []

    def apply(self, cause: "Cause", fields: Mapping[str, Any], actor: str) -> FixResult:
        """Nothing is written: the replay makes the publications due under a new version."""
        return FixResult(f"Send {cause.open_records} refused updates to {cause.channel or 'the channel'} again.")
