"""What a fix is: a class in the app that owns the data, named in the catalogue by dotted path."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, cast

from apps.exceptions.reasons import reason_of

if TYPE_CHECKING:
    from apps.exceptions.models import Cause

Kind = Literal["text", "code", "decimal", "int", "choice", "json"]


@dataclass(frozen=True, slots=True)
class FixField:
    """One field a person fills in; `help` says what it takes, `choices` the values of a "choice"."""

    name: str
    label: str
    kind: Kind = "text"
    required: bool = True
    help: str = ""
    choices: tuple[str, ...] = ()
    # Never written into histories or shown again.
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A likely answer: `target` is what goes into the fix's field, `score` is 0 to 1."""

    target: str
    label: str
    score: float
    fix: str = ""


@dataclass(frozen=True, slots=True)
class FixResult:
    """What a fix did, as one sentence; "ignore" says that the records will end ignored, not applied."""

    summary: str
    outcome: Literal["replay", "ignore"] = "replay"


class Fix(Protocol):
    """A way to mend a cause. `apply` writes in the caller's transaction and raises Problem on bad input.

    `suggest` answers for one cause, best first; it must not write. A fix may define
    `suggest_many(causes) -> dict[cause id, list[Suggestion]]`, so that a list needs one call.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    fields: ClassVar[tuple[FixField, ...]]

    def suggest(self, cause: "Cause") -> list[Suggestion]: ...

    def apply(self, cause: "Cause", fields: Mapping[str, Any], actor: str) -> FixResult: ...


def fixes_of(reason: str) -> dict[str, Fix]:
    """The fixes of a reason by name, in the order the catalogue offers them."""
    fixes = [_loaded(path) for path in reason_of(reason).fixes]
    return {fix.name: fix for fix in fixes}


def load(path: str) -> Any:
    """The object behind a dotted path."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


@cache
def _loaded(path: str) -> Fix:
    return cast(Fix, load(path)())


def suggestions_of(causes: Sequence["Cause"], limit: int = 3) -> dict[int, list[Suggestion]]:
    """The best suggestions of each cause over all its fixes: one call per fix where it can answer many at once."""
    found: dict[int, list[Suggestion]] = {cause.pk: [] for cause in causes}
    by_reason: dict[str, list[Cause]] = {}
    for cause in causes:
        by_reason.setdefault(cause.reason, []).append(cause)
    for reason, members in by_reason.items():
        for fix in fixes_of(reason).values():
            for cause_id, suggestions in _asked(fix, members).items():
                found[cause_id] += [Suggestion(s.target, s.label, s.score, fix.name) for s in suggestions]
    return {key: sorted(values, key=lambda s: -s.score)[:limit] for key, values in found.items()}


def _asked(fix: Fix, causes: Sequence["Cause"]) -> Mapping[int, list[Suggestion]]:
    many = getattr(fix, "suggest_many", None)
    if many is not None:
        return cast("Mapping[int, list[Suggestion]]", many(causes))
    return {cause.pk: fix.suggest(cause) for cause in causes}
