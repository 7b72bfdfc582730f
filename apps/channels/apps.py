from django.apps import AppConfig


class ChannelsConfig(AppConfig):
    name = "apps.channels"
    label = "channels"
    verbose_name = "Channels"

    def ready(self) -> None:
        # Inventory lies below and cannot ask for it: its answers for a channel take the number from here.
        from apps.channels.numbers import channel_numbers
        from apps.inventory import availability

        availability.channel_numbers = channel_numbers
