"""Lineage over REST."""

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.api.permissions import client_of
from apps.lib.errors import Problem
from apps.monitoring.lineage import PlanStep, Step, plans_of, steps_of
from apps.sources.models import InboxMessage


class LineageView(APIView):
    """From one source event to each channel's acknowledgement."""

    scopes = {"GET": "lineage:read"}

    @extend_schema(responses=OpenApiTypes.OBJECT, operation_id="lineage_retrieve")
    def get(self, request: Request, source: str, event_id: str) -> Response:
        client = client_of(request)
        if client is not None and client.sources and source not in client.sources:
            raise Problem(404, "not_found", f"No event {event_id!r} of the source {source!r} is known.")
        message = get_object_or_404(
            InboxMessage.objects.select_related("source__system"), source__system__code=source, event_id=event_id
        )
        steps = steps_of(message)
        plans = [plan for plan in plans_of(steps) if _may_see(request, plan.channel)]
        return Response(
            {
                "event": {
                    "source": source,
                    "id": event_id,
                    "type": message.type,
                    "time": message.happened_at,
                    "received_at": message.received_at,
                    "finished_at": message.finished_at,
                    "state": message.state,
                    "trace_id": message.trace_id,
                },
                "movements": [_movement(step) for step in steps],
                "plans": [_plan(plan) for plan in plans],
            }
        )


def _may_see(request: Request, channel: str) -> bool:
    client = client_of(request)
    return client is None or not client.channels or channel in client.channels


def _movement(step: Step) -> dict[str, object]:
    return {
        "kind": step.kind,
        "subject": step.label,
        "change": step.change,
        "generation": step.generation,
        "happened_at": step.happened_at,
    }


def _plan(plan: PlanStep) -> dict[str, object]:
    return {
        "channel": plan.channel,
        "listing": plan.listing,
        "kind": plan.kind,
        "outcome": plan.outcome,
        "value": plan.value,
        "version": plan.version,
        "planned_at": plan.planned_at,
        "attempt": plan.attempt,
        "sent_at": plan.attempt_started_at,
        "acked_at": plan.acked_at,
        "confirmed_at": plan.confirmed_at,
    }
