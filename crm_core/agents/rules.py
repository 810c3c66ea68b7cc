"""The rules of the agent's state, as tables: what is shown of several, what pauses, what may be chosen.

Pure; `states` applies them. The words of `domain.md` 5.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from crm_core.events import AgentState, StateSource
from crm_core.ids import CallId
from crm_core.quick_dataclass import dataclass

WRAP_UP_WITHOUT_QUEUE: Final = timedelta(seconds=30)
"""After a conversation with a customer that came by no queue: one that the agent placed."""

EXTENSION: Final = timedelta(seconds=30)

OURS: Final = "zx:"
"""How the reasons begin under which we pause; any other reason was somebody else's."""

AUTO_PAUSE: Final = "Auto-Pause"
"""Asterisk's own reason (`autopause`): a ring that was not answered."""

OUTSIDE: Final = "outside"
"""The pause reason of whom somebody else paused: a code dialled at the phone, another program."""

REFUSAL_KNOWN: Final = timedelta(seconds=2)
"""Asterisk takes a phone that refuses for one that was not answered; its pause comes this soon."""

RESERVED_REASONS: Final = frozenset(
    {"talking", "wrap_up", "missed", "ready", OUTSIDE, "wrap_up_overdue"}
)
"""Codes that no pause reason of a site may have: they would be taken for a state or a rule's."""

A = AgentState

RULING: Final = (A.TALKING, A.RINGING, A.WRAP_UP)
"""Of several that are true at once the first is shown; where none is, what the agent wants to be."""

IN_A_CALL: Final = frozenset({A.TALKING, A.ON_HOLD})
"""A conversation goes on; on hold it is, in which the other party hears music."""

BUSY: Final = frozenset({*RULING, A.ON_HOLD})
"""What is chosen in these holds for afterwards."""

PAUSES: Final[Mapping[AgentState, str]] = {
    A.TALKING: f"{OURS}talking",
    A.ON_HOLD: f"{OURS}talking",
    A.WRAP_UP: f"{OURS}wrap_up",
    A.MISSED: f"{OURS}missed",
}
"""State → reason of the member's pause; `paused` has the code of its own, other states none.

A ring is no reason: who rings is paused, or not, for what he was before."""


class Effect(Enum):
    """What a choice does."""

    HOLDS = auto()
    """Now, or after the call and its wrap-up."""
    ENDS_WRAP_UP = auto()
    REFUSED = auto()


CHOICES: Final[Mapping[tuple[AgentState, AgentState], Effect]] = {
    (A.READY, A.READY): Effect.HOLDS,
    (A.READY, A.PAUSED): Effect.HOLDS,
    (A.PAUSED, A.READY): Effect.HOLDS,
    (A.PAUSED, A.PAUSED): Effect.HOLDS,
    (A.RINGING, A.READY): Effect.HOLDS,
    (A.RINGING, A.PAUSED): Effect.HOLDS,
    (A.TALKING, A.READY): Effect.HOLDS,
    (A.TALKING, A.PAUSED): Effect.HOLDS,
    (A.ON_HOLD, A.READY): Effect.HOLDS,
    (A.ON_HOLD, A.PAUSED): Effect.HOLDS,
    (A.WRAP_UP, A.READY): Effect.ENDS_WRAP_UP,
    (A.WRAP_UP, A.PAUSED): Effect.ENDS_WRAP_UP,
    (A.MISSED, A.READY): Effect.HOLDS,
    # Who missed a call says first that he is back: the missed ring must not hide in a pause.
    (A.MISSED, A.PAUSED): Effect.REFUSED,
}
"""(state, chosen) → effect; what is not here cannot be chosen."""

NOT_SIGNED_IN = "You are not signed in at a phone of this telephone system."
MISSED_FIRST = "You missed a call. Choose ready first."
NOT_TO_CHOOSE = "Only ready and paused (with a reason) can be chosen."
NO_WRAP_UP = "There is no wrap-up to extend."
ONLY_ONCE = "This wrap-up has been extended already."


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What an agent is while nothing goes on: `ready`, `paused` (reason) or `missed` (call)."""

    state: AgentState
    source: StateSource
    reason: str | None = None
    call: CallId | None = None
    queue: str | None = None

    @property
    def pause(self) -> str | None:
        """The reason of the member's pause."""
        return f"{OURS}{self.reason}" if self.state is A.PAUSED else PAUSES.get(self.state)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapUp:
    """After a call; nothing is offered before `due_at`."""

    call: CallId
    queue: str | None
    due_at: datetime
    extended: bool = False
