"""At the door: the queue of the hotline, the priority of the grade, and whose phone rings first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.commands import CallerKnown, WayIn
from crm_core.events import (
    AgentSignedIn,
    AgentSignedOut,
    AgentState,
    AgentStateChanged,
    Event,
    LinkChanged,
    LinkState,
    StateSource,
)
from crm_core.ids import PbxId, UserId
from routing.inbound.door import MOST_FIRST_SECONDS, Door, priority_of
from tests.routing.test_membership import T0

PBX, OTHER = PbxId("lab"), PbxId("other")
LIN, ZHAO = UserId(1), UserId(2)

CALLER = CallerKnown(
    queue="support",
    max_wait_seconds=300,
    ring_seconds=12,
    priorities=(("A", 20), ("B", 10)),
    last_agent=LIN,
)

UP = LinkChanged(at=T0, pbx=PBX, state=LinkState.UP)


def sits(user: UserId, interface: str, *queues: str) -> AgentSignedIn:
    return AgentSignedIn(
        at=T0, pbx=PBX, user=user, agent_number=f"100{user}", name="x", interface=interface,
        queues=queues,
    )  # fmt: skip


def is_now(user: UserId, state: AgentState, interface: str = "PJSIP/8001") -> AgentStateChanged:
    return AgentStateChanged(
        at=T0 + timedelta(seconds=1), pbx=PBX, user=user, agent_number=f"100{user}",
        interface=interface, state=state, source=StateSource.AGENT,
    )  # fmt: skip


READY = (UP, sits(LIN, "PJSIP/8001", "support"), is_now(LIN, AgentState.READY))


def a_door(*events: Event) -> Door:
    door = Door()
    for event in events:
        door.feed(event)
    return door


def test_the_last_agent_is_rung_first_when_ready() -> None:
    assert a_door(*READY).way_in(PBX, CALLER) == WayIn(
        queue="support", max_wait_seconds=300, first="PJSIP/8001", first_seconds=12
    )


@pytest.mark.parametrize("state", [state for state in AgentState if state != AgentState.READY])
def test_the_last_agent_who_does_anything_else_is_not_waited_for(state: AgentState) -> None:
    way = a_door(*READY, is_now(LIN, state)).way_in(PBX, CALLER)
    assert (way.queue, way.first, way.first_seconds) == ("support", None, 0)


NOBODY = {
    "never signed in": (UP,),
    "signed out": (
        *READY,
        AgentSignedOut(
            at=T0, pbx=PBX, user=LIN, agent_number="1001", interface="PJSIP/8001", queues=()
        ),
    ),
    "state unknown": READY[:2],
    "link away": (*READY, LinkChanged(at=T0, pbx=PBX, state=LinkState.DOWN)),
    "link never up": READY[1:],
    "another queue": (UP, sits(LIN, "PJSIP/8001", "sales"), READY[2]),
    "somebody else": (UP, sits(ZHAO, "PJSIP/8002", "support"), is_now(ZHAO, AgentState.READY)),
}


@pytest.mark.parametrize("why", NOBODY)
def test_without_a_last_agent_who_is_ready_the_queue_rings(why: str) -> None:
    assert a_door(*NOBODY[why]).way_in(PBX, CALLER).first is None


def test_a_last_agent_at_another_pbx_is_not_this_ones() -> None:
    assert a_door(*READY).way_in(OTHER, CALLER).first is None


def test_who_moved_to_another_seat_is_rung_there() -> None:
    moved = sits(LIN, "PJSIP/8009", "support")
    assert a_door(*READY, moved).way_in(PBX, CALLER).first == "PJSIP/8009"


def test_a_caller_whom_nobody_served_lately_goes_to_the_queue() -> None:
    assert a_door(*READY).way_in(PBX, replace(CALLER, last_agent=None)).first is None


def test_the_first_ring_is_never_long() -> None:
    way = a_door(*READY).way_in(PBX, replace(CALLER, ring_seconds=600))
    assert way.first_seconds == MOST_FIRST_SECONDS


@pytest.mark.parametrize(
    ("grades", "priority"),
    [((), 0), (("A",), 20), (("B",), 10), (("C",), 0), (("B", "A"), 20), (("C", "B"), 10)],
)
def test_a_grade_has_the_priority_that_the_hotline_gives_it(
    grades: tuple[str, ...], priority: int
) -> None:
    assert priority_of(replace(CALLER, grades=grades)) == priority


EVENTS = st.lists(
    st.one_of(
        st.sampled_from([UP, LinkChanged(at=T0, pbx=PBX, state=LinkState.DOWN)]),
        st.builds(is_now, st.sampled_from([LIN, ZHAO]), st.sampled_from(AgentState)),
        st.builds(
            sits,
            st.sampled_from([LIN, ZHAO]),
            st.sampled_from(["PJSIP/8001", "PJSIP/8002"]),
            st.sampled_from(["support", "sales"]),
        ),
    ),
    max_size=20,
)


@given(EVENTS)
def test_whatever_was_told_a_call_goes_to_its_queue_and_rings_nobody_who_is_not_ready(
    events: list[Event],
) -> None:
    way = a_door(*events).way_in(PBX, CALLER)
    assert way.queue == "support"
    states = [e.state for e in events if isinstance(e, AgentStateChanged) and e.user == LIN]
    seats = [e for e in events if isinstance(e, AgentSignedIn) and e.user == LIN]
    links = [e.state for e in events if isinstance(e, LinkChanged)]
    ready = (
        states[-1:] == [AgentState.READY]
        and links[-1:] == [LinkState.UP]
        and bool(seats)
        and "support" in seats[-1].queues
    )
    assert way.first == (seats[-1].interface if ready else None)
