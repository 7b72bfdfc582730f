"""The import rules of pyproject.toml hold, and each contract breaks when what it forbids is planted."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# contract → (file, line planted at its end)
PLANTED = {
    "Imports only point down": ("apps/masterdata/conversion.py", "import apps.inventory.models"),
    "Nobody in apps imports the wiring": ("apps/lib/clock.py", "import sync_console.schedule"),
    "Integrations do not know each other": (
        "apps/integrations/jsonhttp/__init__.py",
        "import apps.integrations.sandbox.server",
    ),
    "Calculation modules import no Django, also not through lib": ("apps/lib/quantity.py", "import apps.lib.clock"),
    "The API of inventory is its own and the wiring's": ("apps/sources/models.py", "import apps.inventory.api.urls"),
    "The API of pricing is its own and the wiring's": ("apps/channels/apps.py", "import apps.pricing.api.urls"),
    "The API of masterdata is its own and the wiring's": ("apps/sources/apps.py", "import apps.masterdata.api.urls"),
    "The API of exceptions is its own and the wiring's": ("apps/sources/apps.py", "import apps.exceptions.api.urls"),
    "The API of sources is its own and the wiring's": ("apps/monitoring/apps.py", "import apps.sources.api.urls"),
    "The API of channels is its own and the wiring's": ("apps/monitoring/apps.py", "import apps.channels.api.urls"),
    "The API of monitoring is its own and the wiring's": (
        "apps/integrations/sandbox/apps.py",
        "import apps.monitoring.api.urls",
    ),
}


def lint(folder: Path) -> str:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr


@pytest.fixture
def copy_of_the_code(tmp_path: Path) -> Path:
    for package in ("apps", "sync_console"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "migrations"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_kept() -> None:
    output = lint(ROOT)
    assert "0 broken" in output, output


def test_every_contract_breaks_when_its_violation_is_planted(copy_of_the_code: Path) -> None:
    for file, line in PLANTED.values():
        with (copy_of_the_code / file).open("a") as module:
            module.write(f"\n{line}\n")
    output = lint(copy_of_the_code)
    kept = [name for name in PLANTED if f"{name} BROKEN" not in " ".join(output.split())]
    assert kept == [], output


def test_every_contract_has_a_planted_violation() -> None:
    names = [
        line.split('"')[1] for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith('name = "')
    ]
    assert set(names) - {"sync-console"} == set(PLANTED)


def test_an_app_missing_from_the_layers_is_noticed(copy_of_the_code: Path) -> None:
    (copy_of_the_code / "apps" / "stray").mkdir()
    (copy_of_the_code / "apps" / "stray" / "__init__.py").touch()
    assert "stray" in lint(copy_of_the_code)
