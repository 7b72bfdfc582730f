"""Reading master data: items, accounts, warehouses."""

from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.api.lists import decode_cursor, encode_cursor, limit_of, refuse_unknown_parameters
from apps.access.api.permissions import client_of
from apps.lib.errors import FieldError, Problem
from apps.masterdata.api import serializers as shown
from apps.masterdata.api.bodies import account_body, item_bodies, items_with_lists, ship_to_bodies, warehouse_body
from apps.masterdata.filters import ItemFilterSet, WarehouseFilterSet
from apps.masterdata.models import Account, Item, Warehouse
from apps.masterdata.standing import standing_of

PAGING = frozenset({"limit", "cursor", "ordering"})
ITEM_FILTERS = frozenset(ItemFilterSet.base_filters)
WAREHOUSE_FILTERS = frozenset(WarehouseFilterSet.base_filters)


class ItemView(APIView):
    scopes = {"GET": "masterdata:read"}

    @extend_schema(operation_id="items_retrieve", responses=shown.ItemSerializer)
    def get(self, request: Request, sku: str) -> Response:
        """One item with its units, identifiers, aliases and components."""
        refuse_unknown_parameters(request, frozenset())
        found = list(items_with_lists(Item.objects.filter(sku=_code(sku, "item"))))
        if not found:
            raise _missing("item", sku)
        return Response(item_bodies(found)[0])


class ItemsView(APIView):
    scopes = {"GET": "masterdata:read"}

    @extend_schema(
        operation_id="items_list",
        parameters=[OpenApiParameter(name, str) for name in sorted(ITEM_FILTERS | PAGING)],
        responses=shown.ItemListSerializer,
    )
    def get(self, request: Request) -> Response:
        """Items by SKU; `search` finds part of a SKU or name, or a whole identifier or alias."""
        refuse_unknown_parameters(request, ITEM_FILTERS | PAGING)
        rows = _filtered(ItemFilterSet, request.query_params, Item.objects.all())
        page, following = _page(items_with_lists(rows), request, "sku")
        return Response({"results": item_bodies(page), "next": following})


class AccountView(APIView):
    scopes = {"GET": "masterdata:read"}

    @extend_schema(operation_id="accounts_retrieve", responses=shown.AccountSerializer)
    def get(self, request: Request, code: str) -> Response:
        """One account with its ship-tos, licences and identifiers."""
        refuse_unknown_parameters(request, frozenset())
        client = client_of(request)
        if client is not None and client.accounts and code not in client.accounts:
            raise _missing("account", code)
        account = Account.objects.select_related("parent", "branch").filter(code=_code(code, "account")).first()
        if account is None:
            raise _missing("account", code)
        return Response(account_body(account))


class AccountValidateView(APIView):
    scopes = {"POST": "masterdata:read"}

    @extend_schema(
        operation_id="accounts_validate",
        request=shown.AccountQuestionSerializer,
        responses={200: shown.AccountAnswerSerializer},
    )
    def post(self, request: Request) -> Response:
        """Whether an account (and ship-to, through a channel) may buy, and on what terms."""
        asked = shown.AccountQuestionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        client = client_of(request)
        question: dict[str, Any] = asked.validated_data
        standing = standing_of(
            question["account"],
            question.get("ship_to"),
            question.get("channel"),
            accounts=client.accounts if client is not None else frozenset(),
            channels=client.channels if client is not None else frozenset(),
        )
        account = standing.account
        return Response(
            {
                "account": question["account"],
                "status": standing.status,
                "reasons": [{"code": code, "detail": detail} for code, detail in standing.reasons],
                "currency": account.currency or None if account is not None else None,
                "tax_exempt": account.tax_exempt if account is not None else None,
                "price_policy": account.price_policy if account is not None else None,
                "contracts": [],
                "ship_tos": ship_to_bodies(account) if account is not None else [],
            }
        )


class WarehousesView(APIView):
    scopes = {"GET": "masterdata:read"}

    @extend_schema(
        operation_id="warehouses_list",
        parameters=[OpenApiParameter(name, str) for name in sorted(WAREHOUSE_FILTERS | PAGING)],
        responses=shown.WarehouseListSerializer,
    )
    def get(self, request: Request) -> Response:
        """The warehouses the caller may see, by code."""
        refuse_unknown_parameters(request, WAREHOUSE_FILTERS | PAGING)
        client = client_of(request)
        rows = Warehouse.objects.select_related("branch", "calendar")
        if client is not None and client.warehouses:
            rows = rows.filter(code__in=client.warehouses)
        page, following = _page(_filtered(WarehouseFilterSet, request.query_params, rows), request, "code")
        return Response({"results": [warehouse_body(row) for row in page], "next": following})


def _filtered(filter_set: Any, parameters: QueryDict, rows: QuerySet[Any]) -> QuerySet[Any]:
    bound = filter_set(parameters, queryset=rows)
    if not bound.is_valid():
        errors = [
            FieldError("invalid", str(message), f"/{name}")
            for name, messages in bound.errors.items()
            for message in messages
        ]
        raise Problem(400, "invalid", f"{errors[0].pointer.lstrip('/')}: {errors[0].detail}", errors)
    narrowed: QuerySet[Any] = bound.qs
    return narrowed


def _page(rows: QuerySet[Any], request: Request, column: str) -> tuple[list[Any], str | None]:
    """One page in the order of the code (`ordering=-code` backwards), and the cursor of the next."""
    ordering = request.query_params.get("ordering", column)
    if ordering not in (column, f"-{column}"):
        detail = f"ordering is {ordering[:40]!r}; known: {column}, -{column}."
        raise Problem(400, "invalid", detail, [FieldError("invalid", detail, "/ordering")])
    limit = limit_of(request)
    if cursor := request.query_params.get("cursor"):
        (last,) = decode_cursor(cursor, 1)
        if not isinstance(last, str) or "\0" in last:
            raise Problem(400, "invalid", "This cursor is not one of ours; start again without it.")
        rows = rows.filter(**{f"{column}__{'lt' if ordering.startswith('-') else 'gt'}": last})
    page = list(rows.order_by(ordering)[: limit + 1])
    return page[:limit], encode_cursor(getattr(page[limit - 1], column)) if len(page) > limit else None


def _code(text: str, noun: str) -> str:
    """A code from the path, trimmed; one no database could hold does not exist."""
    if "\0" in text:
        raise _missing(noun, text)
    return text.strip()


def _missing(noun: str, code: str) -> Problem:
    return Problem(404, "not_found", f"No {noun} {code[:100]!r} is known here.")
