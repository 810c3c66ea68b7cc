"""What goes on in the demonstration PBX: its queues, members, channels and bridges.

Played events are folded into it as they leave, so that a snapshot (`Status`, `QueueStatus` …) shows
exactly what the events have told. Whoever wants to hear events and rows is in `heard_by`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum

from crm_core.centre.plan import QueuePlan, SwitchPlan
from telephony.demo_pbx.recording import Headers, value


class DeviceState(IntEnum):
    """Asterisk's device states, as queue members carry them."""

    UNKNOWN = 0
    NOT_IN_USE = 1
    IN_USE = 2
    INVALID = 4
    RINGING = 6


@dataclass(slots=True, kw_only=True)
class QueueMember:
    """A member of one queue; the instants are whole epoch seconds, 0 for never."""

    name: str
    interface: str
    state_interface: str
    penalty: int = 0
    paused: bool = False
    reason: str = ""
    calls_taken: int = 0
    last_call: int = 0
    last_pause: int = 0
    login_time: int = 0
    in_call: bool = False


@dataclass(slots=True, kw_only=True)
class Waiting:
    """A caller in a queue. `joined` is an epoch instant."""

    channel: str
    joined: float
    original_position: int


@dataclass(slots=True, kw_only=True)
class Queue:
    plan: QueuePlan
    members: dict[str, QueueMember] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)
    completed: int = 0
    abandoned: int = 0
    connected_at_once: int = 0
    abandoned_at_once: int = 0
    hold_seconds: int = 0
    talk_seconds: int = 0
    last_rung: str = ""

    def position(self, channel: str) -> int:
        """From 1; 0 when it does not wait here."""
        places = [place for place, w in enumerate(self.waiting, 1) if w.channel == channel]
        return places[0] if places else 0

    def entry(self, channel: str) -> Waiting | None:
        return next((w for w in self.waiting if w.channel == channel), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A live channel. `snapshot` are the headers from Channel to Linkedid as last told."""

    snapshot: Headers
    born: float
    called: str
    """The number the caller dialled; empty for an agent's channel."""
    data: str
    bridge: str = ""

    @property
    def name(self) -> str:
        return self.snapshot[0][1]

    @property
    def unique_id(self) -> str:
        return value(self.snapshot, "Uniqueid") or ""

    @property
    def is_caller(self) -> bool:
        return bool(self.called)


SNAPSHOT = (
    "Channel",
    "ChannelState",
    "ChannelStateDesc",
    "CallerIDNum",
    "CallerIDName",
    "ConnectedLineNum",
    "ConnectedLineName",
    "Language",
    "AccountCode",
    "Context",
    "Exten",
    "Priority",
    "Uniqueid",
    "Linkedid",
)
BRIDGE = (
    "BridgeUniqueid",
    "BridgeType",
    "BridgeTechnology",
    "BridgeCreator",
    "BridgeName",
    "BridgeNumChannels",
    "BridgeVideoSourceMode",
)

Clock = Callable[[], float]
"""Seconds since the epoch."""


class Exchange:
    """The state, and the only writer of events and rows."""

    def __init__(self, plan: SwitchPlan, system: str, clock: Clock) -> None:
        self.clock = clock
        self.system = system
        self.seats = {seat.interface for seat in plan.seats}
        self.queues = {queue.name: Queue(plan=queue) for queue in plan.queues}
        self.hotlines = {hotline.number: hotline.queue for hotline in plan.hotlines}
        self.channels: dict[str, Channel] = {}
        self.bridges: dict[str, Headers] = {}
        self.devices: dict[str, DeviceState] = {}
        self.processed = 0
        """Calls since the start."""
        self.events_heard_by: list[Callable[[Headers], None]] = []
        self.rows_heard_by: list[Callable[[str], None]] = []
        self._channels_made = 0

    # --- telling ----------------------------------------------------------------------------------

    def tell(self, event: Headers) -> None:
        """An event happens: first the state is what it says, then everybody hears it."""
        self._fold(event)
        for hear in self.events_heard_by:
            hear(event)

    def write(self, unique_id: str, queue: str, member: str, verb: str, *rest: str) -> None:
        """A row of `queue_log`."""
        row = "|".join((str(int(self.clock())), unique_id, queue, member, verb, *(rest or ("",))))
        for hear in self.rows_heard_by:
            hear(row)

    def stamped(self, name: str, kind: str, *headers: tuple[str, str]) -> Headers:
        """An event as Asterisk begins them with `timestampevents` and a system name."""
        return (
            ("Event", name),
            ("Privilege", kind),
            ("Timestamp", f"{self.clock():.6f}"),
            ("SystemName", self.system),
            *headers,
        )

    def new_channel(self, technology: str) -> tuple[str, str]:
        """A channel's name and Uniqueid, never given before in this run."""
        made = self._channels_made
        self._channels_made += 1
        return f"{technology}-{made:08x}", f"{self.system}-{int(self.clock())}.{made}"

    # --- asking -----------------------------------------------------------------------------------

    def channel(self, name: str) -> Channel | None:
        """By its name or its Uniqueid, as Asterisk finds them."""
        found = self.channels.get(name)
        return found or next((c for c in self.channels.values() if c.unique_id == name), None)

    def rings(self, caller: str) -> bool:
        """Whether some phone rings for (or is connected to) the caller on this channel."""
        call = self.channels[caller].unique_id
        linked = (value(other.snapshot, "Linkedid") for other in self.channels.values())
        return sum(linked_id == call for linked_id in linked) > 1

    def memberships(self, interface: str) -> Iterator[tuple[Queue, QueueMember]]:
        for queue in self.queues.values():
            if interface in queue.members:
                yield queue, queue.members[interface]

    def device(self, interface: str) -> DeviceState:
        known = DeviceState.NOT_IN_USE if interface in self.seats else DeviceState.INVALID
        return self.devices.get(interface, known)

    def member_headers(self, queue: Queue, member: QueueMember) -> Headers:
        """As the QueueMember* events have them."""
        return (
            ("Queue", queue.plan.name),
            ("MemberName", member.name),
            ("Interface", member.interface),
            *self.member_state(member),
            ("Ringinuse", "0"),
            ("Wrapuptime", "0"),
        )

    def member_state(self, member: QueueMember) -> Headers:
        return (
            ("StateInterface", member.state_interface),
            ("Membership", "dynamic"),
            ("Penalty", str(member.penalty)),
            ("CallsTaken", str(member.calls_taken)),
            ("LastCall", str(member.last_call)),
            ("LastPause", str(member.last_pause)),
            ("LoginTime", str(member.login_time)),
            ("InCall", str(int(member.in_call))),
            ("Status", str(int(self.device(member.state_interface)))),
            ("Paused", str(int(member.paused))),
            ("PausedReason", member.reason),
        )

    def tell_member(self, name: str, queue: Queue, member: QueueMember) -> None:
        self.tell(self.stamped(name, "agent,all", *self.member_headers(queue, member)))

    def pause(self, interface: str, queue_name: str, *, paused: bool, reason: str) -> bool:
        """In one queue, or in all for an empty name; false: it is a member of none."""
        found = [
            (queue, member)
            for queue, member in self.memberships(interface)
            if queue_name in ("", queue.plan.name)
        ]
        if not found:
            return False
        verb = "PAUSE" if paused else "UNPAUSE"
        if not queue_name:
            self.write("NONE", "NONE", found[0][1].name, f"{verb}ALL", reason)
        for queue, member in found:
            member.paused, member.reason = paused, reason if paused else ""
            if paused:
                member.last_pause = int(self.clock())
            self.write("NONE", queue.plan.name, member.name, verb, reason)
            self.tell_member("QueueMemberPause", queue, member)
        return True

    # --- folding ----------------------------------------------------------------------------------

    def _fold(self, event: Headers) -> None:
        name = value(event, "Event") or ""
        self._fold_channel(event, "")
        self._fold_channel(event, "Dest")
        channel, bridge = value(event, "Channel") or "", value(event, "BridgeUniqueid") or ""
        if bridge:
            self.bridges[bridge] = tuple((h, value(event, h) or "") for h in BRIDGE)
        match name:
            case "BridgeDestroy":
                self.bridges.pop(bridge, None)
            case "BridgeEnter":
                self.channels[channel] = replace(self.channels[channel], bridge=bridge)
            case "BridgeLeave":
                self.channels[channel] = replace(self.channels[channel], bridge="")
            case "QueueCallerJoin":
                waiting = self.queues[value(event, "Queue") or ""].waiting
                place = len(waiting) + 1
                now = self.clock()
                waiting.append(Waiting(channel=channel, joined=now, original_position=place))
            case "QueueCallerLeave":
                queue = self.queues[value(event, "Queue") or ""]
                queue.waiting = [w for w in queue.waiting if w.channel != channel]
            case "QueueCallerAbandon":
                queue = self.queues[value(event, "Queue") or ""]
                queue.abandoned += 1
                queue.abandoned_at_once += value(event, "HoldTime") == "0"
            case "AgentConnect":
                self._connected(event)
            case "AgentComplete":
                self._completed(event)
            case "Hangup":
                self.channels.pop(channel, None)

    def _fold_channel(self, event: Headers, prefix: str) -> None:
        name = value(event, prefix + "Channel")
        if name is None:
            return
        snapshot = tuple((h, value(event, prefix + h) or "") for h in SNAPSHOT)
        known = self.channels.get(name)
        if known is not None:
            self.channels[name] = replace(known, snapshot=snapshot)
        elif value(event, "Event") == "Newchannel":
            is_caller = value(event, "Uniqueid") == value(event, "Linkedid")
            called = (value(event, "Exten") or "") if is_caller else ""
            self.processed += is_caller
            self.channels[name] = Channel(
                snapshot=snapshot, born=self.clock(), called=called, data=self._data(called)
            )

    def _data(self, called: str) -> str:
        """What `CoreShowChannels` calls the application's data."""
        queue = self.queues.get(self.hotlines.get(called, ""))
        if queue is None:
            return "(Outgoing Line)"
        return f"{queue.plan.name},tc,,,{queue.plan.max_wait_seconds}"

    def _connected(self, event: Headers) -> None:
        queue = self.queues[value(event, "Queue") or ""]
        member = queue.members.get(value(event, "Interface") or "")
        if member is not None:
            member.in_call = True
        held = int(value(event, "HoldTime") or 0)
        queue.connected_at_once += held == 0
        # app_queue's moving average: three parts of the old value, one of the new.
        queue.hold_seconds = (3 * queue.hold_seconds + held) >> 2

    def _completed(self, event: Headers) -> None:
        queue = self.queues[value(event, "Queue") or ""]
        queue.completed += 1
        talked = int(value(event, "TalkTime") or 0)
        queue.talk_seconds = (3 * queue.talk_seconds + talked) >> 2
        interface = value(event, "Interface") or ""
        # shared_lastcall: the wrap-up after a call of one queue counts in all of them.
        for other, member in self.memberships(interface):
            member.last_call = int(self.clock())
            if other is queue:
                member.in_call = False
                member.calls_taken += 1
