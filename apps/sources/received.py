"""What handlers are given and what they answer."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from apps.lib.errors import Block

Status = Literal["processed", "superseded", "ignored", "blocked"]
Effect = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SourceRef:
    """The sender of a message and how its codes and stock facts are read."""

    system_id: int
    code: str
    accepts_our_codes: bool = True
    folds_case: bool = False
    stock_facts: str = "both"
    on_hand_falls_at: str = "ship"


@dataclass(frozen=True, slots=True)
class Line:
    """One good line of a fact: its place, what people call it, and its fields."""

    index: int
    label: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Received:
    """A message whose shape is right; `bad_lines` are the indexes of lines that are blocked by their shape."""

    id: int
    source: SourceRef
    event_id: str
    type: str
    subject: str
    sequence: int | None
    stream: str
    happened_at: datetime
    received_at: datetime
    data: dict[str, Any]
    attempts: int = 0
    bad_lines: frozenset[int] = frozenset()

    @property
    def record(self) -> str:
        """How a sentence names it."""
        return f"{self.type} {self.event_id} of {self.source.code}"

    def lines(self) -> Iterator[Line]:
        """The lines whose shape is right."""
        given: list[dict[str, Any]] = self.data["lines"]
        labels = line_labels(given)
        for index, line in enumerate(given):
            if index not in self.bad_lines:
                yield Line(index, labels[index], line)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message. A blocked one may have applied its other lines; `effects` tells which."""

    message_id: int
    status: Status
    blocks: Sequence[Block] = ()
    effects: Sequence[Effect] = field(default_factory=tuple)


Handler = Callable[[Sequence[Received]], list[Outcome]]


def line_labels(lines: Sequence[object]) -> list[str]:
    """Each line's own number where the document gives every line a different one, else its place from 1."""
    own = [line.get("line") if isinstance(line, dict) else None for line in lines]
    texts = [str(label) for label in own if isinstance(label, str | int) and 0 < len(str(label)) <= 40]
    if len(texts) == len(lines) == len(set(texts)):
        return texts
    return [str(index + 1) for index in range(len(lines))]
