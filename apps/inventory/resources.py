"""What the console exports of stock: codes instead of ids, numbers as they are kept."""

from import_export import fields, resources

from apps.inventory.models import StockMovement, StockPosition


class StockPositionResource(resources.ModelResource):
    sku = fields.Field("item__sku", "sku")
    warehouse = fields.Field("warehouse__code", "warehouse")

    class Meta:
        model = StockPosition
        fields = (
            "sku",
            "warehouse",
            "on_hand",
            "held",
            "allocated",
            "reserved",
            "unbacked",
            "shortfall",
            "available",
            "as_of",
            "counted_at",
        )
        export_order = ("sku", "warehouse")


class StockMovementResource(resources.ModelResource):
    sku = fields.Field("item__sku", "sku")
    warehouse = fields.Field("warehouse__code", "warehouse")
    source = fields.Field("source__code", "source")
    uom = fields.Field("unit__code", "uom")

    class Meta:
        model = StockMovement
        fields = (
            "happened_at",
            "sku",
            "warehouse",
            "source",
            "kind",
            "quantity",
            "uom",
            "base_quantity",
            "on_hand_delta",
            "held_delta",
            "unbacked_delta",
            "order",
            "order_line",
            "lot",
            "reference",
            "sequence",
            "message",
            "line",
            "generation",
            "booked_at",
        )
        export_order = ("happened_at", "sku", "warehouse", "kind", "quantity", "uom", "source")
