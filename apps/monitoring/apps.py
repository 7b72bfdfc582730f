from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "apps.monitoring"
    label = "monitoring"
    verbose_name = "Monitoring"

    def ready(self) -> None:
        # Inventory lies below and cannot ask for it: its answers say `stale` from here.
        from apps.inventory import availability
        from apps.monitoring.freshness import silent_sources

        availability.stale_sources = silent_sources
