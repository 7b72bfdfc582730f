from django.urls import URLPattern, path, re_path

from apps.sources.api.views import EventSchemasView, EventSchemaView, EventsView, EventView

urlpatterns: list[URLPattern] = [
    path("events", EventsView.as_view()),
    re_path(r"^events/(?P<source>[^/]+)/(?P<event_id>[\s\S]{1,200})$", EventView.as_view()),
    re_path(r"^schema/events/?$", EventSchemasView.as_view()),
    re_path(r"^schema/events/(?P<event_type>[^/]+)/?$", EventSchemaView.as_view()),
]
