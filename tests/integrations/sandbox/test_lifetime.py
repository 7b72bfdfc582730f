"""Starting, stopping and coming back: ports, state, and no thread left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import pytest

from apps.integrations.sandbox.server import Sandbox
from apps.integrations.sandbox.state import StateInUse

from .conftest import connect, seed

ROOT = Path(__file__).resolve().parents[3]


def sandbox_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("sandbox-")]


def test_ports_listings_orders_and_keys_survive_a_restart(tmp_path: Path) -> None:
    key = {"Idempotency-Key": "k"}
    with Sandbox(tmp_path) as sandbox:
        addresses = sandbox.addresses()
        shop = connect(sandbox, "SHOP")
        seed(shop, "A", quantity=5, price="19.90", currency="USD")
        first = shop.api.put("/items/A/inventory", json={"quantity": 8}, headers=key).json()
        shop.control.post("/orders", json={"order": "S-1", "lines": [{"listing": "A", "quantity": 3}]})
        before = shop.control.get("/state").json()
        shop.close()
    with Sandbox(tmp_path) as sandbox:
        assert sandbox.addresses() == addresses
        shop = connect(sandbox, "SHOP")
        assert shop.control.get("/state").json() == {**before, "requests": 0}
        assert shop.api.put("/items/A/inventory", json={"quantity": 8}, headers=key).json() == first
        assert shop.shown("A") == 5
        shop.close()


def test_taken_port_is_replaced_by_a_free_one(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "one") as one:
        (tmp_path / "two").mkdir()
        (tmp_path / "two" / "ports.json").write_text((tmp_path / "one" / "ports.json").read_text())
        with Sandbox(tmp_path / "two") as two:
            assert two.channels["SHOP"].url != one.channels["SHOP"].url
            assert httpx2.get(f"{two.channels['SHOP'].control}/state").status_code == 200


def test_state_directory_has_one_owner(tmp_path: Path) -> None:
    with Sandbox(tmp_path), pytest.raises(StateInUse, match="running sandbox"):
        Sandbox(tmp_path).start()
    with Sandbox(tmp_path):
        pass


def test_unreadable_state_is_named_and_lets_go(tmp_path: Path) -> None:
    (tmp_path / "shop.json").write_text("{")
    with pytest.raises(ValueError, match=r"shop\.json is not readable .* delete it"):
        Sandbox(tmp_path).start()
    (tmp_path / "shop.json").unlink()
    with Sandbox(tmp_path):
        pass


def test_stop_cuts_held_and_dripping_answers(tmp_path: Path) -> None:
    assert sandbox_threads() == []
    sandbox = Sandbox(tmp_path)
    sandbox.start()
    shop = connect(sandbox, "SHOP")
    seed(shop, "A", quantity=5)
    shop.fault({"kind": "timeout", "times": 1, "seconds": 60}, {"kind": "slow", "times": 1, "seconds": 60})
    failures: list[Exception] = []

    def read() -> None:
        try:
            httpx2.get(f"{sandbox.channels['SHOP'].url}/items/A", headers=shop.api.headers, timeout=60)
        except httpx2.HTTPError as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    while shop.control.get("/state").json()["requests"] < 2:
        time.sleep(0.01)
    shop.close()
    sandbox.stop()
    for reader in readers:
        reader.join(10)
    assert len(failures) == 2
    assert sandbox_threads() == []


def test_program_runs_without_django_and_ends_on_sigterm(tmp_path: Path) -> None:
    ports = tmp_path / "ports.json"
    module = "apps.integrations.sandbox.server"
    probe = (
        "import sys; sys.modules['django'] = None; sys.argv = ['sandbox', *sys.argv[1:]];"
        f"import runpy; runpy.run_module({module!r}, run_name='__main__')"
    )
    command = [sys.executable, "-c", probe, "--state-dir", str(tmp_path / "state"), "--ports-file", str(ports)]
    environment = {**os.environ, "SANDBOX_SHOP_TOKEN": "another"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE)
    try:
        while not ports.exists():
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.02)
        addresses = json.loads(ports.read_text())
        assert sorted(addresses["channels"]) == ["FEED", "MARKET", "SHOP"]
        shop = addresses["channels"]["SHOP"]
        seeded = httpx2.post(f"{shop['control']}/seed", json={"listings": [{"code": "A", "title": "A", "quantity": 2}]})
        assert seeded.status_code == 200
        headers = {"Authorization": "Bearer another"}
        assert httpx2.get(f"{shop['url']}/items/A", headers=headers).json()["quantity"] == 2
        assert httpx2.get(f"{addresses['erp']}/state").json()["outbox"] == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert not ports.exists()
    finally:
        process.kill()
        process.communicate()
    assert json.loads((tmp_path / "state" / "shop.json").read_text())["listings"][0]["quantity"] == 2
