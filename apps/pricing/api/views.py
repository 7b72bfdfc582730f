"""Prices over HTTP."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.api.lists import refuse_unknown_parameters
from apps.access.api.permissions import client_of
from apps.access.keys import Caller
from apps.lib.clock import now
from apps.lib.errors import Problem
from apps.pricing import answers
from apps.pricing.api.serializers import LineAnswer, OnePriceRequest, PriceQuery, ResolveAnswer, ResolveRequest
from apps.pricing.quotes import LineResult, PriceContext, PriceLine, resolve


class ResolveView(APIView):
    """The prices of up to 1,000 lines, in the order asked."""

    scopes = {"POST": "prices:read"}

    @extend_schema(operation_id="prices_resolve", request=ResolveRequest, responses=ResolveAnswer)
    def post(self, request: Request) -> Response:
        refuse_unknown_parameters(request, frozenset())
        asked = ResolveRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        context = _context(data, client_of(request))
        lines = [PriceLine(line["sku"], line["quantity"], line["uom"], line.get("id")) for line in data["lines"]]
        found = resolve(context, lines)
        return Response({"lines": [answers.line_body(result, explain=context.explain) for result in found]})


@extend_schema_view(get=extend_schema(operation_id="price", parameters=[PriceQuery], responses=LineAnswer))
class PriceView(APIView):
    """The price of one line, the same as in a list of one; an unknown SKU is a 404 here."""

    scopes = {"GET": "prices:read"}
    explains = False

    def get(self, request: Request, sku: str | None = None) -> Response:
        context, line = self._asked(request, sku)
        result = resolve(context, [line])[0]
        if result.status == "unknown_item":
            raise Problem(404, "not_found", f"No item has the SKU {line.sku!r}.")
        return _tagged(request, result, explain=context.explain)

    def _asked(self, request: Request, sku: str | None) -> tuple[PriceContext, PriceLine]:
        query: dict[str, Any] = dict(request.query_params.items())
        if sku == "changes":  # the word of a feed, never a SKU of this path: that one is asked for by ?sku=
            raise Problem(404, "not_found", "Nothing is found at this path; ask for this SKU by /prices?sku=changes.")
        if sku is not None:
            refuse_unknown_parameters(request, frozenset(OnePriceRequest().fields) - {"sku"})
            query["sku"] = sku
        if self.explains:
            query["explain"] = True
        asked = OnePriceRequest(data=query, context={"query": True})
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        line = PriceLine(data["sku"], data.get("quantity", Decimal(1)), data.get("uom"))
        return _context(data, client_of(request)), line


@extend_schema_view(
    get=extend_schema(operation_id="price_by_query", parameters=[OnePriceRequest], responses=LineAnswer)
)
class PriceBySkuView(PriceView):
    """The same for a SKU that the path cannot name."""


@extend_schema_view(get=extend_schema(operation_id="explain_price", parameters=[PriceQuery], responses=LineAnswer))
class ExplainPriceView(PriceView):
    """The price of one line with what became of each candidate."""

    explains = True


def _tagged(request: Request, result: LineResult, *, explain: bool) -> Response:
    body = answers.line_body(result, explain=explain)
    tag = answers.etag(body)
    headers = {"ETag": tag, "Cache-Control": answers.cache_control(result, now())}
    if answers.matches(request.headers.get("If-None-Match", ""), tag):
        return Response(status=304, headers=headers)
    return Response(body, headers=headers)


def _context(data: dict[str, Any], caller: Caller | None) -> PriceContext:
    """What is asked, within the key's limits: what it may not see is not found."""
    if caller is not None:
        for kind, limit in (
            ("channel", caller.channels),
            ("account", caller.accounts),
            ("warehouse", caller.warehouses),
        ):
            if limit and data.get(kind) and data[kind] not in limit:
                raise Problem(404, "not_found", f"No {kind} {data[kind]!r} is found for this key.")
    return PriceContext(
        currency=data["currency"],
        account=data.get("account"),
        ship_to=data.get("ship_to"),
        branch=data.get("branch"),
        warehouse=data.get("warehouse"),
        channel=data.get("channel"),
        on=data.get("on"),
        explain=data["explain"],
    )
