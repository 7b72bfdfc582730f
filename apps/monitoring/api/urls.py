from django.urls import path, re_path

from apps.monitoring.api.explain import ExplainAvailabilityView
from apps.monitoring.api.views import LineageView

urlpatterns = [
    path("lineage/<str:source>/<path:event_id>", LineageView.as_view(), name="lineage"),
    re_path(r"^explain/availability/(?P<sku>.+)$", ExplainAvailabilityView.as_view(), name="explain-availability"),
]
