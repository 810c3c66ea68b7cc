"""What is going on right now, folded from events: live calls, agents and their state, queues, links.

Pure: `feed` is given every event in order and the board answers by its attributes. Pages, frames and
`/api/v1/live` read it; nobody else keeps a second copy. It holds only what lives: a call is forgotten
when it has ended, its counts go to the queue's day.

While the link to a PBX is away nothing is thrown away and nothing is believed: `agent_state` answers
`unknown`, and `LiveLink.since` says how old the picture is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from crm_core.events import (
    AgentSignedIn,
    AgentSignedOut,
    AgentState,
    AttemptResult,
    BootFound,
    CallAnswered,
    CallEnded,
    CallLeftQueue,
    CallOffered,
    CallPlaced,
    CallQueued,
    CallStarted,
    ConversationEnded,
    Direction,
    Event,
    FeedHeard,
    LinkChanged,
    LinkState,
    Member,
    OfferEnded,
    QueueMemberGone,
    QueueMemberSeen,
)
from crm_core.ids import CallId, PbxId, QueuePassKey, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLink:
    """How the connection to one PBX stands, since when, and until when it was heard."""

    state: LinkState
    since: datetime
    heard_until: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOffer:
    """A ring that goes on."""

    attempt: int
    member: Member
    queue: str | None
    offered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A conversation that goes on: who of the centre is connected to the other party."""

    member: Member
    queue: str | None
    since: datetime
    leg: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall:
    """A call that has not ended."""

    pbx: PbxId
    call: CallId
    direction: Direction
    started_at: datetime
    caller_number: str | None = None
    caller_name: str | None = None
    called_number: str | None = None
    placed_by: Member | None = None
    """The seat that dialled, for outbound and internal calls."""
    queue: str | None = None
    """The last queue entered."""
    entered_at: datetime | None = None
    waiting: QueuePassKey | None = None
    """The pass it waits in, None when it does not wait."""
    offers: tuple[LiveOffer, ...] = ()
    talks: tuple[Talk, ...] = ()
    last_talk: Talk | None = None
    """The conversation that ended last: its agent may still be writing the note."""

    @property
    def answered(self) -> bool:
        return bool(self.talks) or self.last_talk is not None

    def offer_at(self, interface: str | None) -> LiveOffer | None:
        """The ring at this device, if one goes on."""
        return next((o for o in self.offers if o.member.interface == interface), None)

    def talk_of(self, interface: str | None) -> Talk | None:
        return next((t for t in self.talks if t.member.interface == interface), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveAgent:
    """A signed-in agent and the device that is held."""

    pbx: PbxId
    user: UserId
    agent_number: str
    name: str
    interface: str
    queues: tuple[str, ...]
    signed_in_at: datetime
    state: AgentState
    since: datetime
    answered: int = 0
    """Conversations since the sign-in."""
    last_call: CallId | None = None
    """The call answered last: its card stays on the desk until the note is submitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMember:
    member: Member
    paused: bool
    pause_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveQueue:
    """A queue with those who wait in it, the longest first, and the members Asterisk has in it."""

    pbx: PbxId
    name: str
    waiting: tuple[CallId, ...] = ()
    members: tuple[QueueMember, ...] = ()


@dataclass(slots=True)
class LiveBoard:
    """The board of all PBXs of this site."""

    links: dict[PbxId, LiveLink] = field(default_factory=dict)
    calls: dict[CallId, LiveCall] = field(default_factory=dict)
    agents: dict[UserId, LiveAgent] = field(default_factory=dict)
    queues: dict[tuple[PbxId, str], LiveQueue] = field(default_factory=dict)
    _by_interface: dict[tuple[PbxId, str], UserId] = field(default_factory=dict)
    _calls_at: dict[tuple[PbxId, str], dict[CallId, None]] = field(default_factory=dict)

    def feed(self, event: Event) -> None:
        """Take one event into the picture. Late and repeated ones change nothing."""
        step = _STEPS.get(type(event))
        if step is not None:
            step(self, event)

    # --- reading ----------------------------------------------------------------------------------

    def agent_at(self, pbx: PbxId, interface: str | None) -> LiveAgent | None:
        """The signed-in agent who holds this device."""
        user = self._by_interface.get((pbx, interface or ""))
        return self.agents.get(user) if user is not None else None

    def agent_state(self, agent: LiveAgent) -> AgentState:
        """The agent's state, or `unknown` while the link is away."""
        link = self.links.get(agent.pbx)
        if link is None or link.state is not LinkState.UP:
            return AgentState.UNKNOWN
        return agent.state

    def calls_at(self, pbx: PbxId, interface: str) -> list[LiveCall]:
        """Calls that ring at, talk with, or were placed by this device, the oldest first."""
        found = self._calls_at.get((pbx, interface), {})
        return [self.calls[call] for call in found if call in self.calls]

    def longest_wait(self, queue: LiveQueue) -> datetime | None:
        """When the one who has waited longest entered."""
        return min(
            (
                entered
                for call in queue.waiting
                if (live := self.calls.get(call)) and (entered := live.entered_at)
            ),
            default=None,
        )

    # --- small changes ----------------------------------------------------------------------------

    def _change(self, call: CallId, **changes: Any) -> LiveCall | None:
        live = self.calls.get(call)
        if live is None:
            return None
        live = self.calls[call] = replace(live, **changes)
        return live

    def _queue(self, pbx: PbxId, name: str) -> LiveQueue:
        return self.queues.get((pbx, name)) or LiveQueue(pbx=pbx, name=name)

    def _wait(self, pbx: PbxId, name: str, call: CallId, waits: bool) -> None:
        queue = self._queue(pbx, name)
        waiting = tuple(other for other in queue.waiting if other != call)
        self.queues[pbx, name] = replace(queue, waiting=(*waiting, call) if waits else waiting)

    def _stop_waiting(self, call: CallId) -> None:
        live = self.calls.get(call)
        if live is not None and live.waiting is not None:
            self._wait(live.pbx, live.waiting.queue, call, waits=False)
            self._change(call, waiting=None)

    def _is_at(self, pbx: PbxId, member: Member, call: CallId) -> None:
        if member.interface:
            self._calls_at.setdefault((pbx, member.interface), {})[call] = None

    def _restate(self, pbx: PbxId, member: Member, at: datetime) -> None:
        """Work out anew what the holder of this device is doing."""
        if member.interface is None:
            return
        key = (pbx, member.interface)
        calls = self._calls_at.get(key, {})
        for call in [call for call in calls if not self._concerns(call, member.interface)]:
            del calls[call]
        if not calls:
            self._calls_at.pop(key, None)
        agent = self.agent_at(pbx, member.interface)
        if agent is None:
            return
        state = _state_at(member.interface, [self.calls[call] for call in calls])
        if state is not agent.state:
            self.agents[agent.user] = replace(agent, state=state, since=at)

    def _concerns(self, call: CallId, interface: str) -> bool:
        live = self.calls.get(call)
        return live is not None and (
            live.offer_at(interface) is not None
            or live.talk_of(interface) is not None
            or (live.placed_by is not None and live.placed_by.interface == interface)
        )


def _state_at(interface: str, calls: Iterable[LiveCall]) -> AgentState:
    """What the holder of this device is doing, by the calls that are at it."""
    state = AgentState.READY
    for call in calls:
        if call.talk_of(interface) is not None:
            return AgentState.TALKING
        if call.placed_by is not None and call.placed_by.interface == interface:
            return AgentState.TALKING
        state = AgentState.RINGING
    return state


# --- one step per kind of event, in the order of a call's life ------------------------------------


def _started(board: LiveBoard, event: CallStarted) -> None:
    if event.call not in board.calls:
        board.calls[event.call] = LiveCall(
            pbx=event.pbx,
            call=event.call,
            direction=event.direction,
            started_at=event.at,
            caller_number=event.caller_number,
            caller_name=event.caller_name,
            called_number=event.called_number,
        )


def _placed(board: LiveBoard, event: CallPlaced) -> None:
    live = board._change(event.call, placed_by=event.member, called_number=event.called_number)
    if live is not None:
        board._is_at(event.pbx, event.member, event.call)
        board._restate(event.pbx, event.member, event.at)


def _queued(board: LiveBoard, event: CallQueued) -> None:
    live = board.calls.get(event.call)
    if live is None or live.waiting == event.queue_pass:
        return
    board._stop_waiting(event.call)
    board._change(
        event.call,
        queue=event.queue_pass.queue,
        entered_at=event.at,
        waiting=event.queue_pass,
        caller_number=event.caller_number or live.caller_number,
        caller_name=event.caller_name or live.caller_name,
    )
    board._wait(event.pbx, event.queue_pass.queue, event.call, waits=True)


def _offered(board: LiveBoard, event: CallOffered) -> None:
    live = board.calls.get(event.call)
    if live is None or any(offer.attempt == event.attempt for offer in live.offers):
        return
    offer = LiveOffer(
        attempt=event.attempt,
        member=event.member,
        queue=event.queue_pass.queue if event.queue_pass else None,
        offered_at=event.at,
    )
    board._change(event.call, offers=(*live.offers, offer))
    board._is_at(event.pbx, event.member, event.call)
    board._restate(event.pbx, event.member, event.at)


def _offer_ended(board: LiveBoard, event: OfferEnded) -> None:
    live = board.calls.get(event.call)
    # An answered ring goes over into a conversation: CallAnswered ends it, without a moment of ready.
    if live is not None and event.result is not AttemptResult.ANSWERED:
        left = tuple(offer for offer in live.offers if offer.attempt != event.attempt)
        board._change(event.call, offers=left)
        board._restate(event.pbx, event.member, event.at)


def _answered(board: LiveBoard, event: CallAnswered) -> None:
    board._stop_waiting(event.call)
    live = board.calls.get(event.call)
    if live is None or live.talk_of(event.member.interface) is not None:
        return
    talk = Talk(
        member=event.member,
        queue=event.queue_pass.queue if event.queue_pass else None,
        since=event.at,
        leg=event.leg,
    )
    mine = live.offer_at(event.member.interface)
    board._change(
        event.call,
        talks=(*live.talks, talk),
        offers=tuple(offer for offer in live.offers if offer is not mine),
    )
    board._is_at(event.pbx, event.member, event.call)
    board._restate(event.pbx, event.member, event.at)
    agent = board.agent_at(event.pbx, event.member.interface)
    if agent is not None:
        board.agents[agent.user] = replace(agent, answered=agent.answered + 1, last_call=event.call)


def _left_queue(board: LiveBoard, event: CallLeftQueue) -> None:
    live = board.calls.get(event.call)
    if live is not None and live.waiting == event.queue_pass:
        board._stop_waiting(event.call)


def _conversation_ended(board: LiveBoard, event: ConversationEnded) -> None:
    live = board.calls.get(event.call)
    talk = live.talk_of(event.member.interface) if live is not None else None
    if live is not None and talk is not None:
        left = tuple(other for other in live.talks if other is not talk)
        board._change(event.call, talks=left, last_talk=talk)
        board._restate(event.pbx, event.member, event.at)


def _ended(board: LiveBoard, event: CallEnded) -> None:
    board._stop_waiting(event.call)
    live = board.calls.pop(event.call, None)
    if live is None:
        return
    here = [offer.member for offer in live.offers] + [talk.member for talk in live.talks]
    if live.placed_by is not None:
        here.append(live.placed_by)
    for member in here:
        board._restate(event.pbx, member, event.at)


def _signed_in(board: LiveBoard, event: AgentSignedIn) -> None:
    held = board.agents.get(event.user)
    if held is not None:
        board._by_interface.pop((held.pbx, held.interface), None)
    board._by_interface[event.pbx, event.interface] = event.user
    board.agents[event.user] = LiveAgent(
        pbx=event.pbx,
        user=event.user,
        agent_number=event.agent_number,
        name=event.name,
        interface=event.interface,
        queues=event.queues,
        signed_in_at=event.at,
        state=AgentState.READY,
        since=event.at,
    )
    board._restate(event.pbx, Member(interface=event.interface), event.at)


def _signed_out(board: LiveBoard, event: AgentSignedOut) -> None:
    agent = board.agents.get(event.user)
    if agent is not None and agent.interface == event.interface:
        del board.agents[event.user]
        board._by_interface.pop((event.pbx, event.interface), None)


def _member_seen(board: LiveBoard, event: QueueMemberSeen) -> None:
    queue = board._queue(event.pbx, event.queue)
    seen = QueueMember(member=event.member, paused=event.paused, pause_reason=event.pause_reason)
    others = _others(queue, event.member)
    board.queues[event.pbx, event.queue] = replace(queue, members=(*others, seen))


def _member_gone(board: LiveBoard, event: QueueMemberGone) -> None:
    queue = board._queue(event.pbx, event.queue)
    board.queues[event.pbx, event.queue] = replace(queue, members=_others(queue, event.member))


def _others(queue: LiveQueue, member: Member) -> tuple[QueueMember, ...]:
    return tuple(kept for kept in queue.members if kept.member.interface != member.interface)


def _link_changed(board: LiveBoard, event: LinkChanged) -> None:
    former = board.links.get(event.pbx)
    board.links[event.pbx] = LiveLink(
        state=event.state,
        since=former.since if former and former.state is event.state else event.at,
        heard_until=event.at if event.state is LinkState.UP or not former else former.heard_until,
        reason=event.reason,
    )


def _heard(board: LiveBoard, event: FeedHeard) -> None:
    link = board.links.get(event.pbx)
    if link is not None and link.state is LinkState.UP:
        board.links[event.pbx] = replace(link, heard_until=event.at)


def _booted(board: LiveBoard, event: BootFound) -> None:
    # A new boot has no members until they are added again; its calls end by CallEnded.
    for key in [key for key in board.queues if key[0] == event.pbx]:
        board.queues[key] = replace(board.queues[key], members=())


_STEPS: dict[type[Event], Callable[[LiveBoard, Any], None]] = {
    CallStarted: _started,
    CallPlaced: _placed,
    CallQueued: _queued,
    CallOffered: _offered,
    OfferEnded: _offer_ended,
    CallAnswered: _answered,
    CallLeftQueue: _left_queue,
    ConversationEnded: _conversation_ended,
    CallEnded: _ended,
    AgentSignedIn: _signed_in,
    AgentSignedOut: _signed_out,
    QueueMemberSeen: _member_seen,
    QueueMemberGone: _member_gone,
    LinkChanged: _link_changed,
    FeedHeard: _heard,
    BootFound: _booted,
}
