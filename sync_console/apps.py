from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class WiringConfig(AppConfig):
    name = "sync_console"
    label = "wiring"
    verbose_name = "Sync Console"


class ConsoleAdminConfig(AdminConfig):
    default_site = "sync_console.admin_site.ConsoleSite"
