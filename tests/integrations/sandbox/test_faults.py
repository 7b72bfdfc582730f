"""Every fault kind over real HTTP: what the client sees, and what the channel holds afterwards."""

from __future__ import annotations

import httpx2
import pytest

from apps.integrations.sandbox.faults import KINDS, FaultBoard

from .conftest import Side

STOCK = "/feed/stock"


def cases(*pairs: tuple[str, int]) -> dict[str, object]:
    return {"updates": [{"listing": listing, "cases": quantity} for listing, quantity in pairs]}


def put(shop: Side, quantity: int = 7) -> httpx2.Response:
    return shop.api.put("/items/A/inventory", json={"quantity": quantity})


@pytest.mark.parametrize("kind", ["429", 429])
def test_429_with_and_without_retry_after(shop: Side, kind: object) -> None:
    shop.fault({"kind": kind, "times": 1, "retry_after": 3}, {"kind": kind, "times": 1})
    first, second, third = put(shop), put(shop), put(shop)
    assert [one.status_code for one in (first, second, third)] == [429, 429, 200]
    assert first.headers["Retry-After"] == "3"
    assert "Retry-After" not in second.headers


@pytest.mark.parametrize(("kind", "held"), [(500, 5), ("500", 5), ("500_after_apply", 7)])
def test_500_before_and_after_applying(shop: Side, kind: object, held: int) -> None:
    shop.fault({"kind": kind, "times": 1})
    assert put(shop).status_code == 500
    assert shop.shown("A") == held


@pytest.mark.parametrize(("kind", "held"), [("timeout", 5), ("timeout_after_apply", 7)])
def test_timeout_closes_without_an_answer(shop: Side, kind: str, held: int) -> None:
    shop.fault({"kind": kind, "times": 1, "seconds": 0.2})
    with pytest.raises(httpx2.RemoteProtocolError):
        put(shop)
    assert shop.shown("A") == held
    assert shop.control.get("/requests").json()["requests"][-1]["status"] is None


def test_timeout_outlasts_the_client(shop: Side) -> None:
    shop.fault({"kind": "timeout"})
    with pytest.raises(httpx2.ReadTimeout):
        shop.api.put("/items/A/inventory", json={"quantity": 7}, timeout=0.2)
    assert shop.shown("A") == 5


def test_reset_is_seen_as_a_reset(shop: Side) -> None:
    shop.fault({"kind": "reset", "times": 1})
    with pytest.raises(httpx2.ReadError):
        put(shop)
    assert shop.shown("A") == 5
    assert put(shop).status_code == 200


def test_half_batch_applies_and_names_the_first_half(market: Side) -> None:
    market.fault({"kind": "half_batch", "times": 1})
    answer = market.api.post(STOCK, json=cases(("MK-1", 8), ("MK-2", 8), ("MK-3", 8), ("MK-4", 8)))
    assert [row["listing"] for row in answer.json()["results"]] == ["MK-1", "MK-2"]
    assert [market.shown(code) for code in ("MK-1", "MK-2", "MK-3", "MK-4")] == [8, 8, 1, 1]


def test_half_of_a_single_item_is_nothing(shop: Side) -> None:
    shop.fault({"kind": "half_batch", "times": 1})
    assert put(shop).json() == {}
    assert shop.shown("A") == 5


def test_wrong_id_speaks_of_another_listing_and_applies_nothing(shop: Side) -> None:
    shop.fault({"kind": "wrong_id", "times": 1})
    assert put(shop).json() == {"code": "B", "quantity": 7, "version": 2}
    assert [shop.shown(code) for code in ("A", "B")] == [5, 5]


def test_wrong_value_answers_another_value_and_applies_nothing(shop: Side) -> None:
    shop.fault({"kind": "wrong_value", "times": 2})
    assert put(shop).json() == {"code": "A", "quantity": 8, "version": 2}
    answer = shop.api.put("/items/A/price", json={"amount": "1.00", "currency": "USD"})
    assert answer.json()["price"] == "2.00"
    item = shop.api.get("/items/A").json()
    assert (item["quantity"], item["price"]) == (5, "19.99")


@pytest.mark.parametrize(("kind", "row"), [("wrong_id", ("MK-3", 8)), ("wrong_value", ("MK-2", 9))])
def test_lie_about_one_listing_leaves_its_neighbours_true(market: Side, kind: str, row: tuple[str, int]) -> None:
    market.fault({"kind": kind, "listing": "MK-2"})
    results = market.api.post(STOCK, json=cases(("MK-1", 8), ("MK-2", 8))).json()["results"]
    assert [(one["listing"], one["cases"]) for one in results] == [("MK-1", 8), row]
    assert [market.shown(code) for code in ("MK-1", "MK-2", "MK-3")] == [8, 1, 1]


def test_feed_lies_about_its_number_and_its_count(feed: Side) -> None:
    document = {"items": [{"id": "F-1", "qty": 3}]}
    feed.fault({"kind": "wrong_value", "times": 1}, {"kind": "wrong_id", "times": 1})
    assert feed.api.post("/upload", json=document).json()["accepted"] == 2
    assert feed.api.post("/upload", json=document).json()["feed_id"] == "feed-" + "0" * 32
    assert feed.shown("F-1") == 0


def test_html_with_200(shop: Side) -> None:
    shop.fault({"kind": "html", "times": 1})
    answer = put(shop)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<!DOCTYPE html>")
    assert shop.shown("A") == 5


def test_errors_with_200(shop: Side) -> None:
    shop.fault({"kind": "error_in_200", "times": 1})
    answer = put(shop)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (200, "temporarily_unavailable")
    assert shop.shown("A") == 5


def test_huge_answer_is_true_but_over_20_mb(shop: Side) -> None:
    shop.fault({"kind": "huge", "times": 1})
    answer = put(shop)
    assert len(answer.content) > 20_000_000
    assert answer.json()["quantity"] == shop.shown("A") == 7


def test_client_may_hang_up_on_a_huge_answer(shop: Side) -> None:
    shop.fault({"kind": "huge", "times": 1})
    with shop.api.stream("PUT", "/items/A/inventory", json={"quantity": 7}) as answer:
        assert int(answer.headers["Content-Length"]) > 20_000_000
    assert shop.api.get("/items/A").json()["quantity"] == 7


def test_slow_answer_arrives_in_pieces(shop: Side) -> None:
    shop.fault({"kind": "slow", "times": 1, "seconds": 0.3})
    with shop.api.stream("PUT", "/items/A/inventory", json={"quantity": 7}) as answer:
        pieces = list(answer.iter_raw())
    assert len(pieces) > 1
    assert b"".join(pieces) == b'{"code": "A", "quantity": 7, "version": 2}'


def test_unauthorized_in_spite_of_the_right_token(shop: Side) -> None:
    shop.fault({"kind": "unauthorized", "times": 1})
    assert [put(shop).status_code, put(shop).status_code] == [401, 200]


def test_fault_of_one_listing_spares_the_others(shop: Side) -> None:
    shop.fault({"kind": "500", "listing": "B"})
    assert put(shop).status_code == 200
    assert shop.api.get("/items/B").status_code == 500
    assert shop.api.get("/items").status_code == 500


def test_read_in_between_does_not_use_up_a_fault_of_writes(shop: Side) -> None:
    shop.fault({"kind": "500_after_apply", "times": 1})
    assert shop.api.get("/items/A").status_code == 200
    assert put(shop).status_code == 500


def test_fault_may_be_kept_to_reads(shop: Side) -> None:
    shop.fault({"kind": "wrong_value", "on": "read"})
    assert put(shop).json()["quantity"] == 7
    assert shop.api.get("/items/A").json()["quantity"] == 8


def test_refused_token_does_not_use_up_a_fault(shop: Side) -> None:
    shop.fault({"kind": "500", "times": 1})
    assert shop.api.get("/items/A", headers={"Authorization": ""}).status_code == 401
    assert put(shop).status_code == 500


def test_empty_list_clears(shop: Side) -> None:
    shop.fault({"kind": "500"})
    assert put(shop).status_code == 500
    shop.fault()
    assert put(shop).status_code == 200


def test_seconds_end_a_fault(shop: Side) -> None:
    shop.fault({"kind": "500", "seconds": 0})
    assert put(shop).status_code == 200


def test_fault_ends_by_the_clock() -> None:
    now = [0.0]
    board = FaultBoard(clock=lambda: now[0])
    board.replace([{"kind": "html", "seconds": 10}, {"kind": "timeout", "seconds": 1, "for_seconds": 20}])
    assert [one["active"] for one in board.describe()] == [True, True]
    now[0] = 10.0
    assert [one["active"] for one in board.describe()] == [False, True]
    now[0] = 20.0
    assert [one["active"] for one in board.describe()] == [False, False]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_taken_and_listed(shop: Side, kind: str) -> None:
    shop.fault({"kind": kind, "times": 2})
    assert shop.control.get("/faults").json()["faults"][0]["kind"] == kind


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"kind": "500"}, None),
        ([{"kind": "teapot"}], "[0].kind"),
        ([{"kind": "500"}, {"times": 1}], "[1].kind"),
        ([{"kind": "500", "times": 0}], "[0].times"),
        ([{"kind": "500", "times": "2"}], "[0].times"),
        ([{"kind": "slow", "seconds": -1}], "[0].seconds"),
        ([{"kind": "slow", "seconds": 10**400}], "[0].seconds"),
        ([{"kind": "429", "retry_after": 1.5}], "[0].retry_after"),
        ([{"kind": "500", "listing": 7}], "[0].listing"),
        ([{"kind": "500", "on": "both"}], "[0].on"),
        ([{"kind": "500", "tims": 1}], "[0].tims"),
        (["500"], "[0]"),
    ],
)
def test_wrong_fault_is_named_and_the_old_ones_stay(shop: Side, document: object, field: str | None) -> None:
    shop.fault({"kind": "html"})
    answer = shop.control.put("/faults", json=document)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field
    assert [one["kind"] for one in shop.control.get("/faults").json()["faults"]] == ["html"]
