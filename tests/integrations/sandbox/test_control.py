"""The control side: what a person, a buyer or a breakdown does to a channel."""

from __future__ import annotations

import pytest

from .conftest import Side, seed


def order(side: Side, number: str, *lines: tuple[str, int]) -> int:
    body = {"order": number, "lines": [{"listing": listing, "quantity": quantity} for listing, quantity in lines]}
    return side.control.post("/orders", json=body).status_code


def test_state_shows_values_requests_and_orders(shop: Side) -> None:
    shop.api.get("/items/A")
    shop.api.get("/items/NOPE")
    state = shop.control.get("/state").json()
    assert state["requests"] == 2
    assert state["orders"] == []
    shown = state["listings"]["A"]
    assert (shown["quantity"], shown["price"], shown["currency"]) == (5, "19.99", "USD")
    assert shown["updated_at"].endswith("Z")
    assert list(shop.control.get("/state?listing=B").json()["listings"]) == ["B"]


def test_requests_are_recorded_with_fault_and_body(shop: Side) -> None:
    shop.fault({"kind": "500_after_apply", "times": 1})
    shop.api.put("/items/A/inventory", json={"quantity": 7}, headers={"Idempotency-Key": "k1"})
    shop.api.get("/items/A")
    first, second = shop.control.get("/requests?limit=2").json()["requests"]
    assert (first["method"], first["path"], first["status"]) == ("PUT", "/items/A/inventory", 500)
    assert (first["fault"], first["body"], first["headers"]) == (
        "500_after_apply",
        {"quantity": 7},
        {"Idempotency-Key": "k1"},
    )
    assert (second["path"], second["status"], second["fault"], second["body"]) == ("/items/A", 200, None, None)


def test_history_tells_every_value_and_its_hand(shop: Side) -> None:
    shop.api.put("/items/A/inventory", json={"quantity": 7})
    shop.control.post("/edit", json={"listing": "A", "quantity": 9})
    order(shop, "S-1", ("A", 2))
    shop.control.post("/forget", json={"listings": ["A"]})
    changes = shop.control.get("/history?listing=A").json()["changes"]
    assert [(one["by"], one["quantity"]) for one in changes] == [
        ("seed", 5),
        ("api", 7),
        ("edit", 9),
        ("order", 7),
        ("forget", None),
    ]


def test_seed_is_an_upsert_that_touches_only_what_is_given(shop: Side) -> None:
    shop.api.put("/items/A/inventory", json={"quantity": 7})
    seed(shop, "A")
    before = shop.api.get("/items/A").json()
    seed(shop, "A")
    assert shop.api.get("/items/A").json() == before
    assert (before["quantity"], before["version"]) == (7, 2)


@pytest.mark.parametrize(
    ("listing", "field"),
    [
        ({"title": "no code"}, "listings[0].code"),
        ({"code": " x"}, "listings[0].code"),
        ({"code": "N", "quantity": -1}, "listings[0].quantity"),
        ({"code": "N", "case_size": 0}, "listings[0].case_size"),
        ({"code": "N", "price": 1.5}, "listings[0]"),
        ({"code": "N", "sku": "N"}, "listings[0].sku"),
    ],
)
def test_wrong_seed_is_named_and_nothing_is_seeded(shop: Side, listing: dict[str, object], field: str) -> None:
    answer = shop.control.post("/seed", json={"listings": [listing, {"code": "GOOD"}]})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)
    assert sorted(shop.control.get("/state").json()["listings"]) == ["A", "B", "C"]


def test_person_edits_quantity_and_price(shop: Side) -> None:
    answer = shop.control.post("/edit", json={"listing": "A", "quantity": 99, "price": "1.5"})
    assert answer.status_code == 200
    item = shop.api.get("/items/A").json()
    assert (item["quantity"], item["price"], item["version"]) == (99, "1.50", 2)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"listing": "A"}, 400),
        ({"listing": "A", "quantity": -1}, 400),
        ({"listing": "A", "quantity": 1, "price": "x"}, 400),
        ({"listing": "NOPE", "quantity": 1}, 404),
        ({"quantity": 1}, 400),
    ],
)
def test_wrong_edit_changes_nothing(shop: Side, body: dict[str, object], status: int) -> None:
    assert shop.control.post("/edit", json=body).status_code == status
    assert shop.shown("A") == 5


def test_forgotten_listing_is_shown_without_values(shop: Side, market: Side) -> None:
    assert shop.control.post("/forget", json={"listings": ["A"]}).json() == {"forgotten": 1}
    item = shop.api.get("/items/A").json()
    assert (item["quantity"], item["price"], shop.shown("B")) == (None, None, 5)
    assert shop.api.put("/items/A/inventory", json={"quantity": 3, "expected_quantity": None}).status_code == 200
    assert market.control.post("/forget").json() == {"forgotten": 4}
    assert {row["cases"] for row in market.api.get("/listings").json()["listings"]} == {None}


def test_order_sells_what_is_shown_once(market: Side) -> None:
    market.api.post("/feed/stock", json={"updates": [{"listing": "MK-1", "cases": 4}]})
    assert order(market, "M-1", ("MK-1", 3), ("MK-2", 1)) == 201
    assert order(market, "M-1", ("MK-1", 3), ("MK-2", 1)) == 200
    assert order(market, "M-1", ("MK-1", 1)) == 409
    assert [market.shown("MK-1"), market.shown("MK-2")] == [1, 0]
    orders = market.control.get("/state").json()["orders"]
    assert [(one["order"], one["lines"][0]) for one in orders] == [("M-1", {"listing": "MK-1", "quantity": 3})]


def test_order_over_what_is_shown_sells_nothing(shop: Side) -> None:
    body = {"order": "S-1", "lines": [{"listing": "B", "quantity": 1}, *[{"listing": "A", "quantity": 3}] * 2]}
    answer = shop.control.post("/orders", json=body)
    assert answer.status_code == 409
    assert "wants 6 of A, the channel shows 5" in answer.json()["errors"][0]["message"]
    assert [shop.shown("A"), shop.shown("B")] == [5, 5]
    assert shop.control.get("/state").json()["orders"] == []


def test_hostile_bodies_are_refused_in_json(shop: Side) -> None:
    for body in (b"", b"{", b"\xff", b"[" * 100_000, b'{"quantity": NaN}', b"9" * 10_000):
        answer = shop.api.put("/items/A/inventory", content=body)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["code"] == "malformed_json"
    assert shop.control.get("/nothing").status_code == 404
    assert shop.shown("A") == 5


def test_body_over_the_limit_is_turned_away_unread(shop: Side) -> None:
    answer = shop.api.put("/items/A/inventory", content=b" " * (33 * 1024 * 1024))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (413, "too_large")
