"""Contract §7 and DOMAIN §3: which price wins, and what a line comes to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.world import Api, Json, World, problem

LINE = {
    "id",
    "sku",
    "status",
    "unit_price",
    "price_uom",
    "extended_price",
    "currency",
    "tax_class",
    "tax_included",
    "level",
    "book",
    "version",
    "breaks",
    "price_ref",
    "valid_until",
    "next_change_at",
}


def book(world: World, name: str = "LIST", level: str = "list", **more: Any) -> str:
    code = world.code(name)
    world.do("price_book.upserted", {"code": code, "name": name, "level": level, "currency": "USD"} | more)
    return code


def price(world: World, book_code: str, sku: str, amount: Any, **more: Any) -> Json:
    data = {
        "book": book_code,
        "sku": sku,
        "uom": world.each,
        "amount": amount,
        "currency": "USD",
        "effective_from": "2026-01-01",
    }
    return world.event("price.set", {name: value for name, value in (data | more).items() if value is not None})


def ask(world: World, sku: str, quantity: Any = "1", uom: str | None = None, **context: Any) -> Json:
    body = {"currency": "USD"} | context | {"lines": [{"sku": sku, "quantity": quantity, "uom": uom or world.each}]}
    answer = world.api.post("/prices/resolve", body)
    assert answer.status_code == 200, answer.text
    (line,) = answer.json()["lines"]
    found: Json = line
    return found


def shown(line: Json) -> tuple[Any, Any, Any]:
    return line["status"], line["unit_price"], line["extended_price"]


def test_a_line_has_every_field_of_the_contract(world: World) -> None:
    sku, _ = world.found(tax_class=None)
    list_ = book(world)
    world.apply(price(world, list_, sku, "12.37"))
    body = {"currency": "USD", "lines": [{"id": "L-7", "sku": sku, "quantity": "3", "uom": world.each}]}
    (line,) = world.api.post("/prices/resolve", body).json()["lines"]
    assert set(line) >= LINE
    assert (line["id"], line["sku"], line["status"], line["level"], line["book"]) == ("L-7", sku, "ok", "list", list_)
    assert (line["unit_price"], line["price_uom"], line["extended_price"]) == ("12.37", world.each, "37.11")
    assert (line["currency"], line["tax_included"]) == ("USD", False)


@pytest.mark.parametrize(
    ("amount", "per", "quantity", "extended"),
    [
        ("12.37", "100", "250", "30.93"),
        ("12.37", None, "1", "12.37"),
        ("0.125", None, "1", "0.13"),
        ("10.30", None, "3", "30.90"),
        ("36", None, "1", "36.00"),
        ("2.675", None, "1", "2.68"),
        ("1.005", None, "1", "1.01"),
        ("0.004", None, "1", "0.00"),
        ("0.005", None, "1", "0.01"),
        ("1", "3", "1", "0.33"),
        ("1", "3", "3", "1.00"),
        ("99999999999999.99", None, "1", "99999999999999.99"),
    ],
)
def test_a_line_is_computed_exactly_and_rounded_once(
    world: World, amount: str, per: str | None, quantity: str, extended: str
) -> None:
    sku, _ = world.found()
    world.apply(price(world, book(world), sku, amount, per=per))
    line = ask(world, sku, quantity)
    assert (line["status"], line["extended_price"]) == ("ok", extended)


def test_a_price_per_dozen_of_many_singles(world: World) -> None:
    dozen = world.code("DOZEN")
    world.do("unit.upserted", {"code": dozen, "name": "Dozen"})
    sku, _ = world.found(units=[{"uom": dozen, "numerator": 12, "denominator": 1}])
    world.apply(price(world, book(world), sku, "10.00", uom=dozen))
    assert ask(world, sku, "20000")["extended_price"] == "16666.67"
    assert ask(world, sku, "20000")["unit_price"] == "0.833333"
    assert ask(world, sku, "1", dozen)["extended_price"] == "10.00"


@pytest.mark.parametrize(("currency", "extended"), [("JPY", "1"), ("KWD", "1.235"), ("EUR", "1.23")])
def test_the_currency_decides_the_decimals(world: World, currency: str, extended: str) -> None:
    sku, _ = world.found()
    list_ = book(world, currency=currency)
    world.apply(price(world, list_, sku, "1.2345", currency=currency))
    line = ask(world, sku, "1", currency=currency)
    assert (line["extended_price"], line["currency"]) == (extended, currency)


def test_each_and_case_have_their_own_price(world: World) -> None:
    case = world.code("CASE")
    world.do("unit.upserted", {"code": case, "name": "Case"})
    sku, _ = world.found(units=[{"uom": case, "numerator": 12, "denominator": 1}])
    list_ = book(world)
    world.apply(price(world, list_, sku, "2.00"), price(world, list_, sku, "20.00", uom=case))
    assert shown(ask(world, sku, "1", case)) == ("ok", "20", "20.00")
    assert shown(ask(world, sku, "12")) == ("ok", "2", "24.00")


def test_a_price_per_each_answers_for_the_case(world: World) -> None:
    case, pallet = world.code("CASE"), world.code("PALLET")
    for code in (case, pallet):
        world.do("unit.upserted", {"code": code, "name": code})
    sku, _ = world.found(
        units=[
            {"uom": case, "numerator": 12, "denominator": 1},
            {"uom": pallet, "numerator": 480, "denominator": 1},
        ]
    )
    world.apply(price(world, book(world), sku, "100"))
    line = ask(world, sku, "1", case)
    assert (shown(line), line["price_uom"]) == (("ok", "1200", "1200.00"), case)
    assert ask(world, sku, "1", pallet)["extended_price"] == "48000.00"


def test_twelve_hundred_a_dozen_is_three_hundred_for_three(world: World) -> None:
    dozen = world.code("DOZEN")
    world.do("unit.upserted", {"code": dozen, "name": "Dozen"})
    sku, _ = world.found(units=[{"uom": dozen, "numerator": 12, "denominator": 1}])
    world.apply(price(world, book(world), sku, "1200", uom=dozen))
    assert shown(ask(world, sku, "3")) == ("ok", "100", "300.00")


@pytest.mark.parametrize(
    ("quantity", "unit_price"),
    [("1", "9"), ("9", "9"), ("9.999999", "9"), ("10", "8"), ("24.999999", "8"), ("25", "6"), ("1000", "6")],
)
def test_the_greatest_threshold_not_above_the_quantity_counts(world: World, quantity: str, unit_price: str) -> None:
    sku, _ = world.found(decimals=6)
    list_ = book(world)
    world.apply(
        *(price(world, list_, sku, amount, min_quantity=at) for at, amount in (("1", "9"), ("10", "8"), ("25", "6")))
    )
    line = ask(world, sku, quantity)
    assert (line["status"], line["unit_price"]) == ("ok", unit_price)
    assert [(row["min_quantity"], row["uom"], row["unit_price"]) for row in line["breaks"]] == [
        ("1", world.each, "9"),
        ("10", world.each, "8"),
        ("25", world.each, "6"),
    ]


def test_a_break_counts_in_its_own_unit(world: World) -> None:
    case = world.code("CASE")
    world.do("unit.upserted", {"code": case, "name": "Case"})
    sku, _ = world.found(units=[{"uom": case, "numerator": 24, "denominator": 1}])
    list_ = book(world)
    world.apply(price(world, list_, sku, "2"), price(world, list_, sku, "1", min_quantity="24"))
    world.apply(price(world, list_, sku, "46", uom=case))
    assert shown(ask(world, sku, "1", case)) == ("ok", "46", "46.00")
    assert shown(ask(world, sku, "24")) == ("ok", "1", "24.00")


def test_below_the_first_break_there_is_no_price(world: World) -> None:
    sku, _ = world.found()
    world.apply(price(world, book(world), sku, "8", min_quantity="10"))
    assert shown(ask(world, sku, "9")) == ("no_price", None, None)
    assert shown(ask(world, sku, "10")) == ("ok", "8", "80.00")


@pytest.mark.parametrize(
    ("on", "amount"),
    [("2026-01-31", "10"), ("2026-02-01", "11"), ("2026-02-28", "11"), ("2026-03-01", "12"), ("2025-12-31", None)],
)
def test_a_later_start_ends_the_open_price_on_its_day(world: World, on: str, amount: str | None) -> None:
    sku, _ = world.found()
    list_ = book(world, timezone="UTC")
    for start, value in (("2026-01-01", "10"), ("2026-02-01", "11"), ("2026-03-01", "12")):
        world.apply(price(world, list_, sku, value, effective_from=start))
    line = ask(world, sku, on=on)
    assert (line["status"], line["unit_price"]) == (("ok", amount) if amount else ("no_price", None))


def test_an_end_date_is_exclusive(world: World) -> None:
    sku, _ = world.found()
    list_ = book(world, timezone="UTC")
    world.apply(price(world, list_, sku, "10", effective_from="2026-01-01", effective_to="2026-02-01"))
    assert ask(world, sku, on="2026-01-31")["unit_price"] == "10"
    assert ask(world, sku, on="2026-02-01")["status"] == "no_price"
    assert ask(world, sku, on="2026-01-31T23:59:59Z")["unit_price"] == "10"
    assert ask(world, sku, on="2026-02-01T00:00:00Z")["status"] == "no_price"


def test_a_plain_date_is_midnight_where_the_book_is(world: World) -> None:
    sku, _ = world.found()
    list_ = book(world, timezone="America/New_York")
    world.apply(price(world, list_, sku, "10", effective_from="2026-01-01"))
    world.apply(price(world, list_, sku, "11", effective_from="2026-07-01"))
    assert ask(world, sku, on="2026-07-01T03:59:59Z")["unit_price"] == "10"
    assert ask(world, sku, on="2026-07-01T04:00:00Z")["unit_price"] == "11"


def test_the_same_start_is_a_new_version(world: World) -> None:
    sku, _ = world.found()
    list_ = book(world)
    world.apply(price(world, list_, sku, "10"))
    first = ask(world, sku)
    world.apply(price(world, list_, sku, "10.50"))
    second = ask(world, sku)
    assert (first["unit_price"], second["unit_price"]) == ("10", "10.5")
    assert first["version"] != second["version"]
    assert first["price_ref"] != second["price_ref"]


def test_a_price_that_would_swallow_a_future_one_is_a_conflict(world: World) -> None:
    sku, _ = world.found()
    list_ = book(world, timezone="UTC")
    world.apply(price(world, list_, sku, "10", effective_from="2026-02-01", effective_to="2026-03-01"))
    swallow = price(world, list_, sku, "9", effective_from="2026-01-01", effective_to="2026-06-01")
    world.send(swallow)
    assert world.becomes(swallow, "blocked")["blocked_by"][0]["reason"] == "PRICE_CONFLICT"
    assert ask(world, sku, on="2026-02-15")["unit_price"] == "10"
    assert ask(world, sku, on="2026-01-15")["status"] == "no_price"


def test_the_order_of_two_successive_prices_does_not_matter(world: World) -> None:
    sku, _ = world.found()
    list_ = book(world, timezone="UTC")
    world.apply(price(world, list_, sku, "10", effective_from="2026-01-01", effective_to="2026-02-01"))
    world.apply(price(world, list_, sku, "12", effective_from="2026-03-01"))
    world.apply(price(world, list_, sku, "11", effective_from="2026-02-01", effective_to="2026-03-01"))
    assert [ask(world, sku, on=on)["unit_price"] for on in ("2026-01-31", "2026-02-28", "2026-03-01")] == [
        "10",
        "11",
        "12",
    ]


def test_null_ends_a_price(world: World) -> None:
    sku, _ = world.found()
    list_ = book(world, timezone="UTC")
    world.apply(price(world, list_, sku, "10"))
    event = world.event(
        "price.set",
        {
            "book": list_,
            "sku": sku,
            "uom": world.each,
            "amount": None,
            "currency": "USD",
            "effective_from": "2026-02-01",
        },
    )
    world.apply(event)
    assert ask(world, sku, on="2026-01-31")["unit_price"] == "10"
    assert ask(world, sku, on="2026-02-01")["status"] == "no_price"


def test_an_unmeant_zero_is_no_price_and_a_meant_one_is(world: World) -> None:
    sku, _ = world.found()
    free = world.code("FREE")
    world.do("item.upserted", {"sku": free, "name": "Free", "base_uom": world.each})
    list_ = book(world)
    world.apply(price(world, list_, free, "0", zero_ok=True))
    zero = price(world, list_, sku, "0")
    world.send(zero)
    world.fate(zero)
    assert ask(world, sku)["status"] == "no_price"
    assert shown(ask(world, free)) == ("ok", "0", "0.00")


def test_without_a_start_a_price_counts_from_the_time_of_its_event(world: World) -> None:
    sku, _ = world.found()
    list_ = book(world)
    world.apply(price(world, list_, sku, "10", effective_from=None))
    assert ask(world, sku, on="2026-01-05T11:59:59Z")["status"] == "no_price"
    assert ask(world, sku, on="2026-01-05T12:00:00Z")["unit_price"] == "10"


def test_only_the_asked_currency_competes(world: World) -> None:
    sku, _ = world.found()
    world.apply(price(world, book(world, "EURO", currency="EUR"), sku, "1", currency="EUR"))
    assert ask(world, sku)["status"] == "no_price"
    assert ask(world, sku, currency="EUR")["unit_price"] == "1"


def test_a_channels_book_stands_above_the_list(world: World) -> None:
    sku, _ = world.found()
    list_ = book(world)
    web = book(world, "WEB", "channel", channel="SHOP")
    world.apply(price(world, list_, sku, "100"), price(world, web, sku, "95"))
    line = ask(world, sku, channel="SHOP", explain=True)
    assert (line["unit_price"], line["level"], line["book"]) == ("95", "channel", web)
    assert list_ in str(line["trace"])
    assert web in str(line["trace"])
    line = ask(world, sku)
    assert (line["unit_price"], line["level"], line["book"]) == ("100", "list", list_)
    assert ask(world, sku, channel="MARKET")["unit_price"] == "100"


def test_a_more_specific_level_hides_the_breaks_below_it(world: World) -> None:
    sku, _ = world.found()
    list_ = book(world)
    web = book(world, "WEB", "channel", channel="SHOP")
    world.apply(price(world, list_, sku, "100"), price(world, list_, sku, "50", min_quantity="10"))
    world.apply(price(world, web, sku, "95"))
    assert ask(world, sku, "10", channel="SHOP")["unit_price"] == "95"


def test_a_tie_with_different_amounts_is_ambiguous_and_never_random(world: World) -> None:
    sku, _ = world.found()
    first, second = book(world, "ONE", priority=5), book(world, "TWO", priority=5)
    world.apply(price(world, first, sku, "10"), price(world, second, sku, "11"))
    line = ask(world, sku)
    assert (line["status"], line["reason"], line["unit_price"]) == ("blocked", "PRICE_AMBIGUOUS", None)


def test_the_book_of_smaller_priority_comes_first(world: World) -> None:
    sku, _ = world.found()
    first, second = book(world, "ONE", priority=5), book(world, "TWO", priority=4)
    world.apply(price(world, first, sku, "10"), price(world, second, sku, "11"))
    assert ask(world, sku)["unit_price"] == "11"


def test_statuses_of_lines_keep_the_order_asked(world: World) -> None:
    case, loose = world.code("CASE"), world.code("LOOSE")
    for code in (case, loose):
        world.do("unit.upserted", {"code": code, "name": code})
    sku, _ = world.found(units=[{"uom": case, "numerator": 12, "denominator": 1}])
    unpriced = world.code("UNPRICED")
    world.do("item.upserted", {"sku": unpriced, "name": "Unpriced", "base_uom": world.each})
    world.apply(price(world, book(world), sku, "2"))
    lines = [
        {"id": "1", "sku": world.code("GHOST"), "quantity": "1", "uom": world.each},
        {"id": "2", "sku": sku, "quantity": "1", "uom": world.code("NO-UNIT")},
        {"id": "3", "sku": sku, "quantity": "1", "uom": loose},
        {"id": "4", "sku": sku, "quantity": "0", "uom": world.each},
        {"id": "5", "sku": unpriced, "quantity": "1", "uom": world.each},
        {"id": "6", "sku": sku, "quantity": "1.5", "uom": world.each},
        {"id": "7", "sku": sku, "quantity": "2", "uom": case},
    ]
    answer = world.api.post("/prices/resolve", {"currency": "USD", "lines": lines}).json()["lines"]
    assert [row["id"] for row in answer] == ["1", "2", "3", "4", "5", "6", "7"]
    statuses = [row["status"] for row in answer]
    assert statuses[:5] == ["unknown_item", "unknown_unit", "unknown_unit", "invalid_quantity", "no_price"]
    assert statuses[5] in ("invalid_quantity", "not_a_whole_pack")
    assert statuses[6] == "ok"
    assert {(row["unit_price"], row["extended_price"]) for row in answer[:6]} == {(None, None)}


def test_an_unknown_account_is_told_on_every_line(world: World) -> None:
    sku, _ = world.found()
    world.apply(price(world, book(world), sku, "2"))
    assert shown(ask(world, sku, account=world.code("NOBODY"))) == ("unknown_account", None, None)


def test_an_account_on_hold_gets_no_price(world: World) -> None:
    sku, _ = world.found()
    world.apply(price(world, book(world), sku, "2"))
    account = world.code("ACC")
    world.do("account.upserted", {"code": account, "name": "Account", "status": "on_hold", "ship_tos": []})
    assert ask(world, sku, account=account)["status"] == "on_hold"
    answer = world.api.post("/accounts/validate", {"account": account})
    assert answer.json()["status"] == "on_hold"


def test_a_known_account_is_priced_and_validated(world: World) -> None:
    sku, _ = world.found()
    world.apply(price(world, book(world), sku, "2"))
    account = world.code("ACC")
    world.do(
        "account.upserted",
        {"code": account, "name": "Account", "currency": "USD", "ship_tos": [{"code": "NORTH", "name": "North"}]},
    )
    assert ask(world, sku, account=account, ship_to="NORTH")["unit_price"] == "2"
    found = world.api.post("/accounts/validate", {"account": account, "ship_to": "NORTH"}).json()
    assert set(found) >= {"status", "reasons", "currency", "tax_exempt", "price_policy", "contracts", "ship_tos"}
    assert (found["currency"], found["tax_exempt"], found["price_policy"]) == ("USD", False, "first_hit")
    assert world.api.read(f"/accounts/{account}")["code"] == account
    problem(world.api.get(f"/accounts/{world.code('NOBODY')}"), 404, "not_found")


def test_one_line_can_be_asked_by_get_with_an_etag(world: World) -> None:
    sku, _ = world.found()
    world.apply(price(world, book(world), sku, "2"))
    params = {"currency": "USD", "quantity": "3", "uom": world.each}
    answer = world.api.get(f"/prices/{sku}", params=params)
    assert (answer.status_code, answer.json()["extended_price"]) == (200, "6.00")
    again = world.api.get(f"/prices/{sku}", params=params, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    explained = world.api.get(f"/explain/prices/{sku}", params=params)
    assert explained.status_code == 200
    assert explained.json()["trace"]


def test_next_change_at_is_the_start_of_the_next_price(world: World) -> None:
    sku, _ = world.found()
    list_ = book(world, timezone="UTC")
    world.apply(price(world, list_, sku, "10"), price(world, list_, sku, "12", effective_from="2037-05-01"))
    line = ask(world, sku)
    assert (line["next_change_at"], line["valid_until"]) == ("2037-05-01T00:00:00Z", "2037-05-01T00:00:00Z")


def test_a_complete_price_list_ends_what_it_leaves_out(world: World) -> None:
    sku, _ = world.found()
    other = world.code("SKU2")
    world.do("item.upserted", {"sku": other, "name": "Thing", "base_uom": world.each})
    list_ = book(world, timezone="UTC")
    world.apply(price(world, list_, sku, "10"), price(world, list_, other, "20"))
    line = {"sku": sku, "uom": world.each, "amount": "11", "currency": "USD"}
    world.do("price_list.counted", {"book": list_, "as_of": "2026-02-01T00:00:00Z", "complete": True, "lines": [line]})
    assert (ask(world, sku)["unit_price"], ask(world, other)["status"]) == ("11", "no_price")
    assert ask(world, other, on="2026-01-31")["unit_price"] == "20"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"currency": "USD"},
        {"currency": "USD", "lines": {}},
        {"currency": "usd", "lines": []},
        {"currency": "DOLLAR", "lines": []},
        {"currency": 5, "lines": []},
        {"lines": [{"sku": "A", "quantity": "1", "uom": "EA"}]},
        {"currency": "USD", "lines": [{"sku": "A"}]},
        {"currency": "USD", "lines": [None]},
        {"currency": "USD", "on": "2026-02-30", "lines": [{"sku": "A", "quantity": "1", "uom": "EA"}]},
        {"currency": "USD", "on": "2026-02-03T10:00:00", "lines": [{"sku": "A", "quantity": "1", "uom": "EA"}]},
        {"currency": "USD", "lines": [{"sku": "A", "quantity": "1", "uom": "EA", "price": "1"}]},
        {"currency": "USD", "lines": [{"sku": "A", "quantity": "1", "uom": "EA"}] * 1001},
    ],
    ids=lambda body: str(body)[:80],
)
def test_a_question_that_makes_no_sense_is_400(api: Api, body: Json) -> None:
    answer = api.post("/prices/resolve", body)
    assert answer.status_code in (400, 413), answer.text
    assert answer.json()["code"] in ("invalid", "unknown_field", "too_large")
