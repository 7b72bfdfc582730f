"""Items and warehouses to measure with."""

from dataclasses import dataclass

ITEMS = 10_000


@dataclass(frozen=True, slots=True)
class Shop:
    source_id: int
    unit_id: int
    item_ids: tuple[int, ...]
    skus: tuple[str, ...]
    warehouse_ids: tuple[int, ...]


def make_shop(items: int = ITEMS) -> Shop:
    """So many items in two warehouses, without stock."""
    from apps.masterdata.models import Item, System, Unit, Warehouse

    each = Unit.objects.create(code="EA", name="Each")
    wms = System.objects.create(code="wms", name="WMS")
    rows = Item.objects.bulk_create(
        (Item(sku=f"SKU-{n:06}", name=f"Item {n}", base_unit=each) for n in range(items)), batch_size=2_000
    )
    places = [Warehouse.objects.create(code=code, name=code) for code in ("EAST", "WEST")]
    return Shop(
        wms.pk,
        each.pk,
        tuple(item.pk for item in rows),
        tuple(item.sku for item in rows),
        tuple(place.pk for place in places),
    )
