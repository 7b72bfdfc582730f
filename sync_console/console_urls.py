"""Our own console pages, mounted under /console/ beside the models' pages; each view checks who may open it."""

from typing import TYPE_CHECKING

from django.urls import URLPattern, path

from apps.channels.views import attempts, channels, export, pause, publications, resume
from apps.exceptions.views import actions, board, cause, record
from apps.monitoring.views import lineage, lineage_part, lineage_search, overview

if TYPE_CHECKING:
    from sync_console.admin_site import ConsoleSite


def console_urls(site: "ConsoleSite") -> list[URLPattern]:
    """Before the models' own addresses, so that the overview takes the place of the list of apps."""
    return [
        path("", overview, name="index"),
        path("triage/", board.board, name="triage"),
        path("triage/bulk", board.bulk, name="triage_bulk"),
        path("causes/<int:cause_id>/", cause.cause, name="cause"),
        path("causes/<int:cause_id>/records", cause.records, name="cause_records"),
        path("causes/<int:cause_id>/records.csv", cause.export, name="cause_export"),
        path("causes/<int:cause_id>/progress", cause.progress, name="cause_progress"),
        path("causes/<int:cause_id>/preview", actions.preview, name="cause_preview"),
        path("causes/<int:cause_id>/resolve", actions.resolve, name="cause_resolve"),
        path("causes/<int:cause_id>/assign", actions.assign, name="cause_assign"),
        path("causes/<int:cause_id>/snooze", actions.snooze, name="cause_snooze"),
        path("causes/<int:cause_id>/replay", actions.replay, name="cause_replay"),
        path("causes/<int:cause_id>/dismiss", actions.dismiss, name="cause_dismiss"),
        path("causes/<int:cause_id>/comment", actions.comment, name="cause_comment"),
        path("records/<int:record_id>/", record.record, name="record"),
        path("lineage/", lineage_search, name="lineage"),
        path("lineage/message/<int:message_id>", lineage_part, name="lineage_part"),
        path("lineage/<str:source>/<path:event_id>/", lineage, name="lineage_of"),
        path("channels/", channels, name="channels"),
        path("channels/<str:code>/publications/", publications, name="publications"),
        path("channels/<str:code>/publications.csv", export, name="publications_export"),
        path("channels/<str:code>/publications/<int:publication_id>/", attempts, name="attempts"),
        path("channels/<str:code>/pause", pause, name="channel_pause"),
        path("channels/<str:code>/resume", resume, name="channel_resume"),
    ]
