"""A model of Asterisk: what AMI says, what `queue_log` gets, and what is true.

It knows no transfer, no hold and no pick-up yet: their tables are being made.
"""

from __future__ import annotations

from random import Random

from crm_core.events import AttemptResult
from telephony.ami import messages as ami
from tests.simulation.floor import Live, Member, Ring, both
from tests.simulation.plans import CallPlan, Kind
from tests.simulation.queues import HOW, Queues
from tests.simulation.truth import TrueRing


class Asterisk(Queues):
    """Calls go their way by themselves once `arrives` was called."""

    def arrives(self, plan: CallPlan) -> None:
        if not self.is_up:
            return
        dice = Random(plan.dice)
        if plan.kind in (Kind.INTERNAL, Kind.OUTBOUND):
            self._seat_dials(plan, dice)
            return
        channel = self._channel("PJSIP/zuoxi-trunk", "zuoxi-inbound", f"400{plan.number % 9}")
        channel.number = f"138{plan.number:08}"
        live = self._begin(plan, dice, channel)
        if plan.kind is Kind.DIRECT:
            self._after(dice.uniform(0.01, 0.5), self._dials_a_seat, live)
        else:
            self._after(dice.uniform(0.005, 1.0), self._next_queue, live)
        self._after(plan.patience, self._is_tired, live)

    def _is_tired(self, live: Live) -> None:
        if live.over or live.talker is not None:
            return
        if live.stay is not None:
            self._abandons(live)
        elif live.rings:
            self._dial_cancelled(live)
        self._hang_up(live, 0)

    def crash(self) -> None:
        """Nothing is said and nothing is written."""
        for live in list(self.live.values()):
            live.true.died = True
            live.over = True
            live.true.ended, live.true.ended_at = self.clock.now, self.clock.wall
        self._end()

    def stop(self) -> None:
        """Hangs everybody up and writes closing rows that no person did."""
        for live in list(self.live.values()):
            live.true.died = True
            if live.talker is not None and live.stay is not None:
                self._completes(live, by_agent=True)
            elif live.stay is not None:
                self._abandons(live)
            if not live.over:
                self._hang_up(live, 16)
        self.say(ami.Shutdown)
        self._end()

    def _end(self) -> None:
        self.is_up = False
        self._run += 1
        self.channels.clear()
        self.live.clear()
        for waiting in self.waiting.values():
            waiting.clear()
        for member in self.members:
            member.leg = None

    # --- calls without a queue ------------------------------------------------------------------------

    def _dials_a_seat(self, live: Live) -> None:
        """A hotline that leads to one phone."""
        free = [each for each in self.members if each.leg is None]
        if live.over:
            return
        if not free:
            self._hang_up(live, 17)
            return
        self._dials(live, live.dice.choice(free))

    def _seat_dials(self, plan: CallPlan, dice: Random) -> None:
        """An agent dials a colleague, or somebody outside."""
        free = [each for each in self.members if each.leg is None]
        if len(free) < 2:
            return
        placing, other = dice.sample(free, 2)
        inside = plan.kind is Kind.INTERNAL
        number = other.interface[-4:] if inside else f"139{plan.number:08}"
        channel = self._channel(placing.interface, "zuoxi-seats", number)
        channel.number = placing.interface[-4:]
        live = self._begin(plan, dice, channel)
        live.placed_by, placing.leg = placing, channel
        self._tell_device(placing)
        self._after(0.01, self._dials, live, other if inside else None)
        self._after(0.02 + plan.patience, self._is_tired, live)

    def _dials(self, live: Live, member: Member | None) -> None:
        """Dial() to a seat, or (None) to the outside."""
        if live.over:
            return
        if member is not None and member.leg is not None:
            self._hang_up(live, 17)
            return
        device, context = "PJSIP/zuoxi-trunk", "zuoxi-inbound"
        if member is not None:
            device, context = member.interface, "zuoxi-seats"
        live.channel.application = "Dial"
        if live.placed_by is not None:
            live.channel.context = "zuoxi-dial"
        dialled = (live.channel.number, live.channel.exten)
        self._row(None, live.channel.unique_id, "NONE", "NONE", "ZX_DIALLED", *dialled)
        leg = self._channel(device, context, "s", like=live.channel)
        leg.state, leg.application = "Ringing", "AppDial"
        self._newchannel(leg, live.true)
        true = TrueRing(device, leg.unique_id, self.clock.now)
        ring = Ring(member or Member(device, "", ()), leg, true)
        if member is not None:
            member.leg = leg
            self._tell_device(member)
            live.true.rings.append(true)
        live.rings.append(ring)
        self.say(ami.DialBegin, **both(live.channel, leg), dest_caller_id_num=live.channel.exten)
        self._reacts(live, ring)

    def _reacts(self, live: Live, ring: Ring) -> None:
        how = live.dice.choices(("answers", *HOW, "rings"), (60, 10, 5, 3, 3, 19))[0]
        if how == "answers":
            self._after(live.dice.uniform(0.2, 5), self._lifted, live, ring)
        elif how == "rings":
            self._after(6.0, self._not_lifted, live, ring, "NOANSWER", 0, AttemptResult.NO_ANSWER)
        else:
            self._after(live.dice.uniform(0.05, 3), self._not_lifted, live, ring, *HOW[how])

    def _lifted(self, live: Live, ring: Ring) -> None:
        if live.over or ring not in live.rings:
            return
        self._dial_ends(live, ring.leg, "ANSWER")
        live.rings.remove(ring)
        ring.true.ended, ring.true.result = self.clock.now, AttemptResult.ANSWERED
        live.talker, live.other = ring.member, ring.leg
        ring.leg.state = live.channel.state = "Up"
        ring.leg.bridge = live.channel.bridge = f"bridge-{ring.leg.unique_id}"
        self._bridged(ring.leg, live.channel)
        self._tell_device(ring.member)
        self._after(live.plan.talk, self._ends_without_queue, live)

    def _ends_without_queue(self, live: Live) -> None:
        talked = ("ANSWER", 16, int(live.plan.talk))
        self._row(None, live.channel.unique_id, "NONE", "NONE", "ZX_ENDED", *talked)
        if live.plan.by_agent and live.other is not None:
            self._hangup(live.other, live.true, 16)
        self._hang_up(live)

    def _not_lifted(
        self, live: Live, ring: Ring, status: str, cause: int, result: AttemptResult
    ) -> None:
        if live.over or ring not in live.rings:
            return
        self._dial_ends(live, ring.leg, status)
        self._silences(live, ring, result, cause)
        self._row(None, live.channel.unique_id, "NONE", "NONE", "ZX_ENDED", status, cause, "")
        self._hang_up(live, cause)

    def _dial_cancelled(self, live: Live) -> None:
        for ring in list(live.rings):
            self._dial_ends(live, ring.leg, "CANCEL")
            self._silences(live, ring, AttemptResult.GONE, 0)
