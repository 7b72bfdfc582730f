"""Which of our codes somebody's unknown code may have meant."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from django.db import connection

from apps.lib.codes import nearest

SUGGESTED = 3
# A batch with more unknown codes than this is a broken feed: no search for look-alikes helps it.
SEARCHED_AT_MOST = 200
_SHORT_TABLE = 5_000
# kind → (table, code column). Items and accounts are many: their trigram index picks the candidates.
_LONG: Final = {"item": ("masterdata_item", "sku"), "account": ("masterdata_account", "code")}
_SHORT: Final = {"warehouse": "masterdata_warehouse", "unit": "masterdata_unit", "branch": "masterdata_branch"}


@dataclass(frozen=True, slots=True)
class NearCode:
    target: str
    label: str
    score: float


def nearest_ours(kind: str, codes: Collection[str]) -> dict[str, list[NearCode]]:
    """For each code our nearest ones, best first, with a score from 0 to 1; one query for all."""
    asked = sorted(codes)[:SEARCHED_AT_MOST]
    candidates = _like(kind, asked) if kind in _LONG else dict.fromkeys(asked, _all(kind))
    return {code: _ranked(code, candidates.get(code, {})) for code in asked}


def _ranked(code: str, names: dict[str, str]) -> list[NearCode]:
    return [NearCode(near, names[near], score) for near, score in nearest(code, list(names), SUGGESTED)]


def _all(kind: str) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT code, name FROM {_SHORT[kind]} ORDER BY code LIMIT %s", [_SHORT_TABLE])
        return dict(cursor.fetchall())


def _like(kind: str, codes: list[str]) -> dict[str, dict[str, str]]:
    table, column = _LONG[kind]
    found: dict[str, dict[str, str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT asked.code, near.code, near.name FROM unnest(%s::text[]) AS asked(code), LATERAL ("
            f" SELECT t.{column} AS code, t.name FROM {table} t WHERE upper(t.{column}) %% upper(asked.code)"
            f" ORDER BY similarity(upper(t.{column}), upper(asked.code)) DESC, t.{column} LIMIT 20) near",
            [codes],
        )
        for asked, code, name in cursor.fetchall():
            found.setdefault(asked, {})[code] = name
    return found
