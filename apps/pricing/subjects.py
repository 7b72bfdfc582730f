"""Priced subjects (book × item): their locks, their change counters and the marks the planner takes."""

from collections.abc import Collection, Iterable
from typing import Final

from django.db import connection

from apps.lib.nudges import nudge

# A subject without an item stands for the book's family and category prices.
Subject = tuple[int, int | None]

_MARK: Final = """
WITH locked AS MATERIALIZED (
    SELECT id FROM pricing_pricesubject WHERE {which} ORDER BY id FOR UPDATE
), bumped AS (
    UPDATE pricing_pricesubject s SET generation = s.generation + 1
    FROM locked
    WHERE s.id = locked.id
    RETURNING s.id, s.book_id, s.item_id, s.generation
), marked AS (
    INSERT INTO pricing_pricedirty (subject_id, generation)
    SELECT id, generation FROM bumped ORDER BY id
    ON CONFLICT (subject_id) DO UPDATE SET generation = EXCLUDED.generation
)
SELECT id, book_id, item_id, generation FROM bumped
"""


def lock(subjects: Iterable[Subject]) -> dict[Subject, tuple[int, int]]:
    """The (id, generation) of each subject, made where new and locked in id order until the transaction ends."""
    wanted = sorted(set(subjects), key=lambda subject: (subject[0], subject[1] or 0))
    books, items = [book for book, _ in wanted], [item for _, item in wanted]
    asked = "unnest(%s::bigint[], %s::bigint[]) AS asked(book_id, item_id)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO pricing_pricesubject (book_id, item_id, generation) SELECT book_id, item_id, 0 FROM {asked} "
            "ON CONFLICT DO NOTHING",
            [books, items],
        )
        # Found first and locked by id alone: a row that changes while we wait is checked again against the
        # condition, and a sub-select is empty in that second look.
        cursor.execute(
            f"SELECT s.id FROM {asked} JOIN pricing_pricesubject s"
            " ON s.book_id = asked.book_id AND s.item_id = asked.item_id"
            " UNION ALL SELECT s.id FROM pricing_pricesubject s WHERE s.book_id = ANY(%s) AND s.item_id IS NULL",
            [books, items, [book for book, item in wanted if item is None]],
        )
        ids = [pk for (pk,) in cursor.fetchall()]
        cursor.execute(
            "SELECT book_id, item_id, id, generation FROM pricing_pricesubject WHERE id = ANY(%s) "
            "ORDER BY id FOR UPDATE",
            [ids],
        )
        return {(book, item): (pk, generation) for book, item, pk, generation in cursor.fetchall()}


def touch(subject_ids: Collection[int]) -> dict[int, int]:
    """Count a change of each subject and mark it for the planner, in the caller's transaction; the new generations."""
    return _marked("id = ANY(%s)", list(subject_ids))


def touch_books(book_ids: Collection[int]) -> dict[int, int]:
    """The same for every subject of these books: something that decides all their prices changed."""
    return _marked("book_id = ANY(%s)", list(book_ids))


def _marked(which: str, ids: list[int]) -> dict[int, int]:
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_MARK.format(which=which), [ids])
        generations = {pk: generation for pk, _, _, generation in cursor.fetchall()}
    if generations:
        nudge("plan")
    return generations
