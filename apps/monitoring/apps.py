from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "apps.monitoring"
    label = "monitoring"
    verbose_name = "Monitoring"

    def ready(self) -> None:
        # What lower layers need from sources they cannot ask for: it is handed down from here.
        from apps.channels import lineage
        from apps.inventory import availability
        from apps.monitoring.freshness import silent_sources
        from apps.sources.traces import traces_of

        availability.stale_sources = silent_sources
        lineage.traces_of = traces_of
