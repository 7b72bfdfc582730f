"""What a plain date means in prices: midnight in the time zone of the book (or branch) it speaks of."""

from datetime import UTC, date, datetime, time
from functools import cache
from zoneinfo import ZoneInfo

# Beyond these years a midnight may fall out of the calendar in another zone.
FIRST_YEAR, LAST_YEAR = 1900, 2999


def instant_of(moment: datetime | date, zone: str) -> datetime:
    """An instant as it is, a plain date as its midnight in `zone`; in UTC either way.

    Where the clocks skip midnight, the day begins at its first existing moment; where they show it twice, at the first.
    """
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise ValueError(f"{moment} has no offset; an instant needs one.")
        return moment.astimezone(UTC)
    midnight = datetime.combine(moment, time(), tzinfo=_zone(zone))
    return midnight.astimezone(UTC)


def is_zone(name: str) -> bool:
    """Whether it names a time zone of the IANA database."""
    try:
        _zone(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
