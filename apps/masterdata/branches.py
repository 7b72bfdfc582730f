"""Branches, and the companies they belong to (a company is no more than its code)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from apps.masterdata import checks
from apps.masterdata.batches import codes_of, run_batch
from apps.masterdata.changes import UNSET, Sender, Unset, UpsertResult, waves
from apps.masterdata.models import Branch, Company
from apps.masterdata.rows import Change, Field, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchUpsert:
    code: str
    name: str | Unset = UNSET
    company: str | Unset | None = UNSET
    region: str | Unset | None = UNSET
    timezone: str | Unset | None = UNSET
    currency: str | Unset | None = UNSET
    event: str = ""


FIELDS: Final = (
    Field("name", "name", "identity"),
    Field("company", "company_id", "identity", None, shown="company.code"),
    Field("region", "region", "identity", ""),
    Field("timezone", "time_zone", "identity", "UTC", checks.time_zone),
    Field("currency", "currency", "terms", "", checks.currency),
)


def upsert_branches(upserts: Sequence[BranchUpsert], sender: Sender) -> list[UpsertResult]:
    """One result per upsert, in order; heals what waited for a new branch."""
    results: dict[int, UpsertResult] = {}
    with transaction.atomic():
        companies = _companies({upsert.company for upsert in upserts if isinstance(upsert.company, str)})
        for wave in waves(upsert.code.strip() for upsert in upserts):
            chosen = [upserts[position] for position in wave]
            codes = codes_of(sender)
            codes.load(branches=[upsert.code for upsert in chosen])
            rows: Rows[Branch] = Rows(Branch, "branch", "code", FIELDS, sender)

            def plan(change: Change[Branch], upsert: BranchUpsert, rows: Rows[Branch] = rows) -> None:
                rows.require(change, "name", upsert.name)
                for name in ("name", "region", "timezone", "currency"):
                    rows.set(change, name, getattr(upsert, name))
                company = companies[upsert.company] if isinstance(upsert.company, str) else upsert.company
                rows.set(change, "company", company, upsert.company or None)

            results |= dict(zip(wave, run_batch(rows, codes, chosen, plan, "company"), strict=True))
    return [results[position] for position in range(len(upserts))]


def _companies(codes: set[str]) -> dict[str, int]:
    if not codes:
        return {}
    Company.objects.bulk_create([Company(code=code, name=code) for code in sorted(codes)], ignore_conflicts=True)
    return dict(Company.objects.filter(code__in=codes).values_list("code", "pk"))
