from django.urls import path

from apps.monitoring.api.views import LineageView

urlpatterns = [path("lineage/<str:source>/<path:event_id>", LineageView.as_view(), name="lineage")]
