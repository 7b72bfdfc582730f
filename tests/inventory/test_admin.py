"""Stock in the console: facts are read-only, rules go through stocking.upsert_rules."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from apps.access.models import User
from apps.inventory import dirty
from apps.inventory.models import StockingRule, StockPosition
from tests.inventory.conftest import Distributor


def signed_in(role: str) -> Client:
    user = User.objects.create_user(role, password="correct horse battery", is_staff=True)
    user.groups.add(Group.objects.get_or_create(name=role)[0])
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("model", ["stockposition", "stockmovement", "stockevidence", "stockcount", "stockingrule"])
def test_every_list_is_searchable(shop: Distributor, model: str) -> None:
    shop.book("receipt", 3)
    client = signed_in("viewer")
    for query in ({}, {"q": "AB-1"}):
        assert client.get(reverse(f"admin:inventory_{model}_changelist"), query).status_code == 200


def test_a_position_shows_its_open_picks_and_cannot_be_changed(shop: Distributor) -> None:
    shop.book("receipt", 3)
    shop.book("pick", 1, order="SO-77", order_line="1")
    url = reverse("admin:inventory_stockposition_change", args=[shop.position().pk])
    client = signed_in("administrator")
    assert "SO-77" in client.get(url).content.decode()
    assert client.post(url, {"on_hand": "99"}).status_code == 403
    assert StockPosition.objects.get().on_hand == 3


def test_positions_are_filtered_and_exported(shop: Distributor) -> None:
    shop.book("receipt", 3)
    client = signed_in("viewer")
    url = reverse("admin:inventory_stockposition_changelist")
    assert "AB-1" in client.get(url, {"stock": "some"}).content.decode()
    export = reverse("admin:inventory_stockposition_export")
    assert client.get(export).status_code == 200


def test_a_rule_saved_by_hand_makes_positions_due(shop: Distributor) -> None:
    shop.book("receipt", 3)
    dirty.clear([(shop.position().pk, 1)])
    form = {
        "item": shop.item.pk,
        "warehouse": "",
        "safety_stock": "2",
        "look_ahead": "horizon",
        "backorder": "none",
        "effective_from_0": "",
        "effective_from_1": "",
    }
    url = reverse("admin:inventory_stockingrule_add")
    assert signed_in("viewer").post(url, form).status_code == 403
    assert signed_in("administrator").post(url, form).status_code == 302
    assert StockingRule.objects.get().safety_stock == 2
    assert [mark.generation for mark in dirty.take(5)] == [2]
