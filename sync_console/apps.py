from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class WiringConfig(AppConfig):
    name = "sync_console"
    label = "wiring"
    verbose_name = "Sync Console"

    def ready(self) -> None:
        import apps.lib.lookups  # noqa: F401 - registers field__any


class ConsoleAdminConfig(AdminConfig):
    default_site = "sync_console.admin_site.ConsoleSite"
