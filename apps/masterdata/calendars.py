"""Calendars: which days a warehouse works."""

from collections.abc import Sequence
from datetime import date

from apps.masterdata.models import Calendar


def keep_calendar(code: str, name: str, *, weekdays: Sequence[int], holidays: Sequence[date] = ()) -> int:
    """Make or change a calendar (0 = Monday); its id. Idempotent by code."""
    days = {"name": name, "working_weekdays": list(weekdays), "holidays": list(holidays)}
    calendar, _ = Calendar.objects.update_or_create(code=code, defaults=days)
    return calendar.pk
