"""Default deny: a view names the scope each method needs, or nobody may call it."""

from typing import TYPE_CHECKING

from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.access.keys import Caller
from apps.access.people import person_may

if TYPE_CHECKING:
    from rest_framework.views import APIView


class HasScope(BasePermission):
    """The view's `scopes = {"GET": "availability:read"}`, held by the key or by the person's role."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if request.user is None or not request.user.is_authenticated:
            raise NotAuthenticated("Send Authorization: Bearer prefix.secret.")
        method = "GET" if request.method == "HEAD" else str(request.method)
        if method not in {name.upper() for name in view.http_method_names if hasattr(view, name)}:
            return True  # answered 405 by the view
        scope = getattr(view, "scopes", {}).get(method)
        if scope is None:
            raise PermissionDenied("No scope opens this operation.")
        client = client_of(request)
        allowed = client.may(scope) if client is not None else person_may(request.user, scope)
        if not allowed:
            raise PermissionDenied(f"This needs the scope {scope}, which the caller does not hold.")
        return True


def client_of(request: Request) -> Caller | None:
    """The API client that calls; None where a signed-in person does."""
    user: object = request.user
    return user if isinstance(user, Caller) else None


def actor_of(request: Request) -> str:
    """How history names the caller: a person's user name, or the API client's name."""
    client = client_of(request)
    return client.name if client is not None else request.user.get_username()
