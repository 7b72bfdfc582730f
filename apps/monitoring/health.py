"""Is this process alive, is the whole able to do its work, and does what must hold still hold?"""

import logging
from datetime import timedelta
from typing import Final

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from apps.lib.clock import Now
from apps.monitoring.invariants import breaches
from apps.monitoring.loops import ages_s
from apps.monitoring.models import InvariantCheck

log = logging.getLogger(__name__)

READY_LOOPS: Final = ("process", "plan", "publish")
TICK_TOO_OLD_S: Final = 60.0
DUE_TOO_OLD_S: Final = 900.0
_KEPT: Final = timedelta(days=7)


def livez(request: HttpRequest) -> JsonResponse:
    """The process answers; nothing else is asked."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 where every check holds; 503 with each failing check and what it saw."""
    try:
        checks = _checks()
    except DatabaseError as error:
        checks = {"database": f"{type(error).__name__}: PostgreSQL does not answer"}
    failing = {name: text for name, text in checks.items() if text != "ok"}
    return JsonResponse(
        {"status": "unavailable" if failing else "ok", "checks": checks}, status=503 if failing else 200
    )


def check_invariants() -> int:
    """Run the invariants and keep the result for the overview; returns how many are broken."""
    found = breaches()
    InvariantCheck.objects.create(
        breaches=[{"invariant": b.invariant, "subject": b.subject, "detail": b.detail} for b in found]
    )
    InvariantCheck.objects.filter(at__lt=Now() - _KEPT).delete()
    for breach in found:
        log.error(
            "invariant_broken",
            extra={"invariant": breach.invariant, "subject": breach.subject, "detail": breach.detail},
        )
    return len(found)


def _checks() -> dict[str, str]:
    ages = ages_s()
    checks = {"database": "ok"}
    for name in READY_LOOPS:
        age = ages.get(name)
        if age is None or age > TICK_TOO_OLD_S:
            checks[f"loop {name}"] = "never ran" if age is None else f"last ran {age:.0f} s ago"
        else:
            checks[f"loop {name}"] = "ok"
    oldest = _oldest_due_s()
    checks["inbox"] = "ok" if oldest <= DUE_TOO_OLD_S else f"the oldest due message waits {oldest:.0f} s"
    return checks


def _oldest_due_s() -> float:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(extract(epoch FROM sync_now() - min(received_at)), 0) FROM sources_inboxmessage "
            "WHERE state = 'pending' AND due_at <= sync_now()"
        )
        (age,) = cursor.fetchone() or (0,)
    return float(age)
