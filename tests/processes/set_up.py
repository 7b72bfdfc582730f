"""Run in the environment of the processes under test: a small distributor, and the key of a caller."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import django

SKUS = [f"NL-{number:03d}" for number in range(40)]
CASE = 12
OPENING = 400
# SHOP's deadline bounds its leases: what a killed worker held is free again after 2 × 4 + 5 seconds.
TIMES = {"deadline_s": 4, "settles_after_s": 2}


def main(ports: Path) -> None:
    django.setup()
    from apps.access.clients import ClientTerms, set_client
    from apps.access.keys import create_key
    from apps.channels.onboarding import ChannelDraft, ListingDraft, keep_channel, keep_listings, preset
    from apps.integrations.sandbox.server import DEFAULT_TOKENS
    from apps.masterdata.stock_sources import follow
    from apps.sources import inbox, processing
    from apps.sources.registration import register_source

    wms, erp = register_source("wms", kind="wms"), register_source("erp", kind="erp")
    receipt = inbox.receive(list(opening()))
    assert receipt.accepted == len(list(opening())), receipt
    for warehouse in ("N1", "N2"):
        # Booked by the WMS from now on; the opening receipts come after this is said.
        processing.drain()
        follow(warehouse, movements=wms, counts=erp)
    addresses = json.loads(ports.read_text())["channels"]
    for code, grade, batch in (("SHOP", "A", 1), ("MARKET", "B", 10), ("FEED", "C", 20)):
        channel = keep_channel(
            ChannelDraft(
                code=code,
                name=code,
                connector="jsonhttp",
                grade=grade,
                settings=preset("jsonhttp", code.lower(), base_url=addresses[code]["url"], **TIMES),
                credentials={"secret": DEFAULT_TOKENS[code]},
                currency="USD",
                publishes_prices=False,
                requests_per_s=200,
                burst=200,
                batch_size=batch,
            ),
            ["N1", "N2"],
        )
        uom = "CASE" if code == "MARKET" else "EA"
        keep_listings(channel, [ListingDraft(f"{code[0]}-{sku}", sku, uom) for sku in SKUS])
    client = set_client("nothing lost", ClientTerms(scopes=["all"], requests_per_s=5_000))
    print(json.dumps({"api_key": create_key(client)}))


def opening() -> list[dict[str, object]]:
    """Masterdata, and OPENING pieces of everything in both warehouses."""
    facts: list[tuple[str, dict[str, object]]] = [
        ("unit.upserted", {"code": "EA", "name": "Each"}),
        ("unit.upserted", {"code": "CASE", "name": "Case"}),
        ("warehouse.upserted", {"code": "N1", "name": "North"}),
        ("warehouse.upserted", {"code": "N2", "name": "South"}),
    ]
    for sku in SKUS:
        units = [{"uom": "CASE", "numerator": CASE}]
        facts.append(("item.upserted", {"sku": sku, "name": f"Item {sku}", "base_uom": "EA", "units": units}))
    for sku in SKUS:
        for warehouse in ("N1", "N2"):
            move: dict[str, object] = {
                "sku": sku,
                "warehouse": warehouse,
                "kind": "receipt",
                "quantity": str(OPENING),
                "uom": "EA",
            }
            facts.append(("stock.moved", move))
    return [
        {"specversion": "1.0", "id": f"opening-{number}", "source": "wms", "type": kind,
         "time": "2026-01-05T06:00:00Z", "data": data}
        for number, (kind, data) in enumerate(facts)
    ]  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
