from django.urls import URLPattern, path, re_path

from apps.masterdata.api.views import AccountValidateView, AccountView, ItemsView, ItemView, WarehousesView

urlpatterns: list[URLPattern] = [
    path("items", ItemsView.as_view()),
    re_path(r"^items/(?P<sku>[\s\S]+)$", ItemView.as_view()),
    path("accounts/validate", AccountValidateView.as_view()),
    re_path(r"^accounts/(?P<code>[\s\S]+)$", AccountView.as_view()),
    path("warehouses", WarehousesView.as_view()),
]
