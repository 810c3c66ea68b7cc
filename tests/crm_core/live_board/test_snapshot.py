"""A board that has missed something, given the present, is the board that missed nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crm_core.events import (
    AgentSignedIn,
    AgentState,
    AgentStateChanged,
    AttemptResult,
    CallAnswered,
    CallEnded,
    CallEvent,
    CallLeftQueue,
    CallOffered,
    CallQueued,
    CallStarted,
    ConversationEnded,
    DeviceSeen,
    Direction,
    EndedBy,
    Event,
    LinkChanged,
    LinkState,
    Member,
    OfferEnded,
    QueueMemberGone,
    QueueMemberSeen,
    StateSource,
)
from crm_core.ids import BootId, CallId, PbxId, QueuePassKey, UserId
from crm_core.live_board.board import LiveBoard
from crm_core.live_board.snapshot import Present, news_of

PBX, OTHER = PbxId("east"), PbxId("west")
LATER = datetime(2026, 11, 24, 12, tzinfo=UTC)
AGENTS = [Member(interface=f"PJSIP/800{n}", name=f"100{n}") for n in range(3)]


def at(second: int) -> datetime:
    return datetime(2026, 11, 24, 10, tzinfo=UTC) + timedelta(seconds=second)


def signed_in(pbx: PbxId, user: int) -> AgentSignedIn:
    return AgentSignedIn(
        at=at(0), pbx=pbx, user=UserId(user), agent_number=f"100{user}", name="王",
        interface=f"PJSIP/800{user}", queues=("support",),
    )  # fmt: skip


@st.composite
def a_call(draw: st.DrawFn, name: str, pbx: PbxId) -> list[Event]:
    """A call through a queue or two: rings in vain, a talk or not, an end or not."""
    call, second = CallId(f"{pbx}{name}"), draw(st.integers(1, 20))
    told: list[Event] = [
        CallStarted(
            at=at(second), pbx=pbx, call=call, boot=BootId("b1"), unique_id=name,
            direction=Direction.INBOUND, caller_number="13800000000",
        )
    ]  # fmt: skip
    attempt = 0
    for queue in draw(st.lists(st.sampled_from(["support", "sales"]), max_size=2, unique=True)):
        key = QueuePassKey(unique_id=name, queue=queue)
        second += 1
        told.append(
            CallQueued(at=at(second), pbx=pbx, call=call, queue_pass=key, caller_number=None)
        )
        for member in draw(st.lists(st.sampled_from(AGENTS), max_size=3)):
            attempt, second = attempt + 1, second + 1
            ring: dict[str, Any] = {"pbx": pbx, "call": call, "queue_pass": key, "member": member}
            told.append(CallOffered(at=at(second), attempt=attempt, **ring))
            if draw(st.booleans()):
                told.append(
                    OfferEnded(
                        at=at(second), attempt=attempt, result=AttemptResult.NO_ANSWER, **ring
                    )
                )
            elif draw(st.booleans()):
                told.append(CallAnswered(at=at(second), leg=str(attempt), **ring))
                if draw(st.booleans()):
                    told.append(
                        ConversationEnded(
                            at=at(second), ended_by=EndedBy.CALLER, leg=str(attempt), **ring
                        )
                    )
        if draw(st.booleans()):
            told.append(CallLeftQueue(at=at(second), pbx=pbx, call=call, queue_pass=key))
    if draw(st.booleans()):
        told.append(CallEnded(at=at(second), pbx=pbx, call=call))
    return told


@st.composite
def a_floor(draw: st.DrawFn) -> list[Event]:
    """What happens at one PBX, calls among each other in any order."""
    threads = [draw(a_call(str(n), PBX)) for n in range(draw(st.integers(0, 4)))]
    threads.append(
        draw(
            st.lists(
                st.one_of(
                    st.builds(
                        QueueMemberSeen,
                        at=st.just(at(1)),
                        pbx=st.just(PBX),
                        queue=st.sampled_from(["support", "sales"]),
                        member=st.sampled_from(AGENTS),
                        paused=st.booleans(),
                        pause_reason=st.none(),
                    ),
                    st.builds(
                        QueueMemberGone,
                        at=st.just(at(1)),
                        pbx=st.just(PBX),
                        queue=st.sampled_from(["support", "sales"]),
                        member=st.sampled_from(AGENTS),
                    ),
                    st.builds(
                        DeviceSeen,
                        at=st.just(at(1)),
                        pbx=st.just(PBX),
                        interface=st.sampled_from(["PJSIP/8000", "PJSIP/8001"]),
                        reachable=st.booleans(),
                    ),
                    st.builds(
                        LinkChanged,
                        at=st.just(at(1)),
                        pbx=st.just(PBX),
                        state=st.sampled_from(LinkState),
                        reason=st.none(),
                    ),
                    st.builds(
                        AgentStateChanged,
                        at=st.integers(0, 50).map(at),
                        pbx=st.just(PBX),
                        user=st.integers(0, 2).map(UserId),
                        agent_number=st.just("x"),
                        interface=st.integers(0, 2).map(lambda n: f"PJSIP/800{n}"),
                        state=st.sampled_from([AgentState.READY, AgentState.TALKING]),
                        source=st.just(StateSource.CALL),
                    ),
                ),
                max_size=12,
            )
        )
    )
    told: list[Event] = []
    while any(threads):
        told.append(draw(st.sampled_from([each for each in threads if each])).pop(0))
    return told


def a_board(events: list[Event]) -> LiveBoard:
    board = LiveBoard()
    for event in [signed_in(PBX, 0), signed_in(PBX, 1), *events]:
        board.feed(event)
    return board


def shown(board: LiveBoard) -> object:
    """What of a board the present is about."""
    return (
        board.calls,
        {
            key: (queue.name, set(queue.members), set(queue.waiting))
            for key, queue in board.queues.items()
            if queue.members or queue.waiting
        },
        board.phones,
        {pbx: (link.state, link.reason) for pbx, link in board.links.items()},
        {user: (agent.state, agent.since) for user, agent in board.agents.items()},
    )


@given(a_floor(), a_call("9", OTHER), st.data())
def test_whatever_a_board_has_missed_the_present_makes_good(
    told: list[Event], elsewhere: list[Event], data: st.DataObject
) -> None:
    whole, present = a_board([*elsewhere, *told]), Present(PBX)
    for event in [*elsewhere, *told]:
        present.feed(event)
    missed = data.draw(st.sets(st.integers(0, len(told))))
    behind = a_board(
        [*elsewhere, *(event for place, event in enumerate(told) if place not in missed)]
    )
    for event in news_of(behind, PBX, present.facts(), LATER):
        behind.feed(event)
    assert shown(behind) == shown(whole)


@given(a_floor())
def test_a_board_that_missed_nothing_gets_no_news(told: list[Event]) -> None:
    present = Present(PBX)
    for event in told:
        present.feed(event)
    assert news_of(a_board(told), PBX, present.facts(), LATER) == []


@given(a_floor())
def test_a_new_board_is_told_only_of_what_lives(told: list[Event]) -> None:
    present = Present(PBX)
    for event in told:
        present.feed(event)
    ended = {event.call for event in told if isinstance(event, CallEnded)}
    told_of = {event.call for event in present.facts() if isinstance(event, CallEvent)}
    assert not ended & told_of
