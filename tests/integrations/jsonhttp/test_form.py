"""The form of a channel: wrong fields are named, presets are right, templates never round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apps.channels.connectors import Access, InvalidSettings, PushItem
from apps.integrations.jsonhttp.connector import open_channel
from apps.integrations.jsonhttp.form import parse, preset
from apps.integrations.jsonhttp.templates import Unfit, at, filled, path_filled, read_number

Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize("name", ["shop", "market", "feed"])
def test_presets_are_valid(name: str) -> None:
    form = parse(preset(name))
    assert form.auth.scheme == "bearer"
    assert "stock" in form.kinds


def errors(change: Change) -> dict[str, str]:
    settings = preset("shop")
    change(settings)
    with pytest.raises(InvalidSettings) as refused:
        parse(settings)
    return dict(refused.value.errors)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda s: s.pop("base_url"), ""),
        (lambda s: s.update(base_url="https://user:pass@shop.example"), "/base_url"),
        (lambda s: s.update(base_url="file:///etc/passwd"), "/base_url"),
        (lambda s: s.update(colour="red"), ""),
        (lambda s: s["kinds"]["stock"].update(method="DELETE"), "/kinds/stock/method"),
        (lambda s: s["kinds"]["stock"].update(item={"q": "{quantty}"}), "/kinds/stock"),
        (lambda s: s["kinds"]["stock"]["accept"].pop("id"), "/kinds/stock/accept"),
        (lambda s: s["kinds"]["stock"]["accept"].pop("value"), "/kinds/stock/accept"),
        (lambda s: s["kinds"]["price"]["accept"]["value"].pop("currency"), "/kinds/price/accept"),
        (lambda s: s["kinds"]["stock"]["accept"].update(items="/results"), "/kinds/stock/items"),
        (lambda s: s["read"].pop("one"), "/read"),
        (lambda s: s.update(auth={"scheme": "header"}), "/auth/name"),
        (lambda s: s.update(deadline_s=0), "/deadline_s"),
        (lambda s: s["headers"].update(x="a\r\nb") if s.setdefault("headers", {}) is not None else None, "/headers/x"),
    ],
)
def test_a_wrong_field_is_named(change: Change, where: str) -> None:
    assert where in errors(change)


def test_an_unknown_placeholder_names_the_known_ones() -> None:
    said = errors(lambda s: s["kinds"]["stock"].update(path="/items/{sku}"))["/kinds/stock"]
    assert "{sku}" in said
    assert "external_id" in said


def test_a_scheme_without_its_secret_cannot_be_opened() -> None:
    with pytest.raises(InvalidSettings, match="bearer needs a secret"):
        open_channel(Access("SHOP", preset("shop")))


@pytest.mark.parametrize(
    ("template", "values", "expected"),
    [
        ("{quantity:integer}", {"quantity": "36"}, 36),
        ("{amount:minor}", {"amount": "12.37", "currency": "USD"}, 1237),
        ("{amount:minor}", {"amount": "1200", "currency": "JPY"}, 1200),
        ("{amount:minor}", {"amount": "1.234", "currency": "KWD"}, 1234),
        ("{amount}", {"amount": "12.30"}, "12.30"),
        ("id-{external_id}/{version}", {"external_id": "A", "version": "3"}, "id-A/3"),
        ({"a": ["{quantity}", 1, None]}, {"quantity": "5"}, {"a": ["5", 1, None]}),
    ],
)
def test_templates_keep_values_exact(template: Any, values: dict[str, str], expected: Any) -> None:
    assert filled(template, values) == expected


def test_a_fraction_has_no_integer_form() -> None:
    with pytest.raises(Unfit, match=r"quantity is 1\.5"):
        filled("{quantity:integer}", {"quantity": "1.5"})
    with pytest.raises(Unfit, match="minor units"):
        filled("{amount:minor}", {"amount": "1.234", "currency": "USD"})


def test_a_code_cannot_leave_its_place_in_the_path() -> None:
    assert path_filled("/items/{external_id}/inventory", {"external_id": "a/../b?c#d"}) == (
        "/items/a%2F..%2Fb%3Fc%23d/inventory"
    )


@pytest.mark.parametrize(
    ("found", "written_as", "expected"),
    [
        (1999, "minor", "19.99"),
        (5, "integer", "5"),
        (True, "integer", None),
        ("5", "integer", None),
        (None, "integer", None),
        ("19.90", "decimal", "19.9"),
        ("abc", "decimal", None),
        ({}, "decimal", None),
        ("USD", "text", "USD"),
        (7, "text", None),
    ],
)
def test_numbers_are_read_as_they_are_written_or_not_at_all(
    found: object, written_as: str, expected: str | None
) -> None:
    assert read_number(found, written_as, "USD") == expected


def test_a_pointer_reads_objects_and_lists() -> None:
    document = {"a": [{"b/c": 1}]}
    assert at(document, "/a/0/b~1c") == 1
    assert at(document, "/a/1") is at(document, "/x")


def test_a_secret_is_never_shown() -> None:
    access = Access("SHOP", preset("shop"), {"secret": "s3cret-value"})
    assert "s3cret" not in repr(access)
    item = PushItem(1, "stock", "A", "", {"quantity": "1.5"}, 1, "key")
    [outcome] = open_channel(access).push([item])
    assert (outcome.outcome, outcome.code) == ("rejected", "UNFIT")
