"""The OpenAPI document of what all operations share: who calls, codes and decimals, and how a request is refused."""

from typing import TYPE_CHECKING, Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension

from apps.access.api.problems import CONTENT_TYPE, TITLES
from apps.lib.quantity import INTEGER_DIGITS, PLACES

if TYPE_CHECKING:
    from drf_spectacular.openapi import AutoSchema
    from drf_spectacular.utils import Direction

Schema = dict[str, Any]

PLAIN_DECIMAL: Final[Schema] = {
    "type": "string",
    "pattern": rf"^-?[0-9]{{1,{INTEGER_DIGITS}}}(\.[0-9]{{1,{PLACES}}})?$",
    "example": "12.5",
}
CODE: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 100, "pattern": r"^[^\x00-\x1f\x7f-\x9f]+$"}
PROBLEM: Final[Schema] = {
    "type": "object",
    "description": "Why a request was refused, and what to do about it.",
    "required": ["type", "title", "status", "code", "detail", "instance", "trace_id", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": f"{', '.join(TITLES)}, or a domain reason in capitals."},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "trace_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "detail", "pointer"],
                "properties": {name: {"type": "string"} for name in ("code", "detail", "pointer")},
            },
        },
    },
}
REFUSALS: Final = {
    "400": "The request is not valid.",
    "401": "No key, or one that is unknown, expired or revoked.",
    "403": "The caller does not hold the scope.",
    "404": "Nothing is found, or nothing the caller may see.",
    "409": "It conflicts with how things stand now, or the same request is still running.",
    "413": "The body is too large.",
    "415": "The body is of another media type.",
    "422": "The Idempotency-Key was used for another request.",
    "429": "Too many requests; Retry-After says when to come again.",
}
HEADERS: Final[dict[str, Schema]] = {
    "401": {"WWW-Authenticate": {"schema": {"type": "string"}}},
    "429": {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}},
}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "apps.access.api.authentication.ApiKeyAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: "AutoSchema") -> Schema:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "prefix.secret"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "apps.access.api.authentication.ConsoleSessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: "AutoSchema") -> Schema:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


class DecimalSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "apps.access.api.fields.PlainDecimalField"

    def map_serializer_field(self, auto_schema: "AutoSchema", direction: "Direction") -> Schema:
        taken = {"oneOf": [dict(PLAIN_DECIMAL), {"type": "integer"}]}
        return taken if direction == "request" else dict(PLAIN_DECIMAL)


class CodeSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "apps.access.api.fields.CodeField"

    def map_serializer_field(self, auto_schema: "AutoSchema", direction: "Direction") -> Schema:
        return dict(CODE)


def add_problems(result: Schema, generator: object, request: object, public: bool) -> Schema:
    """Spectacular's hook: the refusals of each operation, where it does not describe its own."""
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in result["paths"].values():
        for operation in operations.values():
            for status in _refusals(operation):
                response = {"description": REFUSALS[status], "content": content}
                if status in HEADERS:
                    response["headers"] = HEADERS[status]
                operation["responses"].setdefault(status, response)
            other = {"description": "Any other refusal.", "content": content}
            operation["responses"].setdefault("default", other)
    return result


def _refusals(operation: Schema) -> list[str]:
    parameters = [(each["in"], each["name"]) for each in operation.get("parameters", ())]
    found = ["400", "429"]
    if any(operation.get("security", ())):
        found += ["401", "403"]
    if parameters:
        found.append("404")
    if "requestBody" in operation:
        found += ["409", "413", "415"]
    if ("header", "Idempotency-Key") in parameters:
        found += ["409", "422"]
    return sorted(set(found))
