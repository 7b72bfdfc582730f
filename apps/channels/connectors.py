"""What every connector does, and which ones there are. A connector only talks; it reads and writes no rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from apps.channels.credentials import unseal

if TYPE_CHECKING:
    from apps.channels.models import Channel

Value = Mapping[str, str]  # {"quantity": "36"} or {"amount": "12.37", "currency": "USD"}


class Outcome(StrEnum):
    """What is known about one item of one push. Whatever is not certain is UNKNOWN."""

    ACKNOWLEDGED = "acknowledged"  # the answer names this item and this value
    REJECTED = "rejected"  # the channel understood and refuses: a person must act
    THROTTLED = "throttled"  # refused for now, not applied
    NOT_SENT = "not_sent"  # nothing left this machine
    CONFLICT = "conflict"  # compare-and-set: the channel shows something else than expected
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PushItem:
    """One value to show. `token` and `expected` are what the channel was last known to hold (compare-and-set)."""

    publication_id: int
    kind: str
    external_id: str
    location: str
    value: Value
    version: int
    idempotency_key: str
    expected: Value | None = None
    token: str = ""


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """`shows` and `token`: what the channel says it holds now, where the answer tells.

    `retry_after_s`: for how long the channel is not to be called, whatever became of the item.
    """

    publication_id: int
    outcome: Outcome
    http_status: int | None = None
    detail: str = ""
    retry_after_s: float = 0.0
    reason: str = "CHANNEL_REJECTED"
    code: str = ""
    field: str = ""
    shows: Value | None = None
    token: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the channel shows for one listing and kind; `value` is None where it shows nothing."""

    kind: str
    external_id: str
    location: str
    value: Value | None
    token: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a read-back; `next` is the cursor of the following one, None at the end."""

    shown: tuple[Shown, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Check:
    """Whether the channel can be reached with these settings, in words a person can act on."""

    ok: bool
    detail: str


class ReadFailed(Exception):
    """A read-back without a usable answer; `retry_after_s` where the channel named a time."""

    def __init__(self, detail: str, *, http_status: int | None = None, retry_after_s: float = 0.0) -> None:
        super().__init__(detail)
        self.detail = detail
        self.http_status = http_status
        self.retry_after_s = retry_after_s


class Connector(Protocol):
    """One channel, opened with its settings and credentials. Thread-safe.

    `deadline_s` bounds one request; `settles_after_s` is how long a request that we gave up may still be applied.
    """

    deadline_s: float
    settles_after_s: float

    def handles(self, kind: str) -> bool:
        """Whether values of this kind can be sent at all."""

    def readable(self, kind: str) -> bool:
        """Whether what is shown can be read back."""

    def sends_many(self, kind: str) -> bool:
        """Whether one request may hold several items."""

    def reads_many(self, kind: str) -> int:
        """How many listings one read-back request may name."""

    def conditional(self, kind: str) -> bool:
        """Whether a send takes effect only where the channel still holds what we expect."""

    def push(self, items: Sequence[PushItem], trace_id: str = "") -> list[ItemOutcome]:
        """Send in one request items of one kind; an outcome for each, in order. Never raises for the channel's sake."""

    def read(self, kind: str, external_ids: Sequence[str]) -> list[Shown]:
        """What the channel shows for these listings (absent ones come as None), or ReadFailed."""

    def read_page(self, cursor: str) -> Page:
        """One page of all that is shown ("" is the first), or ReadFailed."""

    def check(self) -> Check:
        """Try the address and the credentials without changing anything."""


@dataclass(frozen=True, slots=True)
class Access:
    """All that a connector is opened with."""

    channel: str
    settings: Mapping[str, object]
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    allow_private: tuple[str, ...] = ()


class InvalidSettings(ValueError):
    """The connector's form is wrong; `errors` are (field, what to do) pairs."""

    def __init__(self, *errors: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{where or 'settings'}: {what}" for where, what in errors))
        self.errors = errors


# connector → function(Access) -> Connector, raising InvalidSettings
CONNECTORS: Final[dict[str, str]] = {"jsonhttp": "apps.integrations.jsonhttp.connector.open_channel"}


def open_connector(access: Access, connector: str) -> Connector:
    """The connector of this name on this channel, or InvalidSettings."""
    if connector not in CONNECTORS:
        raise InvalidSettings(("connector", f"{connector!r} is none of {', '.join(CONNECTORS)}"))
    opened: Callable[[Access], Connector] = import_string(CONNECTORS[connector])
    return opened(access)


def connector_of(channel: "Channel") -> Connector:
    """The channel's connector, opened with what its row says."""
    access = Access(
        channel=channel.system.code,
        settings=channel.settings,
        credentials=unseal(bytes(channel.credentials)),
        allow_private=tuple(settings.ALLOW_PRIVATE_NETWORKS),
    )
    return open_connector(access, channel.connector)
