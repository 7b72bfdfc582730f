"""The catalogue is complete, and every dotted path in it leads somewhere."""

import re
from pathlib import Path

import pytest

from apps.exceptions.fixes import fixes_of, load
from apps.exceptions.reasons import ORIGINS, PANELS, REASONS, SLA, TEAMS, reason_of, sentence_for

PATHS = sorted(
    {
        *ORIGINS.values(),
        *PANELS.values(),
        *(path for reason in REASONS.values() for path in reason.fixes),
        *(reason.impact for reason in REASONS.values() if reason.impact),
    }
)
CATALOGUE = """
UNKNOWN_ITEM UNKNOWN_WAREHOUSE UNKNOWN_ACCOUNT UNKNOWN_UNIT UNKNOWN_BRANCH UNKNOWN_PRICE_BOOK UNKNOWN_TAX_CLASS
UNKNOWN_LOT UNKNOWN_CHANNEL UNKNOWN_ORDER INVALID_CONVERSION FRACTION_NOT_ALLOWED NOT_A_WHOLE_PACK INVALID_IDENTIFIER
DUPLICATE_IDENTIFIER SCHEMA_VIOLATION SCHEMA_CHANGED PAYLOAD_CONFLICT SEQUENCE_GAP POISON_MESSAGE NOT_AUTHORITATIVE
MOVEMENT_NOT_APPLIED EXPIRED_CONTRACT PRICE_AMBIGUOUS PRICE_CONFLICT PRICE_BELOW_FLOOR PRICE_SPIKE MISSING_PRICE
MISSING_RATE ORDER_PRICE_MISMATCH NEGATIVE_STOCK OVERCOMMITTED OVERDUE_SUPPLY LATE_PICK POOL_UNDERWATER
MASS_CHANGE_HELD STOCK_DRIFT STALE_SOURCE RESTRICTED ACCOUNT_ON_HOLD MISSING_LISTING CHANNEL_REJECTED PUSH_NOT_APPLIED
CHANNEL_DRIFT CREDENTIALS_REJECTED
"""


@pytest.mark.parametrize("path", PATHS)
def test_every_dotted_path_loads(path: str) -> None:
    assert callable(load(path))


@pytest.mark.parametrize("code", sorted(REASONS))
def test_every_fix_has_a_name_of_its_own_and_fields_a_form_can_show(code: str) -> None:
    fixes = fixes_of(code)
    assert len(fixes) == len(reason_of(code).fixes)
    for fix in fixes.values():
        assert fix.label
        assert len({field.name for field in fix.fields}) == len(fix.fields)
        assert not {field.name for field in fix.fields} & {"fix", "replay", "preview_token"}


def test_the_catalogue_holds_every_reason() -> None:
    assert set(REASONS) == set(CATALOGUE.split())
    for reason in REASONS.values():
        assert reason.team in TEAMS
        assert reason.severity in SLA
        assert reason.what_to_do.endswith(".")


def test_every_block_in_the_code_names_a_reason_of_the_catalogue() -> None:
    pattern = re.compile(r"\bBlock\(\s*(?:reason=)?\"([A-Z_]+)\"")
    used = {
        code for path in Path(__file__).parents[2].glob("apps/**/*.py") for code in pattern.findall(path.read_text())
    }
    assert used <= set(REASONS)


def test_an_unknown_reason_is_an_error() -> None:
    with pytest.raises(KeyError):
        reason_of("SOMETHING_ELSE")


@pytest.mark.parametrize(
    ("code", "source", "value", "sentence"),
    [
        ("UNKNOWN_WAREHOUSE", "ERP", "DC-9", "ERP warehouse code 'DC-9' is not mapped to any of our warehouses"),
        ("UNKNOWN_PRICE_BOOK", "crm", "B 1", "crm price book code 'B 1' is not mapped to any of our price books"),
        ("UNKNOWN_UNIT", "", "KRT", "Unit 'KRT' is not one of our units of measure"),
        ("INVALID_CONVERSION", "wms", "CS → EA", "wms: items have no exact, single conversion CS → EA"),
        ("UNKNOWN_ITEM", "erp", "{0}{x}", "erp item code '{0}{x}' is not mapped to any of our items"),
        ("CREDENTIALS_REJECTED", "SHOP", "", "SHOP refuses our credentials"),
    ],
)
def test_sentences_read_as_a_business_user_would_say_them(code: str, source: str, value: str, sentence: str) -> None:
    said = sentence_for(
        reason_of(code), entity="warehouse", field="x", value=value, source=source, channel="", context={}
    )
    assert said == sentence


@pytest.mark.parametrize("code", sorted(REASONS))
def test_every_sentence_can_be_written(code: str) -> None:
    said = sentence_for(
        reason_of(code), entity="item", field="/sku", value="V", source="erp", channel="", context={"sku": "A"}
    )
    assert said
    assert "{" not in said
