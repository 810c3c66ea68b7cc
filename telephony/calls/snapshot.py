"""What Asterisk says lives now, held against what we think lives.

Items and live events come mixed. Events about calls we know are applied first, then the items that
are not older than such an event, then the other events: an event is never older than what the items
did not show.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crm_core.events import LegParty, Member
from telephony.ami import messages as ami
from telephony.calls.book import CallBook
from telephony.calls.call import SAME_STAY, Call
from telephony.calls.channels import Channel, device_of
from telephony.calls.rings import Stay
from telephony.calls.states import PassState

ChannelItem = ami.StatusItem | ami.CoreShowChannelItem

ITEMS: frozenset[type[ami.AmiMessage]] = frozenset(
    {ami.StatusItem, ami.CoreShowChannelItem, ami.QueueEntry}
)


MOVES_ON = (
    ami.Hangup,
    ami.DialEnd,
    ami.QueueCallerLeave,
    ami.QueueCallerAbandon,
    ami.AgentConnect,
    ami.AgentRingNoAnswer,
    ami.AgentDump,
    ami.AgentComplete,
)
"""Events after which an item that came before them is no news any more."""

MOST_HELD = 200_000
"""Messages that wait for a snapshot; more than that, and they are taken as they are."""


@dataclass(slots=True)
class Seen:
    """One live channel, from its `Status` and `CoreShowChannel` items.

    `place` is how many events had come before the first of them.
    """

    item: ChannelItem
    started_at: datetime
    place: int
    bridge: str | None = None
    application: str | None = None
    data: str | None = None

    @property
    def unique_id(self) -> str:
        return self.item.unique_id or ""

    @property
    def is_ringing(self) -> bool:
        return self.item.channel_state_desc == "Ringing"

    @property
    def queue(self) -> str | None:
        """The queue whose Queue() this channel is in, waiting or talking."""
        return (self.data or "").partition(",")[0] or None if self.application == "Queue" else None


@dataclass(slots=True)
class Held:
    """Events sorted by when they came and what they are about."""

    former_known: list[ami.AmiMessage] = field(default_factory=list)
    known: list[ami.AmiMessage] = field(default_factory=list)
    former_others: list[ami.AmiMessage] = field(default_factory=list)
    others: list[ami.AmiMessage] = field(default_factory=list)


@dataclass(slots=True)
class Snapshot:
    """What came between SnapshotBegan and SnapshotEnded."""

    legs_before: set[str]
    waiting_before: list[tuple[Call, Stay]]
    calls_before: list[Call]
    held: list[ami.AmiMessage]
    carried: int
    """So many of them came before the lists: whatever lives of what they tell, the items show."""
    channels: dict[str, Seen] = field(default_factory=dict)
    entries: list[tuple[int, ami.QueueEntry]] = field(default_factory=list)
    """Each with how many events had come before it."""
    _newer: dict[str | None, int] = field(default_factory=dict)
    """Channel → place of the last event about it that an older item does not know."""
    _lists_came: bool = False
    _hung_up: dict[str | None, int] = field(default_factory=dict)

    @classmethod
    def begin(cls, calls: Iterable[Call], held: list[ami.AmiMessage]) -> Snapshot:
        """`held` are events that came before it, since it was known last what lives."""
        begun = cls(
            legs_before=set(),
            waiting_before=[],
            calls_before=[],
            held=held,
            carried=len(held),
        )
        begun.remember(calls)
        return begun

    def remember(self, calls: Iterable[Call]) -> None:
        """What is open, by all that came before it: only that can be missing at the end."""
        self.calls_before = list(calls)
        self.legs_before = {uid for call in self.calls_before for uid in call.channels}
        self.waiting_before = [
            (call, stay)
            for call in self.calls_before
            for stay in call.stays
            if stay.state is PassState.WAITING
        ]

    def add(self, message: ami.AmiMessage) -> bool:
        """Take an item or hold an event; false: `MOST_HELD` are held already."""
        if isinstance(message, ami.StatusItem | ami.CoreShowChannelItem):
            self.lists_come()
            self._add_channel(message)
        elif isinstance(message, ami.QueueEntry):
            self.lists_come()
            self.entries.append((len(self.held), message))
        elif len(self.held) < MOST_HELD:
            self.held.append(message)
        else:
            return False
        return True

    def lists_come(self) -> None:
        """The first item is here: it is younger than every event before it in the wire."""
        if not self._lists_came:
            self._lists_came, self.carried = True, len(self.held)

    def _add_channel(self, item: ChannelItem) -> None:
        if not item.unique_id or not item.channel:
            return
        if isinstance(item, ami.StatusItem):
            seconds, data = item.seconds or 0, item.data
        else:
            seconds, data = _seconds(item.duration), item.application_data
        seen = self.channels.setdefault(
            item.unique_id, Seen(item, item.at - timedelta(seconds=seconds), len(self.held))
        )
        seen.bridge = seen.bridge or item.bridge_id
        seen.application = seen.application or item.application
        seen.data = seen.data or data

    def sorted_held(self, book: CallBook) -> Held:
        """The held events: about calls we know and about others, from before it and since."""
        held = Held()
        for place, message in enumerate(self.held):
            ids = (
                getattr(message, name, None)
                for name in ("unique_id", "linked_id", "dest_unique_id")
            )
            former = place < self.carried
            if not any(book.of_channel(each) is not None for each in ids):
                (held.former_others if former else held.others).append(message)
                continue
            (held.former_known if former else held.known).append(message)
            if isinstance(message, MOVES_ON):
                self._newer[getattr(message, "dest_unique_id", None)] = place
                if not _ends_a_ring(message):
                    self._newer[message.unique_id] = place
                if isinstance(message, ami.Hangup):
                    self._hung_up[message.unique_id] = place
        return held

    def is_stale(self, unique_id: str | None, place: int) -> bool:
        """Whether an event came after this item that has been applied, and says where the channel is."""
        return self._newer.get(unique_id, -1) >= place

    def is_gone(self, seen: Seen) -> bool:
        """Whether its Hangup came after its items."""
        return self._hung_up.get(seen.unique_id, -1) >= seen.place


def _ends_a_ring(message: ami.AmiMessage) -> bool:
    """A phone rings no longer, and the caller is where he was: he waits on, or another phone rings."""
    if isinstance(message, ami.DialEnd):
        return message.dial_status != "ANSWER"
    return isinstance(message, ami.AgentRingNoAnswer | ami.AgentDump)


def conclude(snapshot: Snapshot, at: datetime, book: CallBook) -> None:
    """End what is gone, open what is new, and put everybody where he is."""
    live = snapshot.channels
    _end_what_is_missing(snapshot, live, book)
    for seen in sorted(live.values(), key=_age):
        if not snapshot.is_gone(seen):
            _put_channel(seen, book)
    for place, entry in snapshot.entries:
        if not snapshot.is_stale(entry.unique_id, place):
            _put_in_queue(entry, live.get(entry.unique_id or ""), book)
    parties = _bridges(live)
    for seen in live.values():
        call = book.of_channel(seen.unique_id)
        if call is not None and not snapshot.is_stale(seen.unique_id, seen.place):
            _put_leg(seen, at, call, parties.get(seen.bridge or "", []), book)
    for call, stay in snapshot.waiting_before:
        waits = any(
            (entry.unique_id, entry.queue) == (stay.key.unique_id, stay.key.queue)
            for _, entry in snapshot.entries
        )
        if stay.state is PassState.WAITING and not waits:
            call.leaves(at, stay.key.unique_id, stay.key.queue)
    for call in book.calls.values():
        call.settle(at)  # nothing is blind any more: what was to explain it would have come
        call.announce()
        call.last_seen_at = max(call.last_seen_at, at)


def _age(seen: Seen) -> tuple[bool, datetime, str]:
    """The oldest first. Items tell whole seconds, but Linkedid names the channel that began a call."""
    return seen.unique_id != seen.item.linked_id, seen.started_at, seen.unique_id


def _end_what_is_missing(snapshot: Snapshot, live: dict[str, Seen], book: CallBook) -> None:
    begun_by = {book.identity_of(seen.item.linked_id or seen.unique_id) for seen in live.values()}
    for call in snapshot.calls_before:
        if not call.is_live:
            continue
        if not call.seen and call.id in begun_by:
            book.calls.pop(
                call.id
            )  # only queue_log has told of it: now it is seen for the first time
            continue
        known = {*call.seen, *call.channels}
        new = [uid for uid in call.channels if uid not in snapshot.legs_before]
        if not new and not any(uid in live for uid in known):
            book.miss(call)
            continue
        for unique_id in list(call.channels):
            if unique_id in snapshot.legs_before and unique_id not in live:
                call.channel_missed(unique_id)
        if not call.is_live:
            book.forget(call)


def _put_channel(seen: Seen, book: CallBook) -> None:
    item = seen.item
    channel = Channel(
        unique_id=seen.unique_id,
        linked_id=item.linked_id or seen.unique_id,
        name=item.channel or "",
        started_at=seen.started_at,
        exten=item.exten,
    )
    call = book.put(
        channel,
        context=item.context,
        caller_number=item.caller_id_num,
        caller_name=item.caller_id_name,
        at_is_receipt=True,
    )
    if call is not None and channel.unique_id in call.channels:
        call.channels[channel.unique_id].rename(channel.name)


def _put_in_queue(entry: ami.QueueEntry, seen: Seen | None, book: CallBook) -> None:
    call = book.of_channel(entry.unique_id)
    if call is None or not entry.unique_id or not entry.queue:
        return
    entered_at = _entered_at(entry, seen, call.channels.get(entry.unique_id))
    waits = call.open_stay(entry.unique_id)
    if waits is not None and waits.key.queue == entry.queue:
        if entered_at - waits.entered_at <= SAME_STAY:
            return
        call.gives_up(waits, call.last_seen_at)  # he left and came again, and nobody saw it
    call.enters(
        entered_at,
        entry.unique_id,
        entry.queue,
        position=entry.position,
        number=entry.caller_id_num,
        name=entry.caller_id_name,
        found_later=True,
    )


def _entered_at(entry: ami.QueueEntry, seen: Seen | None, channel: Channel | None) -> datetime:
    """By Asterisk's clock, which may not be ours: the channel tells how far they are apart."""
    entered_at = entry.at - timedelta(seconds=entry.wait or 0)
    if seen is None or channel is None:
        return entered_at
    return entered_at - (seen.started_at - channel.started_at)


def _bridges(live: dict[str, Seen]) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = {}
    for seen in live.values():
        if seen.bridge:
            found.setdefault(seen.bridge, []).append(seen)
    return found


def _put_leg(seen: Seen, at: datetime, call: Call, together: list[Seen], book: CallBook) -> None:
    """An agent's leg rings for the call, or talks in it."""
    channel = call.channels.get(seen.unique_id)
    if channel is None or channel.party is LegParty.CUSTOMER:
        return
    rung_by_queue = seen.application == "AppQueue"
    agents = rung_by_queue or book.devices.agent(channel.name, seen.item.context) is not None
    if not agents or seen.queue:
        return
    offer = call.rings.at_leg(seen.unique_id)
    member = offer.member if offer else book.devices.member(channel.name)
    if seen.is_ringing:
        stay = call.open_stay()
        # Rung by a queue in which nobody waits any more, or not yet: the events that follow tell it.
        if (rung_by_queue and stay is not None) or seen.application == "AppDial":
            call.offered(at, stay, member, seen.unique_id, device_of(channel.name))
        return
    other = next((each for each in together if each.unique_id != seen.unique_id), None)
    if other is None or call.talks.at_leg(seen.unique_id):
        return
    _put_talk(at, call, other, member, seen.unique_id)


def _put_talk(at: datetime, call: Call, other: Seen, member: Member, leg: str) -> None:
    stay = call.open_stay(other.unique_id)
    if other.queue and (stay is None or stay.key.queue != other.queue):
        stay = call.enters(
            at, other.unique_id, other.queue, number=call.caller_number, found_later=True
        )
    call.connected(at, stay, member, leg, other.unique_id)


def _seconds(duration: str | None) -> int:
    """`01:02:03` → 3723."""
    parts = (duration or "").split(":")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        return 0
    hours, minutes, seconds = (int(part) for part in parts)
    return hours * 3600 + minutes * 60 + seconds
