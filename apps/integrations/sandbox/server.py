"""The simulated outside world: three sales channels, an ERP and a WMS as HTTP servers on 127.0.0.1."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from .channels import CONTROL_PREFIX, Channel
from .control import ChannelSite
from .feed import Feed
from .market import Market
from .rates import TokenBucket
from .shop import Shop
from .state import StateDirectory, write_json
from .upstream import Upstream
from .wire import Application, Gate

DEFAULT_TOKENS = {
    "SHOP": "sandbox-shop-token",
    "MARKET": "sandbox-market-token",
    "FEED": "sandbox-feed-token",
}
MARKET_RATE = 50.0
MARKET_BURST = 50


@dataclass(frozen=True)
class ChannelAddress:
    """Where a channel is, where its control side is, and what opens it."""

    url: str
    control: str
    token: str


class Sandbox:
    """Everything in this process, in threads; a context manager.

    `channels[CODE]` has `url`, `control` and `token`; `erp` and `wms` are base URLs."""

    def __init__(
        self,
        state_dir: str | os.PathLike[str],
        *,
        console_url: str | None = None,
        api_key: str | Callable[[], str] = "",
        tokens: Mapping[str, str] | None = None,
        market_rate: float = MARKET_RATE,
        market_burst: int = MARKET_BURST,
    ) -> None:
        self._tokens = {**DEFAULT_TOKENS, **(tokens or {})}
        self._directory = Path(state_dir)
        key: Callable[[], str] = (lambda: api_key) if isinstance(api_key, str) else api_key
        self._parts: dict[str, Channel] = {
            "SHOP": Shop(self._tokens["SHOP"]),
            "MARKET": Market(self._tokens["MARKET"], TokenBucket(market_rate, market_burst)),
            "FEED": Feed(self._tokens["FEED"]),
        }
        self._upstreams = {source: Upstream(source, console_url, key) for source in ("erp", "wms")}
        self.channels: dict[str, ChannelAddress] = {}
        self.erp = ""
        self.wms = ""

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Load the state, listen on the ports of last time where they are free, and serve."""
        self._state = StateDirectory(self._directory)
        self._gate = Gate()
        try:
            self._restore()
            self._listen()
        except BaseException:
            self._gate.stop()
            self._state.release()
            raise
        self._state.write()
        self._state.start()
        self._gate.start()
        for upstream in self._upstreams.values():
            upstream.start()

    def stop(self) -> None:
        """Close every connection and write the state; nothing of ours runs afterwards."""
        for upstream in self._upstreams.values():
            upstream.stop()
        self._gate.stop()
        self._state.close()

    def addresses(self) -> dict[str, object]:
        """The content of the ports file."""
        channels = {code: {"url": one.url, "control": one.control} for code, one in self.channels.items()}
        return {"channels": channels, "erp": self.erp, "wms": self.wms}

    def _restore(self) -> None:
        parts: dict[str, Channel | Upstream] = {**self._parts, **self._upstreams}
        for name, part in parts.items():
            part.restore(self._state.load(name))
            part.changed = self._state.keep(name, part.snapshot)
            part.changed()

    def _listen(self) -> None:
        known, ports = self._state.load("ports"), {}
        sites: dict[str, Application] = {code: ChannelSite(part) for code, part in self._parts.items()}
        sites.update(self._upstreams)
        for name, site in sites.items():
            ports[name] = self._gate.listen(site, known.get(name))
        if ports != known:
            write_json(self._directory / "ports.json", ports)
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        self.channels = {
            code: ChannelAddress(urls[code], f"{urls[code]}/{CONTROL_PREFIX}", self._tokens[code])
            for code in self._parts
        }
        self.erp, self.wms = urls["erp"], urls["wms"]


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT."""
    options = _options(arguments)
    ports_file: Path = options.ports_file
    ports_file.unlink(missing_ok=True)  # its presence means: listening
    # Blocked before any thread starts and then waited for: no handler that could interrupt a lock.
    endings = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, endings)
    tokens = {code: os.environ.get(f"SANDBOX_{code}_TOKEN") or default for code, default in DEFAULT_TOKENS.items()}
    with Sandbox(
        options.state_dir,
        console_url=options.console_url,
        api_key=_key_reader(options.api_key_file),
        tokens=tokens,
        market_rate=options.market_rate,
        market_burst=options.market_burst,
    ) as sandbox:
        write_json(ports_file, sandbox.addresses())
        sys.stderr.write(f"sandbox listens, addresses in {ports_file}\n")
        signal.sigwait(endings)
        ports_file.unlink(missing_ok=True)
    return 0


def _key_reader(path: Path | None) -> Callable[[], str]:
    """The key is read at each delivery: it may be written, or change, while the sandbox runs."""
    if path is None:
        return lambda: os.environ.get("SANDBOX_API_KEY", "")
    return lambda: path.read_text(encoding="ascii").strip()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m apps.integrations.sandbox.server", description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True, help="where listings, orders and ports are kept")
    parser.add_argument("--ports-file", type=Path, required=True, help="written once everything listens")
    parser.add_argument("--console-url", help="where the ERP and the WMS deliver (or PUT /console later)")
    parser.add_argument("--api-key-file", type=Path, help="instead of SANDBOX_API_KEY; read at each delivery")
    parser.add_argument("--market-rate", type=float, default=MARKET_RATE, help="requests per second of MARKET")
    parser.add_argument("--market-burst", type=int, default=MARKET_BURST)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
