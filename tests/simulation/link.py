"""The events session between the model of Asterisk and the product: late, doubled, cut, dead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from random import Random

from telephony.ami import messages as ami
from tests.simulation.asterisk import Asterisk
from tests.simulation.clock import Clock
from tests.simulation.floor import Channel, message

Sent = tuple[float, float, ami.AmiMessage | Callable[[], None]]
"""When it was sent, when it is due, and what: a message, or what to do at its place in the wire."""
Hear = Callable[[ami.AmiMessage], None]

OF_OTHER_THREADS = (ami.Hangup, ami.QueueMemberStatus, ami.BridgeEnter)
"""Asterisk sends these by other threads than the queue's: they may pass its messages by."""


class Link:
    """`up` is whether a session stands. What is sent while none does is never sent again."""

    def __init__(self, clock: Clock, dice: Random) -> None:
        self.up = False
        self.dead_since: float | None = None
        """Half-open: nothing comes through, and nobody has noticed."""
        self.stalled_until = self.doubled_until = self.reordered_until = 0.0
        self._tears: list[Callable[[], None]] = []
        """Whom to tell of the next messages that are torn."""
        self._clock, self._dice = clock, dice
        self._wire: deque[Sent] = deque()

    @property
    def oldest(self) -> float:
        """When the first of what is under way was sent."""
        return self._wire[0][0] if self._wire else self._clock.now

    @property
    def is_idle(self) -> bool:
        """Everything that was sent has come, and comes at once."""
        stalled = self._clock.now < self.stalled_until
        return self.up and self.dead_since is None and not stalled and not self._wire

    def connect(self) -> None:
        self.up, self.dead_since = True, None
        self._wire.clear()

    def cut(self, arrives: float) -> float:
        """The session ends; of what is under way this part still arrives. When the first of what is
        lost was sent."""
        kept = list(self._wire)[: int(arrives * (len(self._wire) + 1))]
        lost = list(self._wire)[len(kept) :]
        self._wire = deque(kept)
        since = [sent for sent, _, _ in lost] + [self._clock.now]
        if self.dead_since is not None:
            since.append(self.dead_since)
        self.dead_since = None
        return min(since)

    def close(self) -> None:
        self.up = False
        self._wire.clear()

    def say(self, what: ami.AmiMessage) -> None:
        """Asterisk sends this."""
        now = self._clock.now
        if not self.up or self.dead_since is not None:
            return
        if self._tears and not isinstance(what, ami.QueueMemberStatus | ami.QueueMemberPause):
            self._tears.pop()()
            return
        due = max(now + self._dice.random() * 0.02, self._wire[-1][1] if self._wire else 0.0)
        entry: Sent = (now, due, what)
        if now < self.reordered_until and self._wire and self._may_pass(what, self._wire[-1][2]):
            last = self._wire.pop()
            self._wire.append(entry)
            entry = (last[0], due, last[2])
        self._wire.append(entry)
        if now < self.doubled_until and self._dice.random() < 0.5:
            self._wire.append(entry)

    def _may_pass(self, one: ami.AmiMessage, other: ami.AmiMessage | Callable[[], None]) -> bool:
        if not isinstance(other, ami.AmiMessage) or self._dice.random() < 0.5:
            return False
        ids = [
            (getattr(each, "unique_id", None), getattr(each, "linked_id", None))
            for each in (one, other)
        ]
        if ids[0][1] != ids[1][1]:
            return True
        rung = {getattr(each, "dest_unique_id", None) for each in (one, other)}
        if rung & {ids[0][0], ids[1][0]}:
            return False  # who dials hangs up what he dialled: one thread
        swift = isinstance(one, OF_OTHER_THREADS) or isinstance(other, OF_OTHER_THREADS)
        return swift and ids[0][0] != ids[1][0]

    def tear(self, then: Callable[[], None]) -> None:
        """The next message cannot be used; `then` is called when it is sent."""
        self._tears.append(then)

    def then(self, do: Callable[[], None]) -> None:
        """Once everything that was sent has come."""
        due = self._wire[-1][1] if self._wire else self._clock.now
        self._wire.append((self._clock.now, due, do))

    def deliver(self, hear: Hear) -> None:
        now = self._clock.now
        if now < self.stalled_until:
            return
        while self._wire and self._wire[0][1] <= now:
            what = self._wire.popleft()[2]
            if isinstance(what, ami.AmiMessage):
                hear(what)
            else:
                what()

    def send_items(self, items: Iterable[ami.AmiMessage]) -> None:
        """A list that was asked for."""
        if self.up and self.dead_since is None:
            for item in items:
                due = self._wire[-1][1] if self._wire else self._clock.now
                self._wire.append((self._clock.now, due, item))


def status_items(asterisk: Asterisk) -> list[ami.AmiMessage]:
    """`Status`."""
    return [
        message(
            ami.StatusItem,
            asterisk.clock.wall,
            at_is_receipt=True,
            channel_state_desc=each.state,
            seconds=_age(asterisk, each),
            bridge_id=each.bridge,
            application=each.application,
            data=each.data,
            **each.shown,
        )
        for each in asterisk.channels.values()
    ]


def core_items(asterisk: Asterisk) -> list[ami.AmiMessage]:
    """`CoreShowChannels`."""
    return [
        message(
            ami.CoreShowChannelItem,
            asterisk.clock.wall,
            at_is_receipt=True,
            channel_state_desc=each.state,
            duration=f"00:{_age(asterisk, each) // 60:02}:{_age(asterisk, each) % 60:02}",
            bridge_id=each.bridge,
            application=each.application,
            application_data=each.data,
            **each.shown,
        )
        for each in asterisk.channels.values()
    ]


def queue_items(asterisk: Asterisk) -> list[ami.AmiMessage]:
    """`QueueStatus`: the members and the callers who wait."""
    at = asterisk.clock.wall
    found: list[ami.AmiMessage] = [
        message(ami.QueueMemberItem, at, at_is_receipt=True, **member.shown(queue))
        for member in asterisk.members
        for queue in member.queues
    ]
    for queue, waiting in asterisk.waiting.items():
        found += [
            message(
                ami.QueueEntry,
                at,
                at_is_receipt=True,
                queue=queue,
                position=place,
                channel=live.channel.name,
                unique_id=live.channel.unique_id,
                caller_id_num=live.channel.number,
                wait=int(asterisk.clock.now - live.stay.entered),
            )
            for place, live in enumerate(waiting, start=1)
            if live.stay is not None
        ]
    return found


def _age(asterisk: Asterisk, channel: Channel) -> int:
    return int(asterisk.clock.now - channel.began)
