"""Inventory's part of the API. The fixed words win over SKUs; a SKU takes the rest of the path."""

from django.urls import path, re_path

from apps.inventory.api.changes import AvailabilityChangesView
from apps.inventory.api.views import AvailabilityBySkuView, ItemAvailabilityView, LookupView

urlpatterns = [
    path("availability", AvailabilityBySkuView.as_view(), name="availability-by-sku"),
    path("availability/changes", AvailabilityChangesView.as_view(), name="availability-changes"),
    path("availability/lookup", LookupView.as_view(), name="availability-lookup"),
    re_path(r"^availability/(?P<sku>.+)$", ItemAvailabilityView.as_view(), name="availability"),
]
