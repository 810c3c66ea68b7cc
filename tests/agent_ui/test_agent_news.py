"""What is told of agents: each change once, and nothing where a reader would see the same."""

from __future__ import annotations

from datetime import timedelta

from agent_ui.live.agent_news import AgentNews
from crm_core.events import (
    AgentState,
    AgentStateChanged,
    Event,
    LinkChanged,
    LinkState,
    StateSource,
)
from crm_core.ids import CallId
from crm_core.live_board.board import LiveBoard
from tests.crm_core.agents.a_floor import LI, PBX, T0, signed_in, signed_out

SINCE = T0 + timedelta(seconds=5)


def told_of(*events: Event) -> list[list[object]]:
    """For each event the states that are told after it."""
    board = LiveBoard()
    news = AgentNews(board)
    told = []
    for event in (LinkChanged(at=T0, pbx=PBX, state=LinkState.UP), *events):
        board.feed(event)
        told.append([body["state"] for user, body in news.of(event) if user == LI])
    return told[1:]


def ringing(call: str) -> AgentStateChanged:
    return AgentStateChanged(
        at=SINCE,
        pbx=PBX,
        user=LI,
        agent_number="1001",
        interface="PJSIP/8001",
        state=AgentState.RINGING,
        source=StateSource.CALL,
        call=CallId(call),
    )


def test_each_change_is_told_once_until_the_agent_has_gone() -> None:
    come, gone = signed_in(), signed_out(9)
    assert told_of(come, come, ringing("a"), gone, gone) == [
        [AgentState.READY],
        [],
        [AgentState.RINGING],
        [AgentState.OFFLINE],
        [],
    ]


def test_what_no_frame_tells_is_no_news() -> None:
    """A frame names no call of the agent."""
    assert told_of(signed_in(), ringing("a"), ringing("b"))[2] == []


def test_link_that_is_lost_makes_agents_unknown() -> None:
    down = LinkChanged(at=SINCE, pbx=PBX, state=LinkState.DOWN)
    assert told_of(signed_in(), down, down) == [[AgentState.READY], [AgentState.UNKNOWN], []]
