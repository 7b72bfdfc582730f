"""The sample's three channels: how they are reached, what they list, and their shelves in the sandbox."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.request import Request, urlopen

from apps.channels.onboarding import ChannelDraft, ListingDraft, preset
from apps.integrations.sandbox.sample_catalogue import SampleItem
from apps.integrations.sandbox.server import DEFAULT_TOKENS

TIMEOUT_S: Final = 10


@dataclass(frozen=True, slots=True)
class SampleChannel:
    """One channel: the `every`-th item that comes in `uom`, under its own codes."""

    code: str
    name: str
    preset: str
    grade: str
    currency: str
    uom: str
    every: int
    prefix: str
    warehouses: tuple[str, ...]
    requests_per_s: int
    batch_size: int = 1
    policy: tuple[tuple[str, int], ...] = ()

    def listed(self, goods: Sequence[SampleItem]) -> Iterator[tuple[str, SampleItem]]:
        """(the channel's code, item), in the catalogue's order."""
        fit = [item for item in goods if item.kind != "non_stock" and item.factor(self.uom) is not None]
        for number, item in enumerate(fit[:: self.every], 1):
            yield f"{self.prefix}{number:05d}", item

    def draft(self, url: str) -> ChannelDraft:
        """How it is reached when it listens at `url`."""
        return ChannelDraft(
            code=self.code,
            name=self.name,
            connector="jsonhttp",
            grade=self.grade,
            settings=preset("jsonhttp", self.preset, base_url=url),
            credentials={"secret": DEFAULT_TOKENS[self.code]},
            currency=self.currency,
            requests_per_s=self.requests_per_s,
            batch_size=self.batch_size,
            read_back_every_s=60,
            policy=dict(self.policy),
        )

    def listings(self, goods: Sequence[SampleItem]) -> list[ListingDraft]:
        return [ListingDraft(external_id, item.sku, self.uom) for external_id, item in self.listed(goods)]


CHANNELS: Final = (
    SampleChannel("SHOP", "Web shop", "shop", "A", "USD", "EA", 4, "WEB-", ("DC-1", "DC-2"), 150),
    SampleChannel("MARKET", "Marketplace Europe", "market", "B", "EUR", "CASE", 3, "MK-", ("DC-1", "DC-3"), 40, 50,
                  (("cap", 250),)),
    SampleChannel("FEED", "Partner feed", "feed", "C", "USD", "EA", 2, "PF", ("DC-1", "DC-2", "DC-3"), 20, 200,
                  (("buffer", 2),)),
)  # fmt: skip


def seed(control: str, channel: SampleChannel, goods: Sequence[SampleItem]) -> int:
    """Put the listings on the channel's shelves; those it has already keep the quantity they show."""
    known = _call("GET", f"{control}/state")["listings"]
    rows = []
    for code, item in channel.listed(goods):
        row: dict[str, Any] = {"code": code, "title": item.name, "currency": channel.currency}
        factor = item.factor(channel.uom)
        if channel.uom != "EA" and factor is not None:
            row["case_size"] = max(1, factor[0] // factor[1])
        if code not in known:
            row["quantity"] = 0
        rows.append(row)
    answer = _call("POST", f"{control}/seed", {"listings": rows})
    return int(answer["seeded"])


def _call(method: str, url: str, body: Mapping[str, Any] | None = None) -> Any:
    # Only ever the sandbox's control side, whose address came from its own file.
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data=data, method=method, headers={"Content-Type": "application/json"})  # noqa: S310
    with urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
        return json.load(answer)
