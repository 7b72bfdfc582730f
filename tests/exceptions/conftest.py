"""Blocks as the handlers make them."""

from collections.abc import Callable

import pytest

from apps.exceptions.triage import BlockRequest
from apps.lib.errors import Block

Blocking = Callable[..., BlockRequest]


@pytest.fixture
def unknown_warehouse() -> Blocking:
    """One record of source erp that names a warehouse code nobody knows."""

    def request(
        origin_id: int, value: str = "DC-9", source: str = "erp", line: str = "", sku: str = ""
    ) -> BlockRequest:
        detail = f"Event e-{origin_id} names warehouse {value!r}, which is not mapped. Map it or create it."
        subject = sku or f"AB-{origin_id}"
        found = Block("UNKNOWN_WAREHOUSE", "warehouse", "warehouse", value, detail, line=line, subject=subject)
        return BlockRequest("inbox", origin_id, found, source=source)

    return request


@pytest.fixture
def unknown_unit() -> Blocking:
    """One record of source erp that names a unit code nobody knows."""

    def request(origin_id: int, value: str = "KRT", source: str = "erp", line: str = "") -> BlockRequest:
        detail = f"Event e-{origin_id} counts in {value!r}, which is no unit of ours. Map it or create it."
        return BlockRequest("inbox", origin_id, Block("UNKNOWN_UNIT", "unit", "uom", value, detail, line=line), source)

    return request
