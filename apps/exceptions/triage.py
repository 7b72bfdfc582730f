"""The queue's whole vocabulary in one place: what loops call (block, settle, waiting, heal) and what people do."""

from apps.exceptions.blocking import BlockRequest, block, fingerprint
from apps.exceptions.replaying import heal, request_replay
from apps.exceptions.settling import settle, waiting

__all__ = [
    "BlockRequest",
    "block",
    "fingerprint",
    "heal",
    "request_replay",
    "settle",
    "waiting",
]
