"""The queues of the model of Asterisk.

Order and words of the messages are those of the recordings in `tests/traces` (22.10.1).
"""

from __future__ import annotations

from typing import Any

from crm_core.agents.rules import AUTO_PAUSE
from crm_core.centre.plan import Strategy
from crm_core.events import AttemptResult, Outcome
from telephony.ami import messages as ami
from tests.simulation.exchange import Exchange
from tests.simulation.floor import Live, Member, Ring, both, ids_of_both, message
from tests.simulation.truth import TruePass, TrueRing

RETRY_SECONDS = 1.0

REACTIONS = ("answers", "refuses", "busy", "unreachable", "congested", "rings")
WEIGHTS = (66, 9, 3, 2, 2, 18)
HOW: dict[str, tuple[str, int, AttemptResult]] = {
    "refuses": ("NOANSWER", 21, AttemptResult.REFUSED),
    "busy": ("BUSY", 17, AttemptResult.REFUSED),
    "congested": ("CONGESTION", 34, AttemptResult.REFUSED),
    "unreachable": ("CHANUNAVAIL", 20, AttemptResult.NO_ANSWER),
}
"""What a phone does → DialStatus, cause of its Hangup, how the ring ended."""


class Queues(Exchange):
    """Callers who wait, phones that ring for them, and the talks that follow."""

    # --- in a queue -----------------------------------------------------------------------------------

    def _next_queue(self, live: Live) -> None:
        if live.over:
            return
        if not live.route:
            self._hang_up(live, 19)
            return
        plan, waiting = self._queues[live.route[0]], self.waiting[live.route[0]]
        name = live.route.pop(0)
        stay = TruePass(live.channel.unique_id, name, self.clock.now, self.clock.wall)
        live.true.passes.append(stay)
        live.channel.context = "zuoxi-queue"
        if plan.max_callers and len(waiting) >= plan.max_callers:
            self._leave(stay, Outcome.FULL, wait=0)
            self._row(stay, stay.unique_id, name, "NONE", "ZX_LEFT", "FULL")
            self._after(live.dice.uniform(0.05, 2.0), self._next_queue, live)
            return
        waiting.append(live)
        live.stay, live.position = stay, len(waiting)
        live.channel.application, live.channel.data = "Queue", f"{name},t"
        at = self.stamp()
        stay.entered_at = at
        self._say(
            message(
                ami.QueueCallerJoin, at, queue=name, position=live.position, **live.channel.shown
            )
        )
        self._row(
            stay, stay.unique_id, name, "NONE", "ENTERQUEUE", "", live.channel.number, live.position
        )
        self._after(plan.max_wait_seconds, self._times_out, live, stay)
        if live.plan.key_after is not None:
            self._after(live.plan.key_after, self._presses_a_key, live, stay)
        self._after(0.01, self._looks_for_an_agent, live, stay)

    def _waits(self, live: Live, stay: TruePass) -> bool:
        return live.stay is stay and not live.over and live.talker is None

    def _looks_for_an_agent(self, live: Live, stay: TruePass) -> None:
        if not self._waits(live, stay) or live.rings:
            return
        plan = self._queues[stay.queue]
        free = [each for each in self.members if stay.queue in each.queues and each.is_free]
        if free and plan.strategy is not Strategy.RINGALL:
            free = [live.dice.choice(free)]
        for member in free:
            self._rings_at(live, stay, member)
        if not free:
            self._after(RETRY_SECONDS, self._looks_for_an_agent, live, stay)
        elif live.rings:
            self._after(plan.ring_seconds, self._rings_long_enough, live, stay, list(live.rings))

    def _rings_at(self, live: Live, stay: TruePass, member: Member) -> None:
        leg = self._channel(member.interface, "zuoxi-seats", "s", like=live.channel)
        leg.state, leg.application = "Ringing", "AppQueue"
        self._newchannel(leg, live.true)
        pair = both(live.channel, leg)
        of_queue = {"queue": stay.queue, "interface": member.interface, "member_name": member.name}
        true = TrueRing(member.interface, leg.unique_id, self.clock.now)
        ring = Ring(member, leg, true)
        stay.rings.append(true)
        live.rings.append(ring)
        member.leg = leg
        self.say(ami.AgentCalled, **pair, **of_queue)
        self.say(ami.DialBegin, **pair)
        self._tell_device(member)
        reaction = live.dice.choices(REACTIONS, WEIGHTS)[0]
        if reaction == "answers":
            self._after(live.dice.uniform(0.2, 5.5), self._answers, live, stay, ring)
        elif reaction != "rings":
            soon = 3.0 if reaction == "refuses" else 0.1
            self._after(live.dice.uniform(0.02, soon), self._refuses, live, stay, ring, reaction)

    def _of_ring(self, live: Live, stay: TruePass, ring: Ring) -> dict[str, Any]:
        return {
            **ids_of_both(live.channel, ring.leg),
            "queue": stay.queue,
            "interface": ring.member.interface,
        }

    def _refuses(self, live: Live, stay: TruePass, ring: Ring, how: str) -> None:
        if not self._waits(live, stay) or ring not in live.rings:
            return
        status, cause, result = HOW[how]
        rang = int(self.clock.now) - int(ring.true.began)
        self._dial_ends(live, ring.leg, status)
        self.say(ami.AgentRingNoAnswer, **self._of_ring(live, stay, ring))
        self._silences(live, ring, result, cause)
        self._missed(stay, ring, rang * 1000)
        if not live.rings:
            self._after(RETRY_SECONDS, self._looks_for_an_agent, live, stay)

    def _rings_long_enough(self, live: Live, stay: TruePass, rings: list[Ring]) -> None:
        if not self._waits(live, stay):
            return
        rung = [ring for ring in rings if ring in live.rings]
        for ring in rung:
            self.say(ami.AgentRingNoAnswer, **self._of_ring(live, stay, ring))
            self._dial_ends(live, ring.leg, "NOANSWER")
            self._dial_ends(live, ring.leg, "CANCEL")
            self._silences(live, ring, AttemptResult.NO_ANSWER, 0)
            self._missed(stay, ring, round((self.clock.now - ring.true.began) * 1000))
        if rung:
            self._after(RETRY_SECONDS, self._looks_for_an_agent, live, stay)

    def _missed(self, stay: TruePass, ring: Ring, milliseconds: int) -> None:
        """RINGNOANSWER; `autopause = all` takes the member out where one missed ring is enough."""
        member = ring.member
        self._row(stay, stay.unique_id, stay.queue, member.name, "RINGNOANSWER", milliseconds)
        if self._queues[stay.queue].missed_rings == 1 and member.paused is None:
            self.pause(member.interface, AUTO_PAUSE)

    # --- talking --------------------------------------------------------------------------------------

    def _answers(self, live: Live, stay: TruePass, ring: Ring) -> None:
        if not self._waits(live, stay) or ring not in live.rings:
            return
        losers = [each for each in live.rings if each is not ring]
        self._dial_ends(live, ring.leg, "ANSWER")
        for each in [*losers, *losers]:
            self._dial_ends(live, each.leg, "CANCEL")
        for each in losers:
            self._silences(live, each, AttemptResult.ELSEWHERE, 26)
        live.rings.clear()
        ring.true.ended, ring.true.result = self.clock.now, AttemptResult.ANSWERED
        live.talker, live.other = ring.member, ring.leg
        ring.leg.state = live.channel.state = "Up"
        ring.leg.bridge = live.channel.bridge = f"bridge-{ring.leg.unique_id}"
        self.waiting[stay.queue].remove(live)
        ids = {"unique_id": live.channel.unique_id, "linked_id": live.channel.linked_id}
        self.say(ami.QueueCallerLeave, queue=stay.queue, **ids)
        at = self.stamp()
        self._say(
            message(
                ami.AgentConnect,
                at,
                **both(live.channel, ring.leg),
                queue=stay.queue,
                interface=ring.member.interface,
                member_name=ring.member.name,
            )
        )
        self._bridged(ring.leg, live.channel)
        self._tell_device(ring.member)
        stay.connected, stay.connected_at = self.clock.now, at
        stay.interface = ring.member.interface
        stay.wait_told = self._epoch() - int(stay.entered_at.timestamp())
        rang = int(self.clock.now) - int(ring.true.began)
        where = (stay.unique_id, stay.queue, ring.member.name)
        self._row(stay, *where, "CONNECT", stay.wait_told, ring.leg.unique_id, rang)
        self._after(live.plan.talk, self._ends_the_talk, live, stay)

    def _ends_the_talk(self, live: Live, stay: TruePass) -> None:
        if live.over or live.stay is not stay:
            return
        by_agent = live.plan.by_agent
        agent_leg = live.other
        self._completes(live, by_agent=by_agent)
        if by_agent and live.plan.goes_on and live.route and agent_leg is not None:
            self._hangup(agent_leg, live.true, 16)
            self._put_down(live.talker)
            live.talker = live.other = None
            live.channel.bridge, live.channel.application = None, "Playback"
            self._after(live.dice.uniform(0.05, 3), self._next_queue, live)
        else:
            self._hang_up(live)

    def _put_down(self, member: Member | None) -> None:
        assert member is not None
        member.leg = None
        self._tell_device(member)

    def _completes(self, live: Live, *, by_agent: bool) -> None:
        stay, leg = live.stay, live.other
        assert stay is not None
        assert leg is not None
        assert live.talker is not None
        ids = ids_of_both(live.channel, leg)
        reason = "agent" if by_agent else "caller"
        if not by_agent and live.dice.random() < 0.03:  # the caller is gone already (measured)
            self._hangup(live.channel, live.true, 16)
            ids |= {"unique_id": None, "linked_id": None}
        self.say(ami.AgentComplete, queue=stay.queue, reason=reason, **ids)
        self._leave(stay, Outcome.ANSWERED)
        assert stay.connected_at is not None
        stay.talk_told = self._epoch() - int(stay.connected_at.timestamp())
        verb = "COMPLETEAGENT" if by_agent else "COMPLETECALLER"
        told = (stay.wait_told, stay.talk_told, live.position)
        self._row(stay, stay.unique_id, stay.queue, live.talker.name, verb, *told)
        live.stay = None

    # --- leaving a queue without an agent -------------------------------------------------------------

    def _leave(self, stay: TruePass, outcome: Outcome, wait: int | None = None) -> None:
        stay.outcome, stay.left, stay.left_at = outcome, self.clock.now, self._stamped
        if outcome is not Outcome.ANSWERED:
            told = self._epoch() - int(stay.entered_at.timestamp())
            stay.wait_told = wait if wait is not None else told

    def _goes_out(self, live: Live, stay: TruePass, outcome: Outcome) -> None:
        """What AMI says of every exit without an agent."""
        ids = {"unique_id": live.channel.unique_id, "linked_id": live.channel.linked_id}
        self.say(ami.QueueCallerAbandon, queue=stay.queue, **ids)
        self.say(ami.QueueCallerLeave, queue=stay.queue, **ids)
        self.waiting[stay.queue].remove(live)
        live.stay = None
        self._leave(stay, outcome)

    def _abandons(self, live: Live) -> None:
        stay, rings = live.stay, list(live.rings)
        assert stay is not None
        for ring in [*rings, *rings]:
            self._dial_ends(live, ring.leg, "CANCEL")
        self._goes_out(live, stay, Outcome.ABANDONED)
        for ring in rings:
            rang = round((self.clock.now - ring.true.began) * 1000)
            where = (stay.unique_id, stay.queue, ring.member.name)
            self._row(stay, *where, "RINGCANCELED", rang)
            self._silences(live, ring, AttemptResult.GONE, 0)
        told = (1, live.position, stay.wait_told)
        self._row(stay, stay.unique_id, stay.queue, "NONE", "ABANDON", *told)

    def _times_out(self, live: Live, stay: TruePass) -> None:
        if not self._waits(live, stay):
            return
        self._rings_long_enough(live, stay, list(live.rings))
        self._goes_out(live, stay, Outcome.TIMEOUT)
        told = (1, live.position, stay.wait_told)
        self._row(stay, stay.unique_id, stay.queue, "NONE", "EXITWITHTIMEOUT", *told)
        self._after(live.dice.uniform(0.01, 2.0), self._next_queue, live)

    def _presses_a_key(self, live: Live, stay: TruePass) -> None:
        if not self._waits(live, stay):
            return
        for ring in list(live.rings):
            self._dial_ends(live, ring.leg, "CANCEL")
            self._silences(live, ring, AttemptResult.GONE, 0)
        self._goes_out(live, stay, Outcome.EXIT_KEY)
        told = ("1", 1, live.position, stay.wait_told)
        self._row(stay, stay.unique_id, stay.queue, "NONE", "EXITWITHKEY", *told)
        self._after(live.dice.uniform(0.01, 2.0), self._next_queue, live)
