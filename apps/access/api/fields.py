"""What request bodies may hold: known fields only, decimals as plain strings, codes as we keep them."""

from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from apps.lib.codes import normalise_code
from apps.lib.quantity import InvalidDecimal, parse_decimal


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses unknown fields, naming the nearest known one."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValidationError({"non_field_errors": [ErrorDetail("An object is expected here.", "invalid")]})
        unknown = [key for key in data if key not in self.fields]
        if unknown:
            raise ValidationError({key: [ErrorDetail(self._unknown(key), "unknown_field")] for key in unknown})
        return super().to_internal_value(data)

    def _unknown(self, key: str) -> str:
        nearest = get_close_matches(key, list(self.fields), n=1)
        hint = f" Did you mean {nearest[0]}?" if nearest else f" Known: {', '.join(self.fields)}."
        return f"Nobody knows the field {key[:100]!r}.{hint}"


class PlainDecimalField(serializers.Field[Decimal, Any, str, Any]):
    """A decimal as CONTRACT.md §1 writes them: a plain string, or an integer."""

    def __init__(self, *, positive: bool = False, **kwargs: Any) -> None:
        self.positive = positive
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        try:
            value = parse_decimal(data)
        except InvalidDecimal as error:
            raise ValidationError(str(error)) from error
        if self.positive and value <= 0:
            raise ValidationError(f"{value} is not greater than 0.")
        return value

    def to_representation(self, value: Decimal) -> str:
        return str(value)


class CodeField(serializers.Field[str, Any, str, Any]):
    """1 to 100 characters, trimmed, NFC, no control characters, case kept."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise ValidationError("A code is a string.")
        try:
            return normalise_code(data)
        except ValueError as error:
            raise ValidationError(str(error)) from error

    def to_representation(self, value: str) -> str:
        return value
