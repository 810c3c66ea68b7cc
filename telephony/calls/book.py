"""The calls that live, found by any channel that is or was theirs; and the ones that lately ended."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime

from crm_core.commands import OpenCall
from crm_core.events import CallJoined, Direction, Event, LegParty
from crm_core.ids import BootId, CallId, PbxId, call_id
from telephony.calls.call import Call
from telephony.calls.channels import LISTENER, Channel, Devices, shown
from telephony.calls.resuming import resume
from telephony.calls.states import CallFact

REMEMBERED = 20_000
"""Channels of ended calls that are still known, so that a late message opens no new call."""


class CallBook:
    """Owns every `Call`. Facts of all of them go to the one list `told`."""

    def __init__(self, pbx: PbxId, boot: BootId, devices: Devices) -> None:
        self.pbx, self.boot, self.devices = pbx, boot, devices
        self.told: list[Event] = []
        self.calls: dict[CallId, Call] = {}
        self._by_channel: dict[str | None, Call] = {}
        self.of_channel: Callable[[str | None], Call | None] = self._by_channel.get
        """The living call that this channel belongs, or has belonged, to; None for no channel too."""
        self._ended: OrderedDict[str, CallId] = OrderedDict()
        """Channels of this run whose call is over."""
        self._over: OrderedDict[CallId, None] = OrderedDict()
        """Calls that are over, of former runs too."""

    def call_of(self, unique_id: str) -> CallId | None:
        """Also of a call that lately ended."""
        living = self._by_channel.get(unique_id)
        return living.id if living else self._ended.get(unique_id)

    def identity_of(self, linked_id: str) -> CallId:
        """Of the call whose oldest channel this is, in the present run of Asterisk."""
        return call_id(self.pbx, self.boot, linked_id)

    def put(
        self,
        channel: Channel,
        *,
        context: str | None,
        caller_number: str | None = None,
        caller_name: str | None = None,
        at_is_receipt: bool = False,
    ) -> Call | None:
        """The call of this channel, which is now known; opened if the channel is its first.

        None: the channel is plumbing without a call or only listens, or its call is over and stays so.
        """
        known = self._by_channel.get(channel.unique_id)
        if known is not None and (
            channel.unique_id in known.channels or channel.unique_id in known.gone
        ):
            return known
        if channel.unique_id in self._ended or channel.unique_id.startswith(LISTENER):
            return None
        call = known or self._by_channel.get(channel.linked_id)
        agent = self.devices.agent(channel.name, context)
        if agent is not None:
            channel.party, channel.member = LegParty.AGENT, agent
        if call is None:
            identity = self.identity_of(channel.linked_id)
            if not channel.is_leg or identity in self._over:
                return None
            call = self._open(
                identity,
                channel,
                placed=agent is not None,
                number=caller_number,
                name=caller_name,
                receipt=at_is_receipt,
            )
        elif context in self.devices.names.inbound:
            channel.party = LegParty.CUSTOMER
        self._by_channel[channel.unique_id] = call
        self._by_channel.setdefault(channel.linked_id, call)
        channel.told = channel.unique_id in call.seen
        call.add(channel)
        return call

    def _open(
        self,
        identity: CallId,
        first: Channel,
        *,
        placed: bool,
        number: str | None,
        name: str | None,
        receipt: bool,
    ) -> Call:
        """A call is named after its oldest channel, which Linkedid tells."""
        if not placed:
            first.party = LegParty.CUSTOMER
        call = Call(
            pbx=self.pbx,
            boot=self.boot,
            call=identity,
            unique_id=first.unique_id,
            started_at=first.started_at,
            direction=Direction.OUTBOUND if placed else Direction.INBOUND,
            told=self.told,
            caller_number=shown(number),
            caller_name=shown(name),
            called_number=first.exten if first.exten not in ("s", "") else None,
            at_is_receipt=receipt,
        )
        self.calls[identity] = call
        if not placed:
            call.announce()
        return call

    def join(self, call: Call, older: Call, at: datetime) -> None:
        """`call` goes on as a part of `older`: they were bridged, or one was picked up by the other.

        What rings for it rings for the older call from now on, whose customer that is.
        """
        known = call.announced
        channels, ringing = call.leave(at)
        if known:
            self.told.append(CallJoined(at=at, pbx=self.pbx, call=older.id, other=call.id))
        for channel in channels:
            self._by_channel[channel.unique_id] = older
            channel.told = False
            older.add(channel)
        for offer in ringing:
            leg = next(iter(offer.legs & older.channels.keys()), None)
            if leg is not None:
                older.offered(at, None, offer.member, leg, offer.device)
        self.forget(call)

    def forget(self, call: Call) -> None:
        """A call is over: its state goes, its channels are remembered for a while."""
        self.calls.pop(call.id, None)
        for unique_id in {call.unique_id, *call.seen, *call.seen.values()}:
            if self._by_channel.get(unique_id) is call:
                del self._by_channel[unique_id]
                self._ended[unique_id] = call.id
        self._over[call.id] = None
        while len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        while len(self._over) > REMEMBERED:
            self._over.popitem(last=False)

    def miss(self, call: Call) -> None:
        """Nobody saw this call end."""
        call.end(call.last_seen_at, CallFact.MISSED, None)
        self.forget(call)

    def resume(self, known: OpenCall) -> None:
        """A call that was told, and not ended, before a restart of ours."""
        call = Call(
            pbx=self.pbx,
            boot=known.boot,
            call=known.call,
            unique_id=known.channels[0][0] if known.channels else "",
            started_at=known.last_seen_at,
            direction=known.direction,
            told=self.told,
        )
        resume(call, known)
        self.calls[call.id] = call
        if known.boot != self.boot:
            self.miss(call)
            return
        for unique_id, linked_id in known.channels:
            self._by_channel[unique_id] = self._by_channel[linked_id] = call

    def begin_boot(self, boot: BootId) -> None:
        """Asterisk started anew: nothing of the former run lives, and Uniqueids may come again."""
        for call in list(self.calls.values()):
            self.miss(call)
        self._by_channel.clear()
        self._ended.clear()
        self.boot = boot
