"""SHOP: absolute quantities under compare-and-set, and keys that make a repeat harmless."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from .conftest import Side, seed


def put(shop: Side, code: str, **body: object) -> int:
    return shop.api.put(f"/items/{code}/inventory", json=body).status_code


def test_quantity_is_set_and_version_rises(shop: Side) -> None:
    answer = shop.api.put("/items/A/inventory", json={"quantity": 7})
    assert (answer.status_code, answer.json()) == (200, {"code": "A", "quantity": 7, "version": 2})
    item = shop.api.get("/items/A").json()
    assert (item["quantity"], item["version"], item["price"], item["currency"]) == (7, 2, "19.99", "USD")


def test_code_with_a_slash_is_one_item(shop: Side) -> None:
    seed(shop, "X/9 é", quantity=1)
    answer = shop.api.put("/items/X%2F9%20%C3%A9/inventory", json={"quantity": 2})
    assert answer.json()["code"] == "X/9 é"
    assert shop.shown("X/9 é") == 2


@pytest.mark.parametrize("expected", [{"expected_version": 9}, {"expected_quantity": 4}])
def test_stale_expectation_changes_nothing_and_tells_the_present(shop: Side, expected: dict[str, int]) -> None:
    answer = shop.api.put("/items/A/inventory", json={"quantity": 7, **expected})
    assert answer.status_code == 409
    body = answer.json()
    assert (body["item"], body["quantity"], body["version"]) == ("A", 5, 1)
    assert body["errors"][0]["code"] == "conflict"
    assert shop.shown("A") == 5


def test_met_expectation_is_carried_out(shop: Side) -> None:
    assert put(shop, "A", quantity=7, expected_version=1) == 200
    assert put(shop, "A", quantity=8, expected_quantity=7) == 200
    assert shop.shown("A") == 8


def test_sale_makes_the_old_version_stale(shop: Side) -> None:
    order = {"order": "S-1", "lines": [{"listing": "A", "quantity": 2}]}
    assert shop.control.post("/orders", json=order).status_code == 201
    assert put(shop, "A", quantity=5, expected_version=1) == 409
    assert shop.shown("A") == 3


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"quantity": -1}, "quantity", "negative"),
        ({"quantity": 1.5}, "quantity", "not_an_integer"),
        ({"quantity": "3"}, "quantity", "not_an_integer"),
        ({"quantity": True}, "quantity", "not_an_integer"),
        ({}, "quantity", "not_an_integer"),
        ({"quantity": 1, "qty": 2}, "qty", "unknown_field"),
    ],
)
def test_impossible_quantity_is_refused_by_field(shop: Side, body: dict[str, object], field: str, code: str) -> None:
    answer = shop.api.put("/items/A/inventory", json=body)
    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert (error["field"], error["code"]) == (field, code)
    assert shop.shown("A") == 5


def test_unknown_item_and_wrong_token(shop: Side) -> None:
    assert put(shop, "NOPE", quantity=1) == 404
    answer = shop.api.put("/items/A/inventory", json={"quantity": 1}, headers={"Authorization": "Bearer x"})
    assert (answer.status_code, shop.shown("A")) == (401, 5)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_same_key_gives_the_same_answer_and_no_second_effect(shop: Side) -> None:
    key = {"Idempotency-Key": "p1:2"}
    first = shop.api.put("/items/A/inventory", json={"quantity": 7, "expected_version": 1}, headers=key)
    assert put(shop, "A", quantity=3) == 200
    again = shop.api.put("/items/A/inventory", json={"quantity": 7, "expected_version": 1}, headers=key)
    assert again.json() == first.json() == {"code": "A", "quantity": 7, "version": 2}
    assert again.headers["Idempotency-Replayed"] == "true"
    assert shop.shown("A") == 3


def test_key_of_another_change_is_refused(shop: Side) -> None:
    key = {"Idempotency-Key": "k"}
    assert shop.api.put("/items/A/inventory", json={"quantity": 7}, headers=key).status_code == 200
    reused = shop.api.put("/items/A/inventory", json={"quantity": 8}, headers=key)
    assert (reused.status_code, reused.json()["errors"][0]["code"]) == (422, "idempotency_key_reused")
    assert shop.shown("A") == 7


def test_refused_change_leaves_its_key_free(shop: Side) -> None:
    key = {"Idempotency-Key": "k"}
    stale = shop.api.put("/items/A/inventory", json={"quantity": 7, "expected_version": 9}, headers=key)
    fresh = shop.api.put("/items/A/inventory", json={"quantity": 7, "expected_version": 1}, headers=key)
    assert (stale.status_code, fresh.status_code) == (409, 200)


def test_price_is_a_decimal_string_of_the_listed_currency(shop: Side) -> None:
    answer = shop.api.put("/items/A/price", json={"amount": "12.3", "currency": "USD"})
    assert (answer.status_code, answer.json()["price"]) == (200, "12.30")
    for body in (
        {"amount": 12.3, "currency": "USD"},
        {"amount": "12.345", "currency": "USD"},
        {"amount": "-1", "currency": "USD"},
        {"amount": "9.00", "currency": "EUR"},
    ):
        assert shop.api.put("/items/A/price", json=body).status_code == 422
    item = shop.api.get("/items/A").json()
    assert (item["price"], item["version"]) == ("12.30", 1)


def test_pages_hold_every_item_once(shop: Side) -> None:
    first = shop.api.get("/items?limit=2").json()
    rest = shop.api.get("/items", params={"limit": 2, "cursor": first["next"]}).json()
    assert [item["code"] for item in first["items"] + rest["items"]] == ["A", "B", "C"]
    assert rest["next"] is None
    assert shop.api.get("/items?limit=0").status_code == 422


def test_of_concurrent_writers_with_one_expectation_one_wins(shop: Side) -> None:
    def write(quantity: int) -> int:
        return put(shop, "A", quantity=quantity, expected_version=1)

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(write, range(100, 124)))
    assert sorted(statuses) == [200] + [409] * 23
    assert shop.shown("A") == 100 + statuses.index(200)
    assert shop.api.get("/items/A").json()["version"] == 2
