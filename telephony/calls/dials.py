"""Phones that are dialled, by a queue or without one: who is rung, and who lifts. Pure."""

from __future__ import annotations

from crm_core.events import AttemptResult, Direction, LegParty, Member
from telephony.ami import messages as ami
from telephony.calls.book import CallBook
from telephony.calls.call import Call
from telephony.calls.channels import device_of, is_leg, other_half
from telephony.calls.moves import Moves
from telephony.calls.rings import Offer
from telephony.calls.settling import Settling
from telephony.calls.sightings import Sightings, seen
from telephony.calls.states import DIRECT_RESULTS, RING_RESULTS

NO_NUMBER = (None, "", "s")
"""Extensions that nobody dialled."""


class Dials:
    """Handlers of the tracker."""

    def __init__(
        self, book: CallBook, sightings: Sightings, moves: Moves, settling: Settling
    ) -> None:
        self._book, self._devices = book, book.devices
        self._sightings, self._moves, self._settling = sightings, moves, settling

    def originated(self, message: ami.OriginateResponse) -> None:
        """A phone that Asterisk itself rang was lifted, and goes on to dial: a number was clicked."""
        call = self._book.of_channel(message.unique_id)
        channel = call.channels.get(message.unique_id or "") if call else None
        if channel is not None and message.exten and channel.exten in NO_NUMBER:
            channel.exten = message.exten

    def begin(self, message: ami.DialBegin) -> None:
        """In a queue AgentCalled has told the ring; without one, a Dial to a seat is the ring."""
        if not message.unique_id and not message.channel:
            return  # Asterisk itself rings a phone (Originate, a transfer that comes back)
        call = self._sightings.call_of(message) if message.unique_id else None
        call = call or seen(self._book.of_channel(message.dest_unique_id), message.at)
        if call is None or not message.dest_unique_id or not message.dest_channel:
            return
        self._sightings.dialled(message, call)
        if not is_leg(message.dest_channel) or message.dest_unique_id in call.rung_late:
            return
        if half := other_half(message.channel or ""):
            if offer := self._offer_through(call, half):
                offer.legs.add(message.dest_unique_id)
                call.belongs_to(message.dest_unique_id, LegParty.AGENT, offer.member)
                return
        elif call.in_queue(message.unique_id or ""):
            return
        self._dial_without_queue(message, call)

    def _offer_through(self, call: Call, half: str) -> Offer | None:
        """The ring at a Local member, whose phone the other half of its channel dials."""
        for channel in call.channels.values():
            if channel.name == half:
                return call.rings.at_leg(channel.unique_id)
        return None

    def _dial_without_queue(self, message: ami.DialBegin, call: Call) -> None:
        caller = call.channels.get(message.unique_id or "")
        if caller is None or not caller.is_leg:
            caller = call.channels.get(call.unique_id)
        placing = caller if caller is not None and caller.party is LegParty.AGENT else None
        to_agent = self._devices.agent(message.dest_channel or "", message.dest_context)
        number = message.dest_caller_id_num or ""
        if call.talks.broken_off is not None:
            self._moves.redirected(message.at, call, message.unique_id, number)
        if placing is not None and not call.stays and call.transfers is None:
            call.announce(Direction.INTERNAL if to_agent else Direction.OUTBOUND)
            number = placing.exten if placing.exten not in NO_NUMBER else number
            call.placed(message.at, placing.member or Member(), number, placing.unique_id)
        if to_agent is None:
            call.belongs_to(message.dest_unique_id, LegParty.CUSTOMER, None)
            call.tried()
            return
        device = device_of(message.dest_channel or "")
        call.offered(message.at, None, to_agent, message.dest_unique_id, device)

    def end(self, message: ami.DialEnd) -> None:
        call = seen(self._book.of_channel(message.dest_unique_id), message.at)
        if call is None:
            return
        offer, status = call.rings.at_leg(message.dest_unique_id), message.dial_status or ""
        if offer is None:
            if status == "ANSWER":
                self._answered_unrung(message, call)
        elif offer.stay is None:
            if status == "ANSWER":
                call.connected(
                    message.at, None, offer.member, message.dest_unique_id, message.unique_id
                )
            else:
                direct = DIRECT_RESULTS.get(status, AttemptResult.NO_ANSWER)
                call.rang_out(message.at, offer, direct)
        elif status == "ANSWER":
            offer.stay.lifted = True  # AgentConnect makes it an answer
        elif result := RING_RESULTS.get(status):
            call.rings.end(message.at, offer, result)
        else:
            call.rings.stop(message.at, offer, None)
        self._settling.look_at(call, message.at)

    def _answered_unrung(self, message: ami.DialEnd, call: Call) -> None:
        """By the customer of a call that a seat placed, or by an agent who picked it up."""
        placing = call.channels.get(message.unique_id or "")
        lifted = call.channels.get(message.dest_unique_id or "")
        if placing is not None and lifted is not None and lifted.member is not None:
            call.connected(message.at, None, lifted.member, lifted.unique_id, placing.unique_id)
        elif placing is not None and placing.party is LegParty.AGENT and placing.member is not None:
            call.connected(
                message.at, None, placing.member, placing.unique_id, message.dest_unique_id
            )
        elif placing is not None and call.transfers is not None:
            call.transfers.answer(message.at, None)  # transferred to somebody outside
