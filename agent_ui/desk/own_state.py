"""The own state in the desk's header: what it is, what may be chosen, what comes after the call. Pure.

The machine is in telephony (decision 17); a choice is a command, and the event that follows redraws.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from crm_core.events import AgentState
from crm_core.ids import CallId
from crm_core.live_board.board import LiveAgent, LiveBoard
from crm_core.quick_dataclass import dataclass

SETTABLE = frozenset(
    {
        AgentState.READY,
        AgentState.PAUSED,
        AgentState.RINGING,
        AgentState.TALKING,
        AgentState.ON_HOLD,
        AgentState.WRAP_UP,
    }
)
"""In these a pause may be chosen. Who missed a call says first that he is back."""

BUSY = frozenset({AgentState.RINGING, AgentState.TALKING, AgentState.ON_HOLD, AgentState.WRAP_UP})
"""What is chosen in these comes true afterwards; in wrap-up it ends the wrap-up."""

DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseChoice:
    """A reason that may be chosen; `digit` 1–9 is its key while the list is open."""

    code: str
    label: str
    digit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedRing:
    """The call whose ring was missed. Name and number None: not known any more, or withheld."""

    call: CallId
    name: str | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentBadge:
    """Region `agent-state`: the own state with its stopwatch, and the menu behind it."""

    state: AgentState
    since: datetime
    extension: str
    """The device that is held."""
    reason_code: str | None = None
    """Why it is a pause: the code, by which it has its icon."""
    reason: str | None = None
    """The same in words of the viewer's language; the code where nobody gave it words."""
    due_at: datetime | None = None
    """When wrap-up ends by itself: the stopwatch counts down to it."""
    may_extend: bool = False
    next_reason: str | None = None
    """The pause that follows this call, in the viewer's language."""
    missed: MissedRing | None = None
    choices: tuple[PauseChoice, ...] = ()
    """Empty where no pause may be chosen now."""

    @property
    def is_busy(self) -> bool:
        """A pause that is chosen now comes after the call; from wrap-up it comes at once."""
        return self.state in BUSY and self.state is not AgentState.WRAP_UP

    @property
    def may_be_ready(self) -> bool:
        """Choosing *ready* changes something."""
        return self.state in (AgentState.PAUSED, AgentState.MISSED, AgentState.WRAP_UP)


def agent_badge(
    board: LiveBoard,
    agent: LiveAgent,
    *,
    offered: Mapping[str, str],
    labels: Mapping[str, str],
    allowance: timedelta,
    missed: MissedRing | None = None,
) -> AgentBadge:
    """The own state; `unknown`, since the link was lost, while the link is away.

    `offered`: code → label of the reasons that may be chosen, in their order; `labels` has those of
    all that stand in rows. `allowance` is the wrap-up of the call's queue: one that lasts longer has
    been extended, and is not extended again.
    """
    state = board.agent_state(agent)
    link = board.links.get(agent.pbx)
    extension = agent.interface.rpartition("/")[2]
    if state is AgentState.UNKNOWN:
        since = link.since if link is not None else agent.since
        return AgentBadge(state=state, since=since, extension=extension)
    wraps_up = state is AgentState.WRAP_UP and agent.due_at is not None
    reason = agent.reason if state is AgentState.PAUSED else None
    next_reason = agent.next_reason if agent.next_state is AgentState.PAUSED else None
    return AgentBadge(
        state=state,
        since=agent.since,
        extension=extension,
        reason_code=reason,
        reason=_label(labels, reason),
        due_at=agent.due_at if wraps_up else None,
        may_extend=wraps_up and not _is_extended(agent, allowance),
        next_reason=_label(labels, next_reason) if state in BUSY else None,
        missed=missed if state is AgentState.MISSED else None,
        choices=_choices(offered) if state in SETTABLE else (),
    )


def _label(labels: Mapping[str, str], code: str | None) -> str | None:
    return labels.get(code, code) if code is not None else None


def _is_extended(agent: LiveAgent, allowance: timedelta) -> bool:
    # A second of room: the machine counts from the hang-up, the board from when it was told.
    return agent.due_at is not None and agent.due_at - agent.since > allowance + timedelta(
        seconds=1
    )


def _choices(offered: Mapping[str, str]) -> tuple[PauseChoice, ...]:
    return tuple(
        PauseChoice(code=code, label=label, digit=place if place <= DIGITS else None)
        for place, (code, label) in enumerate(offered.items(), start=1)
    )
