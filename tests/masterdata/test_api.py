"""GET /items, /accounts, /warehouses and POST /accounts/validate, from outside."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.access.keys import create_key, forget_keys
from apps.access.models import ApiClient
from apps.masterdata.models import (
    Account,
    Branch,
    CrossReference,
    Identifier,
    Item,
    ItemUnit,
    ShipTo,
    System,
    Unit,
    Warehouse,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_remembered_keys() -> None:
    forget_keys()


def caller(name: str = "shop", **limits: Any) -> Client:
    client = ApiClient.objects.create(
        name=name, scopes=limits.pop("scopes", ["masterdata:read"]), requests_per_s=10_000, **limits
    )
    return Client(headers={"authorization": f"Bearer {create_key(client)}"})


@pytest.fixture
def api() -> Client:
    return caller()


@pytest.fixture
def bolt() -> Item:
    each, case = (Unit.objects.create(code=code, name=code) for code in ("EA", "CS"))
    item = Item.objects.create(sku="BOLT/10", name="Bolt M10", base_unit=each, family="F1")
    ItemUnit.objects.create(item=item, unit=case, numerator=24, order_minimum="2.500000")
    Identifier.objects.create(item=item, unit=case, scheme="gtin", value="4006381333931")
    erp = System.objects.create(code="erp", name="ERP")
    CrossReference.objects.create(system=erp, kind="item", code="4711", target="BOLT/10", origin="alias")
    return item


def test_an_item_is_read_by_its_sku_with_a_slash(api: Client, bolt: Item) -> None:
    answer = api.get("/api/v1/items/BOLT%2F10")
    assert answer.status_code == 200
    body = answer.json()
    body.pop("updated_at")
    assert body == {
        "sku": "BOLT/10",
        "name": "Bolt M10",
        "kind": "stock",
        "status": "active",
        "base_uom": "EA",
        "units": [
            {
                "uom": "CS",
                "numerator": 24,
                "denominator": 1,
                "sellable": True,
                "order_minimum": "2.5",
                "order_multiple": None,
            }
        ],
        "identifiers": [{"scheme": "gtin", "value": "4006381333931", "uom": "CS", "party": None}],
        "aliases": [{"source": "erp", "code": "4711"}],
        "components": [],
        "brand": "",
        "family": "F1",
        "category": "",
        "tax_class": "",
        "replaced_by": None,
        "lot_tracked": False,
        "hazard_class": "",
        "attributes": {},
    }


@pytest.mark.parametrize("path", ["items/nobody", "items/a%00b", "accounts/nobody", "accounts/a%00b"])
def test_what_does_not_exist_is_a_404_problem(api: Client, path: str) -> None:
    answer = api.get(f"/api/v1/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("search=bolt", ["BOLT/10"]),
        ("search=m10", ["BOLT/10"]),
        ("search=4006381333931", ["BOLT/10"]),
        ("search=4711", ["BOLT/10"]),
        ("search=471", []),
        ("family=F1", ["BOLT/10"]),
        ("family=F2", []),
        ("status=active&status=retired", ["BOLT/10"]),
        ("status=retired", []),
        ("sku=BOLT/10", ["BOLT/10"]),
    ],
)
def test_items_are_filtered(api: Client, bolt: Item, query: str, found: list[str]) -> None:
    answer = api.get(f"/api/v1/items?{query}")
    assert answer.status_code == 200
    assert [item["sku"] for item in answer.json()["results"]] == found


@pytest.mark.parametrize(
    "query",
    [
        "colour=red",
        "status=gone",
        "limit=0",
        "limit=1001",
        "limit=ten",
        "ordering=password",
        "cursor=nonsense!",
        "cursor=WzFd",
        "search=%00",
        "name__icontains=x",
    ],
)
def test_a_parameter_nobody_knows_or_can_use_is_a_400(api: Client, bolt: Item, query: str) -> None:
    answer = api.get(f"/api/v1/items?{query}")
    assert answer.status_code == 400
    assert answer.json()["code"] in ("invalid", "unknown_field")


def test_pages_follow_each_other_in_both_directions(api: Client, bolt: Item) -> None:
    Item.objects.bulk_create(Item(sku=f"A{n}", name="a", base_unit=bolt.base_unit) for n in range(4))
    for ordering in ("sku", "-sku"):
        seen, cursor = [], ""
        while cursor is not None:
            page = api.get(
                f"/api/v1/items?limit=2&ordering={ordering}" + (f"&cursor={cursor}" if cursor else "")
            ).json()
            seen += [item["sku"] for item in page["results"]]
            cursor = page["next"]
        assert seen == sorted(["A0", "A1", "A2", "A3", "BOLT/10"], reverse=ordering == "-sku")


def test_a_page_of_a_hundred_costs_as_many_queries_as_one_of_two(api: Client, bolt: Item) -> None:
    Item.objects.bulk_create(Item(sku=f"A{n}", name="a", base_unit=bolt.base_unit) for n in range(150))
    api.get("/api/v1/items?limit=1")
    counts = []
    for limit in (2, 100):
        with CaptureQueriesContext(connection) as queries:
            assert len(api.get(f"/api/v1/items?limit={limit}").json()["results"]) == limit
        counts.append(len(queries))
    assert counts[0] == counts[1]


def account() -> Account:
    branch = Branch.objects.create(code="B1", name="B1")
    row = Account.objects.create(code="C-1", name="Customer", branch=branch, currency="EUR", groups=["G1"])
    ShipTo.objects.create(account=row, code="S1", name="Dock", country="DE", branch=branch)
    ShipTo.objects.create(account=row, code="S2", status="closed")
    return row


def test_an_account_shows_its_ship_tos(api: Client) -> None:
    account()
    body = api.get("/api/v1/accounts/C-1").json()
    assert (body["code"], body["branch"], body["currency"], body["groups"]) == ("C-1", "B1", "EUR", ["G1"])
    assert body["price_policy"] == "first_hit"
    assert [(each["code"], each["status"]) for each in body["ship_tos"]] == [("S1", "active"), ("S2", "closed")]


@pytest.mark.parametrize(
    ("question", "status", "reasons"),
    [
        ({"account": "C-1"}, "ok", []),
        ({"account": "C-1", "ship_to": "S1"}, "ok", []),
        ({"account": "C-1", "ship_to": "S2"}, "closed", ["SHIP_TO_CLOSED"]),
        (
            {"account": "C-1", "ship_to": "S9", "channel": "NO"},
            "unknown_ship_to",
            ["UNKNOWN_SHIP_TO", "UNKNOWN_CHANNEL"],
        ),
        ({"account": "C-2"}, "unknown_account", ["UNKNOWN_ACCOUNT"]),
        ({"account": "C-1", "channel": "SHOP"}, "ok", []),
    ],
)
def test_an_account_is_validated(api: Client, question: dict[str, str], status: str, reasons: list[str]) -> None:
    account()
    System.objects.create(code="SHOP", name="Shop")
    answer = api.post("/api/v1/accounts/validate", question, content_type="application/json")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == status
    assert [each["code"] for each in body["reasons"]] == reasons
    assert body["currency"] == (None if status == "unknown_account" else "EUR")


def test_an_account_on_hold_says_so(api: Client) -> None:
    row = account()
    row.status = "on_hold"
    row.save(update_fields=["status"])
    body = api.post("/api/v1/accounts/validate", {"account": "C-1"}, content_type="application/json").json()
    assert (body["status"], [each["code"] for each in body["reasons"]]) == ("on_hold", ["ACCOUNT_ON_HOLD"])


@pytest.mark.parametrize(
    "body", [{}, {"account": ""}, {"account": 1}, {"account": "a", "acount": "b"}, [], {"account": "x" * 101}]
)
def test_a_question_that_is_none_is_a_400(api: Client, body: object) -> None:
    answer = api.post("/api/v1/accounts/validate", body, content_type="application/json")
    assert answer.status_code == 400


def test_a_key_sees_only_its_accounts_and_warehouses() -> None:
    account()
    for code in ("W1", "W2"):
        Warehouse.objects.create(code=code, name=code)
    limited = caller("limited", accounts=["C-9"], warehouses=["W2"])
    assert limited.get("/api/v1/accounts/C-1").status_code == 404
    asked = limited.post("/api/v1/accounts/validate", {"account": "C-1"}, content_type="application/json")
    assert asked.json()["status"] == "unknown_account"
    assert [each["code"] for each in limited.get("/api/v1/warehouses").json()["results"]] == ["W2"]
    assert [each["code"] for each in caller().get("/api/v1/warehouses").json()["results"]] == ["W1", "W2"]


@pytest.mark.parametrize("path", ["items", "items/X", "accounts/X", "warehouses"])
def test_without_the_scope_nothing_is_read(path: str) -> None:
    assert Client().get(f"/api/v1/{path}").status_code == 401
    answer = caller(scopes=["events:read"]).get(f"/api/v1/{path}")
    assert answer.status_code == 403
    assert "masterdata:read" in answer.json()["detail"]
