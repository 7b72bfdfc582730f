from django.urls import path

from apps.exceptions.api import views

urlpatterns = [
    path("exceptions/causes", views.CausesView.as_view()),
    path("exceptions/causes/<int:cause_id>", views.CauseView.as_view()),
    path("exceptions/causes/<int:cause_id>/preview", views.PreviewView.as_view()),
    path("exceptions/causes/<int:cause_id>/resolve", views.ResolveView.as_view()),
    path("exceptions/causes/<int:cause_id>/replay", views.ReplayView.as_view()),
    path("exceptions/causes/<int:cause_id>/assign", views.AssignView.as_view()),
    path("exceptions/causes/<int:cause_id>/snooze", views.SnoozeView.as_view()),
    path("exceptions/causes/<int:cause_id>/dismiss", views.DismissView.as_view()),
    path("exceptions/causes/<int:cause_id>/comments", views.CommentsView.as_view()),
    path("exceptions/records", views.RecordsView.as_view()),
    path("exceptions/replays/<int:replay_id>", views.ReplayProgressView.as_view()),
]
