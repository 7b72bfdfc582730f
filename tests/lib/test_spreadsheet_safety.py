"""Exported cells that no spreadsheet runs."""

from datetime import date
from decimal import Decimal

import pytest

from apps.lib.spreadsheet_safety import neutralise, neutralise_row


@pytest.mark.parametrize(
    "cell",
    [
        '=HYPERLINK("http://example.com")', "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "=", "-", "-A1",
        "-1e5", "- 5", "-1,5", "\uff1d1", "+49 30 1234", "-12.5\n=1",
    ],
)  # fmt: skip
def test_what_a_spreadsheet_would_run_is_text(cell: str) -> None:
    assert neutralise(cell) == "'" + cell


@pytest.mark.parametrize(
    "cell",
    ["", "A-1", "00042", "-12", "-12.5", "a=b", "x@example.com", -5, Decimal("-2.5"), None, True, date(2026, 3, 1)],
)
def test_everything_else_stays(cell: object) -> None:
    assert neutralise(cell) is cell


def test_a_row() -> None:
    assert neutralise_row(["=1", -1, "-1"]) == ["'=1", -1, "-1"]
