from django.apps import AppConfig


class SandboxConfig(AppConfig):
    name = "apps.integrations.sandbox"
    label = "sandbox"
    verbose_name = "Sandbox"
