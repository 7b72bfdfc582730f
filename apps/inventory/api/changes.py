"""The feed of availability: every item once, then each change, in an order that skips nothing."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.api.lists import decode_cursor, encode_cursor, limit_of, refuse_unknown_parameters
from apps.access.api.permissions import client_of
from apps.inventory import versions
from apps.inventory.api.serializers import Question
from apps.inventory.api.views import CACHE_CONTROL, answer, code_of
from apps.inventory.versions import VersionedItem
from apps.lib.errors import FieldError, Problem

_SHOWN = ("sku", "available", "uom", "as_of", "status")


class ChangeAnswer(serializers.Serializer[Any]):
    sku = serializers.CharField()
    available = serializers.CharField()
    uom = serializers.CharField(allow_null=True)
    version = serializers.IntegerField(help_text="Rises with each change of the item; 0: none since it was created.")
    as_of = serializers.DateTimeField(allow_null=True)
    status = serializers.ChoiceField(["ok", "retired", "restricted", "non_stock", "not_listed"])


class ChangesAnswer(serializers.Serializer[Any]):
    results = ChangeAnswer(many=True)
    next = serializers.CharField(help_text="Give it back as `after`; never null.")


@extend_schema_view(
    get=extend_schema(
        operation_id="availability_changes",
        parameters=[
            OpenApiParameter("after", str, description="`next` of the page before; without it, every item once."),
            OpenApiParameter("channel", str),
            OpenApiParameter("warehouse", str, many=True),
            OpenApiParameter("limit", int),
        ],
        responses=ChangesAnswer,
    )
)
class AvailabilityChangesView(APIView):
    """What changed since a page: at least once, in order per item, never skipped."""

    scopes = {"GET": "availability:read"}

    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, frozenset({"after", "channel", "warehouse", "limit"}))
        query = request.query_params
        question = Question.limited(
            client_of(request),
            channel=code_of(query["channel"], "/channel") if "channel" in query else None,
            warehouses=[code_of(code, "/warehouse") for code in query.getlist("warehouse")] or None,
        )
        items, following = _page(query.get("after", ""), limit_of(request))
        skus = [item.sku for item in items]
        bodies = answer(skus, [(None, None)] * len(skus), question) if skus else []
        results = [
            {**{name: body[name] for name in _SHOWN}, "version": item.version}
            for item, body in zip(items, bodies, strict=True)
        ]
        return Response({"results": results, "next": following}, headers={"Cache-Control": CACHE_CONTROL})


def _page(after: str, limit: int) -> tuple[list[VersionedItem], str]:
    """The token is (version, last item): while every item is shown once, the version from which changes follow.

    A change during that first pass has a later version, so it comes again behind it.
    """
    version, last_item = _position(after) if after else (versions.latest(), 0)
    if last_item is not None:
        items = versions.every(last_item, limit)
        full = len(items) == limit
        return items, encode_cursor(version, items[-1].item_id if full else None)
    items = versions.after(version, limit)
    return items, encode_cursor(items[-1].version if items else version, None)


def _position(token: str) -> tuple[int, int | None]:
    version, last_item = decode_cursor(token, 2)
    numbers = (version, 0 if last_item is None else last_item)
    if not all(type(number) is int and 0 <= number < 2**63 for number in numbers):
        detail = "This token is not one of ours; start again without after."
        raise Problem(400, "invalid", detail, [FieldError("invalid", "not a token of this feed", "/after")])
    return version, last_item
