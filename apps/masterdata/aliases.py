"""Aliases: the other codes a sender calls its item by, kept as cross references of that sender."""

from collections.abc import Sequence

from apps.lib.codes import InvalidCode, normalise_code
from apps.lib.errors import Block
from apps.masterdata.blocks import broken_rule
from apps.masterdata.changes import Sender, actor_of, system_of
from apps.masterdata.models import CrossReference, Item
from apps.masterdata.rows import Change


class Aliases:
    """The aliases of all items of one batch."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._wanted: dict[str, str] = {}  # alias → our SKU
        self._replaced: set[str] = set()
        self._kept: dict[str, str] = {}

    def plan(self, change: Change[Item], sent: Sequence[str]) -> tuple[str, ...] | None:
        """The aliases as we keep codes; what is none blocks."""
        if self._sender.system_id is None:
            if sent:
                detail = f"Item {change.code}: an alias is a source's code; add a cross reference of that source."
                change.blocks.append(broken_rule("item.upserted", "/aliases", "no source", detail, subject=change.code))
            return None
        clean = []
        for alias in sent:
            try:
                code = normalise_code(alias)
            except InvalidCode as error:
                rule = broken_rule("item.upserted", "/aliases/*", "code", f"Item {change.code}: {error.detail}")
                change.blocks.append(rule)
                continue
            clean.append(code)
            if self._wanted.setdefault(code, change.code) != change.code:
                change.blocks.append(self._taken(change, code, self._wanted[code]))
        return tuple(dict.fromkeys(clean))

    def check(self, changes: Sequence[Change[Item]]) -> None:
        """An alias that already means another item, or is ignored, blocks."""
        if not self._wanted:
            return
        by_code = {change.code: change for change in changes}
        known = CrossReference.objects.filter(
            system_id=system_of(self._sender),
            kind="item",
            code__in=[a for a, s in self._wanted.items() if s in by_code],
        )
        for row in known if by_code and self._wanted else ():
            change = by_code[self._wanted[row.code]]
            if row.target != change.code:
                change.blocks.append(self._taken(change, row.code, row.target or "nothing (it is ignored)"))

    def keep(self, sku: str, aliases: Sequence[str], *, merges: bool) -> None:
        self._kept |= dict.fromkeys(aliases, sku)
        if not merges:
            self._replaced.add(sku)

    def write(self) -> None:
        if not self._replaced and not self._kept:
            return
        if self._replaced:
            CrossReference.objects.filter(
                system_id=system_of(self._sender),
                kind="item",
                origin=CrossReference.Origin.ALIAS,
                target__in=self._replaced,
            ).exclude(code__in=self._kept).delete()
        CrossReference.objects.bulk_create(
            [
                CrossReference(
                    system_id=system_of(self._sender),
                    kind="item",
                    code=alias,
                    target=sku,
                    origin=CrossReference.Origin.ALIAS,
                    created_by=actor_of(self._sender),
                )
                for alias, sku in self._kept.items()
            ],
            batch_size=2_000,
            ignore_conflicts=True,
        )

    def _taken(self, change: Change[Item], alias: str, target: str) -> Block:
        detail = (
            f"Item {change.code}: {self._sender.code} already calls {target} by {alias}; "
            f"correct that cross reference or leave the alias out."
        )
        return Block("DUPLICATE_IDENTIFIER", "cross_reference", "alias", alias, detail, subject=change.code)
