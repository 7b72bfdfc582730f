"""Exact conversions of an item's units."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.masterdata.conversion import (
    FRACTION_NOT_ALLOWED,
    INVALID_CONVERSION,
    UNKNOWN_UNIT,
    ConversionError,
    GeneralFactor,
    ItemFactor,
    UnitGraph,
)

PACKS = UnitGraph(
    "EA",
    [ItemFactor("PK", 10, 1), ItemFactor("CS", 50, 1), ItemFactor("EA", 1, 1)],
    decimals={"EA": 0, "PK": 0, "CS": 0},
    sku="A-1",
)


def refused(graph: UnitGraph, quantity: str, uom: str) -> ConversionError:
    with pytest.raises(ConversionError) as error:
        graph.to_base(Decimal(quantity), uom)
    assert error.value.uom == uom
    return error.value


def test_65_each_are_6_packages_and_1_case() -> None:
    assert PACKS.whole_units(Decimal(65), "PK") == 6
    assert PACKS.whole_units(Decimal(65), "CS") == 1
    assert PACKS.whole_units(Decimal(65), "EA") == 65
    assert PACKS.whole_units(Decimal("9.999999"), "PK") == 0


def test_to_base_is_exact_and_keeps_the_sign() -> None:
    assert PACKS.to_base(Decimal(3), "CS") == Decimal(150)
    assert PACKS.to_base(Decimal(-2), "PK") == Decimal(-20)
    pounds = UnitGraph("KG", [ItemFactor("LB", 45359237, 100_000_000)])
    assert pounds.to_base(Decimal(100), "LB") == Decimal("45.359237")


def test_a_missing_edge_is_unknown_never_1() -> None:
    error = refused(PACKS, "1", "PAL")
    assert error.code == UNKNOWN_UNIT
    assert error.detail == ("Item A-1 has no conversion from PAL to its base unit EA; map the unit or add its factor.")
    assert not PACKS.knows("PAL")


@pytest.mark.parametrize(("numerator", "denominator"), [(0, 1), (1, 0), (0, 0), (-12, 1), (12, -1)])
def test_a_factor_that_is_not_positive_is_invalid(numerator: int, denominator: int) -> None:
    graph = UnitGraph("EA", [ItemFactor("CS", numerator, denominator), ItemFactor("PK", 6, 1)])
    error = refused(graph, "1", "CS")
    assert error.code == INVALID_CONVERSION
    assert f"{numerator}/{denominator} from CS to EA is not positive" in error.detail
    assert graph.to_base(Decimal(1), "PK") == 6


def test_the_same_unit_with_two_factors_is_invalid() -> None:
    graph = UnitGraph("EA", [ItemFactor("CS", 12, 1), ItemFactor("CS", 24, 2), ItemFactor("CS", 10, 1)])
    error = refused(graph, "1", "CS")
    assert error.code == INVALID_CONVERSION
    assert "1 CS is 12 EA one way and 10 EA another" in error.detail


def test_the_same_factor_said_twice_is_no_disagreement() -> None:
    graph = UnitGraph("EA", [ItemFactor("CS", 12, 1), ItemFactor("CS", 24, 2)])
    assert graph.to_base(Decimal(1), "CS") == 12


def test_a_base_unit_is_always_one() -> None:
    error = refused(UnitGraph("EA", [ItemFactor("EA", 2, 1)]), "1", "EA")
    assert error.code == INVALID_CONVERSION


def test_general_conversions_reach_over_several_steps() -> None:
    general = [GeneralFactor("DZ", "EA", 12, 1), GeneralFactor("GR", "DZ", 12, 1)]
    graph = UnitGraph("EA", general=general)
    assert graph.to_base(Decimal(2), "GR") == 288
    by_the_dozen = UnitGraph("DZ", general=general)
    assert by_the_dozen.to_base(Decimal(18), "EA") == Decimal("1.5")


def test_item_units_override_general_ones() -> None:
    general = [GeneralFactor("CS", "EA", 10, 1), GeneralFactor("PAL", "CS", 40, 1)]
    graph = UnitGraph("EA", [ItemFactor("CS", 12, 1)], general=general)
    assert graph.to_base(Decimal(1), "CS") == 12
    assert graph.to_base(Decimal(1), "PAL") == 480


def test_general_paths_that_disagree_are_invalid_and_what_hangs_below_them() -> None:
    general = [
        GeneralFactor("BX", "EA", 6, 1),
        GeneralFactor("CS", "BX", 4, 1),
        GeneralFactor("PAL", "BX", 100, 1),
        GeneralFactor("DZ", "EA", 12, 1),
    ]
    graph = UnitGraph("EA", [ItemFactor("CS", 12, 1)], general=general)
    assert refused(graph, "1", "BX").code == INVALID_CONVERSION
    assert refused(graph, "1", "PAL").code == INVALID_CONVERSION
    assert graph.to_base(Decimal(1), "CS") == 12
    assert graph.to_base(Decimal(1), "DZ") == 12


def test_what_is_reached_only_through_a_wrong_factor_is_wrong_too() -> None:
    general = [GeneralFactor("PAL", "CS", 40, 1)]
    graph = UnitGraph("EA", [ItemFactor("CS", 0, 1)], general=general)
    assert refused(graph, "1", "PAL").code == INVALID_CONVERSION


def test_not_exact_at_six_decimals_is_invalid() -> None:
    graph = UnitGraph("DZ", [ItemFactor("EA", 1, 12)])
    error = refused(graph, "1", "EA")
    assert error.code == INVALID_CONVERSION
    assert "1 EA (1 EA = 1/12 DZ)" in error.detail
    assert graph.to_base(Decimal(3), "EA") == Decimal("0.25")


def test_more_digits_than_a_position_holds_is_invalid() -> None:
    error = refused(PACKS, "99999999999999", "CS")
    assert error.code == INVALID_CONVERSION


def test_a_fraction_of_a_unit_that_forbids_it() -> None:
    error = refused(PACKS, "0.5", "CS")
    assert error.code == FRACTION_NOT_ALLOWED
    assert error.detail == "Item A-1: 0.5 CS is a fraction, but CS allows no decimals."
    graph = UnitGraph("M", [], decimals={"M": 2})
    assert graph.to_base(Decimal("1.250"), "M") == Decimal("1.25")
    assert refused(graph, "1.251", "M").code == FRACTION_NOT_ALLOWED


def test_a_fraction_of_the_base_unit_that_forbids_it() -> None:
    graph = UnitGraph("EA", [ItemFactor("PR", 5, 2)], decimals={"EA": 0, "PR": 0})
    assert graph.to_base(Decimal(2), "PR") == 5
    error = refused(graph, "1", "PR")
    assert error.code == FRACTION_NOT_ALLOWED
    assert "1 PR (1 PR = 5/2 EA) is 2.5 EA, which is a fraction, but EA allows no decimals" in error.detail


def test_whether_a_unit_allows_a_quantity() -> None:
    assert PACKS.allows(Decimal("2.0"), "CS")
    assert not PACKS.allows(Decimal("0.5"), "CS")
    assert UnitGraph("KG").allows(Decimal("0.000001"), "KG")


def test_convert_between_two_units() -> None:
    assert PACKS.convert(Decimal(3), "CS", "PK") == 15
    assert PACKS.convert(Decimal(1), "PK", "CS") == Fraction(1, 5)


factors = st.builds(ItemFactor, st.sampled_from(["A", "B", "C"]), st.integers(1, 60), st.integers(1, 60))
generals = st.builds(
    GeneralFactor,
    st.sampled_from(["A", "B", "C", "D", "E"]),
    st.sampled_from(["EA", "A", "B", "C", "D", "E"]),
    st.integers(0, 6),
    st.integers(1, 6),
)


@given(st.lists(factors, max_size=4), st.lists(generals, max_size=8), st.randoms())
def test_the_order_of_the_factors_changes_nothing(
    own: list[ItemFactor], general: list[GeneralFactor], random: object
) -> None:
    def known(own: list[ItemFactor], general: list[GeneralFactor]) -> dict[str, Fraction]:
        graph = UnitGraph("EA", own, general=general)
        return {uom: graph.factor(uom) for uom in "ABCDE" if graph.knows(uom)}

    assert known(own, general) == known(own[::-1], general[::-1])


@given(st.integers(1, 500), st.integers(1, 500), st.integers(0, 10**9))
def test_whole_units_never_promise_more_than_there_is(numerator: int, denominator: int, base: int) -> None:
    graph = UnitGraph("EA", [ItemFactor("U", numerator, denominator)])
    whole = graph.whole_units(Decimal(base), "U")
    assert whole * graph.factor("U") <= base < (whole + 1) * graph.factor("U")
