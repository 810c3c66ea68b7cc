"""What is going on right now, folded from events: live calls, agents and their state, queues, links.

Pure: `feed` is given every event in order and the board answers by its attributes. Pages, frames and
`/api/v1/live` read it; nobody else keeps a second copy. It holds only what lives: a call is forgotten
when it has ended, its counts go to the queue's day.

While the link to a PBX is away nothing is thrown away and nothing is believed: `agent_state` answers
`unknown`, and `LiveLink.since` says how old the picture is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from crm_core.events import (
    AgentSignedIn,
    AgentSignedOut,
    AgentState,
    AgentStateChanged,
    AttemptResult,
    BootFound,
    CallAnswered,
    CallEnded,
    CallHeld,
    CallLeftQueue,
    CallOffered,
    CallPlaced,
    CallQueued,
    CallResumed,
    CallStarted,
    ConversationEnded,
    DeviceSeen,
    Event,
    FeedHeard,
    LegEnded,
    LinkChanged,
    LinkState,
    Member,
    NextStateChosen,
    OfferEnded,
    QueueMemberGone,
    QueueMemberSeen,
    TransferBegan,
    TransferEnded,
)
from crm_core.ids import CallId, PbxId, UserId
from crm_core.live_board.living import (
    LiveAgent,
    LiveCall,
    LiveLink,
    LiveOffer,
    LiveQueue,
    LiveTransfer,
    QueueMember,
    Talk,
)

__all__ = [
    "LiveAgent",
    "LiveBoard",
    "LiveCall",
    "LiveLink",
    "LiveOffer",
    "LiveQueue",
    "LiveTransfer",
    "QueueMember",
    "Talk",
]


@dataclass(slots=True)
class LiveBoard:
    """The board of all PBXs of this site."""

    links: dict[PbxId, LiveLink] = field(default_factory=dict)
    calls: dict[CallId, LiveCall] = field(default_factory=dict)
    agents: dict[UserId, LiveAgent] = field(default_factory=dict)
    queues: dict[tuple[PbxId, str], LiveQueue] = field(default_factory=dict)
    phones: dict[tuple[PbxId, str], bool] = field(default_factory=dict)
    """Interface → whether its phone can be reached; one that nobody told of is not here."""
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
            self._take_out(live)
            self._change(call, waiting=None)

    def _take_out(self, live: LiveCall) -> None:
        """From the queue it waits in; the call itself is to be changed by the caller."""
        if live.waiting is not None:
            self._wait(live.pbx, live.waiting.queue, live.call, waits=False)

    def _is_at(self, pbx: PbxId, member: Member, call: CallId) -> None:
        if member.interface:
            self._calls_at.setdefault((pbx, member.interface), {})[call] = None

    def _tidy(self, pbx: PbxId, member: Member) -> None:
        """Forget the calls that are no longer at this device."""
        if member.interface is None:
            return
        calls = self._calls_at.get((pbx, member.interface), {})
        for call in [call for call in calls if not self._concerns(call, member.interface)]:
            del calls[call]
        if not calls:
            self._calls_at.pop((pbx, member.interface), None)

    def _concerns(self, call: CallId, interface: str) -> bool:
        live = self.calls.get(call)
        return live is not None and (
            live.offer_at(interface) is not None
            or live.talk_of(interface) is not None
            or (live.placed_by is not None and live.placed_by.interface == interface)
        )


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
    live = board._change(
        event.call,
        placed_by=event.member,
        placed_leg=event.leg,
        called_number=event.called_number,
    )
    if live is not None:
        board._is_at(event.pbx, event.member, event.call)


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
    # One that is told again (the teller was restarted) may be over: it is never a new ring.
    if live is None or event.attempt <= live.rung:
        return
    offer = LiveOffer(
        attempt=event.attempt,
        member=event.member,
        queue=event.queue_pass.queue if event.queue_pass else None,
        offered_at=event.at,
    )
    board._change(event.call, offers=(*live.offers, offer), rung=event.attempt)
    board._is_at(event.pbx, event.member, event.call)


def _offer_ended(board: LiveBoard, event: OfferEnded) -> None:
    live = board.calls.get(event.call)
    # An answered ring goes over into a conversation: CallAnswered ends it.
    if live is not None and event.result is not AttemptResult.ANSWERED:
        left = tuple(offer for offer in live.offers if offer.attempt != event.attempt)
        board._change(event.call, offers=left)
        board._tidy(event.pbx, event.member)


def _answered(board: LiveBoard, event: CallAnswered) -> None:
    live = board.calls.get(event.call)
    if live is None or live.talk_of(event.member.interface) is not None:
        board._stop_waiting(event.call)
        return
    board._take_out(live)
    talk = Talk(
        member=event.member,
        queue=event.queue_pass.queue if event.queue_pass else None,
        since=event.at,
        leg=event.leg,
    )
    mine = live.offer_at(event.member.interface)
    board._change(
        event.call,
        waiting=None,
        talks=(*live.talks, talk),
        offers=tuple(offer for offer in live.offers if offer is not mine),
    )
    board._is_at(event.pbx, event.member, event.call)
    agent = board.agent_at(event.pbx, event.member.interface)
    if agent is not None:
        board.agents[agent.user] = replace(agent, answered=agent.answered + 1, last_call=event.call)


def _left_queue(board: LiveBoard, event: CallLeftQueue) -> None:
    live = board.calls.get(event.call)
    if live is not None and live.waiting == event.queue_pass:
        board._stop_waiting(event.call)


def _held(board: LiveBoard, event: CallHeld | CallResumed) -> None:
    live = board.calls.get(event.call)
    if live is None:
        return
    since = event.at if isinstance(event, CallHeld) else None
    board._change(
        event.call,
        talks=tuple(
            replace(talk, held_since=since) if talk.leg == event.leg else talk
            for talk in live.talks
        ),
    )


def _transfer_began(board: LiveBoard, event: TransferBegan) -> None:
    live = board.calls.get(event.call)
    if live is None or (live.transfer is not None and live.transfer.nth >= event.nth):
        return
    began = LiveTransfer(
        nth=event.nth, kind=event.kind, member=event.member, to=event.to, since=event.at
    )
    board._change(event.call, transfer=began)


def _transfer_ended(board: LiveBoard, event: TransferEnded) -> None:
    live = board.calls.get(event.call)
    if live is not None and live.transfer is not None and live.transfer.nth == event.nth:
        board._change(event.call, transfer=replace(live.transfer, result=event.result))


def _conversation_ended(board: LiveBoard, event: ConversationEnded) -> None:
    live = board.calls.get(event.call)
    talk = live.talk_of(event.member.interface) if live is not None else None
    if live is not None and talk is not None:
        left = tuple(other for other in live.talks if other is not talk)
        board._change(event.call, talks=left, last_talk=talk)
        if _is_of(live.placed_by, event.member):
            # Who dialled has left a call that may go on without him: it is not his to hang up.
            board._change(event.call, placed_by=None, placed_leg=None)
        board._tidy(event.pbx, event.member)


def _is_of(one: Member | None, other: Member) -> bool:
    return one is not None and one.interface == other.interface


def _leg_ended(board: LiveBoard, event: LegEnded) -> None:
    live = board.calls.get(event.call)
    if live is not None and live.placed_by is not None and live.placed_leg == event.unique_id:
        board._change(event.call, placed_by=None, placed_leg=None)
        board._tidy(event.pbx, live.placed_by)


def _ended(board: LiveBoard, event: CallEnded) -> None:
    live = board.calls.pop(event.call, None)
    if live is None:
        return
    board._take_out(live)
    here = [offer.member for offer in live.offers] + [talk.member for talk in live.talks]
    if live.placed_by is not None:
        here.append(live.placed_by)
    for member in here:
        board._tidy(event.pbx, member)


def _signed_in(board: LiveBoard, event: AgentSignedIn) -> None:
    held = board.agents.get(event.user)
    if held is not None and (held.pbx, held.interface) == (event.pbx, event.interface):
        board.agents[event.user] = replace(
            held, agent_number=event.agent_number, name=event.name, queues=event.queues
        )
        return
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


def _state_changed(board: LiveBoard, event: AgentStateChanged) -> None:
    agent = board.agents.get(event.user)
    if agent is not None and (agent.pbx, agent.interface) == (event.pbx, event.interface):
        board.agents[event.user] = replace(
            agent,
            state=event.state,
            since=event.at,
            reason=event.reason,
            call=event.call,
            due_at=event.due_at,
        )


def _next_chosen(board: LiveBoard, event: NextStateChosen) -> None:
    agent = board.agents.get(event.user)
    if agent is not None and agent.pbx == event.pbx:
        board.agents[event.user] = replace(agent, next_state=event.state, next_reason=event.reason)


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


def _device_seen(board: LiveBoard, event: DeviceSeen) -> None:
    board.phones[event.pbx, event.interface] = event.reachable


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
    CallHeld: _held,
    CallResumed: _held,
    TransferBegan: _transfer_began,
    TransferEnded: _transfer_ended,
    ConversationEnded: _conversation_ended,
    LegEnded: _leg_ended,
    CallEnded: _ended,
    AgentSignedIn: _signed_in,
    AgentSignedOut: _signed_out,
    AgentStateChanged: _state_changed,
    NextStateChosen: _next_chosen,
    QueueMemberSeen: _member_seen,
    QueueMemberGone: _member_gone,
    DeviceSeen: _device_seen,
    LinkChanged: _link_changed,
    FeedHeard: _heard,
    BootFound: _booted,
}
