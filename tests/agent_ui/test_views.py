"""How the desk's values follow from the live board, and how a call's timeline reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_ui.auth_view import Device, in_order
from agent_ui.calls.view import OFFER_ENDS, PASS_ENDS, TALK_ENDS, Names, told
from agent_ui.desk.view import Party, call_bars, connection, ordered, queue_chips
from agent_ui.desk.who import FieldShown, excerpt, shown_fields
from agent_ui.words import CONFIDENCES, DIRECTIONS, ENDED_BY, LINKS, OUTCOMES, RESULTS, STATES
from crm_core.call_log.records import Confidence
from crm_core.events import (
    AgentSignedIn,
    AgentState,
    AttemptResult,
    CallAnswered,
    CallEnded,
    CallOffered,
    CallPlaced,
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
    Outcome,
    PassClosed,
    PassEntered,
)
from crm_core.ids import BootId, CallId, PbxId, QueuePassKey, UserId
from crm_core.live_board.board import LiveBoard
from tests.agent_ui.samples import NOW, UNKNOWN_CARD, WANG_CARD, ago

PBX = PbxId("east")
BOOT = BootId("b1")
CALL = CallId("c" * 32)
LI = Member(interface="PJSIP/8001", name="1021")
ZHANG = Member(interface="PJSIP/8002", name="1022")
PASS = QueuePassKey(unique_id="1.1", queue="vip")


def at(second: float) -> dict[str, Any]:
    return {"at": NOW + timedelta(seconds=second), "pbx": PBX}


def started(second: float = 0, number: str | None = "13800138000") -> CallStarted:
    return CallStarted(
        **at(second),
        call=CALL,
        boot=BOOT,
        unique_id="1.1",
        direction=Direction.INBOUND,
        caller_number=number,
    )


def an_inbound_call() -> list[Event]:
    """Rings, waits 18 s, is answered by Li at second 20, talks to second 60."""
    return [
        started(),
        CallQueued(**at(2), call=CALL, queue_pass=PASS, caller_number="13800138000"),
        CallOffered(**at(5), call=CALL, queue_pass=PASS, attempt=1, member=ZHANG),
        OfferEnded(
            **at(15),
            call=CALL,
            queue_pass=PASS,
            attempt=1,
            member=ZHANG,
            result=AttemptResult.NO_ANSWER,
        ),
        CallOffered(**at(16), call=CALL, queue_pass=PASS, attempt=2, member=LI),
        OfferEnded(
            **at(20),
            call=CALL,
            queue_pass=PASS,
            attempt=2,
            member=LI,
            result=AttemptResult.ANSWERED,
        ),
        CallAnswered(**at(20), call=CALL, queue_pass=PASS, member=LI),
        ConversationEnded(
            **at(60),
            call=CALL,
            queue_pass=PASS,
            member=LI,
            ended_by=EndedBy.CALLER,
        ),
        CallEnded(**at(60), call=CALL, cause=16),
    ]


def a_board(*events: Event, link: LinkState = LinkState.UP) -> LiveBoard:
    board = LiveBoard()
    board.feed(LinkChanged(**at(-100), state=link))
    board.feed(
        AgentSignedIn(
            **at(-50),
            user=UserId(1),
            agent_number="1021",
            name="李敏",
            interface="PJSIP/8001",
            queues=("vip", "after-sales"),
        )
    )
    for event in events:
        board.feed(event)
    return board


def nobody(_: object) -> Party:
    return Party(name=None, number="138****8000", queue="VIP 队列")


# --- the desk -------------------------------------------------------------------------------------


def test_while_the_link_is_away_counts_and_calls_are_unknown() -> None:
    board = a_board(*an_inbound_call()[:7])
    board.feed(LinkChanged(**at(30), state=LinkState.DOWN))
    assert all(chip.unknown for chip in queue_chips(board, board.agents[UserId(1)], {}))
    bars = call_bars(board, board.agents[UserId(1)], nobody)
    assert [bar.unknown for bar in bars] == [True]


def test_chips_are_the_own_queues_with_who_waits_longest() -> None:
    board = a_board(*an_inbound_call()[:2])
    vip, after_sales = queue_chips(board, board.agents[UserId(1)], {"vip": "VIP 队列"})
    assert (vip.title, vip.waiting, vip.longest_since) == (
        "VIP 队列",
        1,
        NOW + timedelta(seconds=2),
    )
    assert (after_sales.title, after_sales.waiting, after_sales.longest_since) == (
        "after-sales",
        0,
        None,
    )


def test_a_ringing_call_has_no_bar_and_an_answered_one_says_how_long_it_waited() -> None:
    ringing = a_board(*an_inbound_call()[:5])
    assert call_bars(ringing, ringing.agents[UserId(1)], nobody) == ()
    talking = a_board(*an_inbound_call()[:7])
    (bar,) = call_bars(talking, talking.agents[UserId(1)], nobody)
    assert (bar.state, bar.waited_seconds) == (AgentState.TALKING, 18)
    assert bar.since == NOW + timedelta(seconds=20)


def test_a_call_at_another_device_has_no_bar_here() -> None:
    history = an_inbound_call()[:4]
    history.append(CallAnswered(**at(20), call=CALL, queue_pass=PASS, member=ZHANG))
    board = a_board(*history)
    assert call_bars(board, board.agents[UserId(1)], nobody) == ()


def test_a_placed_call_has_a_bar_that_rings_until_it_is_answered() -> None:
    placed = CallPlaced(**at(1), call=CALL, member=LI, called_number="13900139000")
    board = a_board(started(), placed)
    (bar,) = call_bars(board, board.agents[UserId(1)], nobody)
    assert (bar.state, bar.waited_seconds, bar.since) == (AgentState.RINGING, None, NOW)


def test_a_pbx_that_was_never_reached_is_down() -> None:
    board = a_board()
    del board.links[PBX]
    assert connection(board, board.agents[UserId(1)], NOW).state is LinkState.DOWN


def test_the_own_phone_is_there_or_away_and_unknown_while_nobody_can_tell() -> None:
    board = a_board()
    me = board.agents[UserId(1)]
    assert connection(board, me, NOW).reachable is None
    for reachable in (True, False):
        board.feed(DeviceSeen(**at(1), interface="PJSIP/8001", reachable=reachable))
        assert connection(board, me, NOW).reachable is reachable
    board.feed(DeviceSeen(**at(2), interface="PJSIP/8002", reachable=True))
    assert connection(board, me, NOW).reachable is False
    board.feed(LinkChanged(**at(3), state=LinkState.DOWN))
    assert connection(board, me, NOW).reachable is None


def test_tabs_stand_with_living_calls_first_and_then_the_newest_that_waits_for_its_note() -> None:
    older = replace(UNKNOWN_CARD, call=CallId("d" * 32), since=ago(40))
    second = replace(WANG_CARD, call=CallId("e" * 32), since=ago(1))
    cards = [older, second, UNKNOWN_CARD, WANG_CARD]
    assert ordered(cards) == (WANG_CARD, second, UNKNOWN_CARD, older)
    assert ordered([UNKNOWN_CARD, WANG_CARD]) == (WANG_CARD, UNKNOWN_CARD)


def test_fields_without_a_value_are_not_shown() -> None:
    kept = FieldShown(label="单位", value="华东设备")
    assert shown_fields([kept, FieldShown(label="备注", value=" ")]) == (kept,)


@given(st.text(max_size=200))
def test_an_excerpt_is_one_short_line_that_the_note_begins_with(note: str) -> None:
    line = excerpt(note)
    assert len(line) <= 60
    assert "\n" not in line
    assert " ".join(note.split()).startswith(line.removesuffix("…"))


def test_the_own_usual_device_comes_first_and_taken_ones_last() -> None:
    devices = in_order(
        (
            Device(pbx="east", extension="8001", held_by="张伟"),
            Device(pbx="east", extension="8002"),
            Device(pbx="east", extension="900"),
            Device(pbx="east", extension="8009", is_usual=True),
        )
    )
    assert [device.extension for device in devices] == ["8009", "900", "8002", "8001"]


# --- the timeline in words ------------------------------------------------------------------------

NAMES = Names(
    member=lambda member: {"1021": "李敏", "1022": "张伟"}[member.name or ""],
    queue=str,
    number=lambda number: number and f"{number[:3]}****{number[-4:]}",
    dialled=str,
)


def spoken(events: list[Event]) -> list[str]:
    return [line.text % line.values for line in told(events, NAMES)]


def test_a_call_is_told_moment_by_moment() -> None:
    assert spoken(an_inbound_call()) == [
        "138****8000 calls",
        "Enters queue vip",
        "Rings at 张伟",
        "张伟 did not answer",
        "Rings at 李敏",
        "李敏 answers",
        "The caller hangs up",
        "The call is over",
    ]


def test_lines_stand_in_the_order_of_time_whatever_order_they_come_in() -> None:
    assert told(reversed(an_inbound_call()), NAMES)[0].text == "%(number)s calls"


def test_a_withheld_number_is_told_as_withheld() -> None:
    assert spoken([started(number=None)]) == ["A call with a withheld number arrives"]


def test_what_the_queue_log_repeats_is_not_told_twice() -> None:
    entered = PassEntered(
        **at(2),
        call=CALL,
        queue_pass=PASS,
        boot=BOOT,
        caller_number=None,
    )
    closed = PassClosed(
        **at(60),
        call=CALL,
        queue_pass=PASS,
        outcome=Outcome.ANSWERED,
        wait_seconds=18,
    )
    assert spoken([*an_inbound_call(), entered, closed]) == spoken(an_inbound_call())


def test_how_a_pass_ended_is_told_by_the_queue_log() -> None:
    closed = PassClosed(
        **at(60),
        call=CALL,
        queue_pass=PASS,
        outcome=Outcome.TIMEOUT,
        wait_seconds=58,
    )
    assert spoken([closed]) == ["The longest wait of queue vip is over"]


def test_an_end_that_nobody_saw_is_told_as_such() -> None:
    unseen = CallEnded(**at(9), call=CALL, seen=False)
    assert spoken([unseen]) == ["Seen for the last time; the end was missed"]


@pytest.mark.parametrize(
    ("table", "kinds"),
    [
        (STATES, AgentState),
        (DIRECTIONS, Direction),
        (OUTCOMES, Outcome),
        (RESULTS, AttemptResult),
        (ENDED_BY, EndedBy),
        (CONFIDENCES, Confidence),
        (LINKS, LinkState),
        (OFFER_ENDS, AttemptResult),
        (TALK_ENDS, EndedBy),
        (PASS_ENDS, Outcome),
    ],
)
def test_there_is_a_word_for_every_kind(table: dict[str, object], kinds: type) -> None:
    assert set(table) == set(kinds)  # type: ignore[call-overload]
