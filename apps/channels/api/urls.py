"""Channels' part of the API."""

from django.urls import path

from apps.channels.api.views import ChannelsView, PublicationsView

urlpatterns = [
    path("channels", ChannelsView.as_view(), name="api-channels"),
    path("channels/<str:code>/publications", PublicationsView.as_view(), name="api-publications"),
]
