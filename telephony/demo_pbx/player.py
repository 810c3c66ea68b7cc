"""Plays a recorded piece with the people of the demonstration in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from telephony.demo_pbx.exchange import DeviceState, Exchange, Queue
from telephony.demo_pbx.parts import Part, Script
from telephony.demo_pbx.pieces import EventTemplate, RowTemplate, Slot, Text
from telephony.demo_pbx.recording import Headers, value

NOBODY = "<unknown>"
"""How AMI shows a number or name that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody who rings. Without a number it is withheld."""

    number: str | None
    called: str
    name: str | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Offer:
    """A ring at one member's phone. `began` is an epoch instant."""

    interface: str
    member: str
    channel: str
    unique_id: str
    began: float
    alone: bool
    """No other phone rings for this caller."""

    @property
    def extension(self) -> str:
        return self.interface.rpartition("/")[2]


@dataclass(slots=True, kw_only=True, eq=False)
class Line:
    """One caller on the line. Instants are epoch seconds."""

    caller: Caller
    queue: Queue
    channel: str
    unique_id: str
    bridge: str
    joined: float
    connected: float = 0.0
    position: int = 0
    original_position: int = 0
    connected_line: str = NOBODY
    offers: list[Offer] = field(default_factory=list)
    """Rings that go on; while they talk, the one that was answered."""


AGENT_SLOTS = {Slot.AGENT_CHANNEL, Slot.AGENT_ID, Slot.INTERFACE, Slot.MEMBER}


@dataclass(frozen=True, slots=True)
class Player:
    exchange: Exchange
    script: Script

    def play(
        self,
        part: Part,
        line: Line,
        offer: Offer | None = None,
        *,
        agents_share: bool = False,
        elsewhere: Sequence[Offer] = (),
        hung_up_with: int | None = None,
    ) -> None:
        """Tell the events and write the rows of `part`.

        Without `offer` what concerns an agent is left out, with `agents_share` all that does not.
        `elsewhere` are the phones that stop to ring because this one was lifted.
        `hung_up_with` is the cause (Q.850) when AMI's Hangup did it: then nobody asked for it, and
        there is no HangupRequest (tried on 22.10.1).
        """
        piece = self.script[part]
        for event in piece.events:
            if hung_up_with is not None and event.name == "HangupRequest":
                continue
            if _is_wanted((text for _, text in event.headers), offer, agents_share):
                self._tell(event, line, offer, hung_up_with)
            if event.name == "DialEnd":
                for other in elsewhere:
                    self.play(Part.ELSEWHERE, line, other)
        for row in piece.rows:
            if _is_wanted((row.member,), offer, agents_share):
                self._write(row, line, offer)

    def _tell(
        self, event: EventTemplate, line: Line, offer: Offer | None, hung_up_with: int | None
    ) -> None:
        if event.name == "QueueMemberStatus":
            if offer is not None:
                self._tell_device(event, offer)
            return
        if (place := line.queue.position(line.channel)) > 0:
            line.position = place
        if event.name == "DialState" and offer is not None and offer.alone:
            line.connected_line = offer.extension
        told = self._filled(event, line, offer)
        if event.name == "Hangup" and hung_up_with is not None:
            told = _with_cause(told, hung_up_with)
        self.exchange.tell(told)
        self._remember(told, line, offer)

    def _tell_device(self, event: EventTemplate, offer: Offer) -> None:
        """The phone's new state, once for each queue its holder is in: as `app_queue` does."""
        state = next(text for header, text in event.headers if header == "Status")
        self.exchange.devices[offer.interface] = DeviceState(int(state))
        for queue, member in self.exchange.memberships(offer.interface):
            self.exchange.tell_member("QueueMemberStatus", queue, member)

    def _filled(self, event: EventTemplate, line: Line, offer: Offer | None) -> Headers:
        values = self._values(line, offer)
        waiting = len(line.queue.waiting)
        if event.name == "QueueCallerJoin":
            values |= dict.fromkeys((Slot.POSITION, Slot.COUNT), str(waiting + 1))
        elif event.name == "QueueCallerLeave":
            values[Slot.COUNT] = str(waiting - 1)
        return tuple((h, values[t] if isinstance(t, Slot) else t) for h, t in event.headers)

    def _remember(self, told: Headers, line: Line, offer: Offer | None) -> None:
        match value(told, "Event"):
            case "QueueCallerJoin":
                line.joined = self.exchange.clock()
                line.position = line.original_position = line.queue.position(line.channel)
            case "DialEnd" if offer is not None and value(told, "DialStatus") == "ANSWER":
                line.connected_line = offer.extension
            case "AgentConnect":
                line.connected = self.exchange.clock()

    def _write(self, row: RowTemplate, line: Line, offer: Offer | None) -> None:
        values = self._values(line, offer)
        # queue_log leaves empty what AMI calls <unknown>.
        values[Slot.NUMBER] = line.caller.number or ""
        member, *rest = (
            values[text] if isinstance(text, Slot) else text
            for text in (row.member, *row.parameters)
        )
        self.exchange.write(line.unique_id, line.queue.plan.name, member, row.verb, *rest)

    def _values(self, line: Line, offer: Offer | None) -> dict[Slot, str]:
        now = self.exchange.clock()
        number, name = line.caller.number, line.caller.name
        values = {
            Slot.NOW: f"{now:.6f}",
            Slot.SYSTEM: self.exchange.system,
            Slot.CALLED: line.caller.called,
            Slot.NUMBER: number or NOBODY,
            Slot.NAME: name or ("Anonymous" if number is None else NOBODY),
            Slot.CALLER_CHANNEL: line.channel,
            Slot.CALLER_ID: line.unique_id,
            Slot.QUEUE: line.queue.plan.name,
            Slot.BRIDGE: line.bridge,
            Slot.POSITION: str(line.position),
            Slot.ORIGINAL_POSITION: str(line.original_position),
            Slot.COUNT: str(len(line.queue.waiting)),
            Slot.HOLD_SECONDS: str(_whole_seconds(line.joined, line.connected or now)),
            Slot.TALK_SECONDS: str(_whole_seconds(line.connected, now)),
            Slot.CONNECTED: line.connected_line,
        }
        if offer is None:
            return values
        rang = round((now - offer.began) * 1000)
        return values | {
            Slot.AGENT_CHANNEL: offer.channel,
            Slot.AGENT_ID: offer.unique_id,
            Slot.INTERFACE: offer.interface,
            Slot.EXTENSION: offer.extension,
            Slot.MEMBER: offer.member,
            Slot.RING_SECONDS: str(rang // 1000),
            Slot.RING_MILLISECONDS: str(rang),
        }


def _concerns_agent(texts: Iterable[Text]) -> bool:
    return any(text in AGENT_SLOTS for text in texts)


def _is_wanted(texts: Iterable[Text], offer: Offer | None, agents_share: bool) -> bool:
    if agents_share:
        return _concerns_agent(texts)
    return offer is not None or not _concerns_agent(texts)


def _whole_seconds(since: float, until: float) -> int:
    """`app_queue` subtracts whole epoch seconds: 0.2 s over a boundary are 1."""
    return int(until) - int(since)


# Q.850, the words of Asterisk's `Cause-txt`.
CAUSES = {0: "Unknown", 16: "Normal Clearing", 17: "User busy", 21: "Call Rejected"}


def _with_cause(hangup: Headers, cause: int) -> Headers:
    kept = (pair for pair in hangup if pair[0] not in ("Cause", "Cause-txt", "TechCause"))
    return (*kept, ("Cause", str(cause)), ("Cause-txt", CAUSES.get(cause, "Unknown")))
