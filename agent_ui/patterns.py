"""/patterns: every macro in every state on one page, for the eye and for screenshots. Development only.

The page is data plus one template; a new macro or state is a line in `templates/patterns.html`.
"""

from __future__ import annotations

from datetime import datetime

from crm_core.events import AgentState, Direction, LinkState, Outcome
from crm_core.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternsPage:
    """`patterns.html`. `at` starts the stopwatches."""

    at: datetime
    states: tuple[AgentState, ...] = tuple(AgentState)
    directions: tuple[Direction, ...] = tuple(Direction)
    outcomes: tuple[Outcome, ...] = tuple(Outcome)
    links: tuple[LinkState, ...] = tuple(LinkState)
