"""Who calls: a bearer key first; without an Authorization header, the console's session."""

from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apps.access.keys import Caller, caller_of


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer prefix.secret`."""

    def authenticate(self, request: Request) -> tuple[Caller, str] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        scheme, _, token = header.partition(" ")
        caller = caller_of(token.strip()) if scheme.lower() == "bearer" else None
        if caller is None:
            raise AuthenticationFailed(
                "The key is unknown, expired or revoked. Send Authorization: Bearer prefix.secret with a valid key."
            )
        return caller, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class ConsoleSessionAuthentication(SessionAuthentication):
    """The signed-in person of the console, only where no Authorization header was sent."""

    def authenticate(self, request: Request) -> tuple[object, None] | None:
        if request.META.get("HTTP_AUTHORIZATION"):
            return None
        return super().authenticate(request)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
