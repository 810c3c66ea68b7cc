"""Recordings of a real Asterisk 22, told again: what a person on the floor would say happened."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_core.call_log.reconcile import ComparedPass, compare, passes_of
from crm_core.call_log.records import CallRecord, Confidence, PassRecord
from crm_core.events import AttemptResult, Direction, EndedBy, Outcome
from telephony.calls.replay import replay
from telephony.flight_recorder import Chunk
from telephony.queue_log.parser import QueueLogParser
from telephony.service import OUR_CONTEXTS
from tests.golden import EXPECTED, TRACES, as_lines, calls_of, chunks_of, stories


@pytest.mark.parametrize("story", stories())
def test_a_recording_becomes_the_calls_that_were_reviewed(story: str) -> None:
    assert as_lines(calls_of(story)) == (TRACES / story / EXPECTED).read_bytes()


@pytest.mark.parametrize("story", stories())
def test_every_recording_equals_its_own_queue_log(story: str) -> None:
    calls = calls_of(story)
    rows = QueueLogParser().feed((TRACES / story / "queue_log").read_bytes())
    moments = [call.started_at for call in calls]
    day = timedelta(days=1)

    expected = passes_of(rows, min(moments) - day, max(moments) + day)

    assert compare(expected, [compared(each) for call in calls for each in call.passes]) == []
    assert {call.confidence for call in calls} == {Confidence.COMPLETE}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_pieces_in_which_tcp_brought_the_bytes_do_not_matter(data: st.DataObject) -> None:
    story = data.draw(st.sampled_from(stories()))
    chunks = chunks_of(story)
    cut: list[Chunk] = []
    for chunk in chunks:
        size = len(chunk.data)
        places = data.draw(st.lists(st.integers(0, size), max_size=3).map(sorted))
        for begin, end in zip([0, *places], [*places, size], strict=True):
            piece = chunk.data[begin:end]
            if piece or chunk.event or size == 0:
                cut.append(replace(chunk, data=piece, offset=chunk.offset + begin))

    assert as_lines(replay(cut, OUR_CONTEXTS)) == as_lines(calls_of(story))


def test_a_chinese_character_may_be_cut_by_two_segments() -> None:
    chunks = chunks_of("chinese_name")
    whole = next(chunk for chunk in chunks if "王小明".encode() in chunk.data)
    middle = whole.data.index("王小明".encode()) + 1
    place = chunks.index(whole)
    halves = [replace(whole, data=whole.data[:middle]), replace(whole, data=whole.data[middle:])]

    (call,) = replay([*chunks[:place], *halves, *chunks[place + 1 :]], OUR_CONTEXTS)

    assert call.caller_name == "王小明"
    assert base64.b64encode(whole.data)  # such a half is recorded as base64


def test_a_recording_that_begins_in_the_middle_of_a_message_is_read_from_the_next_one() -> None:
    chunks = chunks_of("answered_caller_hangs_up")
    place = next(n for n, chunk in enumerate(chunks) if b"Event: Newchannel" in chunk.data)
    first = chunks[place]
    torn = replace(first, data=b"rivilege: call,all\r\n\r\n" + first.data)

    (call,) = replay([torn, *chunks[place + 1 :]], OUR_CONTEXTS)

    assert call.caller_name == "Wang"
    assert [row.outcome for row in call.passes] == [Outcome.ANSWERED]


def compared(row: PassRecord) -> ComparedPass:
    rung = {each.member.name or "" for each in row.attempts} if row.picked_up else set()
    return ComparedPass(
        unique_id=row.unique_id,
        queue=row.queue,
        entered_at=row.entered_at,
        outcome=row.outcome,
        agent=row.member.name if row.member else None,
        wait_seconds=row.wait_seconds,
        talk_seconds=row.talk_seconds,
        rung=frozenset(rung),
    )


def only(story: str) -> tuple[CallRecord, PassRecord]:
    (call,) = calls_of(story)
    (row,) = call.passes
    return call, row


def rings(attempts: Sequence[Any]) -> list[tuple[str | None, AttemptResult | None]]:
    return [(each.member.name, each.result) for each in attempts]


@pytest.mark.parametrize(
    ("story", "ended_by"),
    [("answered_caller_hangs_up", EndedBy.CALLER), ("answered_agent_hangs_up", EndedBy.AGENT)],
)
def test_wang_is_answered_by_1001_and_they_talk_a_second(story: str, ended_by: EndedBy) -> None:
    call, row = only(story)

    assert call.direction is Direction.INBOUND
    assert (call.caller_number_raw, call.caller_name) == ("13800138000", "Wang")
    assert (call.called_number, row.queue) == ("4001", "support")
    assert row.outcome is Outcome.ANSWERED
    assert row.member is not None
    assert (row.member.name, row.member.interface) == ("1001", "PJSIP/8001")
    assert (row.talk_seconds, row.ended_by) == (1, ended_by)
    assert row.answered_at is not None
    assert 0.8 <= (row.answered_at - row.entered_at).total_seconds() < 1.0
    assert rings(row.attempts) == [("1001", AttemptResult.ANSWERED)]


def test_wang_gives_up_after_two_seconds() -> None:
    call, row = only("abandoned")

    assert (row.outcome, row.wait_seconds, row.member) == (Outcome.ABANDONED, 2, None)
    assert call.answered_at is None
    assert rings(row.attempts) == [("1001", AttemptResult.GONE)]


def test_a_time_out_is_no_abandon_and_the_agent_missed_the_ring() -> None:
    _, row = only("timeout")

    assert (row.outcome, row.wait_seconds) == (Outcome.TIMEOUT, 3)
    assert rings(row.attempts) == [("1001", AttemptResult.NO_ANSWER)]


def test_the_first_agent_does_not_pick_up_and_the_second_does() -> None:
    _, row = only("no_answer_then_another")

    assert row.member is not None
    assert (row.outcome, row.member.name, row.wait_seconds) == (Outcome.ANSWERED, "1002", 4)
    assert rings(row.attempts) == [
        ("1001", AttemptResult.NO_ANSWER),
        ("1002", AttemptResult.ANSWERED),
    ]


def test_a_refusal_is_not_a_missed_ring() -> None:
    _, row = only("refused")

    assert rings(row.attempts) == [
        ("1001", AttemptResult.REFUSED),
        ("1002", AttemptResult.ANSWERED),
    ]


def test_of_three_phones_one_answers_and_nobody_missed() -> None:
    _, row = only("ringall_answered_elsewhere")

    assert sorted(rings(row.attempts)) == [
        ("1001", AttemptResult.ELSEWHERE),
        ("1002", AttemptResult.ANSWERED),
        ("1003", AttemptResult.ELSEWHERE),
    ]


def test_a_hidden_number_is_no_number() -> None:
    call, row = only("hidden_caller")

    assert (call.caller_number_raw, call.caller_name) == (None, None)
    assert row.outcome is Outcome.ANSWERED


def test_a_chinese_name_is_read_as_it_was_sent() -> None:
    call, _ = only("chinese_name")

    assert call.caller_name == "王小明"


def test_a_call_from_seat_to_seat_is_internal_and_belongs_to_no_queue() -> None:
    (call,) = calls_of("direct_internal_call")

    assert (call.direction, call.passes) == (Direction.INTERNAL, ())
    assert (call.caller_number_raw, call.called_number) == ("8002", "8001")
    assert call.placed_by is not None
    assert call.placed_by.interface == "PJSIP/8002"
    (ring,) = call.attempts
    assert (ring.member.interface, ring.result) == ("PJSIP/8001", AttemptResult.ANSWERED)
    assert call.answered_at == ring.ended_at


def test_a_full_queue_turns_the_second_caller_away() -> None:
    calls = {call.caller_name: call for call in calls_of("queue_full")}
    (waiting,), (away,) = calls["Wang"].passes, calls["Li"].passes

    assert (waiting.outcome, waiting.wait_seconds) == (Outcome.ABANDONED, 2)
    assert (away.outcome, away.wait_seconds, away.queue) == (Outcome.FULL, 0, "narrow")
    assert away.entered_at >= calls["Li"].started_at
