"""Which priced subjects changed since the planner last looked, and which items that concerns."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import connection


@dataclass(frozen=True, slots=True)
class DirtySubject:
    """A changed subject; `item_id` None stands for the book's family and category prices (see items_of)."""

    subject_id: int
    book_id: int
    item_id: int | None
    generation: int


def take(limit: int) -> list[DirtySubject]:
    """Up to `limit` marks, oldest first. Nothing is removed: `clear` does that once the plan is written."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.id, s.book_id, s.item_id, d.generation FROM pricing_pricedirty d "
            "JOIN pricing_pricesubject s ON s.id = d.subject_id ORDER BY d.marked_at, d.subject_id LIMIT %s",
            [limit],
        )
        return [DirtySubject(*row) for row in cursor.fetchall()]


def clear(taken: Sequence[tuple[int, int]]) -> int:
    """Remove the marks of (subject_id, generation), each only while that generation is still the one marked."""
    if not taken:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH mine AS MATERIALIZED ("
            " SELECT m.subject_id FROM pricing_pricedirty m"
            " JOIN unnest(%s::bigint[], %s::bigint[]) AS t(subject_id, generation)"
            " ON t.subject_id = m.subject_id AND t.generation = m.generation"
            " ORDER BY m.subject_id FOR UPDATE OF m) "
            "DELETE FROM pricing_pricedirty d USING mine WHERE d.subject_id = mine.subject_id",
            [[subject for subject, _ in taken], [generation for _, generation in taken]],
        )
        return int(cursor.rowcount)


def items_of(subject_ids: Collection[int]) -> dict[int, list[int]]:
    """subject_id → the items whose price may have changed with it, in one query.

    For a subject without an item: every item of a family or category that any version of the book's entries names.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH asked AS (SELECT id, book_id, item_id FROM pricing_pricesubject WHERE id = ANY(%s)), wide AS ("
            " SELECT DISTINCT a.id, e.family, e.category FROM asked a"
            " JOIN pricing_priceentry e ON e.book_id = a.book_id AND e.item_id IS NULL WHERE a.item_id IS NULL) "
            "SELECT id, item_id FROM asked WHERE item_id IS NOT NULL "
            "UNION SELECT w.id, i.id FROM wide w JOIN masterdata_item i ON i.family = w.family WHERE w.family <> '' "
            "UNION SELECT w.id, i.id FROM wide w JOIN masterdata_item i ON i.category = w.category "
            "WHERE w.category <> '' "
            "ORDER BY 1, 2",
            [list(subject_ids)],
        )
        found: dict[int, list[int]] = {pk: [] for pk in subject_ids}
        for subject, item in cursor.fetchall():
            found[subject].append(item)
    return found
