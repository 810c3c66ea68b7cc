"""The agent's state: what follows from what, as the floor would say it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crm_core.agents import rules
from crm_core.commands import ExtendWrapUp
from crm_core.errors import Conflict, Invalid
from crm_core.events import AgentState, AttemptResult, Direction, StateSource
from crm_core.ids import UserId
from tests.crm_core.agents.a_floor import (
    LI,
    OTHER,
    PBX,
    Floor,
    Said,
    a_floor,
    answered,
    at,
    call,
    choose,
    ended,
    held,
    leg_ended,
    offered,
    placed,
    queued,
    resumed,
    ring_ended,
    seen,
    signed_in,
    signed_out,
    started,
    talk_ended,
    tick,
)

S, R = AgentState, AttemptResult
EXTEND = ExtendWrapUp(pbx=PBX, user=LI)

ARRIVES: tuple[Said, ...] = (started(1), queued(2), offered(3))
TALKS: tuple[Said, ...] = (*ARRIVES, answered(5))
WRITES: tuple[Said, ...] = (*TALKS, talk_ended(20), ended(20))
IN_STATE: dict[AgentState, tuple[Said, ...]] = {
    S.READY: (),
    S.RINGING: ARRIVES,
    S.TALKING: TALKS,
    S.ON_HOLD: (*TALKS, held(10)),
    S.WRAP_UP: WRITES,
    S.PAUSED: ((1, choose(S.PAUSED, "break")),),
    S.MISSED: (*ARRIVES, ring_ended(18, R.NO_ANSWER)),
}

HAPPENINGS: dict[str, Said] = {
    "it rings": offered(40, number=2, queue="support"),
    "a ring answered elsewhere": ring_ended(40, R.ELSEWHERE),
    "the caller gave up": ring_ended(40, R.GONE),
    "refused": ring_ended(40, R.REFUSED),
    "not answered": ring_ended(40, R.NO_ANSWER),
    "answered": answered(40, number=2, queue="support"),
    "dials": placed(40),
    "the conversation ends": talk_ended(40),
    "the call ends": ended(40),
    "wrap-up is due": tick(51),
    "somebody paused it": seen(40, "lunch by the phone's own key"),
    "Asterisk paused it": seen(40, "Auto-Pause"),
    "somebody unpaused it": seen(40, None),
    "signs out": signed_out(40),
}

TABLE: dict[AgentState, dict[str, AgentState]] = {
    S.READY: {
        "it rings": S.RINGING,
        "answered": S.TALKING,
        "dials": S.TALKING,
        "not answered": S.MISSED,
        "the conversation ends": S.WRAP_UP,
        "somebody paused it": S.PAUSED,
        "Asterisk paused it": S.MISSED,
        "signs out": S.OFFLINE,
    },
    S.RINGING: {
        "a ring answered elsewhere": S.READY,
        "the caller gave up": S.READY,
        "refused": S.READY,
        "not answered": S.MISSED,
        "answered": S.TALKING,
        "dials": S.TALKING,
        "the conversation ends": S.RINGING,
        "the call ends": S.READY,
        "signs out": S.OFFLINE,
    },
    S.TALKING: {
        "the conversation ends": S.WRAP_UP,
        "the call ends": S.WRAP_UP,
        "signs out": S.OFFLINE,
    },
    S.ON_HOLD: {
        "answered": S.TALKING,
        "dials": S.TALKING,
        "the conversation ends": S.WRAP_UP,
        "the call ends": S.WRAP_UP,
        "signs out": S.OFFLINE,
    },
    S.WRAP_UP: {
        "it rings": S.RINGING,
        "answered": S.TALKING,
        "dials": S.TALKING,
        "wrap-up is due": S.READY,
        "signs out": S.OFFLINE,
    },
    S.PAUSED: {
        "it rings": S.RINGING,
        "answered": S.TALKING,
        "dials": S.TALKING,
        "not answered": S.MISSED,
        "the conversation ends": S.WRAP_UP,
        "signs out": S.OFFLINE,
    },
    S.MISSED: {
        "it rings": S.RINGING,
        "answered": S.TALKING,
        "dials": S.TALKING,
        "the conversation ends": S.WRAP_UP,
        "signs out": S.OFFLINE,
    },
}
"""(state, happening) → state; what is not here changes nothing."""


@pytest.mark.parametrize("happening", HAPPENINGS)
@pytest.mark.parametrize("state", IN_STATE)
def test_state_and_happening_make_the_next_state(state: AgentState, happening: str) -> None:
    floor = a_floor(*IN_STATE[state])
    assert floor.now.state is state
    floor.hear(HAPPENINGS[happening])
    assert floor.now.state is TABLE[state].get(happening, state)


def test_day_of_one_call_is_five_rows_and_three_pauses() -> None:
    floor = a_floor(*WRITES, tick(49.9), tick(50.4))
    assert [(one.state, one.at, one.source) for one in floor.changes] == [
        (S.READY, at(0), StateSource.AGENT),
        (S.RINGING, at(3), StateSource.CALL),
        (S.TALKING, at(5), StateSource.CALL),
        (S.WRAP_UP, at(20), StateSource.CALL),
        (S.READY, at(50), StateSource.RULE),
    ]
    assert floor.pauses == ["zx:talking", "zx:wrap_up", None]
    assert [(one.call, one.queue) for one in floor.changes[1:4]] == [(call(1), "sales")] * 3
    assert [one.due_at for one in floor.changes] == [None, None, None, at(50), None]


def test_pause_is_told_before_the_state_so_that_nothing_delays_it() -> None:
    floor = a_floor(*ARRIVES)
    told = floor.machine.feed(answered(5))
    assert [type(one).__name__ for one in told] == ["PauseMember", "AgentStateChanged"]


def test_hold_is_a_state_of_its_own_and_the_pause_of_a_talk() -> None:
    floor = a_floor(*TALKS, held(10), held(10), resumed(14), held(16), talk_ended(20), ended(20))
    assert floor.states == [
        S.READY,
        S.RINGING,
        S.TALKING,
        S.ON_HOLD,
        S.TALKING,
        S.ON_HOLD,
        S.WRAP_UP,
    ]
    assert [(one.state, one.at) for one in floor.changes][3:6] == [
        (S.ON_HOLD, at(10)),
        (S.TALKING, at(14)),
        (S.ON_HOLD, at(16)),
    ]
    assert floor.pauses == ["zx:talking", "zx:wrap_up"]


def test_who_holds_one_call_and_talks_in_another_talks() -> None:
    floor = a_floor(*TALKS, held(10), answered(12, number=2, queue="support"))
    assert floor.states[-1] is S.TALKING
    floor.hear(talk_ended(15, number=2, queue="support"))
    assert floor.states[-2:] == [S.TALKING, S.ON_HOLD]


def test_a_pause_chosen_on_hold_follows_the_wrap_up() -> None:
    floor = a_floor(*TALKS, held(10), (12, choose(S.PAUSED, "meal")), talk_ended(20), tick(51))
    assert floor.states[-2:] == [S.WRAP_UP, S.PAUSED]


def test_queue_without_wrap_up_goes_back_to_ready_at_once() -> None:
    floor = a_floor(
        queued(1, queue="quick"),
        offered(2, queue="quick"),
        answered(3, queue="quick"),
        talk_ended(9, queue="quick"),
    )
    assert floor.states[-2:] == [S.TALKING, S.READY]
    assert floor.pauses == ["zx:talking", None]


def test_dialling_pauses_before_anybody_rings_and_only_a_conversation_has_a_wrap_up() -> None:
    outbound = started(1, number=7, direction=Direction.OUTBOUND)
    floor = a_floor(outbound, placed(1), leg_ended(9), ended(9, number=7))
    assert floor.states == [S.READY, S.TALKING, S.READY]
    assert floor.pauses == ["zx:talking", None]
    floor = a_floor(
        outbound,
        placed(1),
        answered(4, number=7, queue=None),
        talk_ended(9, number=7, queue=None),
        leg_ended(9),
        ended(9, number=7),
    )
    assert floor.states == [S.READY, S.TALKING, S.WRAP_UP]
    assert floor.now.due_at == at(9) + rules.WRAP_UP_WITHOUT_QUEUE


def test_call_to_a_colleague_has_no_wrap_up() -> None:
    internal = started(1, number=7, direction=Direction.INTERNAL)
    floor = a_floor(
        internal,
        placed(1),
        answered(4, number=7, queue=None),
        talk_ended(9, number=7, queue=None),
        ended(9, number=7),
    )
    assert floor.states == [S.READY, S.TALKING, S.READY]


def test_transferred_caller_has_the_wrap_up_of_the_queue_he_came_by() -> None:
    floor = a_floor(
        started(1),
        queued(2, queue="support"),
        offered(10, queue=None, attempt=2),
        answered(12, queue=None, leg="1.2"),
        talk_ended(20, queue=None, leg="1.2"),
    )
    assert (floor.now.state, floor.now.queue, floor.now.due_at) == (S.WRAP_UP, "support", at(80))


def test_conversation_that_ends_while_another_goes_on_stays_talking() -> None:
    floor = a_floor(
        *TALKS,
        answered(10, number=2, queue="support"),
        talk_ended(15),
        ended(15),
    )
    assert (floor.now.state, floor.now.call) == (S.TALKING, call(2))
    floor.hear(talk_ended(20, number=2, queue="support"))
    assert (floor.now.state, floor.now.due_at) == (S.WRAP_UP, at(80))
    assert floor.pauses == ["zx:talking", "zx:wrap_up"]


def test_missed_agent_is_back_by_one_key_and_by_nothing_else() -> None:
    floor = a_floor(*IN_STATE[S.MISSED])
    assert (floor.now.source, floor.now.call, floor.now.queue) == (
        StateSource.RULE,
        call(1),
        "sales",
    )
    assert floor.pauses == ["zx:missed"]
    with pytest.raises(Conflict, match="Choose ready first"):
        floor.hear((30, choose(S.PAUSED, "break")))
    floor.hear(tick(500), seen(500, None), ended(500))
    assert floor.states[-1] is S.MISSED
    floor.hear((600, choose(S.READY)))
    assert floor.now.state is S.READY
    assert floor.pauses == ["zx:missed", None]


def test_caller_who_gives_up_while_it_rings_makes_nobody_missed() -> None:
    floor = a_floor(*ARRIVES, ring_ended(8, R.GONE), ended(8))
    assert floor.states == [S.READY, S.RINGING, S.READY]
    assert floor.pauses == []


def test_refused_ring_is_not_missed_and_asterisks_own_pause_of_it_is_nothing() -> None:
    floor = a_floor(*ARRIVES, seen(8, "Auto-Pause"), ring_ended(8, R.REFUSED))
    assert floor.now.state is S.READY
    floor.hear(seen(8.1, "Auto-Pause", queue="support"))
    assert floor.now.state is S.READY


def test_direct_call_that_is_not_answered_makes_nobody_missed() -> None:
    floor = a_floor(started(1), offered(2, queue=None), ring_ended(20, R.NO_ANSWER, queue=None))
    assert floor.now.state is S.READY


def test_queue_that_forgives_one_ring_takes_out_at_the_second_in_a_row() -> None:
    once = (
        offered(1, queue="patient"),
        ring_ended(9, R.NO_ANSWER, queue="patient"),
    )
    floor = a_floor(*once)
    assert floor.states[-1] is S.READY
    floor.hear(
        offered(10, queue="patient", attempt=2),
        ring_ended(19, R.NO_ANSWER, queue="patient", attempt=2),
    )
    assert floor.now.state is S.MISSED
    between = a_floor(
        *once,
        answered(12, number=2, queue="quick"),
        talk_ended(13, number=2, queue="quick"),
        offered(20, queue="patient", attempt=2),
        ring_ended(29, R.NO_ANSWER, queue="patient", attempt=2),
    )
    assert between.now.state is S.READY


def test_pause_chosen_during_the_call_follows_the_wrap_up_without_a_moment_of_ready() -> None:
    floor = a_floor(*TALKS, (10, choose(S.PAUSED, "meal")))
    assert (floor.now.state, floor.next_told) == (S.TALKING, ["meal"])
    floor.hear(talk_ended(20), ended(20), tick(51))
    assert (floor.now.state, floor.now.reason, floor.now.at) == (S.PAUSED, "meal", at(50))
    assert floor.now.source is StateSource.AGENT
    assert floor.states[-3:] == [S.TALKING, S.WRAP_UP, S.PAUSED]
    assert floor.pauses == ["zx:talking", "zx:wrap_up", "zx:meal"]
    assert floor.next_told == ["meal", None]


def test_choice_of_ready_takes_the_next_pause_back() -> None:
    floor = a_floor(*TALKS, (10, choose(S.PAUSED, "meal")), (11, choose(S.READY)))
    assert floor.next_told == ["meal", None]
    assert floor.hear(talk_ended(20), tick(50)).now.state is S.READY


def test_pause_chosen_while_it_rings_keeps_the_next_call_away_at_once() -> None:
    floor = a_floor(*ARRIVES, (4, choose(S.PAUSED, "break")))
    assert (floor.now.state, floor.is_paused) == (S.RINGING, "zx:break")
    assert floor.hear(ring_ended(6, R.ELSEWHERE)).now.state is S.PAUSED


def test_paused_agent_who_dials_is_paused_again_afterwards() -> None:
    floor = a_floor((1, choose(S.PAUSED, "training")), placed(2), leg_ended(5))
    assert floor.states == [S.READY, S.PAUSED, S.TALKING, S.PAUSED]
    assert floor.pauses == ["zx:training", "zx:talking", "zx:training"]
    assert floor.next_told == ["training", None]


def test_wrap_up_is_ended_by_ready_and_left_for_a_pause() -> None:
    assert a_floor(*WRITES, (25, choose(S.READY))).now.state is S.READY
    paused = a_floor(*WRITES, (25, choose(S.PAUSED, "break")))
    assert (paused.now.state, paused.now.at, paused.is_paused) == (S.PAUSED, at(25), "zx:break")
    assert paused.hear(tick(60)).now.state is S.PAUSED


def test_wrap_up_is_extended_once_by_thirty_seconds_in_the_same_row() -> None:
    floor = a_floor(*WRITES, (25, EXTEND))
    assert (floor.now.at, floor.now.due_at) == (at(20), at(80))
    with pytest.raises(Conflict, match="extended already"):
        floor.hear((26, EXTEND))
    assert floor.hear(tick(79)).now.state is S.WRAP_UP
    assert floor.hear(tick(80)).now.state is S.READY
    with pytest.raises(Conflict, match="no wrap-up"):
        floor.hear((90, EXTEND))


def test_supervisor_who_pauses_somebody_is_written_down() -> None:
    floor = a_floor((5, choose(S.PAUSED, "meeting", by=UserId(9))))
    assert (floor.now.source, floor.now.reason) == (StateSource.SUPERVISOR, "meeting")


@pytest.mark.parametrize("state", IN_STATE)
def test_sign_out_ends_every_state_and_nothing_follows_it(state: AgentState) -> None:
    floor = a_floor(*IN_STATE[state], signed_out(60))
    assert (floor.now.state, floor.is_paused) == (S.OFFLINE, None)
    before = len(floor.told)
    floor.hear(answered(61, number=3), talk_ended(70, number=3), tick(500), seen(500, "x"))
    assert len(floor.told) == before
    with pytest.raises(Conflict, match="not signed in"):
        floor.hear((501, choose(S.READY)))


def test_sign_in_on_a_phone_that_talks_is_talking() -> None:
    floor = Floor().hear(answered(1), signed_in(5))
    assert floor.states == [S.READY, S.TALKING]
    assert floor.is_paused == "zx:talking"


def test_phone_taken_over_makes_its_former_holder_offline() -> None:
    floor = a_floor(*TALKS, signed_in(30, user=UserId(2)))
    assert [(one.user, one.state) for one in floor.changes[-3:]] == [
        (LI, S.OFFLINE),
        (UserId(2), S.READY),
        (UserId(2), S.TALKING),
    ]


def test_person_who_takes_another_phone_leaves_the_first() -> None:
    floor = a_floor(signed_in(30, member=OTHER))
    assert [(one.interface, one.state) for one in floor.changes[-2:]] == [
        ("PJSIP/8001", S.OFFLINE),
        ("PJSIP/8002", S.READY),
    ]
    assert floor.hear(answered(31)).now.state is S.READY


def test_sign_in_told_again_changes_nothing() -> None:
    floor = a_floor(*TALKS)
    before = len(floor.told)
    assert len(floor.hear(signed_in(40)).told) == before


def test_pause_of_somebody_else_is_a_pause_until_somebody_else_ends_it() -> None:
    floor = a_floor(seen(10, ""))
    assert (floor.now.state, floor.now.reason, floor.now.source) == (
        S.PAUSED,
        "outside",
        StateSource.RULE,
    )
    assert floor.hear(seen(20, None)).now.state is S.READY


def test_our_own_pause_is_not_lifted_by_somebody_else() -> None:
    floor = a_floor((1, choose(S.PAUSED, "break")), seen(10, None))
    assert (floor.now.state, floor.is_paused) == (S.PAUSED, "zx:break")


@pytest.mark.parametrize(
    "wrong",
    [
        choose(S.READY, "break"),
        choose(S.PAUSED),
        choose(S.PAUSED, "zx:talking"),
        choose(S.PAUSED, "a\r\nAction: Command"),
        choose(S.TALKING),
        choose(S.OFFLINE),
        choose(S.MISSED),
    ],
)
def test_what_cannot_be_chosen_is_refused_with_a_sentence(wrong: object) -> None:
    with pytest.raises(Invalid):
        a_floor((5, wrong))  # type: ignore[arg-type]


def test_conversation_whose_end_is_told_without_its_channel_has_ended_all_the_same() -> None:
    floor = a_floor(*TALKS, replace(talk_ended(20), leg=None))
    assert floor.now.state is S.WRAP_UP


def test_late_beginning_of_what_has_ended_begins_nothing() -> None:
    assert a_floor(ring_ended(8, R.ELSEWHERE), offered(3)).now.state is S.READY
    floor = a_floor(offered(3), talk_ended(20), answered(5))
    assert floor.now.state is not S.TALKING
    assert floor.is_paused == "zx:wrap_up"


def test_longer_wrap_up_of_two_holds() -> None:
    floor = a_floor(
        answered(5, queue="support"),
        answered(10, number=2),
        talk_ended(15, queue="support"),
        talk_ended(20, number=2),
    )
    assert (floor.now.state, floor.now.queue, floor.now.due_at) == (S.WRAP_UP, "support", at(75))
