"""What the codes of a message mean here: cross references first, then our own codes, in a constant number of queries.

A code is resolved in this order (for the system that sent it): its cross reference, which may say "ignore";
our own code, where that system may use ours; otherwise nobody knows it and the record blocks.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from apps.lib.codes import normalise_code
from apps.lib.errors import Block
from apps.masterdata.blocks import unknown_code
from apps.masterdata.conversion import GeneralFactor, ItemFactor, UnitGraph
from apps.masterdata.suggestions import nearest_ours


@dataclass(frozen=True, slots=True)
class Ignored:
    """A code a person decided to ignore for this system, and why."""

    kind: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class ItemRef:
    id: int
    sku: str
    base_unit_id: int
    base_unit: str
    kind: str
    status: str

    @property
    def code(self) -> str:
        return self.sku


@dataclass(frozen=True, slots=True)
class WarehouseRef:
    id: int
    code: str
    movements_source_id: int | None
    counts_source_id: int | None
    time_zone: str
    sellable: bool


@dataclass(frozen=True, slots=True)
class UnitRef:
    id: int
    code: str
    decimals: int


@dataclass(frozen=True, slots=True)
class AccountRef:
    id: int
    code: str
    status: str
    currency: str
    branch_id: int | None


@dataclass(frozen=True, slots=True)
class BranchRef:
    id: int
    code: str
    time_zone: str


Ref = ItemRef | WarehouseRef | UnitRef | AccountRef | BranchRef

# kind → (table with its joins, code column, the columns of the Ref in order, the Ref)
_OURS: Final[Mapping[str, tuple[str, str, str, type[Any]]]] = {
    "item": (
        "masterdata_item t JOIN masterdata_unit b ON b.id = t.base_unit_id",
        "sku",
        "t.id, t.sku, t.base_unit_id, b.code, t.kind, t.status",
        ItemRef,
    ),
    "warehouse": (
        "masterdata_warehouse t",
        "code",
        "t.id, t.code, t.movements_source_id, t.counts_source_id, t.time_zone, t.sellable",
        WarehouseRef,
    ),
    "unit": ("masterdata_unit t", "code", "t.id, t.code, t.decimals", UnitRef),
    "account": ("masterdata_account t", "code", "t.id, t.code, t.status, t.currency, t.branch_id", AccountRef),
    "branch": ("masterdata_branch t", "code", "t.id, t.code, t.time_zone", BranchRef),
}
# Their rows live in other layers or are free text: only the text is translated.
TEXT_KINDS: Final = frozenset({"price_book", "tax_class", "lot"})


class Codes:
    """The codes of one system's messages. `load` all of a batch first, then ask; asking never queries."""

    def __init__(self, system_id: int | None, accepts_our_codes: bool = True, folds_case: bool = False) -> None:
        self._system_id = system_id
        self._accepts_our_codes = accepts_our_codes
        self._folds_case = folds_case
        self._mapped: dict[tuple[str, str], str | Ignored] = {}
        self._ours: dict[tuple[str, str], Ref | None] = {}
        self._loaded: dict[str, set[str]] = defaultdict(set)
        self._nearest: dict[tuple[str, str], list[str]] = {}
        self._answers: dict[tuple[str, str], Ref | Ignored | None] = {}  # by the code as sent

    def load(
        self,
        *,
        items: Iterable[str] = (),
        warehouses: Iterable[str] = (),
        units: Iterable[str] = (),
        accounts: Iterable[str] = (),
        branches: Iterable[str] = (),
        price_books: Iterable[str] = (),
        tax_classes: Iterable[str] = (),
        lots: Iterable[str] = (),
    ) -> None:
        """Fetch what these codes mean: one query for all cross references, one per kind for our own rows."""
        asked = {
            "item": items,
            "warehouse": warehouses,
            "unit": units,
            "account": accounts,
            "branch": branches,
            "price_book": price_books,
            "tax_class": tax_classes,
            "lot": lots,
        }
        fresh = {kind: _readable(codes) - self._loaded[kind] for kind, codes in asked.items()}
        fresh = {kind: codes for kind, codes in fresh.items() if codes}
        if not fresh:
            return
        self._answers.clear()
        self._load_cross_references(fresh)
        for kind, codes in fresh.items():
            self._loaded[kind] |= codes
            if kind in _OURS:
                self._load_ours(kind, codes)

    def item(self, code: str) -> ItemRef | Ignored | None:
        return self._resolve("item", code)  # type: ignore[return-value]

    def warehouse(self, code: str) -> WarehouseRef | Ignored | None:
        return self._resolve("warehouse", code)  # type: ignore[return-value]

    def unit(self, code: str) -> UnitRef | Ignored | None:
        return self._resolve("unit", code)  # type: ignore[return-value]

    def account(self, code: str) -> AccountRef | Ignored | None:
        return self._resolve("account", code)  # type: ignore[return-value]

    def branch(self, code: str) -> BranchRef | Ignored | None:
        return self._resolve("branch", code)  # type: ignore[return-value]

    def price_book(self, code: str) -> str | Ignored | None:
        return self.our_code("price_book", code)

    def tax_class(self, code: str) -> str | Ignored | None:
        return self.our_code("tax_class", code)

    def lot(self, code: str) -> str | Ignored | None:
        return self.our_code("lot", code)

    def our_code(self, kind: str, code: str) -> str | Ignored | None:
        """Our code for theirs, whether or not a row of ours has it yet; None where it may not be ours."""
        key = self._key(kind, code)
        if key is None:
            return None
        mapped = self._mapped.get(key)
        if mapped is not None:
            return mapped
        if not self._accepts_our_codes:
            return None
        row = self._ours.get(key)
        return row.code if row is not None else key[1]

    def unknown(
        self,
        kind: str,
        code: str,
        source: str = "",
        line: str = "",
        *,
        subject: str = "",
        context: dict[str, str] | None = None,
    ) -> Block:
        """The block for a code nobody knows. The first one of a kind looks for the nearest of all that are unknown."""
        clean = _clean(code)
        if clean is not None and (kind, clean) not in self._nearest and kind in _OURS:
            missing = [each for each in self._loaded[kind] if self._resolve(kind, each) is None] or [clean]
            found = nearest_ours(kind, {*missing, clean})
            for each in {*missing, clean}:
                self._nearest[kind, each] = [suggestion.target for suggestion in found.get(each, ())]
        near = self._nearest.get((kind, clean or ""), [])
        return unknown_code(kind, code, source=source, nearest=near, line=line, subject=subject, context=context)

    def _key(self, kind: str, code: str) -> tuple[str, str] | None:
        clean = _clean(code)
        if clean is None:
            return None
        if clean not in self._loaded[kind]:
            raise LookupError(f"{kind} code {code!r} was not loaded; give it to load() first.")
        return kind, clean

    def _resolve(self, kind: str, code: str) -> Ref | Ignored | None:
        asked = (kind, code)
        if asked in self._answers:
            return self._answers[asked]
        key = self._key(kind, code)
        answer: Ref | Ignored | None = None
        if key is not None:
            mapped = self._mapped.get(key)
            answer = mapped if isinstance(mapped, Ignored) else self._ours.get(key)
        self._answers[asked] = answer
        return answer

    def _load_cross_references(self, fresh: Mapping[str, set[str]]) -> None:
        if self._system_id is None:
            return
        pairs = [(kind, code) for kind, codes in fresh.items() for code in sorted(codes)]
        same = "upper(x.code) = upper(asked.code)" if self._folds_case else "x.code = asked.code"
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT asked.kind, asked.code, x.target, x.ignored, x.reason, x.code = asked.code AS exactly "
                "FROM unnest(%s::text[], %s::text[]) AS asked(kind, code) "
                f"JOIN masterdata_crossreference x ON x.system_id = %s AND x.kind = asked.kind AND {same} "
                "ORDER BY exactly, x.code DESC",
                [[kind for kind, _ in pairs], [code for _, code in pairs], self._system_id],
            )
            for kind, code, target, ignored, reason, _ in cursor.fetchall():
                self._mapped[kind, code] = Ignored(kind, code, reason) if ignored else target

    def _load_ours(self, kind: str, codes: Collection[str]) -> None:
        """Rows for cross-referenced targets, and for the codes themselves where they may be ours."""
        wanted: dict[str, list[str]] = defaultdict(list)  # our code → what was asked
        direct = []
        for code in codes:
            mapped = self._mapped.get((kind, code))
            if isinstance(mapped, str):
                wanted[mapped].append(code)
            elif mapped is None and self._accepts_our_codes:
                direct.append(code)
                wanted[code].append(code)
        if not wanted:
            return
        exact, folded = _fetch_ours(kind, sorted(wanted), sorted(direct) if self._folds_case else [])
        for code, ref in exact.items():
            for asked in wanted[code]:
                self._ours[kind, asked] = ref
        for asked, ref in folded.items():
            self._ours.setdefault((kind, asked), ref)


def unknown(kind: str, code: str, source: str, line: str = "") -> Block:
    """The block for one unknown code, with its nearest matches (one query; in bulk use Codes.unknown)."""
    near = nearest_ours(kind, {clean}) if (clean := _clean(code)) is not None and kind in _OURS else {}
    targets = [suggestion.target for found in near.values() for suggestion in found]
    return unknown_code(kind, code, source=source, nearest=targets, line=line)


def conversions(item_ids: Collection[int]) -> dict[int, UnitGraph]:
    """The unit graph of each item, in two queries."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.id, i.sku, b.code, u.code, iu.numerator, iu.denominator "
            "FROM masterdata_item i JOIN masterdata_unit b ON b.id = i.base_unit_id "
            "LEFT JOIN masterdata_itemunit iu ON iu.item_id = i.id LEFT JOIN masterdata_unit u ON u.id = iu.unit_id "
            "WHERE i.id = ANY(%s)",
            [list(item_ids)],
        )
        rows = cursor.fetchall()
    decimals, general = _general_units()
    heads: dict[int, tuple[str, str]] = {}
    factors: dict[int, list[ItemFactor]] = defaultdict(list)
    for item_id, sku, base, uom, numerator, denominator in rows:
        heads[item_id] = (sku, base)
        if uom is not None:
            factors[item_id].append(ItemFactor(uom, numerator, denominator))
    return {
        item_id: UnitGraph(base, factors[item_id], general=general, decimals=decimals, sku=sku)
        for item_id, (sku, base) in heads.items()
    }


def _general_units() -> tuple[dict[str, int], list[GeneralFactor]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT u.code, u.decimals, t.code, c.numerator, c.denominator FROM masterdata_unit u "
            "LEFT JOIN masterdata_unitconversion c ON c.unit_id = u.id "
            "LEFT JOIN masterdata_unit t ON t.id = c.to_unit_id"
        )
        rows = cursor.fetchall()
    decimals = {code: places for code, places, *_ in rows}
    return decimals, [GeneralFactor(code, to, n, d) for code, _, to, n, d in rows if to is not None]


def _fetch_ours(kind: str, exact: list[str], folded: list[str]) -> tuple[dict[str, Ref], dict[str, Ref]]:
    """Ours by exact code, and by code in upper case where only one of ours has it."""
    tables, column, columns, ref = _OURS[kind]
    sql = (
        f"SELECT asked.code, true, {columns} FROM {tables} "
        f"JOIN unnest(%s::text[]) AS asked(code) ON t.{column} = asked.code"
    )
    parameters = [exact]
    if folded:
        sql += (
            f" UNION ALL SELECT asked.code, false, {columns} FROM {tables} "
            f"JOIN unnest(%s::text[]) AS asked(code) ON upper(t.{column}) = upper(asked.code)"
        )
        parameters.append(folded)
    found: tuple[dict[str, Ref], dict[str, list[Ref]]] = ({}, defaultdict(list))
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        for asked, exactly, *values in cursor.fetchall():
            if exactly:
                found[0][asked] = ref(*values)
            else:
                found[1][asked].append(ref(*values))
    return found[0], {asked: refs[0] for asked, refs in found[1].items() if len(refs) == 1}


def _readable(codes: Iterable[str]) -> set[str]:
    return {clean for code in set(codes) if (clean := _clean(code)) is not None}


def _clean(code: str) -> str | None:
    """The code as we keep codes, or None where it can be nobody's code."""
    try:
        return normalise_code(code)
    except ValueError:
        return None
