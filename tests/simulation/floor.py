"""Channels and members of the model of Asterisk, and how they look in AMI's messages."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from random import Random
from typing import Any, TypeVar, cast

from telephony.ami import messages as ami
from tests.simulation.plans import QUEUES_OF_AGENT, CallPlan
from tests.simulation.truth import TrueCall, TruePass, TrueRing

Message = TypeVar("Message", bound=ami.AmiMessage)

_EMPTY: dict[type[ami.AmiMessage], dict[str, Any]] = {}


def message(kind: type[Message], at: datetime, /, **values: Any) -> Message:
    """A message of this kind; what is not said is empty, as if Asterisk had left the header out."""
    empty = _EMPTY.get(kind)
    if empty is None:
        special: dict[str, Any] = {"paused": False, "at_is_receipt": False, "variables": ()}
        empty = _EMPTY[kind] = {each.name: special.get(each.name) for each in fields(kind)}
    make: Any = kind
    return cast("Message", make(**{**empty, "at": at, **values}))


@dataclass(slots=True)
class Channel:
    unique_id: str
    linked_id: str
    name: str
    context: str
    exten: str
    number: str | None
    began: float
    state: str = "Ring"
    application: str = ""
    data: str = ""
    bridge: str | None = None

    @property
    def shown(self) -> dict[str, Any]:
        """The headers of a channel's snapshot."""
        return {
            "unique_id": self.unique_id,
            "linked_id": self.linked_id,
            "channel": self.name,
            "caller_id_num": self.number,
            "context": self.context,
            "exten": self.exten,
        }


def ids_of_both(one: Channel, dest: Channel) -> dict[str, Any]:
    return {
        "unique_id": one.unique_id,
        "linked_id": one.linked_id,
        "dest_unique_id": dest.unique_id,
        "dest_linked_id": dest.linked_id,
    }


def both(one: Channel, dest: Channel) -> dict[str, Any]:
    """The headers of a message that shows a channel and the one it rings."""
    return {
        **one.shown,
        "dest_unique_id": dest.unique_id,
        "dest_linked_id": dest.linked_id,
        "dest_channel": dest.name,
        "dest_context": dest.context,
    }


@dataclass(slots=True)
class Member:
    """One agent's phone, in all its queues."""

    interface: str
    name: str
    queues: tuple[str, ...]
    paused: str | None = None
    """The reason."""
    leg: Channel | None = None
    """What it rings or talks on."""

    @property
    def is_free(self) -> bool:
        return self.leg is None and self.paused is None

    @property
    def status(self) -> int:
        if self.leg is None:
            return 1
        return 2 if self.leg.state == "Up" else 6

    def shown(self, queue: str) -> dict[str, Any]:
        return {
            "queue": queue,
            "interface": self.interface,
            "member_name": self.name,
            "state_interface": self.interface,
            "paused": self.paused is not None,
            "paused_reason": self.paused,
            "status": self.status,
        }


def members() -> list[Member]:
    return [
        Member(f"PJSIP/{8001 + place}", str(1001 + place), queues)
        for place, queues in enumerate(QUEUES_OF_AGENT)
    ]


@dataclass(slots=True, eq=False)
class Ring:
    """One phone that rings for a call."""

    member: Member
    leg: Channel
    true: TrueRing


@dataclass(slots=True, eq=False)
class Live:
    """One call that goes on. `other` is the channel that the first one talks with."""

    plan: CallPlan
    dice: Random
    channel: Channel
    true: TrueCall
    route: list[str]
    stay: TruePass | None = None
    """Where it waits or talks."""
    position: int = 1
    rings: list[Ring] = field(default_factory=list)
    talker: Member | None = None
    other: Channel | None = None
    placed_by: Member | None = None
    over: bool = False
