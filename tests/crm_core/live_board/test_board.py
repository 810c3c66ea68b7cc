"""The live board: what a supervisor would say is going on, whatever order events come in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crm_core.events import (
    AgentSignedIn,
    AgentSignedOut,
    AgentState,
    AgentStateChanged,
    AttemptResult,
    CallAnswered,
    CallEnded,
    CallHeld,
    CallLeftQueue,
    CallOffered,
    CallPlaced,
    CallQueued,
    CallResumed,
    CallStarted,
    ConversationEnded,
    Direction,
    EndedBy,
    Event,
    LegEnded,
    LinkChanged,
    LinkState,
    Member,
    NextStateChosen,
    OfferEnded,
    QueueMemberGone,
    QueueMemberSeen,
    StateSource,
    TransferBegan,
    TransferEnded,
    TransferKind,
    TransferResult,
)
from crm_core.ids import BootId, PbxId, QueuePassKey, UserId, call_id
from crm_core.live_board.board import LiveBoard

PBX, BOOT = PbxId("lab"), BootId("b1")
CALL = call_id(PBX, BOOT, "1.0")
PASS = QueuePassKey(unique_id="1.0", queue="sales")
LI, WANG = Member(interface="PJSIP/8001", name="1001"), Member(interface="PJSIP/8002", name="1002")
T0 = datetime(2026, 11, 24, 10, tzinfo=UTC)


def at(second: float) -> datetime:
    return T0 + timedelta(seconds=second)


def signed_in(member: Member, user: int) -> AgentSignedIn:
    return AgentSignedIn(
        at=T0,
        pbx=PBX,
        user=UserId(user),
        agent_number=member.name or "",
        name=f"agent {user}",
        interface=member.interface or "",
        queues=("sales",),
    )


def started() -> CallStarted:
    return CallStarted(
        at=at(1),
        pbx=PBX,
        call=CALL,
        boot=BOOT,
        unique_id="1.0",
        direction=Direction.INBOUND,
        caller_number="13800138000",
    )


def queued() -> CallQueued:
    return CallQueued(at=at(2), pbx=PBX, call=CALL, queue_pass=PASS, caller_number="13800138000")


def offered(member: Member, attempt: int, second: float = 3) -> CallOffered:
    return CallOffered(
        at=at(second), pbx=PBX, call=CALL, queue_pass=PASS, attempt=attempt, member=member
    )


def offer_ended(member: Member, attempt: int, result: AttemptResult) -> OfferEnded:
    return OfferEnded(
        at=at(5), pbx=PBX, call=CALL, queue_pass=PASS, attempt=attempt, member=member, result=result
    )


def answered(member: Member) -> CallAnswered:
    return CallAnswered(at=at(5), pbx=PBX, call=CALL, queue_pass=PASS, member=member)


def conversation_ended(member: Member) -> ConversationEnded:
    return ConversationEnded(
        at=at(9), pbx=PBX, call=CALL, queue_pass=PASS, member=member, ended_by=EndedBy.CALLER
    )


def ended() -> CallEnded:
    return CallEnded(at=at(9), pbx=PBX, call=CALL)


def state(state: AgentState, second: float = 5, user: int = 1, **more: Any) -> AgentStateChanged:
    member = LI if user == 1 else WANG
    return AgentStateChanged(
        at=at(second),
        pbx=PBX,
        user=UserId(user),
        agent_number=member.name or "",
        interface=more.pop("interface", member.interface),
        state=state,
        source=StateSource.CALL,
        **more,
    )


def placed() -> CallPlaced:
    return CallPlaced(
        at=at(2), pbx=PBX, call=CALL, member=LI, called_number="13900139000", leg="1.0"
    )


def link(state: LinkState, second: float = 0) -> LinkChanged:
    return LinkChanged(at=at(second), pbx=PBX, state=state)


def a_board(*events: Event) -> LiveBoard:
    board = LiveBoard()
    for event in (link(LinkState.UP), signed_in(LI, 1), signed_in(WANG, 2), *events):
        board.feed(event)
    return board


def states(board: LiveBoard) -> list[AgentState]:
    return [board.agent_state(board.agents[UserId(user)]) for user in (1, 2)]


def test_waiting_call_is_shown_in_its_queue_until_it_is_answered() -> None:
    board = a_board(started(), queued())
    assert board.queues[PBX, "sales"].waiting == (CALL,)
    assert board.longest_wait(board.queues[PBX, "sales"]) == at(2)
    board.feed(answered(LI))
    assert board.queues[PBX, "sales"].waiting == ()


def test_call_is_at_the_phones_that_ring_for_it_or_talk_in_it() -> None:
    board = a_board(started(), queued(), offered(LI, 1), offered(WANG, 2))
    assert [call.call for call in board.calls_at(PBX, "PJSIP/8001")] == [CALL]
    board.feed(answered(WANG))
    board.feed(offer_ended(LI, 1, AttemptResult.ELSEWHERE))
    assert board.calls_at(PBX, "PJSIP/8001") == []
    assert [call.call for call in board.calls_at(PBX, "PJSIP/8002")] == [CALL]


def test_after_the_conversation_the_agent_keeps_the_last_call() -> None:
    board = a_board(started(), queued(), offered(LI, 1), answered(LI))
    board.feed(conversation_ended(LI))
    board.feed(ended())
    agent = board.agents[UserId(1)]
    assert (agent.last_call, agent.answered) == (CALL, 1)
    assert board.calls == {}


def test_agents_state_is_what_the_machine_says_and_nothing_else() -> None:
    board = a_board(started(), queued(), offered(LI, 1), answered(LI))
    assert states(board) == [AgentState.READY, AgentState.READY]
    board.feed(state(AgentState.WRAP_UP, 9, call=CALL, due_at=at(39)))
    board.feed(
        NextStateChosen(at=at(10), pbx=PBX, user=UserId(1), state=AgentState.PAUSED, reason="meal")
    )
    agent = board.agents[UserId(1)]
    assert (agent.state, agent.since, agent.call, agent.due_at) == (
        AgentState.WRAP_UP,
        at(9),
        CALL,
        at(39),
    )
    assert (agent.next_state, agent.next_reason) == (AgentState.PAUSED, "meal")
    board.feed(state(AgentState.PAUSED, 39, reason="meal"))
    board.feed(NextStateChosen(at=at(39), pbx=PBX, user=UserId(1), state=None))
    agent = board.agents[UserId(1)]
    assert (agent.state, agent.reason, agent.call, agent.due_at, agent.next_state) == (
        AgentState.PAUSED,
        "meal",
        None,
        None,
        None,
    )


def test_state_at_a_phone_that_was_left_is_not_the_agents() -> None:
    board = a_board(state(AgentState.TALKING, interface="PJSIP/8009"))
    assert states(board)[0] is AgentState.READY


def test_sign_in_told_again_keeps_what_is_known_of_the_agent() -> None:
    board = a_board(started(), queued(), answered(LI), state(AgentState.TALKING, call=CALL))
    board.feed(replace(signed_in(LI, 1), at=at(60), queues=("sales", "support")))
    agent = board.agents[UserId(1)]
    assert (agent.state, agent.answered, agent.queues) == (
        AgentState.TALKING,
        1,
        ("sales", "support"),
    )


def test_who_dialled_has_the_call_until_he_leaves_it() -> None:
    board = a_board(started(), placed())
    assert [call.call for call in board.calls_at(PBX, "PJSIP/8001")] == [CALL]
    board.feed(answered(LI))
    board.feed(answered(WANG))  # it was transferred to a colleague
    board.feed(conversation_ended(LI))
    assert board.calls[CALL].placed_by is None
    assert board.calls_at(PBX, "PJSIP/8001") == []


def test_who_transfers_before_anybody_answers_has_left_the_call_too() -> None:
    board = a_board(started(), placed())
    board.feed(LegEnded(at=at(4), pbx=PBX, call=CALL, unique_id="1.9", cause=16))
    assert board.calls[CALL].placed_by == LI
    board.feed(LegEnded(at=at(4), pbx=PBX, call=CALL, unique_id="1.0", cause=16))
    assert board.calls[CALL].placed_by is None
    assert board.calls_at(PBX, "PJSIP/8001") == []


def test_caller_who_gives_up_leaves_the_queue_and_stops_the_ring() -> None:
    board = a_board(started(), queued(), offered(LI, 1))
    board.feed(CallLeftQueue(at=at(6), pbx=PBX, call=CALL, queue_pass=PASS))
    board.feed(ended())
    assert board.queues[PBX, "sales"].waiting == ()
    assert board.calls_at(PBX, "PJSIP/8001") == []


def test_lost_link_makes_everybody_unknown_never_offline_and_keeps_the_picture() -> None:
    board = a_board(started(), queued(), link(LinkState.DOWN, 60))
    assert states(board) == [AgentState.UNKNOWN, AgentState.UNKNOWN]
    assert board.links[PBX].since == at(60)
    assert board.queues[PBX, "sales"].waiting == (CALL,)
    board.feed(link(LinkState.UP, 70))
    assert states(board) == [AgentState.READY, AgentState.READY]


def test_agent_who_signs_out_is_gone_and_an_older_sign_out_takes_nobody_away() -> None:
    board = a_board()
    board.feed(
        AgentSignedOut(
            at=at(1), pbx=PBX, user=UserId(1), agent_number="1001", interface="PJSIP/old", queues=()
        )
    )
    assert UserId(1) in board.agents
    board.feed(
        AgentSignedOut(
            at=at(2),
            pbx=PBX,
            user=UserId(1),
            agent_number="1001",
            interface="PJSIP/8001",
            queues=(),
        )
    )
    assert UserId(1) not in board.agents
    assert board.agent_at(PBX, "PJSIP/8001") is None


def test_seat_that_changes_hands_belongs_to_the_last_who_took_it() -> None:
    board = a_board(signed_in(Member(interface="PJSIP/8001", name="1003"), 3))
    agent = board.agent_at(PBX, "PJSIP/8001")
    assert agent is not None
    assert agent.agent_number == "1003"


def test_members_are_kept_by_interface() -> None:
    board = a_board(
        QueueMemberSeen(at=T0, pbx=PBX, queue="sales", member=LI, paused=False),
        QueueMemberSeen(at=T0, pbx=PBX, queue="sales", member=LI, paused=True, pause_reason="x"),
        QueueMemberSeen(at=T0, pbx=PBX, queue="sales", member=WANG, paused=False),
    )
    assert [m.paused for m in board.queues[PBX, "sales"].members] == [True, False]
    board.feed(QueueMemberGone(at=T0, pbx=PBX, queue="sales", member=LI))
    assert [m.member for m in board.queues[PBX, "sales"].members] == [WANG]


HELD = CallHeld(at=at(6), pbx=PBX, call=CALL, member=WANG, leg="1.2")
RESUMED = CallResumed(at=at(7), pbx=PBX, call=CALL, member=WANG, leg="1.2")
BEGAN = TransferBegan(
    at=at(8), pbx=PBX, call=CALL, nth=1, kind=TransferKind.ATTENDED, member=WANG, to="8001"
)
RETURNED = TransferEnded(
    at=at(9), pbx=PBX, call=CALL, nth=1, to_member=None, result=TransferResult.RETURNED
)


def test_who_is_held_and_who_is_consulted_is_of_one_phone() -> None:
    board = a_board(started(), queued(), offered(WANG, 1), replace(answered(WANG), leg="1.2"))
    board.feed(HELD)
    talk = board.calls[CALL].talk_of(WANG.interface)
    assert talk is not None
    assert talk.held_since == at(6)
    board.feed(replace(RESUMED, leg="9.9"))  # another leg's
    assert board.calls[CALL].talks == (talk,)
    board.feed(BEGAN)
    board.feed(replace(offered(LI, 2), at=at(8.5)))
    live = board.calls[CALL]
    asked = live.consultation_of(WANG.interface)
    assert asked is not None
    assert asked.to == "8001"
    assert live.consultation_of(LI.interface) is None
    assert live.handed_over_to(LI.interface) == asked
    assert live.handed_over_to(WANG.interface) is None
    board.feed(BEGAN)  # told again
    board.feed(RETURNED)
    live = board.calls[CALL]
    assert live.consultation_of(WANG.interface) is None
    assert live.handed_over_to(LI.interface) is None
    board.feed(RESUMED)
    assert [one.held_since for one in board.calls[CALL].talks] == [None]


def test_a_ring_before_the_transfer_is_not_because_of_it() -> None:
    board = a_board(started(), queued(), offered(LI, 1), BEGAN)
    assert board.calls[CALL].handed_over_to(LI.interface) is None


WHOLE_CALL: list[Event] = [
    started(),
    queued(),
    offered(LI, 1),
    offered(WANG, 2),
    answered(WANG),
    offer_ended(LI, 1, AttemptResult.ELSEWHERE),
    offer_ended(WANG, 2, AttemptResult.ANSWERED),
    HELD,
    RESUMED,
    BEGAN,
    RETURNED,
    conversation_ended(WANG),
    ended(),
]


@given(st.lists(st.sampled_from(WHOLE_CALL), max_size=30))
def test_any_events_in_any_order_then_the_end_leave_nothing_behind(events: list[Event]) -> None:
    board = a_board(*events, ended())
    assert board.calls == {}
    assert all(queue.waiting == () for queue in board.queues.values())
    assert board._calls_at == {}


@given(st.lists(st.sampled_from(range(len(WHOLE_CALL))), max_size=9))
def test_hearing_events_twice_changes_nothing(doubled: list[int]) -> None:
    twice = [e for n, e in enumerate(WHOLE_CALL[:-1]) for _ in range(1 + doubled.count(n))]
    once = a_board(*WHOLE_CALL[:-1])
    board = a_board(*twice)
    assert board.calls == once.calls
    assert board.queues == once.queues
    assert board.agents == once.agents
