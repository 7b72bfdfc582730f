"""Cross references: what another system's code means here, or that it is to be ignored."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from apps.lib.codes import InvalidCode, normalise_code
from apps.lib.errors import Block
from apps.masterdata.blocks import broken_rule, unknown_code
from apps.masterdata.changes import Sender, UpsertResult, actor_of, effect, lock_entity, system_of, waves
from apps.masterdata.healing import heal_codes
from apps.masterdata.models import CrossReference
from apps.masterdata.resolving import Codes, Ignored
from apps.masterdata.suggestions import nearest_ours

# The kinds whose rows are ours to check; price books, tax classes and lots belong to other layers.
CHECKED: Final = ("item", "warehouse", "unit", "account", "branch")
_EVENT: Final = "cross_reference.upserted"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossReferenceUpsert:
    """`code` is the sender's; `target` ours; `ignored` (with a reason) instead of a target."""

    kind: str
    code: str
    target: str = ""
    ignored: bool = False
    reason: str = ""
    event: str = ""


def upsert_cross_references(
    upserts: Sequence[CrossReferenceUpsert],
    sender: Sender,
    *,
    by: str = "",
    origin: str = CrossReference.Origin.EVENT,
) -> list[UpsertResult]:
    """One result per upsert, in order; heals what waited for the codes. `sender` must be a system.

    `by` is the person behind it, where there is one.
    """
    system_of(sender)
    results: dict[int, UpsertResult] = {}
    with transaction.atomic():
        lock_entity("cross_reference")
        for wave in waves((upsert.kind, upsert.code.strip()) for upsert in upserts):
            chosen = [upserts[position] for position in wave]
            done = _run(chosen, sender, by or actor_of(sender), origin)
            results |= dict(zip(wave, done, strict=True))
    return [results[position] for position in range(len(upserts))]


def _run(upserts: Sequence[CrossReferenceUpsert], sender: Sender, by: str, origin: str) -> list[UpsertResult]:
    judged = _judge(upserts, sender)
    existing = {
        (row.kind, row.code): row
        for row in CrossReference.objects.filter(
            system_id=system_of(sender), code__in=[code for code, _, blocks in judged if not blocks]
        )
    }
    rows, results, healed = [], [], defaultdict(list)
    for upsert, (code, target, blocks) in zip(upserts, judged, strict=True):
        subject = f"{sender.code} {upsert.kind} {code}"
        old = existing.get((upsert.kind, code))
        meaning = (target, upsert.ignored, upsert.reason if upsert.ignored else "")
        if blocks:
            results.append(UpsertResult(subject, "blocked", tuple(blocks)))
            continue
        if old is not None and (old.target, old.ignored, old.reason) == meaning:
            results.append(UpsertResult(subject, "unchanged"))
            continue
        rows.append(_row(upsert, sender, code, meaning, by, origin))
        healed[upsert.kind].append(code)
        said = effect("cross_reference", subject, None if old is None else ["target"])
        results.append(UpsertResult(subject, "created" if old is None else "changed", effects=(said,)))
    _write(rows)
    for kind, codes in healed.items():
        heal_codes(kind, codes, source=sender.code, by=by)
    return results


def _judge(upserts: Sequence[CrossReferenceUpsert], sender: Sender) -> list[tuple[str, str, list[Block]]]:
    """Each one's code and target as we keep them, or what is wrong with them."""
    ours = Codes(None)
    targets = {kind: [u.target for u in upserts if u.kind == kind and not u.ignored] for kind in CHECKED}
    ours.load(
        items=targets["item"],
        warehouses=targets["warehouse"],
        units=targets["unit"],
        accounts=targets["account"],
        branches=targets["branch"],
    )
    missing: dict[str, set[str]] = defaultdict(set)
    for upsert in upserts:
        if upsert.kind in CHECKED and not upsert.ignored and not _exists(ours, upsert.kind, upsert.target):
            missing[upsert.kind].add(upsert.target)
    near = {kind: nearest_ours(kind, codes) for kind, codes in missing.items()}
    judged = []
    for upsert in upserts:
        code, target, blocks = _spelled(upsert)
        if not blocks and upsert.target in missing.get(upsert.kind, ()):
            found = [each.target for each in near[upsert.kind].get(upsert.target, ())]
            subject = f"{sender.code} {upsert.kind} {code}"
            blocks.append(unknown_code(upsert.kind, upsert.target, source=sender.code, nearest=found, subject=subject))
        judged.append((code, target, blocks))
    return judged


def _spelled(upsert: CrossReferenceUpsert) -> tuple[str, str, list[Block]]:
    code, target, blocks = upsert.code, "", []
    try:
        code = normalise_code(upsert.code)
        target = "" if upsert.ignored else normalise_code(upsert.target)
    except InvalidCode as error:
        blocks.append(broken_rule(_EVENT, "/code", "code", error.detail))
    if upsert.kind not in CrossReference.Kind.values:
        known = ", ".join(CrossReference.Kind.values)
        blocks.append(broken_rule(_EVENT, "/kind", "enum", f"{upsert.kind!r} is no kind of code; known: {known}."))
    if upsert.ignored and not upsert.reason.strip():
        blocks.append(broken_rule(_EVENT, "/reason", "required", f"Say why {code} is ignored."))
    if len(upsert.reason) > 500:
        blocks.append(broken_rule(_EVENT, "/reason", "too long", "A reason has at most 500 characters; shorten it."))
    return code, target, blocks


def _exists(ours: Codes, kind: str, target: str) -> bool:
    find = {"item": ours.item, "warehouse": ours.warehouse, "unit": ours.unit, "account": ours.account}
    found = find.get(kind, ours.branch)(target)
    return found is not None and not isinstance(found, Ignored)


def _row(
    upsert: CrossReferenceUpsert, sender: Sender, code: str, meaning: tuple[str, bool, str], by: str, origin: str
) -> CrossReference:
    target, ignored, reason = meaning
    return CrossReference(
        system_id=system_of(sender),
        kind=upsert.kind,
        code=code,
        target=target,
        ignored=ignored,
        reason=reason,
        origin=origin,
        created_by=by,
    )


def _write(rows: Sequence[CrossReference]) -> None:
    CrossReference.objects.bulk_create(
        rows,
        batch_size=2_000,
        update_conflicts=True,
        unique_fields=["system", "kind", "code"],
        update_fields=["target", "ignored", "reason", "origin", "created_by"],
    )
