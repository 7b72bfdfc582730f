"""Whose facts count: which source moves a warehouse's stock, and which one counts it."""

from apps.lib.clock import Now
from apps.lib.errors import Problem
from apps.masterdata.models import Warehouse


def follow(warehouse: str, *, movements: int | None, counts: int | None, priority: int = 100) -> None:
    """Name the systems whose movements and counts a warehouse follows; None: any source's."""
    changed = Warehouse.objects.filter(code=warehouse).update(
        movements_source_id=movements, counts_source_id=counts, priority=priority, updated_at=Now()
    )
    if not changed:
        raise Problem(404, "not_found", f"There is no warehouse {warehouse!r}; create it first.")
