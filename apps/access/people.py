"""What a signed-in person may do, by role."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from apps.access.capabilities import CAPABILITIES, ROLES, role_may
from apps.access.models import User


def roles_of(user: User | AnonymousUser) -> frozenset[str]:
    """The person's roles (Django groups of those names); read once per request."""
    if not user.is_authenticated or not user.is_active:
        return frozenset()
    remembered: frozenset[str] | None = getattr(user, "_roles", None)
    if remembered is None:
        remembered = frozenset(user.groups.filter(name__in=ROLES).values_list("name", flat=True))
        user._roles = remembered  # type: ignore[attr-defined]
    return remembered


def person_may(user: User | AnonymousUser, capability: str) -> bool:
    """True where one of the person's roles holds `capability`; a superuser holds all that exist."""
    if getattr(user, "is_superuser", False) and user.is_active:
        return capability in CAPABILITIES
    return role_may(roles_of(user), capability)


def require(capability: str) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Decorates a console view: signed in, and holding `capability`, or 403."""

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if not person_may(request.user, capability):
                raise PermissionDenied(f"Your role does not allow {capability}. Ask an administrator.")
            return view(request, *args, **kwargs)

        return guarded

    return decorate
