"""Values of publications: when two are the same fact."""

from collections.abc import Mapping
from decimal import Decimal


def same(ours: Mapping[str, str], theirs: Mapping[str, str]) -> bool:
    """19.9 is 19.90; a field that they do not tell is not the same."""
    return all(name in theirs and _equal(name, value, theirs[name]) for name, value in ours.items())


def _equal(name: str, ours: str, theirs: str) -> bool:
    if name == "currency":
        return ours == theirs
    try:
        return Decimal(ours) == Decimal(theirs)
    except ArithmeticError:
        return False
