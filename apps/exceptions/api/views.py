"""The queue over HTTP: what waits, what a fix would do, and what people decide."""

from collections.abc import Sequence
from typing import Any, TypedDict

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from apps.access.api.lists import decode_cursor, encode_cursor, limit_of, page_by_id, refuse_unknown_parameters
from apps.access.api.permissions import actor_of
from apps.access.idempotency import idempotent
from apps.access.keys import Caller
from apps.access.models import User
from apps.exceptions import decisions, queue
from apps.exceptions.api import bodies, serializers
from apps.exceptions.models import BlockedRecord, Cause, Replay
from apps.exceptions.preview import preview
from apps.exceptions.reasons import REASONS
from apps.lib.errors import FieldError, Problem

_LIST = frozenset({"search", "state", "reason", "source", "channel", "severity", "ordering", "limit", "cursor"})
_RECORDS = frozenset({"cause", "state", "limit", "cursor"})
_KEY = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER, required=True)
_PAGING = [OpenApiParameter("limit", int), OpenApiParameter("cursor", str)]


class CausesView(APIView):
    scopes = {"GET": "exceptions:read"}

    @extend_schema(
        operation_id="exceptions_causes",
        parameters=[
            OpenApiParameter("search", str, description="The offending value, a SKU, an order, a source, a channel."),
            OpenApiParameter("state", str, many=True, enum=Cause.State.values),
            OpenApiParameter("reason", str, many=True),
            *(OpenApiParameter(name, str) for name in ("source", "channel", "severity")),
            OpenApiParameter("ordering", str, enum=[f"{d}{name}" for name in queue.ORDERINGS for d in ("", "-")]),
            *_PAGING,
        ],
        responses=serializers.CausePageSerializer,
    )
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, _LIST)
        cursor = request.query_params.get("cursor")
        found, after = queue.page(
            _wanted(request),
            ordering=_ordering(request),
            after=decode_cursor(cursor, 3) if cursor else None,
            limit=limit_of(request),
        )
        return Response({"results": bodies.cause_bodies(found), "next": encode_cursor(*after) if after else None})


class CauseView(APIView):
    scopes = {"GET": "exceptions:read"}

    @extend_schema(operation_id="exceptions_cause", responses=serializers.CauseDetailSerializer)
    def get(self, request: Request, cause_id: int) -> Response:
        cause = _visible(request).filter(pk=cause_id).select_related("owner", "team").first()
        if cause is None:
            raise _no_cause(cause_id)
        return Response(bodies.cause_detail_body(cause))


class RecordsView(APIView):
    scopes = {"GET": "exceptions:read"}

    @extend_schema(
        operation_id="exceptions_records",
        parameters=[
            OpenApiParameter("cause", int, required=True),
            OpenApiParameter("state", str, many=True, enum=BlockedRecord.State.values),
            *_PAGING,
        ],
        responses=serializers.RecordPageSerializer,
    )
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, _RECORDS)
        text = request.query_params.get("cause", "")
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise Problem(
                400,
                "invalid",
                f"cause is {text[:40]!r}; send the id of a cause.",
                [FieldError("invalid", "", "/cause")],
            )
        cause = _known(request, int(text))
        rows = queue.records(cause.pk, _listed(request, "state", BlockedRecord.State.values))
        found, after = page_by_id(rows, request, newest_first=True)
        return Response({"results": [bodies.record_body(row, cause.reason) for row in found], "next": after})


class PreviewView(APIView):
    scopes = {"POST": "exceptions:write"}

    @extend_schema(
        operation_id="exceptions_preview",
        request=serializers.FixInputSerializer,
        responses=serializers.PreviewSerializer,
    )
    def post(self, request: Request, cause_id: int) -> Response:
        asked = _asked(serializers.FixInputSerializer, request)
        _known(request, cause_id)
        return Response(bodies.preview_body(preview(cause_id, asked["fix"], asked["fields"], by=actor_of(request))))


class ResolveView(APIView):
    scopes = {"POST": "exceptions:write"}

    @extend_schema(
        operation_id="exceptions_resolve",
        parameters=[_KEY],
        request=serializers.ResolveInputSerializer,
        responses={202: serializers.ResolutionSerializer},
    )
    @idempotent
    def post(self, request: Request, cause_id: int) -> Response:
        asked = _asked(serializers.ResolveInputSerializer, request)
        _known(request, cause_id)
        done = decisions.resolve(
            cause_id,
            asked["fix"],
            asked["fields"],
            by=actor_of(request),
            reason=asked["reason"],
            replay=asked["replay"],
            preview_token=asked.get("preview_token"),
        )
        state = Cause.objects.values_list("state", flat=True).get(pk=cause_id)
        batch = bodies.replay_body(done.replay) if done.replay else None
        return Response({"cause": cause_id, "state": state, "summary": done.summary, "replay": batch}, status=202)


class ReplayView(APIView):
    scopes = {"POST": "exceptions:write"}

    @extend_schema(
        operation_id="exceptions_replay",
        parameters=[_KEY],
        request=serializers.ReplayInputSerializer,
        responses={202: serializers.ReplaySerializer},
    )
    @idempotent
    def post(self, request: Request, cause_id: int) -> Response:
        asked = _asked(serializers.ReplayInputSerializer, request)
        _known(request, cause_id)
        batch = decisions.replay(
            cause_id, by=actor_of(request), reason=asked["reason"], record_ids=asked.get("records")
        )
        return Response(bodies.replay_body(batch), status=202)


class AssignView(APIView):
    scopes = {"POST": "exceptions:write"}

    @extend_schema(
        operation_id="exceptions_assign",
        request=serializers.AssignInputSerializer,
        responses=serializers.CauseDetailSerializer,
    )
    def post(self, request: Request, cause_id: int) -> Response:
        asked = _asked(serializers.AssignInputSerializer, request)
        _known(request, cause_id)
        decisions.assign(cause_id, by=actor_of(request), changes=asked)
        return _cause(request, cause_id)


class SnoozeView(APIView):
    scopes = {"POST": "exceptions:write"}

    @extend_schema(
        operation_id="exceptions_snooze",
        request=serializers.SnoozeInputSerializer,
        responses=serializers.CauseDetailSerializer,
    )
    def post(self, request: Request, cause_id: int) -> Response:
        asked = _asked(serializers.SnoozeInputSerializer, request)
        _known(request, cause_id)
        decisions.snooze(cause_id, by=actor_of(request), until=asked["until"], reason=asked["reason"])
        return _cause(request, cause_id)


class DismissView(APIView):
    scopes = {"POST": "exceptions:write"}

    @extend_schema(
        operation_id="exceptions_dismiss",
        request=serializers.DismissInputSerializer,
        responses=serializers.CauseDetailSerializer,
    )
    def post(self, request: Request, cause_id: int) -> Response:
        asked = _asked(serializers.DismissInputSerializer, request)
        _known(request, cause_id)
        decisions.dismiss(cause_id, by=actor_of(request), reason=asked["reason"])
        return _cause(request, cause_id)


class CommentsView(APIView):
    scopes = {"POST": "exceptions:write"}

    @extend_schema(
        operation_id="exceptions_comment",
        request=serializers.CommentInputSerializer,
        responses={201: serializers.CommentSerializer},
    )
    def post(self, request: Request, cause_id: int) -> Response:
        asked = _asked(serializers.CommentInputSerializer, request)
        _known(request, cause_id)
        author = request.user if isinstance(request.user, User) else None
        made = decisions.comment(cause_id, by=actor_of(request), author=author, text=asked["text"])
        return Response({"id": made.pk, "author": actor_of(request), "text": made.text, "at": made.at}, status=201)


class ReplayProgressView(APIView):
    scopes = {"GET": "exceptions:read"}

    @extend_schema(operation_id="exceptions_replay_progress", responses=serializers.ReplaySerializer)
    def get(self, request: Request, replay_id: int) -> Response:
        batch = Replay.objects.filter(pk=replay_id, cause__in=_visible(request)).first()
        if batch is None:
            raise Problem(404, "not_found", f"No replay has the id {replay_id}.")
        return Response(bodies.replay_body(batch))


def _visible(request: Request) -> QuerySet[Cause]:
    return queue.causes(queue.Wanted(**_limits(request)))


class _Limits(TypedDict, total=False):
    only_sources: tuple[str, ...]
    only_channels: tuple[str, ...]


def _limits(request: Request) -> _Limits:
    """A key that is limited to sources or channels sees their causes only; another's is not found."""
    caller: object = request.user
    if not isinstance(caller, Caller):
        return {}
    return {"only_sources": tuple(sorted(caller.sources)), "only_channels": tuple(sorted(caller.channels))}


def _known(request: Request, cause_id: int) -> Cause:
    cause = _visible(request).filter(pk=cause_id).first()
    if cause is None:
        raise _no_cause(cause_id)
    return cause


def _no_cause(cause_id: int) -> Problem:
    return Problem(404, "not_found", f"No cause has the id {cause_id}.")


def _cause(request: Request, cause_id: int) -> Response:
    cause = _visible(request).select_related("owner", "team").get(pk=cause_id)
    return Response(bodies.cause_detail_body(cause))


def _asked(shape: type[BaseSerializer[Any]], request: Request) -> dict[str, Any]:
    asked = shape(data=request.data)
    asked.is_valid(raise_exception=True)
    values: dict[str, Any] = asked.validated_data
    return values


def _wanted(request: Request) -> queue.Wanted:
    query = request.query_params
    return queue.Wanted(
        search=query.get("search", "")[:200].replace("\0", ""),
        states=_listed(request, "state", Cause.State.values),
        reasons=_listed(request, "reason", list(REASONS)),
        source=query.get("source", "")[:100].replace("\0", ""),
        channel=query.get("channel", "")[:100].replace("\0", ""),
        severity=query.get("severity", "")[:10].replace("\0", ""),
        **_limits(request),
    )


def _listed(request: Request, name: str, known: Sequence[str]) -> tuple[str, ...]:
    """`?state=new&state=ongoing` or `?state=new,ongoing`; a value nobody knows is a 400."""
    values = [value for text in request.query_params.getlist(name) for value in text.split(",") if value]
    for value in values:
        if value not in known:
            raise Problem(
                400,
                "invalid",
                f"{name} is {value[:40]!r}; it is one of {', '.join(known)}.",
                [FieldError("invalid", f"not a known {name}", f"/{name}")],
            )
    return tuple(values)


def _ordering(request: Request) -> str:
    text = request.query_params.get("ordering", "sla")
    if text.removeprefix("-") not in queue.ORDERINGS:
        known = ", ".join(queue.ORDERINGS)
        raise Problem(
            400,
            "invalid",
            f"ordering is {text[:40]!r}; it is one of {known}, or the same with a minus sign.",
            [FieldError("invalid", "not a known order", "/ordering")],
        )
    return text
