"""MARKET: batches with an outcome each, and pacing. FEED: documents into the dark."""

from __future__ import annotations

from apps.integrations.sandbox.rates import TokenBucket

from .conftest import Side


def test_each_update_of_a_batch_has_its_own_outcome(market: Side) -> None:
    updates = [
        {"listing": "MK-1", "cases": 4},
        {"listing": "MK-404", "cases": 4},
        {"listing": "MK-2", "cases": -1},
        {"listing": "MK-3", "cases": 2.5},
    ]
    results = market.api.post("/feed/stock", json={"updates": updates}).json()["results"]
    assert results[0] == {"listing": "MK-1", "status": "applied", "cases": 4}
    assert [(row["listing"], row["status"], row["code"]) for row in results[1:]] == [
        ("MK-404", "rejected", "UNKNOWN_LISTING"),
        ("MK-2", "rejected", "INVALID_CASES"),
        ("MK-3", "rejected", "INVALID_CASES"),
    ]
    assert [market.shown(code) for code in ("MK-1", "MK-2", "MK-3")] == [4, 1, 1]


def test_fifty_updates_are_taken_and_one_more_is_not(market: Side) -> None:
    updates = [{"listing": "MK-1", "cases": number} for number in range(51)]
    assert market.api.post("/feed/stock", json={"updates": updates}).status_code == 413
    assert market.shown("MK-1") == 1
    assert len(market.api.post("/feed/stock", json={"updates": updates[:50]}).json()["results"]) == 50
    assert market.shown("MK-1") == 49


def test_prices_are_minor_units_and_read_back(market: Side) -> None:
    updates = [
        {"listing": "MK-1", "price_minor": 1999, "currency": "USD"},
        {"listing": "MK-2", "price_minor": 1999, "currency": "EUR"},
    ]
    results = market.api.post("/feed/prices", json={"updates": updates}).json()["results"]
    assert results[0] == {"listing": "MK-1", "status": "applied", "price_minor": 1999, "currency": "USD"}
    assert results[1]["code"] == "CURRENCY_MISMATCH"
    shown = market.api.get("/listings", params={"codes": "MK-2,MK-1,MK-404"}).json()
    assert [(row["listing"], row["cases"], row["price_minor"]) for row in shown["listings"]] == [
        ("MK-2", 1, 12000),
        ("MK-1", 1, 1999),
    ]
    assert market.control.get("/state").json()["listings"]["MK-1"]["price"] == "19.99"


def test_listings_are_paged(market: Side) -> None:
    first = market.api.get("/listings?limit=3").json()
    rest = market.api.get("/listings", params={"limit": 3, "cursor": first["next"]}).json()
    assert [row["listing"] for row in first["listings"] + rest["listings"]] == ["MK-1", "MK-2", "MK-3", "MK-4"]
    assert rest["next"] is None


def test_spent_bucket_answers_429_with_the_time_to_wait(market: Side) -> None:
    # One token in 100 s: no delay of the test itself can refill it.
    assert market.control.put("/rate", json={"per_second": 0.01, "burst": 2}).status_code == 200
    answers = [market.api.get("/listings") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert answers[0].headers["X-RateLimit-Limit"] == "2"
    assert 90 <= int(answers[2].headers["Retry-After"]) <= 100
    assert 190 <= int(answers[2].headers["X-RateLimit-Reset"]) <= 200


def test_bucket_refills_with_time() -> None:
    now = [0.0]
    bucket = TokenBucket(2, 1, clock=lambda: now[0])
    assert [bucket.take(), bucket.take()] == [None, 1]
    now[0] = 0.5
    assert bucket.take() is None


def test_upload_counts_what_it_took(feed: Side) -> None:
    items = [{"id": "F-1", "qty": 9, "amount": "3.50"}, {"id": "F-404", "qty": 1}, {"id": "F-2", "qty": "4"}]
    answer = feed.api.post("/upload", json={"items": items})
    body = answer.json()
    assert (answer.status_code, body["accepted"]) == (202, 1)
    assert [(row["id"], row["code"]) for row in body["rejected"]] == [("F-404", "UNKNOWN_ID"), ("F-2", "INVALID_QTY")]
    listings = feed.control.get("/state").json()["listings"]
    assert (listings["F-1"]["quantity"], listings["F-1"]["price"], listings["F-2"]["quantity"]) == (9, "3.50", 0)


def test_feed_cannot_be_read(feed: Side) -> None:
    assert feed.api.get("/upload").status_code == 404
    assert feed.api.get("/items").status_code == 404
