"""Pausing and resuming a channel: what is due stays due, nothing leaves while it is paused."""

from django.db import transaction

from apps.access.audit import record as audit
from apps.channels.listings import mark_channel
from apps.channels.models import Channel
from apps.lib.clock import Now
from apps.lib.errors import Problem
from apps.lib.nudges import nudge


def pause(code: str, *, by: str) -> None:
    """Stop sending to a live channel; Problem where it is not live."""
    _switch(code, Channel.State.LIVE, Channel.State.PAUSED, by)


def resume(code: str, *, by: str) -> None:
    """Send to a paused channel again, from what it should show by now; Problem where it is not paused."""
    with transaction.atomic():
        mark_channel(_switch(code, Channel.State.PAUSED, Channel.State.LIVE, by))
    nudge("publish")


def _switch(code: str, before: str, after: str, by: str) -> int:
    with transaction.atomic():
        channel = Channel.objects.select_for_update(of=("self",)).filter(system__code=code, state=before).first()
        if channel is None:
            raise Problem(409, "expired", f"{code} is not {before} any more; reload the page to see how it stands.")
        Channel.objects.filter(pk=channel.pk).update(state=after, updated_at=Now())
        audit(by, f"channels.{after}", f"channel:{code}", before=before)
    return channel.system_id
