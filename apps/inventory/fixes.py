"""How a person mends stock below zero and counts that were held."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar

from apps.exceptions.fixes import FixField, FixResult, Suggestion
from apps.exceptions.models import BlockedRecord, Cause
from apps.inventory.models import StockCount, StockPosition
from apps.inventory.reconciliation import CountLine, CountPart, apply_count, load_part
from apps.lib.clock import now
from apps.lib.errors import FieldError, Problem
from apps.lib.quantity import InvalidDecimal, exact, parse_decimal, plain
from apps.masterdata.conversion import ConversionError
from apps.masterdata.models import System
from apps.masterdata.resolving import conversions

WAITING = ("open", "replaying")


class CountStock:
    """`count {quantity, uom}`: what somebody counted on the shelf, now."""

    name: ClassVar[str] = "count"
    label: ClassVar[str] = "Enter a count"
    fields: ClassVar[tuple[FixField, ...]] = (
        FixField("quantity", "Counted quantity", "decimal"),
        FixField("uom", "Unit", "code", required=False, help="The item's base unit where it is left out."),
        FixField("sku", "SKU", "code", required=False, help="Needed where several positions wait for this cause."),
    )

    def suggest(self, cause: Cause) -> list[Suggestion]:
        return []

    def apply(self, cause: Cause, fields: Mapping[str, Any], actor: str) -> FixResult:
        position = _only(_positions(cause), str(fields.get("sku") or ""))
        counted = _base_quantity(position, fields)
        _book(cause, [(position, counted)], actor)
        return FixResult(f"{position.item} in {position.warehouse} was counted: {plain(counted)} on hand.")


class AcceptStock:
    """`accept`: there is nothing on the shelf; what is below zero becomes 0."""

    name: ClassVar[str] = "accept"
    label: ClassVar[str] = "Accept as empty"
    fields: ClassVar[tuple[FixField, ...]] = ()

    def suggest(self, cause: Cause) -> list[Suggestion]:
        return []

    def apply(self, cause: Cause, fields: Mapping[str, Any], actor: str) -> FixResult:
        short = [position for position in _positions(cause) if position.on_hand < 0]
        _book(cause, [(position, Decimal(0)) for position in short], actor)
        return FixResult(f"{len(short)} positions below zero were set to 0.")


class ApproveCount:
    """`approve`: the count is right; its messages are replayed and book it."""

    name: ClassVar[str] = "approve"
    label: ClassVar[str] = "Approve the count"
    fields: ClassVar[tuple[FixField, ...]] = ()

    def suggest(self, cause: Cause) -> list[Suggestion]:
        return []

    def apply(self, cause: Cause, fields: Mapping[str, Any], actor: str) -> FixResult:
        count = _held(cause)
        count.approved_by, count.state = actor, StockCount.State.LOADING
        count.save(update_fields=["approved_by", "state"])
        return FixResult(f"Count {count.snapshot} was approved and is booked by the replay.")


class RejectCount:
    """`reject`: the count is wrong; nothing of it is booked."""

    name: ClassVar[str] = "reject"
    label: ClassVar[str] = "Reject the count"
    fields: ClassVar[tuple[FixField, ...]] = ()

    def suggest(self, cause: Cause) -> list[Suggestion]:
        return []

    def apply(self, cause: Cause, fields: Mapping[str, Any], actor: str) -> FixResult:
        count = _held(cause)
        count.state = StockCount.State.REJECTED
        count.save(update_fields=["state"])
        return FixResult(f"Count {count.snapshot} was rejected; nothing of it is booked.", "ignore")


def _positions(cause: Cause) -> list[StockPosition]:
    waiting = BlockedRecord.objects.filter(cause=cause, origin="position", state__in=WAITING)
    return list(
        StockPosition.objects.select_related("item", "warehouse", "item__base_unit")
        .filter(pk__in=waiting.values("origin_id"))
        .order_by("id")
    )


def _only(positions: list[StockPosition], sku: str) -> StockPosition:
    found = [position for position in positions if not sku or position.item.sku == sku]
    if len(found) == 1:
        return found[0]
    waiting = ", ".join(sorted(position.item.sku for position in positions)[:20]) or "none"
    raise _invalid("/sku", f"Name the SKU that was counted; waiting here: {waiting}.")


def _base_quantity(position: StockPosition, fields: Mapping[str, Any]) -> Decimal:
    graph = conversions([position.item_id])[position.item_id]
    try:
        quantity = parse_decimal(fields.get("quantity"))
        base = exact(Fraction(quantity) * graph.factor(str(fields.get("uom") or graph.base_uom)))
    except InvalidDecimal as error:
        raise _invalid("/quantity", error.detail) from error
    except ConversionError as error:
        raise _invalid("/uom", error.detail) from error
    if base is None or base < 0:
        raise _invalid("/quantity", "A count is 0 or more, and exact in the item's base unit.")
    return base


def _book(cause: Cause, counted: list[tuple[StockPosition, Decimal]], actor: str) -> None:
    """As a count of each position by hand, by the source whose counts the warehouse follows."""
    instant = now()
    systems = dict(System.objects.filter(code=cause.source).values_list("code", "pk"))
    for position, quantity in counted:
        source = position.warehouse.counts_source_id or systems[cause.source]
        loaded = load_part(
            CountPart(
                source_id=source,
                snapshot=f"by hand {position.pk} {instant.isoformat()}",
                as_of=instant,
                complete=False,
                message=0,
                recorded_at=instant,
            )
        )
        StockCount.objects.filter(pk=loaded.count_id).update(approved_by=actor)
        unit = position.item.base_unit_id
        line = CountLine(
            0, f"by hand:{position.pk}", instant, position.item_id, position.warehouse_id, quantity, unit, quantity
        )
        apply_count(loaded.count_id, [line])


def _held(cause: Cause) -> StockCount:
    count = StockCount.objects.select_for_update().filter(
        snapshot=cause.value, source__code=cause.source, state=StockCount.State.HELD
    )
    found = count.first()
    if found is None:
        raise Problem(409, "invalid", f"Count {cause.value} of {cause.source} is not held any more; nothing was done.")
    return found


def _invalid(pointer: str, detail: str) -> Problem:
    return Problem(400, "invalid", detail, [FieldError("invalid", detail, pointer)])
