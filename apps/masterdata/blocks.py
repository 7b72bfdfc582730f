"""Blocks of master data: which cause a code or a conversion nobody can use belongs to, and what to do about it."""

from collections.abc import Sequence
from typing import Final

from apps.lib.errors import Block
from apps.masterdata.conversion import FRACTION_NOT_ALLOWED, INVALID_CONVERSION, ConversionError

# kind → (reason, field, how a sentence calls it)
UNKNOWN: Final = {
    "item": ("UNKNOWN_ITEM", "sku", "item"),
    "warehouse": ("UNKNOWN_WAREHOUSE", "warehouse", "warehouse"),
    "unit": ("UNKNOWN_UNIT", "uom", "unit"),
    "account": ("UNKNOWN_ACCOUNT", "account", "account"),
    "branch": ("UNKNOWN_BRANCH", "branch", "branch"),
    "price_book": ("UNKNOWN_PRICE_BOOK", "book", "price book"),
    "tax_class": ("UNKNOWN_TAX_CLASS", "tax_class", "tax class"),
    "lot": ("UNKNOWN_LOT", "lot", "lot"),
}


def unknown_code(
    kind: str,
    code: str,
    *,
    source: str = "",
    nearest: Sequence[str] = (),
    line: str = "",
    subject: str = "",
    context: dict[str, str] | None = None,
) -> Block:
    reason, field, noun = UNKNOWN[kind]
    sender = f"source {source}" if source else "us"
    near = f" Nearest: {', '.join(nearest)}." if nearest else ""
    return Block(
        reason=reason,
        entity_type=kind,
        field=field,
        value=code,
        detail=f"No {noun} is known as {code[:100]!r} to {sender}.{near} "
        "Map it to one of ours, create it, or ignore it.",
        line=line,
        subject=subject,
        context=context or {},
    )


def unusable_conversion(
    error: ConversionError, *, sku: str, base_uom: str, line: str = "", subject: str = "", uom: str = ""
) -> Block:
    """The block of a quantity that has no exact meaning in the item's base unit.

    A known unit without a factor for this item is INVALID_CONVERSION: its cause names the two units only,
    so that one general conversion clears every item. FRACTION_NOT_ALLOWED is a cause of the unit.
    """
    asked = uom or error.uom
    context = {"sku": sku, "uom": asked, "base_uom": base_uom}
    if error.code == FRACTION_NOT_ALLOWED:
        return Block(FRACTION_NOT_ALLOWED, "unit", "uom", asked, error.detail, line, subject, context=context)
    return wrong_factor(error.detail, sku=sku, uom=asked, base_uom=base_uom, line=line, subject=subject)


def wrong_factor(detail: str, *, sku: str, uom: str, base_uom: str, line: str = "", subject: str = "") -> Block:
    return Block(
        INVALID_CONVERSION,
        "item_unit",
        "uom",
        f"{uom} → {base_uom}",
        detail,
        line,
        subject or sku,
        context={"sku": sku, "uom": uom, "base_uom": base_uom},
    )


def broken_rule(event_type: str, pointer: str, rule: str, detail: str, *, subject: str = "") -> Block:
    """SCHEMA_VIOLATION: `pointer` is a JSON pointer into the data with * for array indexes, `rule` a few words."""
    return Block("SCHEMA_VIOLATION", event_type, pointer, rule, detail, subject=subject)
