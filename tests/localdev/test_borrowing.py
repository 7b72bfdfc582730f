"""A management command by hand speaks to the demo, and only where nothing else is said."""

import json
import os
from pathlib import Path

import pytest

from localdev import borrowing


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demo, kept = tmp_path / "demo.json", tmp_path / "env.json"
    demo.write_text(json.dumps({"url": "http://here", "database_url": "postgres://demo", "redis_url": "redis://demo"}))
    kept.write_text(json.dumps({"SECRET_KEY": "kept", "CREDENTIAL_KEYS": "keys", "POSTGRES_PASSWORD": "x"}))
    monkeypatch.setattr(borrowing, "DEMO_FILE", demo)
    monkeypatch.setattr(borrowing, "ENV_FILE", kept)
    for name in (*borrowing.REQUIRED, "DEMO"):
        monkeypatch.setenv(name, "")  # restored afterwards
        monkeypatch.delenv(name)


def test_what_is_missing_comes_from_the_demo(demo: None, capsys: pytest.CaptureFixture[str]) -> None:
    os.environ["REDIS_URL"] = "redis://given"
    borrowing.borrow_demo_environment()
    found = {name: os.environ[name] for name in (*borrowing.REQUIRED, "DEMO")}
    assert found == {
        "SECRET_KEY": "kept",
        "CREDENTIAL_KEYS": "keys",
        "DATABASE_URL": "postgres://demo",
        "REDIS_URL": "redis://given",
        "DEMO": "1",
    }
    assert "http://here" in capsys.readouterr().err


def test_without_a_demo_nothing_is_filled_in(demo: None) -> None:
    borrowing.DEMO_FILE.unlink()
    borrowing.borrow_demo_environment()
    assert "SECRET_KEY" not in os.environ
