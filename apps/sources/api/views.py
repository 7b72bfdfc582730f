"""The events API: taking events, and telling what became of them."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.api.lists import decode_cursor, encode_cursor, limit_of, refuse_unknown_parameters
from apps.access.keys import Caller
from apps.lib.errors import Problem
from apps.sources import fates, shapes
from apps.sources.api import serializers as shown
from apps.sources.api.parsers import EVENT_PARSERS
from apps.sources.inbox import receive_json

FILTERS = frozenset({"source", "status", "type", "limit", "cursor"})


def sources_of(request: Request) -> frozenset[str]:
    """The sources the caller is limited to; empty means all."""
    user: object = request.user
    return user.sources if isinstance(user, Caller) else frozenset()


class EventsView(APIView):
    scopes = {"GET": "events:read", "POST": "events:write"}
    parser_classes = EVENT_PARSERS

    @extend_schema(
        operation_id="events_receive",
        request=PolymorphicProxySerializer(
            component_name="EventOrBatch",
            serializers=[shown.EventSerializer, shown.EventSerializer(many=True)],
            resource_type_field_name=None,
            many=False,
        ),
        responses={202: shown.ReceiptSerializer},
    )
    def post(self, request: Request) -> Response:
        """Take one CloudEvent, or a batch of up to 10,000."""
        body: object = request.data
        receipt = receive_json(
            body if isinstance(body, bytes) else b"",
            sources=sources_of(request),
            trace_id=getattr(request, "trace_id", ""),
        )
        rejected = [
            {"index": one.index, "id": one.event_id, "code": one.code, "detail": one.detail} for one in receipt.rejected
        ]
        return Response(
            {"accepted": receipt.accepted, "duplicates": receipt.duplicates, "rejected": rejected}, status=202
        )

    @extend_schema(
        operation_id="events_list",
        parameters=[OpenApiParameter(name, str) for name in ("source", "status", "type", "limit", "cursor")],
        responses=shown.EventListSerializer,
    )
    def get(self, request: Request) -> Response:
        """The newest events first."""
        refuse_unknown_parameters(request, FILTERS)
        cursor = request.query_params.get("cursor")
        limit = limit_of(request)
        rows = fates.newest(
            source=_text(request, "source"),
            status=_text(request, "status"),
            type_=_text(request, "type"),
            sources=sources_of(request),
            before=_before(cursor) if cursor else None,
            limit=limit + 1,
        )
        following = encode_cursor(rows[limit - 1].message_id) if len(rows) > limit else None
        return Response({"results": [row.as_json() for row in rows[:limit]], "next": following})


class EventView(APIView):
    scopes = {"GET": "events:read"}

    @extend_schema(operation_id="events_retrieve", responses=shown.EventStatusSerializer)
    def get(self, request: Request, source: str, event_id: str) -> Response:
        """What became of one event: its status, what blocks it, and what it changed."""
        allowed = sources_of(request)
        unreadable = "\0" in source or "\0" in event_id  # no text of PostgreSQL holds a NUL
        fate = None if unreadable or (allowed and source not in allowed) else fates.fate_of(source, event_id)
        if fate is None:
            raise Problem(404, "not_found", f"No event {event_id[:200]} of {source[:100]} has been received.")
        return Response(fate)


class EventSchemasView(APIView):
    permission_classes = [AllowAny]

    @extend_schema(operation_id="schema_events", responses={200: dict[str, Any]})
    def get(self, request: Request) -> Response:
        """The JSON Schema of every event type's `data`, by type."""
        return Response(shapes.documents())


class EventSchemaView(APIView):
    permission_classes = [AllowAny]

    @extend_schema(operation_id="schema_event", responses={200: dict[str, Any]})
    def get(self, request: Request, event_type: str) -> Response:
        """The JSON Schema of one event type's `data`."""
        document = shapes.documents().get(event_type)
        if document is None:
            raise Problem(404, "not_found", f"No event type {event_type[:60]}; see /api/v1/schema/events/.")
        return Response(document)


def _text(request: Request, name: str) -> str | None:
    value = request.query_params.get(name)
    if value is not None and "\0" in value:
        raise Problem(400, "invalid", f"{name} holds a NUL character; remove it.")
    return value


def _before(cursor: str) -> int:
    (last,) = decode_cursor(cursor, 1)
    if not isinstance(last, int) or not 0 < last < 2**63:
        raise Problem(400, "invalid", "This cursor is not one of ours; start again without it.")
    return last
