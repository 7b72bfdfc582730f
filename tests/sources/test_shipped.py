"""What ships with the product is there from the start, and after each test that empties the tables."""

import pytest
from django.contrib.auth.models import Group

from apps.access.capabilities import ROLES
from apps.access.models import Team
from apps.inventory.models import StockMovement
from apps.sources.models import Mapping
from apps.sources.presets import presets
from tests.sources.conftest import CATALOG, moved, send


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("again", [False, True])
def test_roles_teams_and_mappings_are_there_and_the_ledger_is_empty(again: bool) -> None:
    assert set(Group.objects.values_list("name", flat=True)) == set(ROLES)
    assert Team.objects.count() == 5
    shipped = {(code, each["name"]) for code, preset in presets().items() for each in preset["mappings"]}
    assert set(Mapping.objects.values_list("source__system__code", "name")) == shipped
    assert not StockMovement.objects.exists()
    send(*CATALOG, moved("m", "receipt", "1"))
    assert StockMovement.objects.count() == 1
