"""The life of a call in the demonstration: it waits, it rings, somebody lifts or nobody does.

A call is answered only when a drawn phone is lifted (`Lifted`): nothing here answers by itself. The
rules are `app_queue`'s: who is rung and for how long, one second between two rounds, the queue's
longest wait, the time for wrap-up. Ringing goes on when a member is paused or taken out meanwhile
(tried on 22.10.1).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from crm_core.centre.plan import Strategy
from telephony.demo_pbx.exchange import DeviceState, Exchange, QueueMember
from telephony.demo_pbx.parts import Part, Script
from telephony.demo_pbx.player import Caller, Line, Offer, Player
from telephony.dialplan import BELT_SECONDS

RETRY_SECONDS = 1.0
"""`retry` of queues.conf."""

NORMAL_CLEARING = 16
AUTO_PAUSE = "Auto-Pause"


@dataclass(frozen=True, slots=True)
class Lifted:
    interface: str


@dataclass(frozen=True, slots=True)
class PutDown:
    interface: str


@dataclass(frozen=True, slots=True)
class HungUp:
    """AMI's Hangup of one channel of the call. `cause` is Q.850, 0 where none was given."""

    channel: str
    cause: int = 0


@dataclass(frozen=True, slots=True)
class SentAway:
    """AMI's Redirect of one channel of the call, to where it hangs up."""

    channel: str


Happening = Lifted | PutDown | HungUp | SentAway


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long somebody waits before giving up, and talks before hanging up."""

    wait_seconds: float
    talk_seconds: float


class Call:
    """One call, played by one task: `run` returns when it is over."""

    def __init__(
        self, exchange: Exchange, script: Script, caller: Caller, patience: Patience
    ) -> None:
        self._exchange = exchange
        self._player = Player(exchange, script)
        self._patience = patience
        self._happenings: asyncio.Queue[Happening] = asyncio.Queue()
        self._now: Callable[[], float] = asyncio.get_running_loop().time
        channel, unique_id = exchange.new_channel("PJSIP/zuoxi-trunk")
        self.line = Line(
            caller=caller,
            queue=exchange.queues[exchange.hotlines[caller.called]],
            channel=channel,
            unique_id=unique_id,
            bridge=str(uuid4()),
            joined=exchange.clock(),
        )
        self._talks = False
        self._over = False
        self._gives_up_at = self._put_out_at = self._ring_until = self._ring_again_at = 0.0

    def tell(self, happening: Happening) -> bool:
        """Something happens to this call; false if it does not concern it."""
        if self._over or not self._concerns(happening):
            return False
        self._happenings.put_nowait(happening)
        return True

    async def run(self) -> None:
        began, plan = self._now(), self.line.queue.plan
        self._gives_up_at = began + self._patience.wait_seconds
        self._put_out_at = began + plan.max_wait_seconds
        withheld = self.line.caller.number is None
        self._player.play(Part.ARRIVE_WITHHELD if withheld else Part.ARRIVE, self.line)
        while not self._over:
            if not self._talks and not self.line.offers and self._now() >= self._ring_again_at:
                self._ring()
            self._take(await self._next())

    async def _next(self) -> Happening | None:
        """What happens next; None: some time is over."""
        until = self._gives_up_at
        if not self._talks:
            pause = self._ring_until if self.line.offers else self._now() + RETRY_SECONDS
            until = min(until, self._put_out_at, pause)
        try:
            async with asyncio.timeout_at(until):
                return await self._happenings.get()
        except TimeoutError:
            return None

    def _take(self, happening: Happening | None) -> None:
        if happening is None:
            self._time_is_over()
        elif self._concerns(happening):  # not when it was answered elsewhere a moment ago
            (self._while_talking if self._talks else self._while_ringing)(happening)

    def _concerns(self, happening: Happening) -> bool:
        match happening:
            case HungUp(channel=channel) | SentAway(channel=channel):
                return channel in (self.line.channel, *(o.channel for o in self.line.offers))
            case Lifted(interface=interface):
                return not self._talks and self._offer_at(interface) is not None
            case PutDown(interface=interface):
                return self._offer_at(interface) is not None

    def _offer_at(self, interface: str) -> Offer | None:
        return next((o for o in self.line.offers if o.interface == interface), None)

    # --- time is over -----------------------------------------------------------------------------

    def _time_is_over(self) -> None:
        now, line = self._now(), self.line
        if self._talks:
            self._end(Part.CALLER_HANGS_UP, line.offers[0])
        elif now >= self._gives_up_at:
            self._give_up(None)
        elif now >= self._put_out_at:
            self._stop_ringing()
            self._end(Part.TIMED_OUT, None)
        elif line.offers and now >= self._ring_until:
            self._stop_ringing()

    def _stop_ringing(self) -> None:
        for offer in self.line.offers:
            self._player.play(Part.NO_ANSWER, self.line, offer)
            self._auto_pause(offer)
        self.line.offers.clear()
        self._ring_again_at = self._now() + RETRY_SECONDS

    def _auto_pause(self, offer: Offer) -> None:
        """`autopause=all`: who did not answer, or refused, is out everywhere at once."""
        if self.line.queue.plan.missed_rings == 1:
            self._exchange.pause(offer.interface, "", paused=True, reason=AUTO_PAUSE)

    def _give_up(self, cause: int | None) -> None:
        last = self.line.offers[-1] if self.line.offers else None
        for offer in self.line.offers[:-1]:
            self._player.play(
                Part.GIVES_UP, self.line, offer, agents_share=True, hung_up_with=cause
            )
        self._end(Part.GIVES_UP, last, cause)

    def _end(self, part: Part, offer: Offer | None, cause: int | None = None) -> None:
        self._player.play(part, self.line, offer, hung_up_with=cause)
        self.line.offers.clear()
        self._over = True

    # --- somebody does something ------------------------------------------------------------------

    def _while_ringing(self, happening: Happening) -> None:
        match happening:
            case Lifted(interface=interface):
                self._answer(interface)
            case PutDown(interface=interface):
                self._refuse(self._offer_at(interface), None)
            case HungUp(channel=self.line.channel, cause=cause):
                self._give_up(cause)
            case SentAway(channel=self.line.channel):
                self._give_up(NORMAL_CLEARING)
            case SentAway(channel=channel):
                rung = next(o for o in self.line.offers if o.channel == channel)
                self._refuse(rung, NORMAL_CLEARING)
            case HungUp(channel=channel, cause=cause):
                rung = next(o for o in self.line.offers if o.channel == channel)
                self._refuse(rung, cause)

    def _answer(self, interface: str) -> None:
        line = self.line
        answered = next(o for o in line.offers if o.interface == interface)
        others = [o for o in line.offers if o is not answered]
        self._player.play(Part.ANSWER, line, answered, elsewhere=others)
        line.offers[:] = [answered]
        self._talks = True
        self._gives_up_at = self._now() + self._patience.talk_seconds

    def _refuse(self, offer: Offer | None, cause: int | None) -> None:
        if offer is None:
            return
        self._player.play(Part.REFUSED, self.line, offer, hung_up_with=cause)
        self._auto_pause(offer)
        self.line.offers.remove(offer)
        self._ring_again_at = self._now() + RETRY_SECONDS

    def _while_talking(self, happening: Happening) -> None:
        agents = self.line.offers[0]
        match happening:
            case HungUp() | SentAway(channel=self.line.channel):
                # Whichever leg it was, Asterisk calls it the caller's hang-up (tried on 22.10.1).
                self._end(Part.CALLER_HANGS_UP, agents, NORMAL_CLEARING)
            case SentAway():  # that one is told as the agent's (tried on 22.10.1)
                self._end(Part.AGENT_HANGS_UP, agents, NORMAL_CLEARING)
            case _:
                self._end(Part.AGENT_HANGS_UP, agents)

    # --- ringing ----------------------------------------------------------------------------------

    def _ring(self) -> None:
        rung = self._whom_to_ring()
        for member in rung:
            channel, unique_id = self._exchange.new_channel(member.interface)
            offer = Offer(
                interface=member.interface,
                member=member.name,
                channel=channel,
                unique_id=unique_id,
                began=self._exchange.clock(),
                alone=len(rung) == 1,
            )
            self._player.play(Part.RING, self.line, offer)
            self.line.offers.append(offer)
            self.line.queue.last_rung = member.interface
        self._ring_until = self._now() + self.line.queue.plan.ring_seconds

    def _whom_to_ring(self) -> list[QueueMember]:
        """All who are free with `ringall`, else the next one after whoever was rung last."""
        queue, place = self.line.queue, self.line.queue.position(self.line.channel)
        if not all(self._exchange.rings(ahead.channel) for ahead in queue.waiting[: place - 1]):
            return []  # who came first is served first
        free = self._free()
        lowest = min((member.penalty for member in free), default=0)
        free = [member for member in free if member.penalty == lowest]
        if queue.plan.strategy is Strategy.RINGALL:
            return free
        order = list(queue.members)
        last = order.index(queue.last_rung) if queue.last_rung in order else -1
        after = [*order[last + 1 :], *order[: last + 1]]
        free.sort(key=lambda member: after.index(member.interface))
        return free[:1]

    def _free(self) -> list[QueueMember]:
        queue, now = self.line.queue, self._exchange.clock()
        return [
            member
            for member in queue.members.values()
            if not member.paused
            and self._exchange.device(member.state_interface) is DeviceState.NOT_IN_USE
            and now - member.last_call >= min(queue.plan.wrap_up_seconds, BELT_SECONDS)
        ]
