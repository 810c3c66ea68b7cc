"""From AMI messages to facts about calls: who called, who was rung, who talked, when it was over.

A call is a set of channels with a history, found by Uniqueid (never by name) and by Linkedid, the
Uniqueid of its oldest channel. Messages may be late, double, or missing: nothing here raises, and
nothing takes a call back from its end.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

from crm_core.commands import OpenCall
from crm_core.events import AttemptResult, EndedBy, Event
from crm_core.ids import BootId, CallId, PbxId
from telephony.ami import messages as ami
from telephony.calls.book import CallBook
from telephony.calls.call import Call
from telephony.calls.channels import Devices, SiteNames, device_of
from telephony.calls.dials import Dials
from telephony.calls.moves import Moves
from telephony.calls.rings import Offer
from telephony.calls.settling import Settling
from telephony.calls.sightings import Sightings, seen
from telephony.calls.snapshot import ITEMS, MOST_HELD, Snapshot, conclude
from telephony.calls.states import REASONS


class CallTracker:
    """Fed every message of one PBX in the order of the wire; answers the facts it tells.

    `open_calls` are the calls that had no end when a process before this one stopped; whether they
    still live, the first snapshot says. `names` are the contexts of our own dialplan.
    """

    def __init__(
        self,
        pbx: PbxId,
        boot: BootId,
        open_calls: Iterable[OpenCall] = (),
        names: SiteNames | None = None,
    ) -> None:
        self._devices = Devices(names or SiteNames())
        self._book = CallBook(pbx, boot, self._devices)
        self._moves = Moves(self._book)
        self._sightings = Sightings(self._book, self._moves)
        self._settling = Settling(self._book)
        dials = Dials(self._book, self._sightings, self._moves, self._settling)
        self._snapshot: Snapshot | None = None
        self._unheard: list[ami.AmiMessage] | None = None
        """Since the link was lost: what came before the snapshot that says what it builds on."""
        self._handlers: Mapping[type[ami.AmiMessage], Callable[[Any], object]] = {
            ami.Newchannel: self._sightings.call_of,
            ami.Hangup: self._hangup,
            ami.Rename: self._rename,
            ami.BridgeEnter: self._moves.bridge_enter,
            ami.Hold: self._moves.hold,
            ami.Unhold: self._moves.unhold,
            ami.BlindTransfer: self._moves.blind,
            ami.AttendedTransfer: self._moves.attended,
            ami.Pickup: self._moves.pick_up,
            ami.OriginateResponse: dials.originated,
            ami.DialBegin: dials.begin,
            ami.DialEnd: dials.end,
            ami.QueueCallerJoin: self._queue_caller_join,
            ami.QueueCallerLeave: self._queue_caller_leave,
            ami.QueueCallerAbandon: self._queue_caller_abandon,
            ami.AgentCalled: self._agent_called,
            ami.AgentRingNoAnswer: self._agent_ring_no_answer,
            ami.AgentDump: self._agent_dump,
            ami.AgentConnect: self._agent_connect,
            ami.AgentComplete: self._agent_complete,
            ami.QueueMemberStatus: self._queue_member,
            ami.QueueMemberAdded: self._queue_member,
            ami.QueueMemberPause: self._queue_member,
            ami.QueueMemberItem: self._queue_member,
            ami.LinkLost: self._link_lost,
            ami.SnapshotBegan: self._snapshot_began,
        }
        for known in open_calls:
            self._book.resume(known)

    @property
    def hears(self) -> frozenset[type[ami.AmiMessage]]:
        """Kinds of message that can tell something here; the others need not be parsed."""
        return frozenset(self._handlers) | ITEMS

    def feed(self, message: ami.AmiMessage) -> list[Event]:
        """The facts that this message tells; none for most messages."""
        if self._snapshot is not None or self._unheard is not None:
            self._before_snapshot(message)  # what would explain a Leave may have been lost
        else:
            if message.at > self._settling.due_at:
                self._settling.settle(message.at)
            if handler := self._handlers.get(type(message)):
                handler(message)
        told = self._book.told
        if not told:
            return []
        found = told[:]
        told.clear()
        return found

    @property
    def unsettled(self) -> int:
        """Calls in which something waits for the message, or the time, that explains it."""
        return len(self._settling)

    def live_calls(self) -> tuple[CallId, ...]:
        return tuple(self._book.calls)

    def tell_again(self, known: Container[CallId]) -> list[Event]:
        """The beginnings of the calls that live and are not `known`: the records have lost them."""
        for identity, call in self._book.calls.items():
            if identity not in known:
                call.announce_again()
        found = self._book.told[:]
        self._book.told.clear()
        return found

    def channels_of(self, call: CallId) -> tuple[str, ...]:
        """Names of the live channels of a call, halves of Local channels too: what to hang up."""
        living = self._book.calls.get(call)
        return tuple(each.name for each in living.channels.values()) if living else ()

    def leg_channels(self, call: CallId) -> dict[str, str]:
        """Uniqueid → name of the live legs of a call."""
        living = self._book.calls.get(call)
        channels = living.channels.values() if living else ()
        return {each.unique_id: each.name for each in channels if each.is_leg}

    def call_of(self, unique_id: str) -> CallId | None:
        """The call that a channel belongs, or lately belonged, to."""
        return self._book.call_of(unique_id)

    def _handle(self, message: ami.AmiMessage) -> None:
        if handler := self._handlers.get(type(message)):
            handler(message)

    # --- channels ---

    def _hangup(self, message: ami.Hangup) -> None:
        call = seen(self._book.of_channel(message.unique_id), message.at)
        if call is None or message.unique_id is None:
            return
        call.channel_gone(message.at, message.unique_id, message.cause)
        self._settling.look_at(call, message.at)

    def _rename(self, message: ami.Rename) -> None:
        call = self._book.of_channel(message.unique_id)
        channel = call.channels.get(message.unique_id or "") if call else None
        if channel is not None and message.new_name:
            channel.rename(message.new_name)

    # --- queues ---

    def _queue_caller_join(self, message: ami.QueueCallerJoin) -> None:
        call = self._sightings.call_of(message)
        if call is not None and message.unique_id and message.queue:
            if call.talks.broken_off is not None:
                self._moves.redirected(message.at, call, message.unique_id, message.queue)
            call.enters(
                message.at,
                message.unique_id,
                message.queue,
                position=message.position,
                number=message.caller_id_num,
                name=message.caller_id_name,
            )

    def _queue_caller_leave(self, message: ami.QueueCallerLeave) -> None:
        call = seen(self._book.of_channel(message.unique_id), message.at)
        if call is not None and message.unique_id and message.queue:
            call.leaves(message.at, message.unique_id, message.queue)
            self._settling.look_at(call, message.at)

    def _queue_caller_abandon(self, message: ami.QueueCallerAbandon) -> None:
        call = seen(self._book.of_channel(message.unique_id), message.at)
        if call is not None and message.unique_id and message.queue:
            call.abandons(message.at, message.unique_id, message.queue)

    def _queue_member(self, message: ami.OfMember) -> None:
        if message.interface:
            self._devices.learn(message.interface, message.member_name, message.state_interface)

    # --- ringing ---

    def _agent_called(self, message: ami.AgentCalled) -> None:
        if not (message.unique_id and message.queue and message.interface):
            return
        member = self._devices.learn(message.interface, message.member_name)
        call = self._sightings.call_of(message)
        if call is None:
            return
        self._sightings.dialled(message, call)
        stay = call.waiting(message.at, message.unique_id, message.queue)
        if stay is None:
            call.rung_late.add(message.dest_unique_id or "")
            return
        device = device_of(message.dest_channel or message.interface)
        call.offered(message.at, stay, member, message.dest_unique_id, device)

    def _agent_ring_no_answer(self, message: ami.AgentRingNoAnswer) -> None:
        call, offer = self._offer_of(message)
        if call is not None and offer is not None:
            call.rang_out(message.at, offer, AttemptResult.NO_ANSWER)

    def _agent_dump(self, message: ami.AgentDump) -> None:
        """The agent hung up on the announcement; the caller waits on."""
        call, offer = self._offer_of(message)
        if call is not None and offer is not None:
            call.rings.end(message.at, offer, AttemptResult.REFUSED)

    def _offer_of(
        self, message: ami.AgentRingNoAnswer | ami.AgentDump
    ) -> tuple[Call | None, Offer | None]:
        """The ring that a queue's message is about; by the agent's channel, else by the member."""
        call = self._book.of_channel(message.unique_id) or self._book.of_channel(
            message.dest_unique_id
        )
        if seen(call, message.at) is None or call is None:
            return None, None
        offer = call.rings.at_leg(message.dest_unique_id)
        if offer is None:
            offer = call.rings.at_member(message.queue or "", message.interface or "")
        return call, offer

    # --- talking ---

    def _agent_connect(self, message: ami.AgentConnect) -> None:
        if not (message.unique_id and message.queue and message.interface):
            return
        rung = self._devices.learn(message.interface, message.member_name)
        call = self._sightings.call_of(message)
        if call is None:
            return
        self._sightings.dialled(message, call)
        stay = call.waiting(message.at, message.unique_id, message.queue)
        if stay is None:
            return
        offer = call.rings.at_leg(message.dest_unique_id) or call.rings.at_member(
            message.queue, message.interface
        )
        rung_device = offer.device if offer else message.interface
        talker = self._devices.talker(message.dest_channel, rung, rung_device)
        call.connected(message.at, stay, talker, message.dest_unique_id, message.unique_id)

    def _agent_complete(self, message: ami.AgentComplete) -> None:
        """Some come without Uniqueid, when the caller is gone already (measured)."""
        call = (
            self._book.of_channel(message.unique_id)
            or self._book.of_channel(message.dest_unique_id)
            or self._book.of_channel(message.dest_linked_id)
        )
        if seen(call, message.at) is None or call is None:
            return
        by = REASONS.get(message.reason or "", EndedBy.UNKNOWN)
        call.talks.completed(
            message.at,
            message.unique_id,
            call.phone_behind(message.dest_unique_id),
            message.queue,
            by,
        )

    # --- snapshots ---

    def _snapshot_began(self, message: ami.SnapshotBegan) -> None:
        held = self._snapshot.held if self._snapshot else []  # that one never came to its end
        held = [*held, *(self._unheard or ())]
        if message.boot != self._book.boot:
            self._settling.clear()
            self._book.begin_boot(message.boot)
            held = []  # some may be of the former run; what lives of the present one the items show
        self._snapshot = Snapshot.begin(self._book.calls.values(), held)
        self._unheard = None

    def _before_snapshot(self, message: ami.AmiMessage) -> None:
        """What comes when it is not known any more what lives."""
        if isinstance(message, ami.SnapshotBegan):
            self._snapshot_began(message)
        elif self._snapshot is not None:
            self._in_snapshot(self._snapshot, message)
        elif self._unheard is not None and len(self._unheard) < MOST_HELD:
            self._unheard.append(message)
        else:
            self._handle(message)

    def _in_snapshot(self, snapshot: Snapshot, message: ami.AmiMessage) -> None:
        """Live events wait until the snapshot is whole: it says what they build on."""
        if isinstance(message, ami.SnapshotEnded):
            self._snapshot = None
            held = snapshot.sorted_held(self._book)
            for each in held.former_known:
                self._handle(each)
            snapshot.remember(self._book.calls.values())
            for each in held.known:
                self._handle(each)
            conclude(snapshot, message.at, self._book)
            lives = frozenset(self._book.calls)
            for each in held.former_others:
                self._handle(each)
            for call in list(self._book.calls.values()):
                if call.id not in lives:
                    self._book.miss(call)
            for each in held.others:
                self._handle(each)
            for call in list(self._book.calls.values()):
                self._settling.look_at(call, message.at)
        elif isinstance(message, ami.LinkLost):
            self._link_lost(message)
        elif isinstance(message, ami.QueueMemberItem):
            snapshot.lists_come()
            self._queue_member(message)
        elif not snapshot.add(message):
            self._handle(message)

    def _link_lost(self, message: ami.LinkLost) -> None:
        """What comes next may be of another run of Asterisk: it waits for the snapshot."""
        for call in self._book.calls.values():
            seen(call, message.at)  # until now we would have heard of its end
        self._unheard = self._snapshot.held if self._snapshot else []
        self._snapshot = None
