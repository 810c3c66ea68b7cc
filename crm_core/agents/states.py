"""What each agent of one PBX is doing, and when Asterisk may offer a call. Pure (decision 17).

An agent's state is never stored as such: it follows, in the order of `RULING`, from what goes on at
the phone (`lines`), from the wrap-up that runs, and from what the agent wants to be (`Rest`). So a fact
that comes late or twice changes nothing, and what was chosen during a call holds after it. Pausing is
the mechanism: `PAUSES` says under which reason the member is paused in which state. The member is
paused when a conversation begins and unpaused when its wrap-up is over, never in between.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, cast

from crm_core.agents.agent import A_MOMENT, Agent, joined, offline, resumed, what
from crm_core.agents.lines import Lines, TalkOver
from crm_core.agents.rules import (
    AUTO_PAUSE,
    CHOICES,
    EXTENSION,
    IN_A_CALL,
    MISSED_FIRST,
    NO_WRAP_UP,
    NOT_SIGNED_IN,
    NOT_TO_CHOOSE,
    ONLY_ONCE,
    OURS,
    OUTSIDE,
    REFUSAL_KNOWN,
    WRAP_UP_WITHOUT_QUEUE,
    A,
    Effect,
    Rest,
    WrapUp,
)
from crm_core.centre.plan import QueuePlan, SwitchPlan
from crm_core.commands import ChooseState, ExtendWrapUp, KnownAgent, PauseMember, UnpauseMember
from crm_core.errors import Conflict, Invalid
from crm_core.events import (
    AgentSignedIn,
    AgentSignedOut,
    AgentStateChanged,
    AttemptResult,
    CallAnswered,
    CallEnded,
    CallEvent,
    CallHeld,
    CallOffered,
    CallPlaced,
    CallQueued,
    CallResumed,
    CallStarted,
    ConversationEnded,
    Event,
    LegEnded,
    NextStateChosen,
    OfferEnded,
    QueueMemberSeen,
    StateSource,
    Tick,
)
from crm_core.ids import CallId, PbxId, UserId

_REASON = re.compile(r"[a-z][a-z0-9_]{0,31}")

Told = AgentStateChanged | NextStateChosen | PauseMember | UnpauseMember


@dataclass(slots=True)
class AgentStates:
    """Fed the facts of one PBX in any order; answers what changed, the pauses first.

    `prime` before the first fact, `settle` after each snapshot.
    """

    pbx: PbxId
    _queues: dict[str, QueuePlan] = field(default_factory=dict)
    _agents: dict[UserId, Agent] = field(default_factory=dict)
    _holders: dict[str, UserId] = field(default_factory=dict)
    _lines: Lines = field(default_factory=Lines)
    _is_resuming: bool = False
    """From `prime` to `settle` the facts of old are told again: nothing follows from one alone."""

    # --- reading ----------------------------------------------------------------------------------

    def pause_of(self, interface: str) -> str | None:
        """The reason under which this phone's member has to be paused; None: not at all."""
        agent = self._holder(interface)
        return agent.pause(self._lines.at(agent.interface)) if agent is not None else None

    def is_held(self, interface: str) -> bool:
        """Whether an agent is signed in there: nobody else's members are touched."""
        return interface in self._holders

    def is_rung(self, interface: str) -> bool:
        """Whether a call rings there: how Asterisk's own pause came about, the ring's end will say."""
        return bool(self._lines.at(interface).rings)

    @property
    def next_due(self) -> datetime | None:
        """When the next wrap-up ends."""
        return min((a.wrap_up.due_at for a in self._agents.values() if a.wrap_up), default=None)

    def told_again(self) -> list[Told]:
        """How everybody is: for records that could not be written for a while."""
        told: list[Told] = []
        for agent in self._agents.values():
            told.append(agent.shown)
            if agent.next_told is not None:
                agent.next_told = None
                told += self._tell_next(agent, agent.shown.at)
        return told

    # --- what it is told --------------------------------------------------------------------------

    def know(self, plan: SwitchPlan) -> None:
        """The queues as they are now: how long wrap-up is, how many rings may be missed."""
        self._queues = {queue.name: queue for queue in plan.queues}

    def prime(self, known: Iterable[KnownAgent], at: datetime) -> list[Told]:
        """Go on with what was recorded; whoever is signed in no more is offline."""
        told: list[Told] = []
        self._is_resuming = True
        for each in known:
            if each.signed_in is not None:
                told += self._resume(each.signed_in, each)
            elif each.left_in is not None:
                told.append(offline(each.left_in, at, StateSource.RULE))
        return told

    def feed(self, event: Event) -> list[Told]:
        """What follows from a fact of this PBX, or from the time that passes."""
        kind = type(event)
        step = _STEPS.get(kind)
        if step is None:
            return []
        if kind in _OF_CALLS and self._lines.lays_aside(cast("CallEvent", event), self._holders):
            return []
        return step(self, event)

    def choose(self, command: ChooseState, at: datetime) -> list[Told]:
        """Raises `Conflict` or `Invalid`, with the sentence for whoever chose."""
        agent = self._signed_in_as(command.user)
        is_pause = command.state is A.PAUSED
        if is_pause is (command.reason is None):
            raise Invalid(NOT_TO_CHOOSE)
        if command.reason is not None and not _REASON.fullmatch(command.reason):
            raise Invalid(f"{command.reason[:40]!r} is not the code of a pause reason.")
        match CHOICES.get((agent.shown.state, command.state)):
            case None:
                raise Invalid(NOT_TO_CHOOSE)
            case Effect.REFUSED:
                raise Conflict(MISSED_FIRST)
            case Effect.ENDS_WRAP_UP:
                agent.wrap_up = None
        source = StateSource.AGENT if command.by is None else StateSource.SUPERVISOR
        if (agent.rest.state, agent.rest.reason) != (command.state, command.reason):
            agent.rest = Rest(state=command.state, reason=command.reason, source=source)
        agent.misses = 0
        agent.settled_at = max(at, agent.settled_at)
        return self._tell(agent, at, source)

    def extend(self, command: ExtendWrapUp, at: datetime) -> list[Told]:
        """Raises `Conflict` where there is no wrap-up, or it was extended before."""
        agent = self._signed_in_as(command.user)
        running = agent.wrap_up
        if running is None or agent.shown.state is not A.WRAP_UP:
            raise Conflict(NO_WRAP_UP)
        if running.extended:
            raise Conflict(ONLY_ONCE)
        agent.wrap_up = replace(running, due_at=running.due_at + EXTENSION, extended=True)
        # The same state, since the same moment: the row it has gets another end.
        agent.shown = agent.found = replace(agent.shown, due_at=agent.wrap_up.due_at)
        return [agent.shown]

    def settle(self, live: frozenset[CallId], at: datetime) -> list[Told]:
        """A snapshot is complete: `live` are the calls there are."""
        told: list[Told] = []
        for call in self._lines.calls_without(live):
            told += self._over(self._lines.forget(call, at))
        self._is_resuming = False
        for agent in list(self._agents.values()):
            found = agent.found
            if found.state in IN_A_CALL and not self._lines.at(agent.interface).talks:
                # It ended, and not even its beginning is known any more.
                assert found.call is not None
                self._begin_wrap_up(agent, found.call, found.queue, self._wrap_up(found.queue), at)
                found = replace(found, at=at)
            told += self._tell(agent, found.at, found.source)
        return [*told, *self._tick(Tick(at=at, pbx=self.pbx))]

    # --- people -----------------------------------------------------------------------------------

    def _signed_in(self, event: AgentSignedIn) -> list[Told]:
        held = self._agents.get(event.user)
        if held is not None and held.interface == event.interface:
            held.number = event.agent_number
            return []
        told: list[Told] = []
        for former in (held, self._holder(event.interface)):
            if former is not None:  # nobody told the sign-out that must have been
                told += self._sign_out(former, event.at, StateSource.RULE)
        agent = self._put(joined(event))
        return [*told, agent.shown, *self._tell(agent, event.at, StateSource.CALL)]

    def _put(self, agent: Agent) -> Agent:
        self._lines.take_up()
        self._agents[agent.user] = agent
        self._holders[agent.interface] = agent.user
        return agent

    def _resume(self, event: AgentSignedIn, known: KnownAgent) -> list[Told]:
        left_in = known.left_in
        allowance = self._wrap_up(left_in.queue if left_in is not None else None)
        agent = self._put(resumed(event, known, allowance))
        agent.pause_told = agent.pause(self._lines.at(agent.interface))
        return [*self._pausing(agent), agent.shown, *self._tell_next(agent, agent.shown.at)]

    def _signed_out(self, event: AgentSignedOut) -> list[Told]:
        agent = self._agents.get(event.user)
        if agent is None or agent.interface != event.interface:
            return []
        return self._sign_out(agent, event.at, StateSource.AGENT)

    def _sign_out(self, agent: Agent, at: datetime, source: StateSource) -> list[Told]:
        del self._agents[agent.user]
        self._holders.pop(agent.interface, None)
        return [agent.offline(at, source)]

    # --- calls ------------------------------------------------------------------------------------

    def _started(self, event: CallStarted) -> list[Told]:
        self._lines.started(event)
        return []

    def _queued(self, event: CallQueued) -> list[Told]:
        self._lines.queued(event)
        return []

    def _offered(self, event: CallOffered) -> list[Told]:
        self._lines.offered(event)
        return self._tell_at(event.member.interface, event.at)

    def _offer_ended(self, event: OfferEnded) -> list[Told]:
        agent = self._holder(event.member.interface)
        if not self._lines.offer_ended(event) or agent is None:
            return []
        source = StateSource.CALL
        if event.result is AttemptResult.REFUSED:
            agent.refused_at = event.at
        elif event.result is AttemptResult.NO_ANSWER and event.queue_pass is not None:
            source = self._not_answered(agent, event.call, event.queue_pass.queue, event.at)
        return self._tell(agent, event.at, source)

    def _not_answered(
        self, agent: Agent, call: CallId, queue: str | None, at: datetime
    ) -> StateSource:
        """One ring more that was missed, in a row or not."""
        if agent.is_settled(at):
            return StateSource.CALL
        agent.misses += 1
        plan = self._queues.get(queue or "")
        if agent.misses < (plan.missed_rings if plan is not None else 1):
            return StateSource.CALL
        agent.rest = Rest(state=A.MISSED, source=StateSource.RULE, call=call, queue=queue)
        return StateSource.RULE

    def _answered(self, event: CallAnswered) -> list[Told]:
        agent = self._holder(event.member.interface)
        if self._lines.answered(event) and agent is not None:
            agent.misses = 0
        return self._tell_at(event.member.interface, event.at)

    def _placed(self, event: CallPlaced) -> list[Told]:
        self._lines.placed(event)
        return self._tell_at(event.member.interface, event.at)

    def _held(self, event: CallHeld | CallResumed) -> list[Told]:
        self._lines.held(event)
        return self._tell_at(event.member.interface, event.at)

    def _conversation_ended(self, event: ConversationEnded) -> list[Told]:
        return self._over(self._lines.conversation_ended(event))

    def _leg_ended(self, event: LegEnded) -> list[Told]:
        return self._over(self._lines.leg_ended(event))

    def _call_ended(self, event: CallEnded) -> list[Told]:
        phones = self._lines.phones_of(event.call)
        told = self._over(self._lines.call_ended(event))
        return told + [each for phone in sorted(phones) for each in self._tell_at(phone, event.at)]

    def _over(self, ended: Iterable[TalkOver]) -> list[Told]:
        """Wrap-up begins, unless another conversation goes on: it follows the last one."""
        told: list[Told] = []
        for each in ended:
            agent, talk = self._holder(each.interface), each.talk
            if agent is None:
                continue
            seconds = self._wrap_up(talk.queue)
            if talk.answered and not talk.internal and not agent.is_settled(each.at):
                self._begin_wrap_up(agent, talk.call, talk.queue, seconds, each.at)
            told += self._tell(agent, each.at, StateSource.CALL)
        return told

    def _begin_wrap_up(
        self, agent: Agent, call: CallId, queue: str | None, seconds: timedelta, at: datetime
    ) -> None:
        due_at = at + seconds
        if seconds and (agent.wrap_up is None or agent.wrap_up.due_at < due_at):
            agent.wrap_up = WrapUp(call=call, queue=queue, due_at=due_at)

    def _wrap_up(self, queue: str | None) -> timedelta:
        plan = self._queues.get(queue or "")
        return timedelta(seconds=plan.wrap_up_seconds) if plan else WRAP_UP_WITHOUT_QUEUE

    # --- pauses of others, and time ---------------------------------------------------------------

    def _member_seen(self, event: QueueMemberSeen) -> list[Told]:
        """Somebody else paused or unpaused the phone; of our own pauses nothing follows."""
        agent = self._holder(event.member.interface)
        if agent is None or (event.pause_reason or "").startswith(OURS):
            return []
        if event.paused and event.pause_reason == AUTO_PAUSE:
            return self._auto_paused(agent, event.at)
        rest = agent.rest
        if event.paused and rest.state is A.READY:
            agent.rest = Rest(state=A.PAUSED, reason=OUTSIDE, source=StateSource.RULE)
        elif not event.paused and (rest.state, rest.reason) == (A.PAUSED, OUTSIDE):
            agent.rest = Rest(state=A.READY, source=StateSource.RULE)
        return self._tell(agent, event.at, StateSource.RULE)

    def _auto_paused(self, agent: Agent, at: datetime) -> list[Told]:
        """A ring was missed; while it rings still, its end will say so itself."""
        line, refused = self._lines.at(agent.interface), agent.refused_at
        known = refused is not None and at - refused <= REFUSAL_KNOWN
        if line.rings or line.talks or known or agent.rest.state is not A.READY:
            return []
        agent.rest = Rest(state=A.MISSED, source=StateSource.RULE, call=agent.shown.call)
        return self._tell(agent, at, StateSource.RULE)

    def _tick(self, event: Tick) -> list[Told]:
        told: list[Told] = []
        for agent in list(self._agents.values()):
            running = agent.wrap_up
            if running is not None and running.due_at <= event.at:
                agent.wrap_up = None
                agent.settled_at = max(running.due_at, agent.settled_at)
                told += self._tell(agent, running.due_at, StateSource.RULE)
        return told

    # --- telling ----------------------------------------------------------------------------------

    def _holder(self, interface: str | None) -> Agent | None:
        user = self._holders.get(interface or "")
        return self._agents[user] if user is not None else None

    def _signed_in_as(self, user: UserId) -> Agent:
        agent = self._agents.get(user)
        if agent is None:
            raise Conflict(NOT_SIGNED_IN)
        return agent

    def _tell_at(self, interface: str | None, at: datetime) -> list[Told]:
        agent = self._holder(interface)
        return self._tell(agent, at, StateSource.CALL) if agent is not None else []

    def _tell(self, agent: Agent, at: datetime, source: StateSource) -> list[Told]:
        """Everything that is another than was told last."""
        line, at = self._lines.at(agent.interface), max(at, agent.shown.at + A_MOMENT)
        does, shown = agent.does(line), what(agent.shown)
        if does != what(agent.found):
            agent.found = agent.change(does, at, source)
        if self._is_resuming:
            return []
        told: list[Told] = []
        pause = agent.pause(line)
        if pause != agent.pause_told:
            agent.pause_told = pause
            told += self._pausing(agent) or [UnpauseMember(pbx=self.pbx, interface=agent.interface)]
        if does != shown:
            agent.shown = agent.change(does, at, source)
            told.append(agent.shown)
        return told + self._tell_next(agent, at)

    def _tell_next(self, agent: Agent, at: datetime) -> list[Told]:
        then = agent.then
        if then == agent.next_told:
            return []
        agent.next_told = then
        state, reason = then or (None, None)
        return [NextStateChosen(at=at, pbx=self.pbx, user=agent.user, state=state, reason=reason)]

    def _pausing(self, agent: Agent) -> list[Told]:
        if agent.pause_told is None:
            return []
        return [
            PauseMember(pbx=self.pbx, interface=agent.interface, reason=agent.pause_told),
        ]


_STEPS: Final[Mapping[type[Event], Callable[[AgentStates, Any], list[Told]]]] = {
    AgentSignedIn: AgentStates._signed_in,
    AgentSignedOut: AgentStates._signed_out,
    CallStarted: AgentStates._started,
    CallQueued: AgentStates._queued,
    CallOffered: AgentStates._offered,
    OfferEnded: AgentStates._offer_ended,
    CallAnswered: AgentStates._answered,
    CallPlaced: AgentStates._placed,
    CallHeld: AgentStates._held,
    CallResumed: AgentStates._held,
    ConversationEnded: AgentStates._conversation_ended,
    LegEnded: AgentStates._leg_ended,
    CallEnded: AgentStates._call_ended,
    QueueMemberSeen: AgentStates._member_seen,
    Tick: AgentStates._tick,
}
_OF_CALLS: Final = frozenset(kind for kind in _STEPS if issubclass(kind, CallEvent))
