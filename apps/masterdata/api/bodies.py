"""Master data as the API shows it: our codes only, decimals as plain strings."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db.models import Prefetch, QuerySet

from apps.access.api.renderers import instant
from apps.lib.quantity import plain
from apps.masterdata.models import Account, CrossReference, Identifier, Item, ItemComponent, ItemUnit, ShipTo, Warehouse


def items_with_lists(rows: QuerySet[Item]) -> QuerySet[Item]:
    """Everything `item_bodies` shows, in a constant number of queries."""
    return rows.select_related("base_unit", "replaced_by").prefetch_related(
        Prefetch("units", ItemUnit.objects.select_related("unit").order_by("unit__code")),
        Prefetch("identifiers", Identifier.objects.select_related("unit").order_by("scheme", "value")),
        Prefetch("components", ItemComponent.objects.select_related("unit", "component").order_by("component__sku")),
    )


def item_bodies(items: Sequence[Item]) -> list[dict[str, Any]]:
    aliases: dict[str, list[dict[str, str]]] = defaultdict(list)
    known = CrossReference.objects.filter(kind="item", target__in=[item.sku for item in items])
    for source, code, target in known.order_by("code").values_list("system__code", "code", "target"):
        aliases[target].append({"source": source, "code": code})
    return [_item_body(item, aliases[item.sku]) for item in items]


def _item_body(item: Item, aliases: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "sku": item.sku,
        "name": item.name,
        "kind": item.kind,
        "status": item.status,
        "base_uom": item.base_unit.code,
        "units": [_unit_line(line) for line in item.units.all()],
        "identifiers": [
            {"scheme": each.scheme, "value": each.value, "uom": each.unit.code, "party": each.party or None}
            for each in item.identifiers.all()
        ],
        "aliases": aliases,
        "components": [
            {"sku": each.component.sku, "quantity": plain(each.quantity), "uom": each.unit.code}
            for each in item.components.all()
        ],
        "brand": item.brand,
        "family": item.family,
        "category": item.category,
        "tax_class": item.tax_class,
        "replaced_by": item.replaced_by.sku if item.replaced_by is not None else None,
        "lot_tracked": item.lot_tracked,
        "hazard_class": item.hazard_class,
        "attributes": item.attributes,
        "updated_at": instant(item.updated_at),
    }


def _unit_line(line: ItemUnit) -> dict[str, Any]:
    return {
        "uom": line.unit.code,
        "numerator": line.numerator,
        "denominator": line.denominator,
        "sellable": line.sellable,
        "order_minimum": plain(line.order_minimum) if line.order_minimum is not None else None,
        "order_multiple": plain(line.order_multiple) if line.order_multiple is not None else None,
    }


def account_body(account: Account) -> dict[str, Any]:
    return {
        "code": account.code,
        "name": account.name,
        "status": account.status,
        "groups": account.groups,
        "type": account.type,
        "parent": account.parent.code if account.parent is not None else None,
        "branch": account.branch.code if account.branch is not None else None,
        "currency": account.currency or None,
        "tax_exempt": account.tax_exempt,
        "min_life_days": account.min_life_days,
        "price_policy": account.price_policy,
        "licences": [
            {"code": each.code, "expires_on": each.expires_on.isoformat() if each.expires_on is not None else None}
            for each in account.licences.order_by("code")
        ],
        "identifiers": [
            {"scheme": each.scheme, "value": each.value, "party": each.party or None}
            for each in account.identifiers.order_by("scheme", "value")
        ],
        "ship_tos": ship_to_bodies(account),
        "updated_at": instant(account.updated_at),
    }


def ship_to_bodies(account: Account) -> list[dict[str, Any]]:
    return [_ship_to_body(each) for each in account.ship_tos.select_related("branch").order_by("code")]


def _ship_to_body(ship_to: ShipTo) -> dict[str, Any]:
    return {
        "code": ship_to.code,
        "name": ship_to.name,
        "branch": ship_to.branch.code if ship_to.branch is not None else None,
        "country": ship_to.country,
        "region": ship_to.region,
        "timezone": ship_to.time_zone or None,
        "status": ship_to.status,
    }


def warehouse_body(warehouse: Warehouse) -> dict[str, Any]:
    return {
        "code": warehouse.code,
        "name": warehouse.name,
        "kind": warehouse.kind,
        "sellable": warehouse.sellable,
        "branch": warehouse.branch.code if warehouse.branch is not None else None,
        "country": warehouse.country,
        "region": warehouse.region,
        "timezone": warehouse.time_zone,
        "calendar": warehouse.calendar.code if warehouse.calendar is not None else None,
        "cutoff": warehouse.cutoff.strftime("%H:%M") if warehouse.cutoff is not None else None,
        "priority": warehouse.priority,
    }
