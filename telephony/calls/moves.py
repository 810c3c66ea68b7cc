"""Calls that do not stay where they began: on hold, transferred, picked up, joined with another. Pure.

How Asterisk 22 tells of them (each as recorded in `tests/traces`): a feature code, `Atxfer` too, puts
the caller on hold (`Hold`) and dials a Local channel; coming back is `Unhold`, letting go
`AttendedTransfer`. A phone with two lines says nothing of a consultation; REFER with Replaces joins
two calls. A `Redirect` says nothing at all: the agent is hung up, the caller's channel dials on.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from crm_core.events import EndedBy, LegParty, Member, TransferKind
from telephony.ami import messages as ami
from telephony.calls.book import CallBook
from telephony.calls.call import Call
from telephony.calls.channels import Channel, device_of

AT_ONCE = timedelta(seconds=2)
"""How soon after the agent's hang-up a caller who was redirected is rung on."""

DONE = "Success"


class Moves:
    """Handlers of the tracker; the calls are the book's."""

    def __init__(self, book: CallBook) -> None:
        self._book = book

    def hold(self, message: ami.Hold) -> None:
        call = self._book.of_channel(message.unique_id)
        if call is not None and message.unique_id:
            call.holds(message.at, message.unique_id)

    def unhold(self, message: ami.Unhold) -> None:
        call = self._book.of_channel(message.unique_id)
        if call is not None and message.unique_id:
            call.resumes(message.at, message.unique_id)

    def consults(self, at: datetime, call: Call, half: Channel) -> None:
        """A Local channel of a call whose agent keeps the caller on hold: a colleague is asked."""
        if half.name.endswith(";1"):
            leg, member = next(reversed(call.held.items()))
            self._begin(at, call, TransferKind.ATTENDED, member, half.exten, leg, half.unique_id)

    def blind(self, message: ami.BlindTransfer) -> None:
        uid = message.transferer_unique_id
        call = self._book.of_channel(uid)
        member = _member(call, uid)
        if call is None or member is None:
            return
        known_by = uid if message.result == DONE else f"{uid} {message.at}"
        if not self._begin(
            message.at, call, TransferKind.BLIND, member, message.extension, uid, known_by
        ):
            return
        if message.result == DONE:
            call.talks.end_on(message.at, uid or "", EndedBy.TRANSFER)
        else:
            call.sent().fail(message.at)

    def attended(self, message: ami.AttendedTransfer) -> None:
        first, second = message.orig_transferer_unique_id, message.second_transferer_unique_id
        call = self._book.of_channel(message.transferee_unique_id) or self._book.of_channel(first)
        if call is None or message.result != DONE:
            return
        consult = self._book.of_channel(second)
        if consult is not None and consult is not call:
            call = self._joined(call, consult, message.at)
        member = _member(call, first) or _member(call, second)
        if member is None:
            return
        # Who made a conference of it may transfer again, but not to the same channel.
        done = f"{second}/{message.transfer_target_unique_id or message.at}"
        if not call.sent().is_news(TransferKind.ATTENDED, done):
            return
        if call.sent().under_way is None:
            placed = call.channels.get(second or "")
            to = placed.exten if placed is not None else None
            self._begin(message.at, call, TransferKind.ATTENDED, member, to, first, second)
        talk = call.talks.of_leg(message.transfer_target_unique_id)
        call.sent().hand_over(message.at, talk.member if talk else None)
        if message.dest_type == "Threeway":
            call.resumes(message.at, first or "")
        else:
            call.talks.end_on(message.at, first or "", EndedBy.TRANSFER)

    def pick_up(self, message: ami.Pickup) -> None:
        """Who dialled the code talks, and is no call of his own any more."""
        call = self._book.of_channel(message.target_unique_id)
        other = self._book.of_channel(message.unique_id)
        rung = call.rings.at_leg(message.target_unique_id) if call else None
        if call is None or other is None or rung is None or message.unique_id is None:
            return
        uid, code = message.unique_id, ""
        if channel := other.channels.get(uid):
            code = channel.exten or ""
            channel.party = LegParty.AGENT
            channel.member = channel.member or self._book.devices.member(channel.name)
        if other is not call:
            self._book.join(other, call, message.at)
        if self._begin(
            message.at, call, TransferKind.PICKUP, rung.member, code, message.target_unique_id, uid
        ):
            call.tried()

    def bridge_enter(self, message: ami.BridgeEnter) -> None:
        """After an attended transfer a channel's Linkedid is that of the older call."""
        call = self._book.of_channel(message.unique_id)
        if call is None:
            return
        if message.at > call.last_seen_at:
            call.last_seen_at = message.at
        older = self._book.of_channel(message.linked_id)
        if older is None or call is older or message.unique_id is None:
            return
        channel = call.channels.get(message.unique_id)
        if channel is None or not channel.is_leg:
            return
        channel.linked_id = message.linked_id or channel.linked_id
        self._book.join(call, older, message.at)
        if channel.party is LegParty.AGENT and channel.member is not None:
            other = older.unique_id if older.unique_id in older.channels else None
            uid, device = channel.unique_id, device_of(channel.name)
            # Not rung for this call, but its customer is news at that phone: the card comes by a ring.
            older.offered(message.at, None, channel.member, uid, device)
            older.connected(message.at, None, channel.member, uid, other)

    def redirected(self, at: datetime, call: Call, channel: str | None, to: str | None) -> None:
        """This channel is rung on, or queued: by a Redirect, if its agent was hung up just now."""
        talk = call.talks.broken_off
        if talk is None or talk.other != channel or at - talk.ended_at > AT_ONCE:
            return
        call.talks.broken_off = None
        self._begin(at, call, TransferKind.BLIND, talk.member, to, talk.leg, talk.leg)

    def _joined(self, one: Call, other: Call, at: datetime) -> Call:
        """The older of the two, which both are now."""
        older, younger = sorted((one, other), key=lambda call: call.started_at)
        self._book.join(younger, older, at)
        return older

    @staticmethod
    def _begin(
        at: datetime,
        call: Call,
        kind: TransferKind,
        member: Member,
        to: str | None,
        leg: str | None,
        known_by: str | None,
    ) -> bool:
        call.announce()
        return call.sent().begin(at, kind, member, to or "", leg=leg, known_by=known_by)


def _member(call: Call | None, unique_id: str | None) -> Member | None:
    channel = call.channels.get(unique_id or "") if call else None
    return channel.member if channel else None
