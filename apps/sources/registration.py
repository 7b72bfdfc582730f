"""Which sources are known, how a new one is registered on its first event, and what each has sent."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from apps.masterdata.systems import ensure_system


@dataclass(frozen=True, slots=True)
class Tally:
    """What one request brought from one source."""

    accepted: int
    duplicates: int
    rejected: int


def known_sources(codes: AbstractSet[str], *, mentioned: AbstractSet[str] = frozenset()) -> dict[str, int]:
    """Code → source id. Unknown `codes` are registered where the installation allows it, else left out.

    `mentioned` are looked up as well, and never registered.
    """
    found = _find(codes | mentioned)
    missing = sorted(codes - found.keys())
    if not missing or not settings.AUTO_REGISTER_SOURCES:
        return found
    return found | {code: register_source(code) for code in missing}


def register_source(code: str, *, name: str = "", kind: str = "other") -> int:
    """The id of the source `code`, made where there is none; safe to run twice at once."""
    system_id = ensure_system(code, name)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO sources_source (system_id, kind, accepts_our_codes, folds_case, stock_facts,"
            " on_hand_falls_at, silent_after_s, accepted, duplicates, rejected)"
            " VALUES (%s, %s, true, false, 'both', 'ship', 14400, 0, 0, 0) ON CONFLICT DO NOTHING",
            [system_id, kind],
        )
    return system_id


def count_received(received: Mapping[int, Tally]) -> None:
    """Add up what came, and when the source last gave a sign of life; one UPDATE, rows locked in id order."""
    if not received:
        return
    ids = sorted(received)
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH locked AS (SELECT system_id FROM sources_source WHERE system_id = ANY(%s)"
            "                ORDER BY system_id FOR NO KEY UPDATE)"
            " UPDATE sources_source s SET accepted = s.accepted + g.accepted, duplicates = s.duplicates + g.duplicates,"
            " rejected = s.rejected + g.rejected, last_seen_at = sync_now()"
            " FROM locked JOIN unnest(%s::int8[], %s::int8[], %s::int8[], %s::int8[])"
            "  AS g (system_id, accepted, duplicates, rejected) USING (system_id)"
            " WHERE s.system_id = locked.system_id",
            [
                ids,
                ids,
                [received[source].accepted for source in ids],
                [received[source].duplicates for source in ids],
                [received[source].rejected for source in ids],
            ],
        )


def _find(codes: AbstractSet[str]) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT y.code, s.system_id FROM sources_source s JOIN masterdata_system y ON y.id = s.system_id"
            " WHERE y.code = ANY(%s)",
            [sorted(codes)],
        )
        return dict(cursor.fetchall())
