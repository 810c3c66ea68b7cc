"""What the call log says of a call, whatever the order in which its facts became known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_core.call_log.facts import Facts
from crm_core.call_log.timeline import Confidence, record
from crm_core.events import AttemptResult, CallStarted, Direction, EndedBy, Outcome, TimelineEvent
from tests.crm_core.call_log.builders import BOOT, Story, a_call, agent, at, support


def an_answered_call() -> Story:
    return (
        a_call()
        .started(0.2)
        .queued(1.4)
        .row_entered(1)
        .offered(1.5, "1001")
        .offer_ended(6.5, 1, "1001", AttemptResult.NO_ANSWER)
        .row_rang(6, "1001", 5)
        .offered(7.0, "1002")
        .answered(9.3, "1002")
        .row_connected(9, "1002", wait=8, ring=2)
        .talked_until(30.1, "1002")
        .row_closed(30, Outcome.ANSWERED, wait=8, talk=21, who="1002")
        .ended(30.2)
    )


def test_an_answered_call_has_the_seconds_of_queue_log_and_the_moments_of_ami() -> None:
    call = record(an_answered_call().facts)

    assert call.direction is Direction.INBOUND
    assert (call.caller_number_raw, call.called_number) == ("13800138000", "4001")
    assert (call.started_at, call.answered_at, call.ended_at) == (at(0.2), at(9.3), at(30.2))
    assert call.confidence is Confidence.COMPLETE
    (stay,) = call.passes
    assert (stay.entered_at, stay.answered_at, stay.left_at) == (at(1.4), at(9.3), at(30.1))
    assert (stay.outcome, stay.wait_seconds, stay.talk_seconds) == (Outcome.ANSWERED, 8, 21)
    assert stay.member == agent("1002")
    assert stay.ended_by is EndedBy.CALLER
    assert [(each.attempt, each.member.name, each.result) for each in stay.attempts] == [
        (1, "1001", AttemptResult.NO_ANSWER),
        (2, "1002", AttemptResult.ANSWERED),
    ]


def test_a_timeout_is_a_timeout_though_ami_calls_it_an_abandon() -> None:
    story = a_call().started().queued(1.1).left(61.1).ended(61.3)
    story.row_entered(1).row_closed(61, Outcome.TIMEOUT, wait=60)

    (stay,) = record(story.facts).passes

    assert (stay.outcome, stay.wait_seconds, stay.left_at) == (Outcome.TIMEOUT, 60, at(61.1))


def test_without_queue_log_nobody_says_how_a_caller_left() -> None:
    call = record(a_call().started().queued(1.1).left(21.4).ended(21.5).facts)

    (stay,) = call.passes
    assert call.confidence is Confidence.AMI_ONLY
    assert (stay.outcome, stay.wait_seconds, stay.left_at) == (None, 20, at(21.4))


def test_without_queue_log_an_answered_pass_is_answered_once_the_talk_is_over() -> None:
    story = a_call().started().queued(1.0).offered(1.0, "1001").answered(5.5, "1001")
    (talking,) = record(story.facts).passes
    (over,) = record(story.talked_until(15.9, "1001").ended(16).facts).passes

    assert (talking.outcome, talking.left_at, talking.wait_seconds) == (None, None, 4)
    assert (over.outcome, over.wait_seconds, over.talk_seconds) == (Outcome.ANSWERED, 4, 10)


def test_a_call_that_only_queue_log_saw_has_its_passes_and_rings() -> None:
    story = (
        a_call().row_entered(1).row_rang(7, "1001", 5).row_connected(12, "1002", wait=11, ring=3)
    )
    story.row_closed(40, Outcome.ANSWERED, wait=11, talk=28, who="1002")

    call = record(story.facts)

    assert call.confidence is Confidence.QUEUE_LOG_ONLY
    assert (call.boot, call.called_number, call.ended_at) == (BOOT, None, at(40))
    (stay,) = call.passes
    assert (stay.outcome, stay.wait_seconds, stay.talk_seconds) == (Outcome.ANSWERED, 11, 28)
    assert stay.member is not None
    assert stay.member.name == "1002"
    assert [(each.attempt, each.member.name, each.offered_at) for each in stay.attempts] == [
        (1, "1001", at(2)),
        (2, "1002", at(9)),
    ]


def test_passes_are_paired_by_their_moments_and_not_by_their_ordinals() -> None:
    """AMI missed the first entry, so its first pass is `queue_log`'s second."""
    story = a_call().started().row_entered(1).row_closed(11, Outcome.TIMEOUT, wait=10)
    story.queued(30.3).left(42.3).ended(42.4)
    story.row_entered(30, support(2)).row_closed(42, Outcome.ABANDONED, wait=12, key=support(2))

    call = record(story.facts)

    assert [(each.ordinal, each.entered_at, each.outcome) for each in call.passes] == [
        (1, at(1), Outcome.TIMEOUT),
        (2, at(30.3), Outcome.ABANDONED),
    ]
    assert call.confidence is Confidence.GAP  # AMI did not see the first pass


def test_two_passes_in_two_queues_are_two_rows() -> None:
    second = support(queue="night")
    story = (
        a_call().started().queued(1.2).left(5.2).queued(5.3, second).left(9.4, second).ended(9.5)
    )
    story.row_entered(1).row_closed(5, Outcome.EXIT_EMPTY, wait=4)
    story.row_entered(5, second).row_closed(9, Outcome.ABANDONED, wait=4, key=second)

    call = record(story.facts)

    assert [(each.queue, each.ordinal, each.outcome) for each in call.passes] == [
        ("support", 1, Outcome.EXIT_EMPTY),
        ("night", 1, Outcome.ABANDONED),
    ]
    assert call.confidence is Confidence.COMPLETE


def test_a_pass_ami_came_to_late_is_still_the_same_pass() -> None:
    """After a reconnect the snapshot opens the pass 20 s after it was entered."""
    story = a_call().started(21).queued(21.0).answered(25.5, "1001").talked_until(40.5, "1001")
    story.ended(40.6).row_entered(1).row_connected(25, "1001", wait=24)
    story.row_closed(40, Outcome.ANSWERED, wait=24, talk=15, who="1001")

    (stay,) = record(story.facts).passes

    assert (stay.entered_at, stay.wait_seconds) == (at(1), 24)


def test_an_answer_that_ami_learnt_of_late_was_when_queue_log_says() -> None:
    story = a_call().started().queued(1.2).answered(60.0, "1001").talked_until(70.5, "1001")
    story.ended(70.6).row_entered(1).row_connected(25, "1001", wait=24)

    (stay,) = record(story.facts).passes

    assert stay.answered_at == at(25)


def test_a_leave_that_was_an_answer_after_all_ends_when_queue_log_says() -> None:
    """AgentConnect was lost: AMI saw only that the caller left the queue."""
    story = a_call().started().queued(1.2).left(25.1).ended(40.6)
    story.row_entered(1).row_connected(25, "1001", wait=24)
    story.row_closed(40, Outcome.ANSWERED, wait=24, talk=15, who="1001")

    (stay,) = record(story.facts).passes

    assert (stay.outcome, stay.left_at) == (Outcome.ANSWERED, at(40))


def test_of_two_rings_at_one_agent_the_last_was_answered() -> None:
    story = a_call().started().queued(1.0).offered(1.5, "1001").offered(20.5, "1001")
    story.answered(22.0, "1001")

    (stay,) = record(story.facts).passes

    assert [each.result for each in stay.attempts] == [
        AttemptResult.NO_ANSWER,
        AttemptResult.ANSWERED,
    ]


def test_facts_of_one_moment_stand_in_an_order_of_their_own() -> None:
    """Sets of strings have another order in each process: what is told must not depend on it."""
    (started,) = [fact for fact in a_call().started().facts if isinstance(fact, CallStarted)]
    many = [replace(started, called_number=str(number)) for number in range(4000, 4020)]

    assert Facts(many).all == many
    assert record(many).called_number == record(many[::-1]).called_number == "4000"


def test_who_picks_up_is_credited_and_not_who_rang() -> None:
    story = a_call().started().queued(1.2).offered(1.3, "1001").answered(4.4, "1003")
    story.offer_ended(4.4, 1, "1001", AttemptResult.ELSEWHERE).talked_until(9.4, "1003").ended(9.5)
    story.row_entered(1).row_connected(4, "1001", wait=3)
    story.row_closed(9, Outcome.ANSWERED, wait=3, talk=5, who="1001")

    (stay,) = record(story.facts).passes

    assert stay.member == agent("1003")
    assert stay.picked_up
    assert [each.result for each in stay.attempts] == [AttemptResult.ELSEWHERE]


def test_a_ring_that_only_queue_log_saw_is_added_and_no_ring_is_there_twice() -> None:
    story = a_call().started().queued(1.2).offered(14.0, "1002").answered(15.5, "1002")
    story.row_entered(1).row_rang(7, "1001", 5, nth=1).row_rang(13, "1001", 5, nth=2)
    story.row_connected(15, "1002", wait=14, ring=1)

    (stay,) = record(story.facts).passes

    assert [(each.attempt, each.member.name, each.result) for each in stay.attempts] == [
        (2, "1001", AttemptResult.NO_ANSWER),
        (3, "1001", AttemptResult.NO_ANSWER),
        (1, "1002", AttemptResult.ANSWERED),
    ]


def test_a_ring_is_over_when_the_caller_is_gone_though_nobody_said_so() -> None:
    story = a_call().started().queued(1.2).offered(1.4, "1001").left(6.6).ended(6.7)

    (stay,) = record(story.facts).passes

    assert [(each.result, each.ended_at) for each in stay.attempts] == [
        (AttemptResult.GONE, at(6.6))
    ]


def test_a_caller_turned_away_at_a_full_queue_needs_no_word_from_ami() -> None:
    story = a_call().started().row_entered(1).row_closed(1, Outcome.FULL, wait=0).ended(2)

    call = record(story.facts)

    assert [each.outcome for each in call.passes] == [Outcome.FULL]
    assert call.confidence is Confidence.COMPLETE


def test_an_end_nobody_saw_is_a_gap_and_unseen_time_is_not_talk() -> None:
    story = a_call().started().queued(1.2).answered(3.3, "1001").talked_until(60.0, "1001")
    story.ended(60.0, seen=False).row_entered(1).row_connected(3, "1001", wait=2)
    story.row_closed(3, Outcome.UNKNOWN_END, wait=2, who="1001")

    call = record(story.facts)

    assert call.confidence is Confidence.GAP
    assert call.ended_at == at(60.0)
    (stay,) = call.passes
    assert (stay.outcome, stay.wait_seconds, stay.talk_seconds) == (Outcome.UNKNOWN_END, 2, None)


def test_what_queue_log_saw_in_a_gap_moves_the_end_to_where_it_was() -> None:
    story = a_call().started().queued(1.2).answered(3.3, "1001").ended(60.0, seen=False)
    story.row_entered(1).row_connected(3, "1001", wait=2)
    story.row_closed(80, Outcome.ANSWERED, wait=2, talk=77, who="1001")

    call = record(story.facts)

    assert (call.ended_at, call.confidence) == (at(80), Confidence.GAP)
    assert call.passes[0].talk_seconds == 77


def test_a_call_without_a_queue_is_complete_once_ami_saw_its_end() -> None:
    assert record(a_call().started().ended(9).facts).confidence is Confidence.COMPLETE


def test_no_facts_are_no_call() -> None:
    with pytest.raises(ValueError, match="without a single fact"):
        record([])


FACTS: list[TimelineEvent] = [
    *an_answered_call().facts,
    *a_call().queued(40.1, support(2)).left(50.2, support(2)).facts,
    *a_call()
    .row_entered(40, support(2))
    .row_closed(50, Outcome.EXIT_KEY, 10, key=support(2))
    .facts,
    *a_call()
    .queued(50.3, support(queue="night"))
    .answered(55, "1004", support(queue="night"))
    .facts,
]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(FACTS), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_order_and_doubling_change_nothing(told: list[TimelineEvent], dice: object) -> None:
    again = [*told, *told[::2]]
    dice.shuffle(again)  # type: ignore[attr-defined]

    assert record(again) == record(told)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(FACTS), min_size=1, max_size=40))
def test_every_row_makes_sense_whatever_is_missing(told: list[TimelineEvent]) -> None:
    call = record(told)

    keys = [(each.unique_id, each.queue, each.ordinal) for each in call.passes]
    numbers = [each.attempt for stay in call.passes for each in stay.attempts]
    assert len(set(keys)) == len(keys)
    assert len(set(numbers)) == len(numbers)
    for stay in call.passes:
        assert (stay.wait_seconds or 0) >= 0
        assert (stay.talk_seconds or 0) >= 0
        answered = [each for each in stay.attempts if each.result is AttemptResult.ANSWERED]
        assert len(answered) <= 1
