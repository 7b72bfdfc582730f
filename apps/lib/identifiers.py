"""Identifiers with a check digit: GTIN, SSCC, ISBN-13 and their everyday names."""

import re

from stdnum import ean

from .codes import InvalidCode, normalise_code

# Lengths a scheme may have. A GTIN is of any of its four; the other names are those sources really use.
_GTIN_LENGTHS = (8, 12, 13, 14)
_LENGTHS: dict[str, tuple[int, ...]] = {
    "gtin": _GTIN_LENGTHS,
    "barcode": _GTIN_LENGTHS,
    "ean": (8, 13),
    "upc": (12,),
    "upca": (12,),
    "gtin8": (8,),
    "ean8": (8,),
    "gtin12": (12,),
    "gtin13": (13,),
    "ean13": (13,),
    "jan": (8, 13),
    "isbn": (13,),
    "isbn13": (13,),
    "gtin14": (14,),
    "itf14": (14,),
    "dun14": (14,),
    "sscc": (18,),
}
_SEPARATORS = re.compile(r"[\s-]+")
_DIGITS = re.compile(r"[0-9]+")


class InvalidIdentifier(ValueError):
    """A value that breaks its scheme's rule; `detail` names it and, where it can, the right check digit."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def lengths(scheme: str) -> tuple[int, ...]:
    """The lengths a scheme with a check digit allows; empty for any other scheme (a vendor's part number)."""
    return _LENGTHS.get(re.sub(r"[\s_-]+", "", scheme).lower(), ())


def normalise(scheme: str, value: str) -> str:
    """The value as it is kept: checked digits without separators; of other schemes, a code. Zeros stay."""
    allowed = lengths(scheme)
    if not allowed:
        try:
            return normalise_code(value)
        except InvalidCode as error:
            raise InvalidIdentifier(f"{scheme}: {error.detail}") from None
    digits = _SEPARATORS.sub("", value)
    shown = ascii(value[:40])
    if not _DIGITS.fullmatch(digits):
        raise InvalidIdentifier(f"{scheme} {shown} holds more than digits; correct it.")
    if len(digits) not in allowed:
        wanted = " or ".join(str(length) for length in allowed)
        raise InvalidIdentifier(f"{scheme} {shown} has {len(digits)} digits, not {wanted}; correct it.")
    expected = check_digit(digits[:-1])
    if digits[-1] != expected:
        raise InvalidIdentifier(
            f"{scheme} {shown} ends in {digits[-1]}, but its check digit is {expected}; correct the number."
        )
    return digits


def check_digit(payload: str) -> str:
    """The GS1 check digit of the digits before it."""
    return str(ean.calc_check_digit(payload))


def pad_to_14(gtin: str) -> str:
    """A valid GTIN-8/12/13/14 as the 14 digits some channels want; the check digit stays right."""
    return normalise("gtin", gtin).zfill(14)
