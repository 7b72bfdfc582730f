"""The dice of the sample data: one seed, one stream per name, so that a change here moves nothing there."""

import random
from typing import Final

SEED: Final = 20_240_108


def chance(name: str) -> random.Random:
    """A generator of its own; the same name gives the same numbers on every machine."""
    return random.Random(f"{SEED}/{name}")  # noqa: S311
