"""One signed-in agent as the state machine keeps it, and what follows from what is known of him. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

from crm_core.agents.lines import Line
from crm_core.agents.rules import BUSY, IN_A_CALL, PAUSES, RULING, A, Rest, WrapUp
from crm_core.commands import KnownAgent
from crm_core.events import AgentSignedIn, AgentState, AgentStateChanged, StateSource
from crm_core.ids import CallId, UserId

What = tuple[AgentState, str | None, CallId | None, str | None, datetime | None]
"""State, pause reason, call, queue, and when the wrap-up that runs is over."""

_PAUSE_OF_A_TALK: Final = PAUSES[A.TALKING]
_PAUSE_OF_WRAP_UP: Final = PAUSES[A.WRAP_UP]

A_MOMENT: Final = timedelta(microseconds=1)
"""Between two states at the least: of two facts with one stamp both are rows."""
SAME_MOMENT: Final = timedelta(milliseconds=1)


@dataclass(slots=True, kw_only=True)
class Agent:
    """What is told of an agent, and what it follows from."""

    user: UserId
    number: str
    interface: str
    shown: AgentStateChanged
    """Told last."""
    found: AgentStateChanged
    """The same, or what is true already and will be told when a restart is over."""
    rest: Rest
    settled_at: datetime
    """Somebody, or a rule, decided then what the agent is: an older fact does not undo it."""
    wrap_up: WrapUp | None = None
    next_told: tuple[AgentState, str | None] | None = None
    """What was told to come after this call: a pause and its reason, or still missed."""
    pause_told: str | None = None
    misses: int = 0
    """Rings missed in a row."""
    refused_at: datetime | None = None

    @property
    def then(self) -> tuple[AgentState, str | None] | None:
        """What comes after the call and its wrap-up, where that is another than ready."""
        busy = self.shown.state in BUSY
        return (
            (self.rest.state, self.rest.reason) if busy and self.rest.state is not A.READY else None
        )

    def pause(self, line: Line) -> str | None:
        """The reason under which the member has to be paused; None: not at all."""
        if line.talks:
            return _PAUSE_OF_A_TALK
        return _PAUSE_OF_WRAP_UP if self.wrap_up else self.rest.pause

    def does(self, line: Line) -> What:
        """What the agent does, in the order of `RULING`; where nothing goes on, what he is."""
        running, rest = self.wrap_up, self.rest
        talk, ring = line.talk, next(iter(line.rings.values()), None)
        due_at = running.due_at if running is not None else None
        if talk is not None and talk.held:
            return A.ON_HOLD, None, talk.call, talk.queue, due_at
        for state, about in zip(RULING, (talk, ring, running), strict=True):
            if about is not None:
                return state, None, about.call, about.queue, due_at
        return rest.state, rest.reason, rest.call, rest.queue, due_at

    def change(self, does: What, at: datetime, source: StateSource) -> AgentStateChanged:
        """As it is told."""
        state, reason, call, queue, due_at = does
        resting = state not in BUSY and state is not A.READY
        return AgentStateChanged(
            at=at,
            pbx=self.shown.pbx,
            user=self.user,
            agent_number=self.number,
            interface=self.interface,
            state=state,
            # A pause that was chosen during the call is still the choice of whoever chose it.
            source=self.rest.source if resting else source,
            reason=reason,
            call=call,
            queue=queue,
            due_at=due_at,
        )

    def offline(self, at: datetime, source: StateSource) -> AgentStateChanged:
        return offline(self.shown, at, source)

    def is_settled(self, at: datetime) -> bool:
        """Whether what happened `at` has been decided about already."""
        if self.shown.state in IN_A_CALL or self.shown.state is A.RINGING:
            # How the talk ended is news, even where it was seen last in the moment of its beginning.
            return at < self.settled_at - SAME_MOMENT
        return at <= self.settled_at


def joined(event: AgentSignedIn) -> Agent:
    """Ready, since the sign-in."""
    ready = AgentStateChanged(
        at=event.at,
        pbx=event.pbx,
        user=event.user,
        agent_number=event.agent_number,
        interface=event.interface,
        state=A.READY,
        source=StateSource.AGENT,
    )
    return Agent(
        user=event.user,
        number=event.agent_number,
        interface=event.interface,
        shown=ready,
        found=ready,
        rest=Rest(state=A.READY, source=StateSource.AGENT),
        settled_at=event.at,
    )


def resumed(event: AgentSignedIn, known: KnownAgent, wrap_up: timedelta) -> Agent:
    """As the process before this one left him; `wrap_up` is that of the call's queue."""
    agent, left_in = joined(event), known.left_in
    if left_in is None or left_in.state is A.OFFLINE or left_in.interface != event.interface:
        return agent
    agent.shown = agent.found = left_in
    agent.settled_at = left_in.at
    if left_in.state in (A.PAUSED, A.MISSED):
        agent.rest = Rest(
            state=left_in.state,
            source=left_in.source,
            reason=left_in.reason,
            call=left_in.call,
            queue=left_in.queue,
        )
    elif known.next_state is not None:
        by_rule = known.next_state is A.MISSED
        source = StateSource.RULE if by_rule else StateSource.AGENT
        agent.rest = Rest(state=known.next_state, reason=known.next_reason, source=source)
    if left_in.due_at is not None and left_in.call is not None:
        agent.wrap_up = WrapUp(
            call=left_in.call,
            queue=left_in.queue,
            due_at=left_in.due_at,
            extended=left_in.due_at - left_in.at > wrap_up,
        )
    return agent


what: Final[Callable[[AgentStateChanged], What]] = attrgetter(
    "state", "reason", "call", "queue", "due_at"
)
"""Without when and by whom: where this is the same, nothing has changed."""


def offline(shown: AgentStateChanged, at: datetime, source: StateSource) -> AgentStateChanged:
    """Gone, after whatever was told last."""
    return replace(
        shown,
        at=max(at, shown.at + A_MOMENT),
        state=A.OFFLINE,
        source=source,
        reason=None,
        call=None,
        queue=None,
        due_at=None,
    )
