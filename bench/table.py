"""The figures of the last runs as a table for people: docs/benchmarks.md."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.frame import RESULTS

TARGET = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_HEAD = """# Benchmarks

Ratios of alternating rounds on one machine (2 cores, shared with other work), medians; absolute rates are left out,
because another machine gives others. {day}. `make bench` measures again and writes `bench/results/`;
`python -m bench --markdown` writes this page.

| what | ratio | goal |
| --- | --- | --- |
"""
_WAY = """
From the receipt of an event to its acknowledgement by the channel, which answers in 50 ms:

| channel | p50 | p99 | events/s sent |
| --- | --- | --- | --- |
"""


def write_table() -> Path:
    """Write the page from every result there is; returns its path."""
    found = [(path.stat().st_mtime, json.loads(path.read_text())) for path in sorted(RESULTS.glob("*.json"))]
    ratios = [result for _, result in found if "ratio" in result]
    ways = [result for _, result in found if "p99_s" in result]
    newest = max((at for at, _ in found), default=0.0)
    text = _HEAD.format(day=datetime.fromtimestamp(newest, UTC).strftime("%Y-%m-%d")) + "".join(map(_ratio, ratios))
    TARGET.write_text(text + (_WAY + "".join(map(_way, ways)) if ways else ""))
    return TARGET


def _ratio(result: dict[str, Any]) -> str:
    goal = result.get("goal")
    return (
        f"| {result['name'].replace('_', ' ')} | {result['ratio']:.2f} | {'-' if goal is None else f'{goal:.2f}'} |\n"
    )


def _way(result: dict[str, Any]) -> str:
    channel = result["name"].removeprefix("propagation_")
    return f"| {channel} | {result['p50_s']:.2f} s | {result['p99_s']:.2f} s | {result['events_per_s']:.0f} |\n"
