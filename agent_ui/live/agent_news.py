"""What is told of each agent, when something that is told has changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from agent_ui.live.frames import Json, agent_json
from crm_core.events import (
    AgentSignedIn,
    AgentSignedOut,
    AgentState,
    AgentStateChanged,
    ContactRecorded,
    Event,
    LinkChanged,
    NextStateChosen,
)
from crm_core.ids import UserId
from crm_core.live_board.board import LiveAgent, LiveBoard

OF_ONE_PERSON: Final = (
    AgentSignedIn,
    AgentSignedOut,
    AgentStateChanged,
    NextStateChosen,
    ContactRecorded,
)
"""Events that only the desk of their person shows."""


class AgentNews:
    """Remembers what was told last; the same is not told again."""

    def __init__(self, board: LiveBoard) -> None:
        self._board = board
        self._told: dict[UserId, tuple[LiveAgent, Json]] = {}

    def of(self, event: Event) -> Iterator[tuple[UserId, Json]]:
        """The bodies of `agent.changed` that follow from this event."""
        for user in self._touched(event):
            agent, told = self._board.agents.get(user), self._told.get(user)
            if agent is not None:
                body = agent_json(agent, self._board.agent_state(agent))
                if told is None or told[1] != body:
                    self._told[user] = agent, body
                    yield user, body
            elif told is not None:
                del self._told[user]
                yield user, _signed_out_json(told[0], event.at)

    def _touched(self, event: Event) -> Iterable[UserId]:
        if isinstance(event, OF_ONE_PERSON):
            return (event.user,)
        if isinstance(event, LinkChanged):
            return [agent.user for agent in self._board.agents.values() if agent.pbx == event.pbx]
        return ()


def _signed_out_json(agent: LiveAgent, at: datetime) -> Json:
    gone = replace(
        agent, since=at, reason=None, due_at=None, next_state=None, queues=(), answered=0
    )
    return agent_json(gone, AgentState.OFFLINE)
