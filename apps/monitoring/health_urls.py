"""Health at the root: /livez, /readyz, /metrics."""

from django.urls import path

from apps.monitoring.health import livez, readyz
from apps.monitoring.metrics import metrics

urlpatterns = [path("livez", livez), path("readyz", readyz), path("metrics", metrics)]
