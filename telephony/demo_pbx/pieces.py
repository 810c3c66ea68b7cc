"""Recorded calls cut into pieces that can be played again, with other people in them.

A call is arrive → ring → (answer | end) → … → end. `cut` finds where each piece begins by what only
happens there, and replaces who it was (channels, numbers, the member, the queue) and what was counted
(seconds, positions) by slots; `exchange` fills them in. Everything else, above all which events come
and in which order, is Asterisk's.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum, auto

from telephony.demo_pbx.recording import Headers, Recording, Row, value


class Kind(StrEnum):
    """Which part of a call a piece is."""

    ARRIVE = auto()
    RING = auto()
    ANSWER = auto()
    END = auto()


class Slot(StrEnum):
    """What differs from one playing to the next."""

    NOW = auto()
    SYSTEM = auto()
    CALLED = auto()
    NUMBER = auto()
    NAME = auto()
    CALLER_CHANNEL = auto()
    CALLER_ID = auto()
    AGENT_CHANNEL = auto()
    AGENT_ID = auto()
    INTERFACE = auto()
    EXTENSION = auto()
    CONNECTED = auto()
    """Whom the caller's channel takes for the other party: the seat that rang last."""
    MEMBER = auto()
    QUEUE = auto()
    BRIDGE = auto()
    POSITION = auto()
    ORIGINAL_POSITION = auto()
    COUNT = auto()
    HOLD_SECONDS = auto()
    TALK_SECONDS = auto()
    RING_SECONDS = auto()
    RING_MILLISECONDS = auto()


Text = str | Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTemplate:
    headers: tuple[tuple[str, Text], ...]

    @property
    def name(self) -> str:
        return str(self.headers[0][1])


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTemplate:
    verb: str
    member: Text
    parameters: tuple[Text, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    kind: Kind
    events: tuple[EventTemplate, ...]
    rows: tuple[RowTemplate, ...]


# Headers that are counted or measured, whatever the event.
COUNTED: dict[str, Slot] = {
    "Timestamp": Slot.NOW,
    "SystemName": Slot.SYSTEM,
    "BridgeUniqueid": Slot.BRIDGE,
    "Position": Slot.POSITION,
    "OriginalPosition": Slot.ORIGINAL_POSITION,
    "Count": Slot.COUNT,
    "HoldTime": Slot.HOLD_SECONDS,
    "TalkTime": Slot.TALK_SECONDS,
    "RingTime": Slot.RING_SECONDS,
}

# The rows of a call: which piece writes them, and what their parameters are.
ROWS: dict[str, tuple[Kind, tuple[Text, ...]]] = {
    "ENTERQUEUE": (Kind.ARRIVE, ("", Slot.NUMBER, Slot.POSITION)),
    "CONNECT": (Kind.ANSWER, (Slot.HOLD_SECONDS, Slot.AGENT_ID, Slot.RING_SECONDS)),
    "COMPLETEAGENT": (Kind.END, (Slot.HOLD_SECONDS, Slot.TALK_SECONDS, Slot.ORIGINAL_POSITION)),
    "COMPLETECALLER": (Kind.END, (Slot.HOLD_SECONDS, Slot.TALK_SECONDS, Slot.ORIGINAL_POSITION)),
    "RINGNOANSWER": (Kind.END, (Slot.RING_MILLISECONDS,)),
    "RINGCANCELED": (Kind.END, (Slot.RING_MILLISECONDS,)),
    "ABANDON": (Kind.END, (Slot.POSITION, Slot.ORIGINAL_POSITION, Slot.HOLD_SECONDS)),
    "EXITWITHTIMEOUT": (Kind.END, (Slot.POSITION, Slot.ORIGINAL_POSITION, Slot.HOLD_SECONDS)),
}

# What ends a ring, a conversation and a caller's wait: whichever comes first.
ENDS_A_RING = {"AgentRingNoAnswer", "HangupRequest", "DialEnd", "Hangup"}
ENDS_A_TALK = {"HangupRequest", "AgentComplete", "BridgeLeave"}
ENDS_A_WAIT = {"HangupRequest", "QueueCallerAbandon"}

QUIET_SECONDS = 0.2
"""Asterisk tells one thing within a few milliseconds; after this long another thing has begun."""


@dataclass(slots=True, eq=False)
class _Draft:
    kind: Kind
    agent: str | None = None
    """The Uniqueid of the agent's channel; None while it concerns the caller alone."""
    events: list[Headers] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    last_at: float = 0.0

    def take(self, event: Headers, agent: str | None, at: float) -> None:
        self.events.append(event)
        self.last_at = at
        self.agent = self.agent or agent

    def goes_on(self, agent: str | None, at: float) -> bool:
        """Whether an end that begins at `at` is still this one: the caller's with the agent's."""
        alike = self.agent is None or agent is None or self.agent == agent
        return self.kind is Kind.END and alike and at - self.last_at <= QUIET_SECONDS


def cut(recording: Recording) -> tuple[Piece, ...]:
    """The pieces of the one call of this recording, in the order in which they began."""
    cast = _Cast.of(recording)
    drafts: list[_Draft] = []
    of_agent: dict[str, _Draft] = {}
    for event in recording.events:
        if not cast.plays_in(event):
            continue
        agent, at = cast.agent_of(event), float(value(event, "Timestamp") or 0)
        latest = drafts[-1] if drafts else None
        now = of_agent.get(agent) if agent is not None else latest
        kind = _begins(event, agent, now, at, cast)
        if kind is Kind.END and latest is not None and latest.goes_on(agent, at):
            kind, now = None, latest
        if kind is not None:
            now = _Draft(kind=kind)
            drafts.append(now)
        if now is not None:
            now.take(event, agent, at)
            if agent is not None:
                of_agent[agent] = now
    _give_rows(recording.rows, drafts, cast)
    return tuple(cast.piece(draft) for draft in drafts)


def _begins(
    event: Headers, agent: str | None, now: _Draft | None, at: float, cast: _Cast
) -> Kind | None:
    """The kind of piece that begins with this event; None: it belongs to the piece before."""
    name = value(event, "Event") or ""
    if name == "Newchannel":
        return Kind.ARRIVE if value(event, "Uniqueid") == cast.caller_id else Kind.RING
    if now is None:
        return None
    if agent is not None and now.kind is Kind.RING:
        if name == "Newstate" and value(event, "ChannelState") == "6":
            return Kind.ANSWER
        return Kind.END if name in ENDS_A_RING else None
    if now.kind is Kind.ANSWER:
        return Kind.END if name in ENDS_A_TALK else None
    if agent is None and name in ENDS_A_WAIT:
        over = now.kind is not Kind.END or at - now.last_at > QUIET_SECONDS
        return Kind.END if over else None
    return None


def _give_rows(rows: tuple[Row, ...], drafts: list[_Draft], cast: _Cast) -> None:
    """Each row to the first piece of its kind that tells of the same member and lacks that row."""
    for row in rows:
        if row.unique_id != cast.caller_id or row.verb not in ROWS:
            continue
        kind, _ = ROWS[row.verb]
        agents = [agent for agent, name in cast.members.items() if name == row.member]
        fitting = [
            draft
            for draft in drafts
            if draft.kind is kind
            and (not agents or draft.agent in agents or draft.agent is None)
            and all(had.verb != row.verb for had in draft.rows)
            and _tells(draft, row.verb)
        ]
        if fitting:
            fitting[0].rows.append(row)


# The event that a piece must hold for a row of `queue_log` to be its own.
_WITNESS: dict[str, set[str]] = {
    "COMPLETEAGENT": {"AgentComplete"},
    "COMPLETECALLER": {"AgentComplete"},
    "RINGNOANSWER": {"AgentRingNoAnswer"},
    "RINGCANCELED": {"DialEnd"},
    "ABANDON": {"QueueCallerAbandon"},
    "EXITWITHTIMEOUT": {"QueueCallerAbandon"},
}


def _tells(draft: _Draft, verb: str) -> bool:
    names = {value(event, "Event") for event in draft.events}
    return verb not in _WITNESS or bool(_WITNESS[verb] & names)


@dataclass(slots=True)
class _Cast:
    """Who plays in a recording: the caller, and the agents by the Uniqueids of their channels."""

    caller_id: str
    caller_channel: str
    names: dict[str, Slot]
    channels: dict[str, str]
    """Agent's channel name → its Uniqueid."""
    members: dict[str, str] = field(default_factory=dict)
    interfaces: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Interface → Uniqueids of its channels, the latest last."""

    @staticmethod
    def of(recording: Recording) -> _Cast:
        joined = next(e for e in recording.events if value(e, "Event") == "QueueCallerJoin")
        caller = value(joined, "Uniqueid") or ""
        new = next(e for e in recording.events if value(e, "Uniqueid") == caller)
        names = {
            value(new, "Exten") or "": Slot.CALLED,
            value(joined, "Queue") or "": Slot.QUEUE,
            value(joined, "CallerIDNum") or "": Slot.NUMBER,
            value(joined, "CallerIDName") or "": Slot.NAME,
            value(joined, "Channel") or "": Slot.CALLER_CHANNEL,
            caller: Slot.CALLER_ID,
        }
        names.pop("<unknown>", None)
        cast = _Cast(
            caller_id=caller,
            caller_channel=value(joined, "Channel") or "",
            names=names,
            channels={},
        )
        for called in recording.events:
            if value(called, "Event") == "AgentCalled" and value(called, "Uniqueid") == caller:
                agent = value(called, "DestUniqueid") or ""
                cast.channels[value(called, "DestChannel") or ""] = agent
                cast.members[agent] = value(called, "MemberName") or ""
                cast.interfaces[value(called, "Interface") or ""].append(agent)
        return cast

    def plays_in(self, event: Headers) -> bool:
        """Whether the event is about this call (and not about another one of the recording)."""
        linked = value(event, "Linkedid")
        if linked is not None:
            return linked == self.caller_id
        name = value(event, "Event") or ""
        if name == "QueueMemberStatus":
            return value(event, "Interface") in self.interfaces
        return name in ("BridgeCreate", "BridgeDestroy")

    def agent_of(self, event: Headers) -> str | None:
        own = value(event, "DestUniqueid") or value(event, "Uniqueid")
        if own == self.caller_id:
            return None
        if own is not None:
            return own
        calls = self.interfaces.get(value(event, "Interface") or "")
        # A device's state is told after the fact: it belongs to the last ring of that device so far,
        # which in a recording of one call is the only one, or the one that `cut` has just opened.
        return calls[0] if calls else None

    def piece(self, draft: _Draft) -> Piece:
        slots = dict(self.names)
        for channel, agent in self.channels.items():
            if agent == draft.agent or len(self.channels) == 1:
                slots |= {channel: Slot.AGENT_CHANNEL, agent: Slot.AGENT_ID}
                slots[self.members[agent]] = Slot.MEMBER
                for interface in (i for i, own in self.interfaces.items() if agent in own):
                    slots[interface] = Slot.INTERFACE
                    slots[interface.rpartition("/")[2]] = Slot.EXTENSION
        return Piece(
            kind=draft.kind,
            events=tuple(_template(event, slots) for event in draft.events),
            rows=tuple(
                RowTemplate(
                    verb=row.verb,
                    member="NONE" if row.member == "NONE" else Slot.MEMBER,
                    parameters=ROWS[row.verb][1],
                )
                for row in draft.rows
            ),
        )


def _template(event: Headers, slots: dict[str, Slot]) -> EventTemplate:
    name = value(event, "Event") or ""
    is_callers = slots.get(value(event, "Channel") or "") is Slot.CALLER_CHANNEL
    headers: list[tuple[str, Text]] = []
    for header, text in event:
        slot: Text = COUNTED.get(header) or slots.get(text) or text
        if header == "ConnectedLineNum" and is_callers:
            slot = Slot.CONNECTED
        if header == "RingTime" and name == "AgentRingNoAnswer":
            slot = Slot.RING_MILLISECONDS
        headers.append((header, slot))
    return EventTemplate(headers=tuple(headers))
