"""Units of measure and the conversions that hold for every item."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from apps.lib.errors import Problem
from apps.masterdata import dirty
from apps.masterdata.batches import codes_of, run_batch
from apps.masterdata.changes import UNSET, Sender, Unset, UpsertResult, actor_of, lock_entity, waves
from apps.masterdata.healing import heal_conversions
from apps.masterdata.models import Unit, UnitConversion
from apps.masterdata.rows import Change, Field, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitUpsert:
    code: str
    name: str | Unset = UNSET
    decimals: int | Unset | None = UNSET
    event: str = ""


FIELDS: Final = (
    Field("name", "name", "identity"),
    Field("decimals", "decimals", "identity", 0, lambda value: "" if 0 <= int(value) <= 6 else "0 to 6 are allowed"),
)


def upsert_units(upserts: Sequence[UnitUpsert], sender: Sender) -> list[UpsertResult]:
    """One result per upsert, in order; heals what waited for a new unit or its decimals."""
    results: dict[int, UpsertResult] = {}
    with transaction.atomic():
        for wave in waves(upsert.code.strip() for upsert in upserts):
            chosen = [upserts[position] for position in wave]
            codes = codes_of(sender)
            codes.load(units=[upsert.code for upsert in chosen])
            rows: Rows[Unit] = Rows(Unit, "unit", "code", FIELDS, sender)

            def plan(change: Change[Unit], upsert: UnitUpsert, rows: Rows[Unit] = rows) -> None:
                rows.require(change, "name", upsert.name)
                rows.set(change, "name", upsert.name)
                rows.set(change, "decimals", upsert.decimals)

            results |= dict(zip(wave, run_batch(rows, codes, chosen, plan), strict=True))
        if any("decimals" in said["change"] for result in results.values() for said in result.effects):
            heal_conversions(actor_of(sender))
    return [results[position] for position in range(len(upserts))]


def set_conversion(code: str, to_code: str, numerator: int, denominator: int, *, by: str) -> None:
    """1 `code` = numerator/denominator `to_code` for every item without a factor of its own; heals conversions.

    Problem (400) where a unit is not ours, both are the same, or the factor is not a positive ratio.
    """
    if not (0 < numerator < 2**63 and 0 < denominator < 2**63):
        raise Problem(400, "invalid", f"The factor {numerator}/{denominator} is not a positive ratio of integers.")
    if code == to_code:
        raise Problem(400, "invalid", f"{code} cannot be converted to itself; name two units.")
    with transaction.atomic():
        lock_entity("unit")
        units = {unit.code: unit for unit in Unit.objects.filter(code__in=[code, to_code])}
        if missing := sorted({code, to_code} - units.keys()):
            raise Problem(400, "invalid", f"{missing[0]} is not one of our units; create it first.")
        # One row per pair: the same two units the other way round are the same fact.
        UnitConversion.objects.filter(unit=units[to_code], to_unit=units[code]).delete()
        UnitConversion.objects.update_or_create(
            unit=units[code],
            to_unit=units[to_code],
            defaults={"numerator": numerator, "denominator": denominator},
        )
        dirty.mark_units([units[code].pk, units[to_code].pk])
        heal_conversions(by)
