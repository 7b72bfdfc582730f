"""Mappings: one expression per field, decimals as text, bounded."""

import pytest

from apps.sources.mapping import MappingError, Rules, Translator, check

ROW = {"Code": " 85123a ", "Quantity": "-6", "When": "2010-07-01 08:26:00", "Empty": ""}


def data(expression: str, row: dict[str, str] = ROW, **rules: object) -> object:
    translator = Translator(Rules("stock.moved", {"field": expression}, **rules))  # type: ignore[arg-type]
    translator.takes(row)
    return translator.data().get("field")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("upper(trim(row.Code))", "85123A"),
        ("neg(row.Quantity)", "6"),
        ("dec('007.500')", "7.5"),
        ("add('0.1', '0.2')", "0.3"),
        ("mul('12.37', '2.5')", "30.925"),
        ("sign(row.Quantity) < 0 ? 'return' : 'ship'", "return"),
        ("cmp('10', '9') > 0 ? 'more' : 'less'", "more"),
        ("plus_days(date('2012-02-28 00:00:00'), 1)", "2012-02-29"),
        ("row.Empty == '' ? null : row.Empty", None),
        ("substring('ABCDEF', 1, 3)", "BC"),
        ("split('a|b', '|')", ["a", "b"]),
    ],
)
def test_an_expression_gives_its_value(expression: str, value: object) -> None:
    assert data(expression) == value


def test_instants_are_read_in_the_mappings_time_zone() -> None:
    assert data("instant(row.When)", time_zone="Europe/London") == "2010-07-01T07:26:00Z"
    assert data("instant('2014-02-08 10:01:36.827000000')") == "2014-02-08T10:01:36.827000Z"


def test_lookup_reads_the_mappings_own_table() -> None:
    tables = {"kinds": {"S": "ship"}}
    assert data("lookup('kinds', 'S', 'other')", tables=tables) == "ship"
    assert data("lookup('kinds', 'X', 'other')", tables=tables) == "other"


def test_a_dotted_target_is_a_member_of_an_object() -> None:
    translator = Translator(Rules("item.upserted", {"attributes.color": "'red'", "attributes.size": "'46'"}))
    translator.takes(ROW)
    assert translator.data() == {"attributes": {"color": "red", "size": "46"}}


def test_the_row_filter_says_which_rows_are_ours() -> None:
    translator = Translator(Rules("item.upserted", {"sku": "row.Code"}, row_filter="sign(row.Quantity) > 0"))
    assert translator.takes(ROW) is False
    assert translator.takes({**ROW, "Quantity": "1"}) is True


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1.5 + 1.5", "decimals stay text"),
        ("row.Missing", "no column 'Missing'"),
        ("dec(row.Code)", "is not a decimal"),
    ],
)
def test_a_value_that_cannot_be_read_names_field_and_value(expression: str, message: str) -> None:
    with pytest.raises(MappingError, match=message):
        data(expression)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "an expression is expected"),
        ("row.Code +", "Syntax error"),
        ("'" + "x" * 500 + "'", "500 at most"),
        ("[1].map(a, [2].map(b, a))", "one all/exists/map/filter"),
    ],
)
def test_rules_that_cannot_be_kept_are_refused(expression: str, message: str) -> None:
    with pytest.raises(MappingError, match=message):
        check(Rules("item.upserted", {"sku": expression}))


def test_a_trial_on_a_sample_row_runs_in_a_child_process() -> None:
    check(Rules("item.upserted", {"sku": "upper(row.Code)"}), ROW)
    with pytest.raises(MappingError, match="no column"):
        check(Rules("item.upserted", {"sku": "row.Missing"}), ROW)


def test_a_rule_that_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.sources.mapping.TRIAL_S", -0.999)  # the child gets a millisecond
    with pytest.raises(MappingError, match="did not end within a second"):
        check(Rules("item.upserted", {"sku": "upper(row.Code)"}), ROW)
