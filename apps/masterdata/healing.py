"""What a change of master data unblocks: records that waited for it are replayed without a person."""

from collections.abc import Collection

from apps.exceptions import triage
from apps.exceptions.models import Cause
from apps.masterdata.blocks import UNKNOWN


def heal_codes(kind: str, codes: Collection[str], *, source: str | None = None, by: str) -> None:
    """`codes` mean something from now on (to `source` only, where it is given)."""
    if codes and kind in UNKNOWN:
        triage.heal(UNKNOWN[kind][0], sorted(codes), source=source, by=by)


def heal_conversions(by: str) -> None:
    """A factor changed: whatever waits for a conversion is tried again, since a path may use any factor."""
    for reason in ("INVALID_CONVERSION", "FRACTION_NOT_ALLOWED"):
        values = Cause.objects.filter(reason=reason, state__in=Cause.LIVE).values_list("value", flat=True)
        if waiting := sorted(set(values)):
            triage.heal(reason, waiting, by=by)


def heal_identifiers(values: Collection[str], by: str) -> None:
    """These identifiers are free again."""
    if values:
        triage.heal("DUPLICATE_IDENTIFIER", sorted(values), by=by)
