"""What lists of master data can be narrowed by, the same in the console and the API."""

from typing import Any

import django_filters as filters
from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.masterdata.models import CrossReference, Identifier, Item, ShipTo, Warehouse


class ItemFilterSet(filters.FilterSet):
    """`search` finds part of a SKU or name, or a whole identifier or alias."""

    search = filters.CharFilter(method="filter_search", max_length=200)
    status = filters.MultipleChoiceFilter(choices=Item.Status.choices)
    kind = filters.MultipleChoiceFilter(choices=Item.Kind.choices)
    sku = filters.CharFilter(max_length=100)
    family = filters.CharFilter(max_length=100)
    category = filters.CharFilter(max_length=100)
    brand = filters.CharFilter(max_length=100)
    tax_class = filters.CharFilter(max_length=100)

    class Meta:
        model = Item
        fields: list[str] = []

    def filter_search(self, rows: QuerySet[Item], name: str, value: str) -> QuerySet[Item]:
        return search_items(rows, value)


class WarehouseFilterSet(filters.FilterSet):
    search = filters.CharFilter(method="filter_search", max_length=200)
    kind = filters.MultipleChoiceFilter(choices=Warehouse.Kind.choices)
    sellable = filters.BooleanFilter()
    branch = filters.CharFilter(field_name="branch__code", max_length=100)
    country = filters.CharFilter(max_length=2)

    class Meta:
        model = Warehouse
        fields: list[str] = []

    def filter_search(self, rows: QuerySet[Warehouse], name: str, value: str) -> QuerySet[Warehouse]:
        return rows.filter(Q(code__icontains=value) | Q(name__icontains=value))


def search_items(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    text = text.strip()
    called = CrossReference.objects.filter(kind="item", code=text, target=OuterRef("sku"))
    identified = Identifier.objects.filter(value=text, item=OuterRef("pk"))
    return rows.filter(Q(sku__icontains=text) | Q(name__icontains=text) | Exists(identified) | Exists(called))


def search_accounts(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    text = text.strip()
    shipped = ShipTo.objects.filter(code=text, account=OuterRef("pk"))
    called = CrossReference.objects.filter(kind="account", code=text, target=OuterRef("code"))
    return rows.filter(Q(code__icontains=text) | Q(name__icontains=text) | Exists(shipped) | Exists(called))
