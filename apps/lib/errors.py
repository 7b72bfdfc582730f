"""What can go wrong with a record, in a form a person can act on."""

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field


@dataclass(frozen=True, slots=True)
class Block:
    """Why one record, or one line of it, cannot be processed until a person (or a later event) mends the cause.

    `reason` is a code of the catalogue in apps/exceptions/reasons.py. The cause's fingerprint is reason +
    entity_type + field + normalised value (+ the source or channel, where `scoped`). `detail` is the whole
    sentence: the record, the rule, the value and what to do next.
    """

    reason: str
    entity_type: str
    field: str
    value: str
    detail: str
    line: str = ""
    subject: str = ""
    scoped: bool = True
    context: dict[str, str] = dataclass_field(default_factory=dict)


class Blocked(Exception):
    """A record that must wait in the exception queue, with every block found in it."""

    def __init__(self, *blocks: Block) -> None:
        super().__init__("; ".join(block.detail for block in blocks))
        self.blocks: Sequence[Block] = blocks


class Superseded(Exception):
    """A newer fact about the same entity was applied already: nothing to do, and nothing wrong."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One entry of a problem's `errors`."""

    code: str
    detail: str
    pointer: str = ""


class Problem(Exception):
    """A refused request, answered as application/problem+json."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        *,
        headers: dict[str, str] | None = None,
        extra: dict[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.extra = extra or {}
