"""The WSGI application granian serves: the fast lane in front of Django."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sync_console.settings")

django_application = get_wsgi_application()

from sync_console.fastlane import FastLane  # noqa: E402  (the apps are loaded now)

application = FastLane(django_application)
