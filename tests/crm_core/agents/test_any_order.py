"""Late, double and misplaced facts, and restarts: no agent is taken back, none is offered too early."""

from __future__ import annotations

from dataclasses import dataclass, replace
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.agents import lines
from crm_core.agents.rules import OURS, PAUSES
from crm_core.agents.states import AgentStates
from crm_core.commands import ChooseState, ExtendWrapUp, KnownAgent, PauseMember, UnpauseMember
from crm_core.errors import Conflict, ZuoxiError
from crm_core.events import (
    AgentState,
    AttemptResult,
    CallEvent,
    Direction,
    Event,
    NextStateChosen,
)
from tests.crm_core.agents.a_floor import (
    LI,
    OTHER,
    PBX,
    PLAN,
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
    started,
    talk_ended,
    tick,
)

S, R = AgentState, AttemptResult


@dataclass(frozen=True)
class Episode:
    """One call that came to, or was placed by, the agent: how it went and how long each part took."""

    kind: str
    queue: str
    rang: int
    talked: int
    holds: list[float]


episodes = st.builds(
    Episode,
    kind=st.sampled_from(["answered", "dialled", "reached", *(r.value for r in R)]),
    queue=st.sampled_from([queue.name for queue in PLAN.queues]),
    rang=st.integers(1, 20),
    talked=st.integers(1, 60),
    holds=st.lists(st.sampled_from([0.1, 0.3]), max_size=2, unique=True),
)


def facts_of(episode: Episode, number: int, begin: float) -> list[Event]:
    """In the order in which they happen."""
    lifted, over = begin + episode.rang, begin + episode.rang + episode.talked
    queue = episode.queue
    if episode.kind in ("dialled", "reached"):
        talk: list[Event] = [
            answered(lifted, number, queue=None),
            talk_ended(over, number, queue=None),
        ]
        return [
            started(begin, number, Direction.OUTBOUND),
            placed(begin, number),
            *(talk if episode.kind == "reached" else []),
            leg_ended(over, number),
            ended(over, number),
        ]
    arrives: list[Event] = [
        started(begin, number),
        queued(begin, number, queue),
        offered(begin + 0.5, number, queue),
    ]
    if episode.kind == "answered":
        return [
            *arrives,
            answered(lifted, number, queue),
            *(held(lifted + hold, number) for hold in episode.holds),
            *(resumed(lifted + hold + 0.5, number) for hold in episode.holds),
            talk_ended(over, number, queue),
            ended(over, number),
        ]
    return [*arrives, ring_ended(lifted, R(episode.kind), number, queue), ended(over, number)]


@st.composite
def days(draw: st.DrawFn) -> list[Event]:
    """Calls one after the other, each begun when the one before it is over, or a little earlier."""
    begin, facts = 1.0, list[Event]()
    for number, episode in enumerate(draw(st.lists(episodes, min_size=1, max_size=4)), start=1):
        own = facts_of(episode, number, begin)
        facts += own
        pause = draw(st.sampled_from([-5, 1, 20, 100]))
        begin = max(begin + 1, begin + episode.rang + episode.talked + pause)
    return sorted(facts, key=lambda fact: fact.at)


def check_sound(floor: Floor) -> None:
    """What holds at every moment, whatever was heard."""
    state, pause = floor.now.state, floor.is_paused
    expected = {
        S.READY: None,
        S.PAUSED: f"{OURS}{floor.now.reason}",
        **PAUSES,
    }
    if state in expected:
        assert pause == expected[state]
    else:
        assert state in (S.RINGING, S.OFFLINE)
        assert pause != PAUSES[S.TALKING]
    told = [one for one in floor.told if isinstance(one, PauseMember | UnpauseMember)]
    last = told[-1] if told else None
    assert (last.reason if isinstance(last, PauseMember) else None) == pause
    moments = [one.at for one in floor.changes]
    assert moments == sorted(moments)


@given(days(), st.data())
def test_facts_in_any_order_any_of_them_twice_leave_nobody_busy(
    day: list[Event], data: st.DataObject
) -> None:
    twice = data.draw(st.lists(st.sampled_from(day), max_size=10))
    heard = data.draw(st.permutations([*day, *twice]))
    floor = a_floor()
    for fact in heard:
        floor.hear(fact)
        check_sound(floor)
    floor.hear(tick(10_000))
    check_sound(floor)
    assert floor.now.state in (S.READY, S.MISSED)


@given(days(), st.data())
def test_facts_told_again_later_change_nothing(day: list[Event], data: st.DataObject) -> None:
    """As a restart tells them, or a link that was away."""
    heard = day[: data.draw(st.integers(0, len(day)))]
    floor = a_floor(*heard)
    before = len(floor.told)
    again = data.draw(st.lists(st.sampled_from(heard), max_size=20)) if heard else []
    floor.hear(*again)
    assert floor.told[before:] == []


@given(days(), st.data())
def test_who_signs_in_amid_calls_is_what_he_is_had_they_been_followed_from_the_start(
    day: list[Event], data: st.DataObject
) -> None:
    """Facts of phones that nobody holds are laid aside; that must never show."""
    place = data.draw(st.integers(0, len(day)))
    later = day[place].at if place < len(day) else at(10_000)
    heard = [*day[:place], signed_in((later - at(0)).total_seconds()), *day[place:], tick(10_000)]
    followed = Floor()
    with patch.object(lines, "MOST_ASIDE", 0):
        followed.hear(*heard)
    assert Floor().hear(*heard).told == followed.told


def test_call_that_was_at_strange_phones_brings_its_queue_to_the_agents() -> None:
    strange = replace(offered(2), member=OTHER)
    floor = a_floor(started(1), queued(1, queue="support"), strange, answered(5, queue=None))
    assert (floor.now.state, floor.now.queue) == (S.TALKING, "support")


@pytest.mark.parametrize("is_over", ["its end", "a snapshot without it"])
def test_call_at_strange_phones_only_is_forgotten_with(is_over: str) -> None:
    floor = a_floor(started(1), queued(1), replace(offered(2), member=OTHER))
    if is_over == "its end":
        floor.hear(ended(3))
    else:
        floor.machine.settle(frozenset(), at(3))
    floor.hear(offered(4))
    assert floor.now.state is S.READY


choices: st.SearchStrategy[ChooseState | ExtendWrapUp] = st.sampled_from(
    [
        choose(S.READY),
        choose(S.PAUSED, "break"),
        choose(S.PAUSED, "meal"),
        ExtendWrapUp(pbx=PBX, user=LI),
    ]
)


@st.composite
def shifts(draw: st.DrawFn) -> list[Said]:
    """A day with the agent's own choices, others' pauses and the clock in between."""
    day: list[Said] = []
    for fact in draw(days()):
        day.append(fact)
        second = (fact.at - at(0)).total_seconds()
        if draw(st.booleans()):
            day.append((second + 0.1, draw(choices)))
        if draw(st.booleans()):
            day.append(tick(second + 0.2))
        if draw(st.integers(0, 5)) == 0:
            day.append(seen(second + 0.3, draw(st.sampled_from([None, "", "Auto-Pause"]))))
    return day


def work(floor: Floor, shift: list[Said]) -> None:
    for one in shift:
        try:
            floor.hear(one)
        except ZuoxiError:
            assert isinstance(one, tuple)  # a choice that is refused; facts never are
        check_sound(floor)


@given(shifts())
def test_member_is_paused_exactly_as_the_state_says_all_day_long(shift: list[Said]) -> None:
    work(a_floor(), shift)


@given(shifts())
def test_no_offer_can_come_between_answer_and_the_end_of_wrap_up(shift: list[Said]) -> None:
    """The member's pause, as told, is never lifted while the state told is talking or wrap-up."""
    floor = a_floor()
    work(floor, shift)
    paused, state = False, S.READY
    for one in floor.told:
        if isinstance(one, PauseMember | UnpauseMember):
            paused = isinstance(one, PauseMember)
        elif not isinstance(one, NextStateChosen):
            state = one.state
            assert paused or state not in (S.TALKING, S.WRAP_UP, S.PAUSED, S.MISSED)


@given(shifts(), st.data())
def test_restart_at_any_moment_goes_on_as_if_nothing_had_been(
    shift: list[Said], data: st.DataObject
) -> None:
    """Killed, begun anew from the last row, and told the facts of the calls that still live."""
    heard = shift[: data.draw(st.integers(0, len(shift)))]
    before = a_floor()
    work(before, heard)
    facts = [one for one in heard if isinstance(one, CallEvent)]
    over = {one.call for one in facts if type(one) is type(ended(0))}
    now = max((one.at for one in heard if isinstance(one, Event)), default=at(0))

    after = Floor(machine=AgentStates(PBX))
    known = KnownAgent(
        signed_in=signed_in(),
        left_in=before.now,
        next_state=before.next_chosen.state,
        next_reason=before.next_chosen.reason,
    )
    after.told += after.machine.prime([known], now)
    for fact in facts:
        if fact.call not in over:
            after.hear(fact)
    live = frozenset(fact.call for fact in facts) - over
    after.told += after.machine.settle(live, now)
    before.hear(tick((now - at(0)).total_seconds()))
    assert (after.now.state, after.now.reason, after.now.at) == (
        before.now.state,
        before.now.reason,
        before.now.at,
    )
    assert after.is_paused == before.is_paused
    check_sound(after)


def test_conversation_that_ended_while_nobody_looked_has_its_wrap_up_from_its_end() -> None:
    before = a_floor(started(1), queued(2), offered(3), answered(5))
    after = Floor(machine=AgentStates(PBX))
    known = KnownAgent(signed_in=signed_in(), left_in=before.now)
    after.told += after.machine.prime([known], at(40))
    after.hear(started(1), queued(2), offered(3), answered(5))
    assert after.now.state is S.TALKING
    # The tracker, at the snapshot: the call is gone, it was last seen in the moment of the answer.
    after.hear(talk_ended(5), ended(5))
    assert after.states == [S.TALKING]  # while the facts of old are told again nothing follows
    after.told += after.machine.settle(frozenset(), at(41))
    assert after.states == [S.TALKING, S.WRAP_UP, S.READY]
    assert after.changes[1].due_at == after.changes[2].at == at(35)
    assert after.is_paused is None


def test_call_that_was_recorded_as_over_before_the_state_was_is_written_up_all_the_same() -> None:
    before = a_floor(started(1), queued(2), offered(3), answered(5))
    after = Floor(machine=AgentStates(PBX))
    known = KnownAgent(signed_in=signed_in(), left_in=before.now)
    after.told += after.machine.prime([known], at(40))
    after.told += after.machine.settle(frozenset(), at(41))
    assert (after.now.state, after.now.call, after.now.due_at) == (S.WRAP_UP, call(1), at(71))


def test_who_gave_the_seat_back_while_nobody_looked_is_offline() -> None:
    before = a_floor()
    after = Floor(machine=AgentStates(PBX))
    after.told += after.machine.prime([KnownAgent(signed_in=None, left_in=before.now)], at(40))
    assert (after.now.state, after.now.at) == (S.OFFLINE, at(40))


def restarted(before: Floor, second: float, *facts: Event, live: int | None = 1) -> Floor:
    """Another process goes on: `facts` are told again, and call `live` is found living."""
    after = Floor(machine=AgentStates(PBX))
    after.machine.know(PLAN)
    chosen = before.next_chosen
    known = KnownAgent(
        signed_in=signed_in(),
        left_in=before.now,
        next_state=chosen.state,
        next_reason=chosen.reason,
    )
    after.told += after.machine.prime([known], at(second))
    after.hear(*facts)
    found = frozenset({call(live)} if live is not None else ())
    after.told += after.machine.settle(found, at(second))
    return after


def test_ring_that_was_missed_and_forgiven_is_not_missed_again_by_a_restart() -> None:
    facts = (
        started(1),
        queued(2),
        offered(3),
        ring_ended(8, R.NO_ANSWER),
        offered(20, attempt=2),
        answered(22),
    )
    before = a_floor(*facts[:4], (10, choose(S.READY)), *facts[4:])
    after = restarted(before, 30, *facts)
    assert after.states == [S.TALKING]
    after.hear(talk_ended(40), ended(40), tick(100))
    assert after.now.state is S.READY


def test_wrap_up_that_was_ended_is_not_begun_again_by_a_restart() -> None:
    """The call goes on with somebody else."""
    facts = (started(1), queued(2), offered(3), answered(5), talk_ended(20))
    before = a_floor(*facts, (22, choose(S.READY)))
    assert restarted(before, 25, *facts).states == [S.READY]


def test_wrap_up_that_was_extended_is_not_extended_again_after_a_restart() -> None:
    facts = (started(1), queued(2), offered(3), answered(5), talk_ended(20))
    extend = ExtendWrapUp(pbx=PBX, user=LI)
    after = restarted(a_floor(*facts, (22, extend)), 25, *facts)
    assert (after.states, after.now.due_at) == ([S.WRAP_UP], at(80))
    with pytest.raises(Conflict, match="extended already"):
        after.hear((26, extend))


def test_two_facts_of_one_moment_are_two_rows() -> None:
    floor = a_floor(offered(3), answered(3))
    moments = [one.at for one in floor.changes]
    assert floor.states == [S.READY, S.RINGING, S.TALKING]
    assert len(set(moments)) == 3
