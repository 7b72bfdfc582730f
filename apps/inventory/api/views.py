"""Availability over HTTP: the reference answers. The fast lane gives the same bytes for the common questions."""

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.api.lists import refuse_unknown_parameters
from apps.access.api.openapi import CODE
from apps.access.keys import Caller
from apps.inventory import answers, availability
from apps.inventory.api.serializers import AvailabilityField, LookupAnswer, LookupRequest, Question
from apps.inventory.atp import HORIZON_DAYS
from apps.inventory.availability import ItemAvailability
from apps.inventory.stock import StockRead
from apps.lib.codes import InvalidCode, normalise_code
from apps.lib.errors import FieldError, Problem
from apps.lib.quantity import InvalidDecimal, exact, parse_decimal
from apps.masterdata.conversion import ConversionError
from apps.masterdata.resolving import conversions

CACHE_CONTROL = "private, no-cache"
_PARAMETERS = frozenset({"channel", "warehouse", "account", "ship_to", "holder", "on", "quantity", "uom"})
_QUERY = [
    OpenApiParameter("channel", str, description="Answer the channel's number, in the listing's sell unit."),
    OpenApiParameter("warehouse", str, many=True, description="Only these warehouses; repeat it for several."),
    OpenApiParameter("account", str),
    OpenApiParameter("ship_to", str),
    OpenApiParameter("holder", str, description="Leaves out this holder's own reservations."),
    OpenApiParameter("on", date, description="ATP on this day, today to 90 days ahead."),
    OpenApiParameter("quantity", str, description="Asks for earliest_on and schedule."),
    OpenApiParameter("uom", str, description="The unit of quantity; with channel, the sell unit."),
]


@extend_schema_view(get=extend_schema(operation_id="availability", parameters=_QUERY, responses=AvailabilityField))
class ItemAvailabilityView(APIView):
    """What of one item may be promised."""

    scopes = {"GET": "availability:read"}

    def get(self, request: Request, sku: str | None = None) -> Response:
        refuse_unknown_parameters(request, _PARAMETERS | ({"sku"} if sku is None else set()))
        code = code_of(sku if sku is not None else request.query_params.get("sku", ""), "/sku")
        question = _question_of(request)
        body = answer([code], [(question.quantity, question.uom)], question)[0]
        if body["status"] == "unknown":
            raise Problem(404, "not_found", f"No item has the SKU {code!r}.")
        if body["status"] == "not_listed":
            raise Problem(
                404,
                "not_found",
                f"Item {code!r} is not listed on a channel {question.channel!r}; check the channel's code, or list it.",
            )
        tag = answers.etag(body)
        headers = {"ETag": tag, "Cache-Control": CACHE_CONTROL}
        if answers.matches(request.headers.get("If-None-Match", ""), tag):
            return Response(status=304, headers=headers)
        return Response(body, headers=headers)


@extend_schema_view(
    get=extend_schema(
        operation_id="availability_by_query",
        parameters=[OpenApiParameter("sku", CODE, required=True), *_QUERY],
        responses=AvailabilityField,
    )
)
class AvailabilityBySkuView(ItemAvailabilityView):
    """The same for a SKU that the path cannot name."""


@extend_schema_view(
    post=extend_schema(operation_id="availability_lookup", request=LookupRequest, responses=LookupAnswer)
)
class LookupView(APIView):
    """What of up to 1,000 items may be promised, in the order asked."""

    scopes = {"POST": "availability:read"}

    def post(self, request: Request) -> Response:
        refuse_unknown_parameters(request, frozenset())
        asked = LookupRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        lines = data.get("lines")
        skus = [line["sku"] for line in lines] if lines is not None else data["skus"]
        amounts = (
            [(line["quantity"], line["uom"]) for line in lines] if lines is not None else [(None, None)] * len(skus)
        )
        question = Question.limited(
            _caller(request),
            channel=data.get("channel"),
            warehouses=data.get("warehouses"),
            account=data.get("account"),
            on=data.get("on"),
        )
        return Response({"items": answer(skus, amounts, question)}, headers={"Cache-Control": CACHE_CONTROL})


def answer(
    skus: Sequence[str], amounts: Sequence[tuple[Decimal | None, str | None]], question: Question
) -> list[answers.Body]:
    """The bodies in the order asked, from a constant number of queries."""
    read, found = availability.lookup(skus, warehouses=question.warehouses)
    _check_warehouses(read, question.warehouses)
    today = read.at.date()
    if question.on is not None and not today <= question.on <= today + timedelta(days=HORIZON_DAYS):
        raise _invalid("/on", f"{question.on} is not from {today} to {HORIZON_DAYS} days ahead.")
    bodies = _bodies(skus, found)
    if question.channel is not None:
        bodies = _for_channel(bodies, found, question)
    if any(quantity is not None for quantity, _ in amounts):
        base = _base_quantities(skus, amounts, found)
        day = question.on or today
        bodies = [
            body if quantity is None else {**body, **answers.promise_body(found[body["sku"]], quantity, day)}
            for body, quantity in zip(bodies, base, strict=True)
        ]
    return bodies


def _bodies(skus: Sequence[str], found: dict[str, ItemAvailability]) -> list[answers.Body]:
    stale = availability.stale_now()
    written = {sku: answers.item_body(item, stale) for sku, item in found.items()}
    return [written.get(sku) or answers.unknown_body(sku) for sku in skus]


def _for_channel(
    bodies: list[answers.Body], found: dict[str, ItemAvailability], question: Question
) -> list[answers.Body]:
    hook = availability.channel_numbers
    numbers = hook(question.channel or "", [item.stock for item in found.values()], question.uom) if hook else {}
    return [
        answers.seen_by_channel(body, numbers.get(found[body["sku"]].stock.id)) if body["sku"] in found else body
        for body in bodies
    ]


def _base_quantities(
    skus: Sequence[str], amounts: Sequence[tuple[Decimal | None, str | None]], found: dict[str, ItemAvailability]
) -> list[Decimal | None]:
    graphs = conversions([item.stock.id for item in found.values()])
    quantities: list[Decimal | None] = []
    for index, (sku, (quantity, uom)) in enumerate(zip(skus, amounts, strict=True)):
        if quantity is None or sku not in found:
            quantities.append(None)
            continue
        graph = graphs[found[sku].stock.id]
        pointer = "/uom" if len(skus) == 1 else f"/lines/{index}/uom"
        try:
            base = exact(Fraction(quantity) * graph.factor(uom or graph.base_uom))
        except ConversionError as error:
            raise _invalid(pointer, error.detail) from error
        if base is None:
            raise _invalid(pointer, f"{quantity} {uom} of {sku} is no exact quantity in {graph.base_uom}.")
        quantities.append(base)
    return quantities


def _check_warehouses(read: StockRead, asked: Collection[str] | None) -> None:
    if asked is not None and read.known_warehouses < len(set(asked)):
        raise _invalid("/warehouse", f"One of the warehouses {', '.join(sorted(set(asked)))} does not exist.")


def _question_of(request: Request) -> Question:
    query = request.query_params
    warehouses = [code_of(code, "/warehouse") for code in query.getlist("warehouse")]
    return Question.limited(
        _caller(request),
        channel=code_of(query["channel"], "/channel") if "channel" in query else None,
        warehouses=warehouses or None,
        account=code_of(query["account"], "/account") if "account" in query else None,
        on=_day(query["on"]) if "on" in query else None,
        quantity=_quantity(query["quantity"]) if "quantity" in query else None,
        uom=code_of(query["uom"], "/uom") if "uom" in query else None,
    )


def _caller(request: Request) -> Caller | None:
    user: Any = request.user
    return user if isinstance(user, Caller) else None


def code_of(text: str, pointer: str) -> str:
    try:
        return normalise_code(text)
    except InvalidCode as error:
        raise _invalid(pointer, error.detail) from error


def _quantity(text: str) -> Decimal:
    try:
        quantity = parse_decimal(text)
    except InvalidDecimal as error:
        raise _invalid("/quantity", error.detail) from error
    if quantity <= 0:
        raise _invalid("/quantity", f"{text} is not greater than 0.")
    return quantity


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text) if len(text) == 10 else date.min
    except ValueError as error:
        raise _invalid("/on", f"{text[:40]!r} is no date; write it as 2026-01-31.") from error


def _invalid(pointer: str, detail: str) -> Problem:
    return Problem(400, "invalid", detail, [FieldError("invalid", detail, pointer)])
