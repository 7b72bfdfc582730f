"""Every URL: the console under /console/, the API under /api/v1/, health at the root."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

admin.autodiscover()

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("console/", admin.site.urls),
    path("api/v1/", include("sync_console.api_urls")),
    path("", include("apps.monitoring.health_urls")),
]
