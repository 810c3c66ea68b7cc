"""Identities: how a PBX, a boot, a channel, a queue pass and a call are told apart.

A channel is `pbx + boot + Uniqueid`, because Asterisk gives the same Uniqueid again when its clock
is stepped back across a restart (measured). A call is named after the oldest channel known for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import NewType

PbxId = NewType("PbxId", str)
"""The name at the end of an entry of `ZUOXI_PBX_URLS`."""

BootId = NewType("BootId", str)
"""One run of Asterisk: `b` + the second (epoch) at which it started, as first seen; never renamed."""

CallId = NewType("CallId", str)
"""32 hex digits; the same for the same PBX, boot and oldest channel, however often it is derived."""

UserId = NewType("UserId", int)
CustomerId = NewType("CustomerId", int)


def call_id(pbx: PbxId, boot: BootId, unique_id: str) -> CallId:
    """The identity of the call whose oldest known channel is `unique_id`."""
    # A separator that none of the three parts can hold keeps ("a", "bc") and ("ab", "c") apart.
    digest = blake2b("\x1f".join((pbx, boot, unique_id)).encode(), digest_size=16)
    return CallId(digest.hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePassKey:
    """One stay of one call in one queue, as one feed counts it.

    `unique_id` is the caller's channel (a call that enters a second queue keeps it), `ordinal` the
    how-manieth entry of that channel into that queue *this feed has seen*, from 1. The two feeds may
    count differently when one of them was blind; `call_log.timeline` pairs them by their moments.
    """

    unique_id: str
    queue: str
    ordinal: int = 1

    def __str__(self) -> str:
        return f"{self.unique_id}/{self.queue}/{self.ordinal}"
