"""Pricing's part of the API. The fixed words win over SKUs; a SKU takes the rest of the path."""

from django.urls import path, re_path

from apps.pricing.api.views import ExplainPriceView, PriceBySkuView, PriceView, ResolveView

urlpatterns = [
    path("prices", PriceBySkuView.as_view(), name="price-by-sku"),
    path("prices/resolve", ResolveView.as_view(), name="prices-resolve"),
    re_path(r"^prices/(?P<sku>.+)$", PriceView.as_view(), name="price"),
    re_path(r"^explain/prices/(?P<sku>.+)$", ExplainPriceView.as_view(), name="explain-price"),
]
