"""The explanation behind an availability answer's explain_url."""

from collections.abc import Collection
from typing import Any
from urllib.parse import quote

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.access.api.lists import refuse_unknown_parameters
from apps.access.api.permissions import client_of
from apps.inventory.answers import explain_url
from apps.lib.codes import InvalidCode, normalise_code
from apps.lib.errors import FieldError, Problem
from apps.lib.quantity import plain
from apps.monitoring.waterfall import Moved, Waterfall, explain


class TermAnswer(serializers.Serializer[Any]):
    term = serializers.ChoiceField(["on_hand", "held", "allocated", "reserved", "unbacked", "safety_stock"])
    value = serializers.CharField(help_text="Signed: the terms add up to the balance.")


class CausedBy(serializers.Serializer[Any]):
    source = serializers.CharField()  # type: ignore[assignment]
    id = serializers.CharField()
    lineage_url = serializers.CharField()


class MovedAnswer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    quantity = serializers.CharField()
    uom = serializers.CharField()
    on_hand = serializers.CharField()
    held = serializers.CharField()
    unbacked = serializers.CharField()
    generation = serializers.IntegerField()
    happened_at = serializers.DateTimeField()
    order = serializers.CharField()
    reference = serializers.CharField()
    event = CausedBy(allow_null=True)


class PlaceAnswer(serializers.Serializer[Any]):
    warehouse = serializers.CharField()
    terms = TermAnswer(many=True)
    balance = serializers.CharField()
    available = serializers.CharField()
    why = serializers.CharField(help_text="Where available is not the balance, or there are no terms.")
    movements = MovedAnswer(many=True, help_text="The latest 20, newest first.")


class ComponentAnswer(serializers.Serializer[Any]):
    sku = serializers.CharField()
    quantity = serializers.CharField()
    uom = serializers.CharField()
    explain_url = serializers.CharField()


class ExplainedAvailability(serializers.Serializer[Any]):
    sku = serializers.CharField()
    item_status = serializers.CharField()
    uom = serializers.CharField()
    available = serializers.CharField()
    as_of = serializers.DateTimeField(allow_null=True)
    by_warehouse = PlaceAnswer(many=True)
    components = ComponentAnswer(many=True)


@extend_schema_view(get=extend_schema(operation_id="explain_availability", responses=ExplainedAvailability))
class ExplainAvailabilityView(APIView):
    """From what is on hand to what may be promised, warehouse by warehouse, and the events behind it."""

    scopes = {"GET": "availability:read"}

    def get(self, request: Request, sku: str) -> Response:
        refuse_unknown_parameters(request, frozenset())
        code, client = _code(sku), client_of(request)
        found = explain(code, client.warehouses if client is not None and client.warehouses else None)
        if found is None:
            raise Problem(404, "not_found", f"No item has the SKU {code!r}.")
        seen = client.sources if client is not None else frozenset()
        body = {
            "sku": found.item.stock.sku,
            "item_status": found.item.status,
            "uom": found.item.stock.uom,
            "available": plain(found.item.available),
            "as_of": found.item.as_of,
            "by_warehouse": [_place(place, seen) for place in found.places],
            "components": [
                {"sku": part, "quantity": plain(quantity), "uom": uom, "explain_url": explain_url(part)}
                for part, quantity, uom in found.components
            ],
        }
        return Response(body)


def _place(place: Waterfall, sources: Collection[str]) -> dict[str, object]:
    return {
        "warehouse": place.warehouse,
        "terms": [{"term": term, "value": plain(value)} for term, value in place.terms],
        "balance": plain(place.balance),
        "available": plain(place.available),
        "why": place.why,
        "movements": [_moved(moved, sources) for moved in place.movements],
    }


def _moved(moved: Moved, sources: Collection[str]) -> dict[str, object]:
    return {
        "kind": moved.kind,
        "quantity": plain(moved.quantity),
        "uom": moved.uom,
        "on_hand": plain(moved.on_hand),
        "held": plain(moved.held),
        "unbacked": plain(moved.unbacked),
        "generation": moved.generation,
        "happened_at": moved.happened_at,
        "order": moved.order,
        "reference": moved.reference,
        "event": _event(moved, sources),
    }


def _event(moved: Moved, sources: Collection[str]) -> dict[str, str] | None:
    """Nothing of a source that the key may not see."""
    if moved.source is None or moved.event_id is None or (sources and moved.source not in sources):
        return None
    path = f"{quote(moved.source, safe='')}/{quote(moved.event_id, safe='')}"
    return {"source": moved.source, "id": moved.event_id, "lineage_url": f"/api/v1/lineage/{path}"}


def _code(text: str) -> str:
    try:
        return normalise_code(text)
    except InvalidCode as error:
        raise Problem(400, "invalid", error.detail, [FieldError("invalid", error.detail, "/sku")]) from error
