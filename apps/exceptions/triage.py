"""The queue's whole vocabulary in one place: what loops call (block, settle, waiting, heal) and what people do."""

from apps.exceptions.blocking import BlockRequest, block, fingerprint
from apps.exceptions.decisions import assign, comment, dismiss, ignore, replay, resolve, snooze
from apps.exceptions.errors import CauseClosed
from apps.exceptions.replaying import heal, request_replay
from apps.exceptions.settling import settle, waiting

__all__ = [
    "BlockRequest",
    "CauseClosed",
    "assign",
    "block",
    "comment",
    "dismiss",
    "fingerprint",
    "heal",
    "ignore",
    "replay",
    "request_replay",
    "resolve",
    "settle",
    "snooze",
    "waiting",
]
