"""Calculation modules import no Django, not even through something they import."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "module",
    [
        "apps.masterdata.conversion",
        "apps.inventory.atp",
        "apps.channels.sellable",
        "apps.pricing.resolution",
        "apps.lib.strict_json",
        "apps.lib.money",
        "apps.lib.http",
    ],
)
def test_a_calculation_module_brings_no_django(module: str) -> None:
    program = f"import sys, {module}; print([name for name in sys.modules if name.split('.')[0] == 'django'])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
