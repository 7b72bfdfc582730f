"""Health at the root: /livez, /readyz."""

from django.urls import path

from apps.monitoring.health import livez, readyz

urlpatterns = [path("livez", livez), path("readyz", readyz)]
