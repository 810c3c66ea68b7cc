"""AMI messages in a few words: only what the test is about is said, the rest is empty."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from crm_core.events import Event
from crm_core.ids import BootId, PbxId
from telephony.ami import messages as ami
from telephony.calls.channels import SiteNames
from telephony.calls.tracker import CallTracker

PBX = PbxId("lab")
BOOT = BootId("b1795516414")
T0 = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
NAMES = SiteNames(inbound=frozenset({"zuoxi-inbound"}), seats=frozenset({"zuoxi-seats"}))

Message = TypeVar("Message", bound=ami.AmiMessage)
Fact = TypeVar("Fact", bound=Event)

CALLER = "lab-1.0"


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def a(kind: type[Message], when: float, /, **values: Any) -> Message:
    """A message of this kind, `when` seconds after T0."""
    defaults: dict[str, Any] = {"paused": False, "variables": ()}
    given = {"at": at(when), "at_is_receipt": False, **values}
    make: Any = kind
    return cast(
        "Message", make(**{f.name: given.get(f.name, defaults.get(f.name)) for f in fields(kind)})
    )


def began(seconds: float, boot: str = BOOT) -> ami.SnapshotBegan:
    return a(ami.SnapshotBegan, seconds, boot=BootId(boot))


def ended(seconds: float, boot: str = BOOT) -> ami.SnapshotEnded:
    return a(ami.SnapshotEnded, seconds, boot=BootId(boot))


def rings_in(
    seconds: float, unique_id: str = CALLER, number: str = "13800138000"
) -> ami.Newchannel:
    return a(
        ami.Newchannel,
        seconds,
        channel="PJSIP/trunk-00000000",
        caller_id_num=number,
        context="zuoxi-inbound",
        exten="4001",
        unique_id=unique_id,
        linked_id=unique_id,
    )


def joins(seconds: float, queue: str = "support", unique_id: str = CALLER) -> ami.QueueCallerJoin:
    return a(
        ami.QueueCallerJoin,
        seconds,
        channel="PJSIP/trunk-00000000",
        unique_id=unique_id,
        linked_id=unique_id,
        caller_id_num="13800138000",
        queue=queue,
        position=1,
    )


def leaves(seconds: float, queue: str = "support", unique_id: str = CALLER) -> ami.QueueCallerLeave:
    return a(ami.QueueCallerLeave, seconds, unique_id=unique_id, linked_id=unique_id, queue=queue)


def abandons(
    seconds: float, queue: str = "support", unique_id: str = CALLER
) -> ami.QueueCallerAbandon:
    return a(ami.QueueCallerAbandon, seconds, unique_id=unique_id, linked_id=unique_id, queue=queue)


def leg(
    seconds: float, unique_id: str, seat: str = "8001", linked_id: str = CALLER
) -> ami.Newchannel:
    return a(
        ami.Newchannel,
        seconds,
        channel=f"PJSIP/{seat}-00000001",
        context="zuoxi-seats",
        exten="s",
        unique_id=unique_id,
        linked_id=linked_id,
    )


def of_agent(
    kind: type[Message], seconds: float, leg_id: str | None, seat: str = "8001", **values: Any
) -> Message:
    """A queue's message about its caller and an agent: AgentCalled, AgentConnect …"""
    given = {
        "channel": "PJSIP/trunk-00000000",
        "unique_id": CALLER,
        "linked_id": CALLER,
        "dest_channel": f"PJSIP/{seat}-00000001",
        "dest_context": "zuoxi-seats",
        "dest_unique_id": leg_id,
        "dest_linked_id": CALLER,
        "queue": "support",
        "interface": f"PJSIP/{seat}",
        "member_name": f"1{seat[1:]}",
    }
    return a(kind, seconds, **{**given, **values})


def dial_end(seconds: float, leg_id: str, status: str, caller: str = CALLER) -> ami.DialEnd:
    return a(ami.DialEnd, seconds, unique_id=caller, dest_unique_id=leg_id, dial_status=status)


def hangup(seconds: float, unique_id: str, cause: int = 16) -> ami.Hangup:
    return a(ami.Hangup, seconds, unique_id=unique_id, linked_id=CALLER, cause=cause)


def an_answered_call() -> list[ami.AmiMessage]:
    """Rings 1001 in vain, is answered by 1002, talks 20 s; the caller hangs up."""
    return [
        rings_in(0),
        joins(1),
        leg(1.1, "lab-1.1"),
        of_agent(ami.AgentCalled, 1.2, "lab-1.1"),
        of_agent(ami.DialBegin, 1.2, "lab-1.1"),
        of_agent(ami.AgentRingNoAnswer, 16.2, "lab-1.1"),
        dial_end(16.2, "lab-1.1", "NOANSWER"),
        hangup(16.3, "lab-1.1", 0),
        leg(17.0, "lab-1.2", "8002"),
        of_agent(ami.AgentCalled, 17.1, "lab-1.2", "8002"),
        of_agent(ami.DialBegin, 17.1, "lab-1.2", "8002"),
        dial_end(20.0, "lab-1.2", "ANSWER"),
        leaves(20.1),
        of_agent(ami.AgentConnect, 20.1, "lab-1.2", "8002"),
        of_agent(ami.AgentComplete, 40.0, "lab-1.2", "8002", reason="caller"),
        hangup(40.1, CALLER),
        hangup(40.2, "lab-1.2"),
    ]


def a_tracker(**known: Any) -> CallTracker:
    return CallTracker(PBX, BOOT, names=NAMES, **known)


def told(tracker: CallTracker, *messages: ami.AmiMessage) -> list[Event]:
    return [event for message in messages for event in tracker.feed(message)]


def of(events: list[Event], kind: type[Fact]) -> list[Fact]:
    return [event for event in events if isinstance(event, kind)]
