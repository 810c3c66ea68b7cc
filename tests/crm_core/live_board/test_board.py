"""The live board: what a supervisor would say is going on, whatever order events come in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from crm_core.events import (
    AgentSignedIn,
    AgentSignedOut,
    AgentState,
    AttemptResult,
    CallAnswered,
    CallEnded,
    CallLeftQueue,
    CallOffered,
    CallQueued,
    CallStarted,
    ConversationEnded,
    Direction,
    EndedBy,
    Event,
    LinkChanged,
    LinkState,
    Member,
    OfferEnded,
    QueueMemberGone,
    QueueMemberSeen,
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


def test_ringing_agent_is_ringing_and_the_other_ready() -> None:
    board = a_board(started(), queued(), offered(LI, 1))
    assert states(board) == [AgentState.RINGING, AgentState.READY]
    assert [call.call for call in board.calls_at(PBX, "PJSIP/8001")] == [CALL]


def test_answer_ends_the_ring_of_the_others() -> None:
    board = a_board(started(), queued(), offered(LI, 1), offered(WANG, 2))
    assert states(board) == [AgentState.RINGING, AgentState.RINGING]
    board.feed(answered(WANG))
    board.feed(offer_ended(LI, 1, AttemptResult.ELSEWHERE))
    assert states(board) == [AgentState.READY, AgentState.TALKING]
    assert board.calls_at(PBX, "PJSIP/8001") == []


def test_after_the_conversation_the_agent_is_ready_and_keeps_the_last_call() -> None:
    board = a_board(started(), queued(), offered(LI, 1), answered(LI))
    board.feed(conversation_ended(LI))
    board.feed(ended())
    agent = board.agents[UserId(1)]
    assert (agent.state, agent.last_call, agent.answered) == (AgentState.READY, CALL, 1)
    assert board.calls == {}


def test_caller_who_gives_up_leaves_the_queue_and_stops_the_ring() -> None:
    board = a_board(started(), queued(), offered(LI, 1))
    board.feed(CallLeftQueue(at=at(6), pbx=PBX, call=CALL, queue_pass=PASS))
    board.feed(ended())
    assert board.queues[PBX, "sales"].waiting == ()
    assert states(board)[0] is AgentState.READY


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


WHOLE_CALL: list[Event] = [
    started(),
    queued(),
    offered(LI, 1),
    offered(WANG, 2),
    answered(WANG),
    offer_ended(LI, 1, AttemptResult.ELSEWHERE),
    offer_ended(WANG, 2, AttemptResult.ANSWERED),
    conversation_ended(WANG),
    ended(),
]


@given(st.lists(st.sampled_from(WHOLE_CALL), max_size=30))
def test_any_events_in_any_order_then_the_end_leave_nothing_behind(events: list[Event]) -> None:
    board = a_board(*events, ended())
    assert board.calls == {}
    assert all(queue.waiting == () for queue in board.queues.values())
    assert states(board) == [AgentState.READY, AgentState.READY]


@given(st.lists(st.sampled_from(range(len(WHOLE_CALL))), max_size=9))
def test_hearing_events_twice_changes_nothing(doubled: list[int]) -> None:
    twice = [e for n, e in enumerate(WHOLE_CALL[:-1]) for _ in range(1 + doubled.count(n))]
    once = a_board(*WHOLE_CALL[:-1])
    board = a_board(*twice)
    assert board.calls == once.calls
    assert board.queues == once.queues
    assert board.agents == once.agents
