"""The ground of the model of Asterisk: its clock, channels and members, and its two outlets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from crm_core.events import AttemptResult
from telephony.ami import messages as ami
from tests.simulation.clock import Clock
from tests.simulation.floor import Channel, Live, Member, Ring, ids_of_both, members, message
from tests.simulation.plans import QUEUES, CallPlan
from tests.simulation.truth import Row, TrueCall, TruePass, Truth

A_MOMENT = timedelta(microseconds=200)


class Exchange:
    """`say` and `write` take what AMI says and what `queue_log` gets."""

    def __init__(
        self,
        clock: Clock,
        truth: Truth,
        say: Callable[[ami.AmiMessage], None],
        write: Callable[[Row], None],
    ) -> None:
        self.clock, self.truth = clock, truth
        self.is_up = False
        self.started_at = clock.wall
        self.members = members()
        self.channels: dict[str, Channel] = {}
        self.live: dict[str, Live] = {}
        self.waiting: dict[str, list[Live]] = {queue.name: [] for queue in QUEUES}
        self._queues = {queue.name: queue for queue in QUEUES}
        self._say, self._write = say, write
        self._run = 0
        self._counter = 0
        self._stamped = clock.wall

    def start(self) -> None:
        self.is_up = True
        self._counter = 0
        self._stamped = self.clock.wall
        self.started_at = self.clock.wall.replace(microsecond=0)
        self.truth.boots.append(self.started_at)
        self.truth.starts.append(self._row(None, "NONE", "NONE", "NONE", "QUEUESTART", ""))

    def _after(self, seconds: float, act: Callable[..., object], *args: Any) -> None:
        """Unless Asterisk dies before."""
        run = self._run

        def do() -> None:
            if run == self._run:
                act(*args)

        self.clock.after(seconds, do)

    # --- outlets ------------------------------------------------------------------------------------

    def stamp(self) -> datetime:
        self._stamped = max(self.clock.wall, self._stamped + A_MOMENT)
        return self._stamped

    def say(self, kind: type[ami.AmiMessage], /, **values: Any) -> None:
        self._say(message(kind, self.stamp(), **values))

    def _row(
        self,
        stay: TruePass | None,
        unique_id: str,
        queue: str,
        agent: str,
        verb: str,
        *data: object,
    ) -> Row:
        text = "|".join(str(each) for each in (self._epoch(), unique_id, queue, agent, verb, *data))
        row = Row(f"{text}\n".encode(), verb)
        if stay is not None:
            stay.rows.append(row)
        self._write(row)
        return row

    def _epoch(self) -> int:
        return int(self.clock.wall.timestamp())

    def _channel(
        self, device: str, context: str, exten: str, like: Channel | None = None
    ) -> Channel:
        unique_id = f"lab-{self._epoch()}.{self._counter}"
        name = f"{device}-{self._counter:08x}"
        self._counter += 1
        linked_id = like.linked_id if like is not None else unique_id
        channel = Channel(unique_id, linked_id, name, context, exten, None, self.clock.now)
        self.channels[unique_id] = channel
        return channel

    def _newchannel(self, channel: Channel, true: TrueCall) -> None:
        at = self.stamp()
        true.legs[channel.unique_id] = [at, None]
        self._say(message(ami.Newchannel, at, **channel.shown))

    def _hangup(self, channel: Channel, true: TrueCall, cause: int) -> None:
        if self.channels.pop(channel.unique_id, None) is None:
            return
        at = self.stamp()
        true.legs[channel.unique_id][1] = at
        ids = {"unique_id": channel.unique_id, "linked_id": channel.linked_id}
        self._say(message(ami.Hangup, at, cause=cause, **ids))

    def _tell_device(self, member: Member) -> None:
        for queue in member.queues:
            self.say(ami.QueueMemberStatus, **member.shown(queue))

    # --- calls ----------------------------------------------------------------------------------------

    def _begin(self, plan: CallPlan, dice: Random, channel: Channel) -> Live:
        true = TrueCall(
            number=plan.number,
            kind=plan.kind,
            boot=len(self.truth.boots) - 1,
            unique_id=channel.unique_id,
            began=self.clock.now,
            began_at=self.clock.wall,
        )
        self.truth.calls.append(true)
        live = Live(plan, dice, channel, true, list(plan.route))
        self.live[channel.unique_id] = live
        self._newchannel(channel, true)
        return live

    def _hang_up(self, live: Live, cause: int = 16) -> None:
        """The call is over."""
        if live.over:
            return
        live.over = True
        if live.other is not None:
            self._hangup(live.other, live.true, cause)
        self._hangup(live.channel, live.true, cause)
        for member in (live.talker, live.placed_by):
            if member is not None:
                member.leg = None
                self._tell_device(member)
        live.true.ended, live.true.ended_at = self.clock.now, self._stamped
        del self.live[live.channel.unique_id]

    def _dial_ends(self, live: Live, leg: Channel, status: str) -> None:
        self.say(ami.DialEnd, dial_status=status, **ids_of_both(live.channel, leg))

    def _bridged(self, *channels: Channel) -> None:
        for each in channels:
            self.say(ami.BridgeEnter, unique_id=each.unique_id, linked_id=each.linked_id)

    def _silences(self, live: Live, ring: Ring, result: AttemptResult, cause: int) -> None:
        """The phone rings no longer; its leg is hung up."""
        live.rings.remove(ring)
        ring.true.ended, ring.true.result = self.clock.now, result
        self._hangup(ring.leg, live.true, cause)
        ring.member.leg = None
        self._tell_device(ring.member)

    def pause(self, interface: str, reason: str | None) -> None:
        """QueuePause of all queues; Asterisk tells it of each."""
        if not self.is_up:
            return
        member = next(each for each in self.members if each.interface == interface)
        member.paused = reason
        verb = "PAUSE" if reason is not None else "UNPAUSE"
        for queue in member.queues:
            self.say(ami.QueueMemberPause, **member.shown(queue))
            self._row(None, "NONE", queue, member.name, verb, reason or "")
