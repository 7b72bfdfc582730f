"""Listings as files: which external id of a channel shows which item in which unit."""

from typing import Any

from import_export import fields, resources
from import_export.widgets import ForeignKeyWidget

from apps.channels.listings import mark
from apps.channels.models import Channel, Listing
from apps.lib.spreadsheet_safety import neutralise_row
from apps.masterdata.models import Item, Unit

COLUMNS = ("channel", "external_id", "sku", "unit")


class ListingResource(resources.ModelResource):
    """Key is channel + external id. A listing is never deleted by a file: set its status to retired."""

    channel = fields.Field("channel", "channel", ForeignKeyWidget(Channel, "system__code"))
    item = fields.Field("item", "sku", ForeignKeyWidget(Item, "sku"))
    unit = fields.Field("unit", "unit", ForeignKeyWidget(Unit, "code"))

    class Meta:
        model = Listing
        fields = ("channel", "external_id", "item", "unit", "status")
        export_order = ("channel", "external_id", "item", "unit", "status")
        import_id_fields = ("channel", "external_id")
        skip_unchanged = True
        report_skipped = True
        use_transactions = True

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        """A missing column would make every row fail with a sentence of the database's."""
        missing = [name for name in COLUMNS if name not in (dataset.headers or ())]
        if missing:
            raise ValueError(f"The file has no column {missing[0]}; it has {', '.join(COLUMNS)} and perhaps status.")

    def after_save_instance(self, instance: Listing, row: Any, **kwargs: Any) -> None:
        if not kwargs.get("dry_run", False):
            mark([instance.pk])

    def export_resource(self, instance: Listing, *args: Any, **kwargs: Any) -> list[Any]:
        return list(neutralise_row(super().export_resource(instance, *args, **kwargs)))
