from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig


class WiringConfig(AppConfig):
    name = "sync_console"
    label = "wiring"
    verbose_name = "Sync Console"

    def ready(self) -> None:
        import apps.lib.lookups  # noqa: F401 - registers field__any


class ConsoleAdminConfig(SimpleAdminConfig):
    """The models' pages are found by urls.py: a worker, beat or command needs none of them, and starts sooner."""

    default_site = "sync_console.admin_site.ConsoleSite"
