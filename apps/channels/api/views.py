"""Channels over HTTP: how each stands, a new one as a draft, and its publications."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.api.lists import decode_cursor, encode_cursor, limit_of, refuse_unknown_parameters
from apps.access.api.permissions import actor_of, client_of
from apps.channels.api.serializers import ChannelField, ChannelList, DraftRequest, PublicationField, PublicationList
from apps.channels.channels_list import ChannelState, channel_states
from apps.channels.drafts import Draft, create_draft
from apps.channels.models import Channel
from apps.channels.publications_list import STATES, publications_of
from apps.lib.errors import FieldError, Problem

POLICY = ("percentage", "buffer", "end_when", "cap")
LIMITS = ("requests_per_s", "burst", "batch_size", "max_in_flight", "read_back_every_s")
KINDS = ("stock", "price")
_PAGE = [OpenApiParameter("limit", int), OpenApiParameter("cursor", str)]


class ChannelsView(APIView):
    """Every channel the caller may see, and the way to set up another."""

    scopes = {"GET": "channels:read", "POST": "channels:write"}

    @extend_schema(parameters=_PAGE, responses=ChannelList, operation_id="channels_list")
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, frozenset({"limit", "cursor"}))
        limit, after = limit_of(request), _after(request, str, "")
        seen = _visible(request)
        found = [state for state in channel_states() if state.code > after and (not seen or state.code in seen)]
        page = found[:limit]
        following = encode_cursor(page[-1].code) if len(found) > limit else None
        return Response({"results": [_channel(state) for state in page], "next": following})

    @extend_schema(request=DraftRequest, responses={201: ChannelField})
    def post(self, request: Request) -> Response:
        refuse_unknown_parameters(request, frozenset())
        asked = DraftRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        seen = _visible(request)
        if seen and data["code"] not in seen:
            raise Problem(403, "forbidden", f"This key is limited to {', '.join(sorted(seen))}.")
        create_draft(_draft(data), by=actor_of(request))
        [state] = [state for state in channel_states() if state.code == data["code"]]
        return Response(_channel(state), status=201)


class PublicationsView(APIView):
    """What a channel should show, was told and shows."""

    scopes = {"GET": "channels:read"}

    @extend_schema(
        parameters=[
            *_PAGE,
            OpenApiParameter("state", str, enum=list(STATES)),
            OpenApiParameter("kind", str, enum=list(KINDS)),
            OpenApiParameter("search", str, description="The beginning of a listing or SKU."),
        ],
        responses=PublicationList,
    )
    def get(self, request: Request, code: str) -> Response:
        refuse_unknown_parameters(request, frozenset({"limit", "cursor", "state", "kind", "search"}))
        limit, after = limit_of(request), _after(request, int, 0)
        channel = Channel.objects.filter(system__code=code).first()
        seen = _visible(request)
        if channel is None or (seen and code not in seen):
            raise Problem(404, "not_found", f"No channel has the code {code[:100]!r}.")
        rows = publications_of(
            channel.pk,
            state=_one_of(request, "state", STATES),
            kind=_one_of(request, "kind", KINDS),
            search=request.query_params.get("search", "")[:200],
            after=after,
            limit=limit + 1,
        )
        page = rows[:limit]
        return Response(
            {
                "results": [PublicationField(row).data for row in page],
                "next": encode_cursor(page[-1].id) if len(rows) > limit else None,
            }
        )


def _channel(state: ChannelState) -> dict[str, Any]:
    shown: dict[str, Any] = ChannelField(asdict(state)).data
    return shown


def _draft(data: dict[str, Any]) -> Draft:
    return Draft(
        code=data["code"],
        name=data["name"],
        connector=data["connector"],
        grade=data["grade"],
        settings=data["settings"],
        credentials=data.get("credentials", {}),
        currency=data["currency"],
        publishes_prices=data["publishes_prices"],
        warehouses=[(one["warehouse"], one["location"]) for one in data.get("warehouses", ())],
        policy={name: data[name] for name in POLICY if name in data},
        limits={name: data[name] for name in LIMITS if name in data},
    )


def _visible(request: Request) -> frozenset[str]:
    """The channels the key is limited to; empty is all."""
    client = client_of(request)
    return client.channels if client is not None else frozenset()


def _after(request: Request, kind: type, first: Any) -> Any:
    cursor = request.query_params.get("cursor")
    if not cursor:
        return first
    (last,) = decode_cursor(cursor, 1)
    if not isinstance(last, kind) or isinstance(last, bool):
        raise Problem(400, "invalid", "This cursor is not one of ours; start again without it.")
    return last


def _one_of(request: Request, name: str, known: tuple[str, ...]) -> str:
    value = request.query_params.get(name, "")
    if value and value not in known:
        detail = f"{name} is {value[:40]!r}; it is one of {', '.join(known)}."
        raise Problem(400, "invalid", detail, [FieldError("invalid", detail, f"/{name}")])
    return value
