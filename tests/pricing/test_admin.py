"""Books and prices in the console: found, set by form, imported with a dry run, never edited."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.access.models import User
from apps.masterdata.models import Authority, System
from apps.pricing.models import PriceBook, PriceEntry, PriceSubject
from tests.pricing.conftest import World

JAN, JUN = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
ENTRIES = "/console/pricing/priceentry/"
BOOKS = "/console/pricing/pricebook/"
PRICE = {"book": "LIST", "sku": "A-1", "uom": "EACH", "method": "fixed", "amount": "10", "effective_from": "2026-01-01"}
HEADER = "book,sku,uom,min_quantity,amount,currency,effective_from\n"


def signed_in(role: str) -> Client:
    person = User.objects.create_user(role.replace(" ", "-"), password="a long password", is_staff=True)
    person.groups.add(Group.objects.get_or_create(name=role)[0])
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def author(world: World) -> Client:
    return signed_in("pricing author")


def upload(client: Client, text: str, **more: object) -> Any:
    file = SimpleUploadedFile("prices.csv", text.encode())
    return client.post(f"{ENTRIES}import/", {"import_file": file, "format": "0", **more})


def confirm(client: Client, page: Any) -> Any:
    html = page.content.decode()
    names = ("import_file_name", "original_file_name", "format", "resource")
    values = {}
    for name in names:
        tag = re.search(rf'<input[^>]*name="{name}"[^>]*>', html)
        value = re.search(r'value="([^"]*)"', tag[0]) if tag else None
        values[name] = value[1] if value else ""
    return client.post(f"{ENTRIES}process_import/", values)


def errors_of(page: Any) -> str:
    return re.sub(r"\s+", " ", page.content.decode())


def test_prices_are_found_by_when_they_count_and_by_sku(author: Client, world: World) -> None:
    world.set("10", JAN)
    world.set("12", datetime(2099, 1, 1, tzinfo=UTC))
    world.set("20", JAN, item_id=world.other.pk, effective_to=datetime(2026, 2, 1, tzinfo=UTC))

    def shown(query: str) -> list[str]:
        page = author.get(f"{ENTRIES}?{query}")
        assert page.status_code == 200
        return sorted(f"{e.amount.normalize():f}" for e in page.context["cl"].result_list)

    assert shown("") == ["10", "12", "20"]
    assert shown("when=current") == ["10"]
    assert shown("when=future") == ["12"]
    assert shown("when=past") == ["20"]
    assert shown("when=replaced") == ["10"]
    assert shown("q=b-2") == ["20"]
    assert author.get(f"{ENTRIES}{PriceEntry.objects.first().pk}/change/").status_code == 200  # type: ignore[union-attr]


def test_a_new_price_is_set_by_form(author: Client, world: World) -> None:
    assert author.get(f"{ENTRIES}add/").status_code == 200
    page = author.post(f"{ENTRIES}add/", PRICE)
    assert page.status_code == 302, errors_of(page)
    assert world.current() == ["10 2026-01-01.. v1"]
    assert PriceSubject.objects.get().generation == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sku": "NOPE"}, "No item is known as"),
        ({"book": "NOPE"}, "No price book is known as"),
        ({"uom": "NOPE"}, "No unit is known as"),
        ({"amount": "1e3"}, "is not a decimal"),
        ({"family": "VALVES"}, "Give exactly one of"),
        ({"effective_from": "2026-01-01T00:00:00"}, "has no offset"),
        ({"effective_to": "2026-01-01"}, "must be after"),
        ({"amount": "0"}, "Nothing would change"),
        ({"amount": "9"}, "would swallow"),
    ],
)
def test_a_wrong_price_is_refused_with_its_reason_and_changes_nothing(
    author: Client, world: World, change: dict[str, str], said: str
) -> None:
    world.set("12", JUN)
    page = author.post(f"{ENTRIES}add/", {**PRICE, **change})
    assert page.status_code == 200
    assert said in errors_of(page)
    assert world.current() == ["12 2026-06-01.. v1"]
    assert PriceEntry.objects.count() == 1


def test_an_import_shows_the_difference_first_and_sets_prices_when_confirmed(author: Client, world: World) -> None:
    world.set("10", JAN)
    page = upload(author, HEADER + "LIST,A-1,EACH,,12,USD,2026-06-01\nLIST,B-2,EACH,5,7.5,USD,2026-06-01\n")
    assert page.status_code == 200
    rows = [row.diff for row in page.context["result"].valid_rows()]
    assert rows == [
        ["1", "LIST/A-1", "10 USD from 2026-01-01", "fixed 12 USD per EACH as of 2026-06-01T00:00:00Z"],
        ["2", "LIST/B-2", "–", "fixed 7.5 USD per EACH from 5 EACH as of 2026-06-01T00:00:00Z"],
    ]
    assert world.current() == ["10 2026-01-01.. v1"]
    assert confirm(author, page).status_code == 302
    assert world.current() == ["10 2026-01-01..2026-06-01 v2", "12 2026-06-01.. v1", "7.5 2026-06-01.. v1"]


def test_one_wrong_row_stops_an_import(author: Client, world: World) -> None:
    page = upload(author, HEADER + "LIST,A-1,EACH,,12,USD,2026-06-01\nLIST,NOPE,EACH,,7.5,USD,2026-06-01\n")
    assert [(row.number, row.field_specific_errors) for row in page.context["result"].invalid_rows] == [
        (2, {"sku": ["No item is known as 'NOPE'."]})
    ]
    assert "confirm_form" not in page.context
    assert PriceEntry.objects.count() == 0


def test_what_is_exported_can_be_imported_again_and_changes_nothing(author: Client, world: World) -> None:
    world.set("10.5", JAN)
    world.set("12", JUN)
    page = author.post(
        f"{ENTRIES}export/", {"format": "0", "resource": "", **dict.fromkeys(_export_fields(author), "on")}
    )
    assert page.status_code == 200
    text = page.content.decode()
    assert text.splitlines()[0] == (
        "book,sku,family,category,uom,per,min_quantity,method,amount,currency,zero_ok,effective_from,effective_to"
    )
    again = upload(author, text)
    assert {row.import_type for row in again.context["result"].rows} == {"skip"}, errors_of(again)


def _export_fields(client: Client) -> list[str]:
    html = client.get(f"{ENTRIES}export/").content.decode()
    return re.findall(r'name="(priceentryresource_[a-z_]+)"', html)


def test_who_may_only_read_sets_nothing(world: World) -> None:
    viewer = signed_in("viewer")
    assert viewer.get(ENTRIES).status_code == 200
    assert viewer.get(BOOKS).status_code == 200
    assert viewer.get(f"{ENTRIES}add/").status_code == 403
    assert upload(viewer, HEADER + "LIST,A-1,EACH,,12,USD,2026-06-01\n").status_code == 403
    assert viewer.post(f"{ENTRIES}add/", PRICE).status_code == 403
    assert viewer.post(f"{BOOKS}add/", {"code": "X"}).status_code == 403
    assert PriceEntry.objects.count() == 0


def test_prices_that_a_system_owns_are_refused_here(author: Client, world: World) -> None:
    owner = System.objects.create(code="ERP", name="ERP")
    Authority.objects.create(entity="price_book", group="prices", system=owner)
    page = author.post(f"{ENTRIES}add/", PRICE)
    assert "owned by ERP" in errors_of(page)
    assert PriceEntry.objects.count() == 0


BOOK = {
    "code": "WEB",
    "level": "list",
    "currency": "EUR",
    "priority": "5",
    "time_zone": "Europe/Berlin",
    "merge_allowed": "on",
}


def test_a_book_is_made_and_changed_by_form(author: Client, world: World) -> None:
    page = author.post(f"{BOOKS}add/", BOOK)
    assert page.status_code == 302, errors_of(page)
    book = PriceBook.objects.get(code="WEB")
    assert (book.currency, book.priority, book.time_zone, book.merge_allowed) == ("EUR", 5, "Europe/Berlin", True)
    page = author.post(f"{BOOKS}{book.pk}/change/", {**BOOK, "priority": "7", "name": "Web"})
    assert page.status_code == 302, errors_of(page)
    book.refresh_from_db()
    assert (book.name, book.priority) == ("Web", 7)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"time_zone": "Mars/Base"}, "no time zone"),
        ({"currency": "ZZZ"}, "ISO 4217"),
        ({"level": "special"}, "for nobody"),
    ],
)
def test_a_wrong_book_is_refused(author: Client, world: World, change: dict[str, str], said: str) -> None:
    page = author.post(f"{BOOKS}add/", {**BOOK, **change})
    assert page.status_code == 200
    assert said in errors_of(page)
    assert not PriceBook.objects.filter(code="WEB").exists()
