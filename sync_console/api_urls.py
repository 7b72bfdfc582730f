"""Every path of the API; each app names its own in api/urls.py."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from apps.access.api import openapi  # noqa: F401 - its extensions register themselves

urlpatterns = [
    path("", include("apps.sources.api.urls")),
    path("", include("apps.masterdata.api.urls")),
    path("", include("apps.inventory.api.urls")),
    path("", include("apps.pricing.api.urls")),
    path("", include("apps.channels.api.urls")),
    path("", include("apps.exceptions.api.urls")),
    path("", include("apps.monitoring.api.urls")),
    re_path(r"^schema/?$", SpectacularAPIView.as_view(), name="schema"),
    re_path(r"^docs/?$", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
]
