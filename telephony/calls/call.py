"""One call while it lives: its channels, its stays in queues, its rings, and who talks.

Every method is something that happened; it moves the tables of `states` and tells the facts. What
the tables do not allow (late, double, contradictory) tells nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from crm_core.events import (
    AttemptResult,
    CallEnded,
    CallHeld,
    CallLeftQueue,
    CallPlaced,
    CallQueued,
    CallResumed,
    CallStarted,
    Direction,
    EndedBy,
    Event,
    LegEnded,
    LegParty,
    LegStarted,
    Member,
)
from crm_core.ids import BootId, CallId, PbxId, QueuePassKey
from telephony.calls.channels import Channel, shown
from telephony.calls.rings import SETTLES_AFTER, Offer, Rings, Stay
from telephony.calls.states import CALL, PASS, CallFact, CallState, PassFact, PassState, after
from telephony.calls.talks import Talk, Talks
from telephony.calls.transfers import Transfers

SAME_STAY = timedelta(seconds=3)
"""A wait and two ages of a channel, each in whole seconds, name the same moment this closely; who
enters a queue later than that in which he waits has left it, and nobody saw it."""

IN_QUEUE = (PassState.WAITING, PassState.LEAVING)


class Call:
    """What the tracker knows of one living call. Its facts go to `told`."""

    def __init__(
        self,
        *,
        pbx: PbxId,
        boot: BootId,
        call: CallId,
        unique_id: str,
        started_at: datetime,
        direction: Direction,
        told: list[Event],
        caller_number: str | None = None,
        caller_name: str | None = None,
        called_number: str | None = None,
        at_is_receipt: bool = False,
    ) -> None:
        self.pbx, self.boot, self.id, self.unique_id = pbx, boot, call, unique_id
        self.started_at = self.last_seen_at = started_at
        self.direction = direction
        self.caller_number, self.caller_name = caller_number, caller_name
        self.called_number, self.at_is_receipt = called_number, at_is_receipt
        self.state = CallState.LIVE
        self.announced = False
        self.channels: dict[str, Channel] = {}
        """Live ones by Uniqueid, halves of Local channels too."""
        self.seen: dict[str, str] = {}
        """Uniqueid → Linkedid of every channel there ever was."""
        self.gone: set[str] = set()
        """Uniqueids of channels that were hung up or moved away: they do not come back."""
        self.stays: list[Stay] = []
        self.rings = Rings(pbx, call, told)
        self.talks = Talks(pbx, call, told)
        self.held: dict[str, Member] = {}
        """Uniqueid of an agent's channel that keeps the other side on hold → who that is."""
        self.transfers: Transfers | None = None
        """None: nobody has ever transferred it, as most calls."""
        self.rung_late: set[str] = set()
        """Legs that a queue rang, told of only when the caller's stay there was over."""
        self._placed: set[str] = set()
        self.entries: dict[tuple[str, str], int] = {}
        """(Uniqueid, queue) → how often this channel has entered this queue."""
        self._told = told

    @property
    def is_live(self) -> bool:
        return self.state is CallState.LIVE

    # --- being born ---

    def announce(self, direction: Direction | None = None) -> None:
        """Tell that there is this call. Waits, for a call that a seat places, until its way is known."""
        if self.announced:
            return
        self.announced = True
        self.direction = direction or self.direction
        self._told.append(
            CallStarted(
                at=self.started_at,
                pbx=self.pbx,
                call=self.id,
                boot=self.boot,
                unique_id=self.unique_id,
                direction=self.direction,
                caller_number=self.caller_number,
                caller_name=self.caller_name,
                called_number=self.called_number,
                at_is_receipt=self.at_is_receipt,
            )
        )
        for channel in self.channels.values():
            self.show_leg(channel)

    def announce_again(self) -> None:
        """Tell once more that there is this call, and its live legs."""
        if not self.announced:
            return  # it will be told when its way is known
        self.announced = False
        for channel in self.channels.values():
            channel.told = False
        self.announce()

    # --- channels ---

    def add(self, channel: Channel) -> None:
        self.channels[channel.unique_id] = channel
        self.seen[channel.unique_id] = channel.linked_id
        if self.announced:
            self.show_leg(channel)

    def show_leg(self, channel: Channel) -> None:
        """Tell a leg once it is known whose side it is on."""
        if channel.told or not channel.is_leg or channel.party is None or not self.announced:
            return
        channel.told = True
        self._told.append(
            LegStarted(
                at=channel.started_at,
                pbx=self.pbx,
                call=self.id,
                unique_id=channel.unique_id,
                linked_id=channel.linked_id,
                party=channel.party,
                member=channel.member,
            )
        )

    def belongs_to(self, unique_id: str | None, party: LegParty, member: Member | None) -> None:
        """Whose side a channel is on."""
        channel = self.channels.get(unique_id or "")
        if channel is None or channel.party is not None:
            return
        channel.party, channel.member = party, member
        self.show_leg(channel)

    def channel_gone(self, at: datetime, unique_id: str, cause: int | None) -> None:
        """Hangup. The last leg's is the call's end."""
        channel = self.channels.pop(unique_id, None)
        if channel is None:
            return
        self.gone.add(unique_id)
        self.rings.leg_gone(at, unique_id, cause)
        self.talks.leg_gone(at, unique_id, is_leg=channel.is_leg)
        self.held.pop(unique_id, None)
        if self.transfers is not None and channel.is_leg and channel.party is not LegParty.AGENT:
            self.transfers.give_up(at)
        for stay in self.stays:
            if stay.key.unique_id == unique_id:
                self.gives_up(stay, at)
        if channel.is_leg:
            channel.party = channel.party or LegParty.CUSTOMER
            self.announce()
            self.show_leg(channel)
            self._leg_ended(at, unique_id, cause)
            self._end_without_legs(at, cause)

    def channel_missed(self, unique_id: str) -> None:
        """A channel is gone, and nobody saw it go."""
        at = self.last_seen_at
        if offer := self.rings.at_leg(unique_id):
            self.rings.end(at, offer, offer.why or AttemptResult.GONE)
        self.talks.end_on(at, unique_id, EndedBy.UNKNOWN)
        self.channel_gone(at, unique_id, None)

    def leave(self, at: datetime) -> tuple[list[Channel], list[Offer]]:
        """Over, because it goes on as a part of another: its channels, and the rings that ring on."""
        channels, ringing = list(self.channels.values()), self.rings.ringing
        self.channels.clear()
        if self.announced:
            self.talks.end_all(at, EndedBy.TRANSFER)
            self.end(at, CallFact.LAST_CHANNEL_GONE, None)
        self.state = CallState.OVER
        return channels, ringing

    def _leg_ended(self, at: datetime, unique_id: str, cause: int | None) -> None:
        self._told.append(
            LegEnded(at=at, pbx=self.pbx, call=self.id, unique_id=unique_id, cause=cause)
        )

    def _end_without_legs(self, at: datetime, cause: int | None) -> None:
        for channel in self.channels.values():
            if channel.is_leg:
                return
        self.end(at, CallFact.LAST_CHANNEL_GONE, cause)

    def end(self, at: datetime, fact: CallFact, cause: int | None) -> None:
        """The call is over, and with it all that was open in it."""
        over = after(CALL, self.state, fact)
        if over is None:
            return
        self.announce()
        if self.transfers is not None and fact is CallFact.LAST_CHANNEL_GONE:
            self.transfers.give_up(at)
        self.rings.end_all(at)
        self.talks.end_all(at)
        for stay in self.stays:
            self.gives_up(stay, at)
            stay.state = PassState.OVER
        for channel in self.channels.values():
            if channel.told:
                self._leg_ended(at, channel.unique_id, None)
        self.channels.clear()
        self.state = over
        seen = fact is CallFact.LAST_CHANNEL_GONE
        self._told.append(CallEnded(at=at, pbx=self.pbx, call=self.id, cause=cause, seen=seen))

    # --- in a queue ---

    def enters(
        self,
        at: datetime,
        unique_id: str,
        queue: str,
        *,
        position: int | None = None,
        number: str | None = None,
        name: str | None = None,
        found_later: bool = False,
    ) -> Stay | None:
        """The stay that begins, or None: it is told already."""
        here = self._stays_in(unique_id, queue)
        if here and (
            here[-1].entered_at >= at
            or (here[-1].state is PassState.WAITING and at - here[-1].entered_at <= SAME_STAY)
        ):
            return None
        self.announce(Direction.INBOUND)
        for other in self.stays:
            if other.key.unique_id == unique_id and other.state in IN_QUEUE:
                self.gives_up(other, at)  # one channel is in one queue at a time
        ordinal = self.entries.get((unique_id, queue), 0) + 1
        self.entries[(unique_id, queue)] = ordinal
        key = QueuePassKey(unique_id=unique_id, queue=queue, ordinal=ordinal)
        self.tried()
        stay = Stay(key=key, entered_at=at)
        self.stays.append(stay)
        self._told.append(
            CallQueued(
                at=at,
                pbx=self.pbx,
                call=self.id,
                queue_pass=key,
                caller_number=shown(number),
                caller_name=shown(name),
                position=position,
                found_later=found_later,
            )
        )
        return stay

    def waiting(self, at: datetime, unique_id: str, queue: str) -> Stay | None:
        """The stay that waits here; entered now if nobody told its entry; None: none waits any more."""
        here = self._stays_in(unique_id, queue)
        if not here:
            return self.enters(at, unique_id, queue, number=self.caller_number, found_later=True)
        return here[-1] if here[-1].state in IN_QUEUE else None

    def in_queue(self, unique_id: str, queue: str | None = None) -> bool:
        """Whether this channel waits, in this queue or in any."""
        stay = self.open_stay(unique_id)
        return stay is not None and queue in (None, stay.key.queue)

    def open_stay(self, unique_id: str | None = None) -> Stay | None:
        """The stay that waits, of this channel or of any."""
        for stay in reversed(self.stays):
            if stay.state in IN_QUEUE and unique_id in (None, stay.key.unique_id):
                return stay
        return None

    def leaves(self, at: datetime, unique_id: str, queue: str) -> None:
        """QueueCallerLeave: to an agent, or not."""
        for stay in self._stays_in(unique_id, queue):
            if state := after(PASS, stay.state, PassFact.LEAVES):
                stay.state, stay.left_at = state, at

    def abandons(self, at: datetime, unique_id: str, queue: str) -> None:
        """QueueCallerAbandon, which is every exit without an agent."""
        for stay in self._stays_in(unique_id, queue):
            self.gives_up(stay, at)

    def gives_up(self, stay: Stay, at: datetime) -> None:
        state = after(PASS, stay.state, PassFact.GIVES_UP)
        if state is None:
            return
        stay.state = state
        self.rings.give_up(at, stay)
        left_at = stay.left_at or at
        self._told.append(
            CallLeftQueue(at=left_at, pbx=self.pbx, call=self.id, queue_pass=stay.key)
        )

    # --- ringing ---

    def offered(
        self, at: datetime, stay: Stay | None, member: Member, leg: str | None, device: str
    ) -> None:
        self.announce()
        self.belongs_to(leg, LegParty.AGENT, member)
        self.tried()
        self.rings.begin(at, stay, member, leg, device)

    def rang_out(self, at: datetime, offer: Offer, why: AttemptResult) -> None:
        """A ring ended for this reason, unless the agent's Hangup knows a better one."""
        if self.transfers and offer.stay is None and why is not AttemptResult.GONE:
            self.transfers.declined()
        if any(leg in self.channels for leg in offer.legs):
            self.rings.stop(at, offer, why)
        else:
            self.rings.end(at, offer, why)

    # --- talking ---

    def connected(
        self, at: datetime, stay: Stay | None, talker: Member, leg: str | None, other: str | None
    ) -> None:
        """Caller and agent talk; whatever else rang for them rings no longer."""
        if stay is not None:
            state = after(PASS, stay.state, PassFact.CONNECTS)
            if state is None:
                return
            stay.state = state
        elif self.talks.at_leg(leg):
            return
        self.rings.answer(at, stay, talker, leg)
        self.announce()
        leg = self.phone_behind(leg)
        self.belongs_to(leg, LegParty.AGENT, talker)
        self.talks.begin(at, Talk(talker, leg, other, stay))
        if self.transfers is not None:
            self.transfers.answer(at, talker)

    def phone_behind(self, leg: str | None) -> str | None:
        """Of half of a Local channel: the phone that rang behind it, which stays when the halves go."""
        channel = self.channels.get(leg or "")
        if channel is None or channel.is_leg:
            return leg
        ring = self.rings.at_leg(leg)
        for each in ring.legs if ring else ():
            if (phone := self.channels.get(each)) and phone.is_leg:
                return each
        return leg

    def placed(self, at: datetime, member: Member, called_number: str, leg: str) -> None:
        """A seat's phone dials; ringing several phones, or one after the other, is one placing."""
        if leg in self._placed:
            return
        self._placed.add(leg)
        self._told.append(
            CallPlaced(
                at=at,
                pbx=self.pbx,
                call=self.id,
                member=member,
                called_number=called_number,
                leg=leg,
            )
        )

    # --- on hold, and on its way to somebody else ---

    def holds(self, at: datetime, unique_id: str) -> None:
        channel = self.channels.get(unique_id)
        if channel is None or channel.member is None or unique_id in self.held:
            return  # a customer's phone may say so too
        self.announce()
        self.held[unique_id] = channel.member
        self._told.append(
            CallHeld(at=at, pbx=self.pbx, call=self.id, member=channel.member, leg=unique_id)
        )

    def resumes(self, at: datetime, unique_id: str) -> None:
        """Asterisk says so before each blind transfer too, of who never was on hold."""
        member = self.held.pop(unique_id, None)
        if member is None:
            return
        self._told.append(
            CallResumed(at=at, pbx=self.pbx, call=self.id, member=member, leg=unique_id)
        )
        if self.transfers is not None:
            self.transfers.back(at, unique_id)

    def sent(self) -> Transfers:
        """The transfers of this call; from now on it has some."""
        if self.transfers is None:
            self.transfers = Transfers(self.pbx, self.id, self._told)
        return self.transfers

    def tried(self) -> None:
        """It rings somebody, or waits in a queue: for the transfer, if one is under way."""
        if self.transfers is not None:
            self.transfers.try_()

    # --- what no message explained ---

    @property
    def unsettled(self) -> bool:
        return self.rings.unsettled or PassState.LEAVING in [stay.state for stay in self.stays]

    def settle(self, at: datetime) -> None:
        """A Leave that no Connect followed was no answer; see `Rings.settle` for rings."""
        for stay in self.stays:
            left = stay.left_at if stay.state is PassState.LEAVING else None
            if left and at - left > SETTLES_AFTER:
                self.gives_up(stay, left)
        self.rings.settle(at)

    def _stays_in(self, unique_id: str, queue: str) -> list[Stay]:
        return [
            stay
            for stay in self.stays
            if stay.key.unique_id == unique_id and stay.key.queue == queue
        ]
