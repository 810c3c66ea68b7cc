"""Calls without a queue by both witnesses: one alone, the other alone, both in any order."""

from __future__ import annotations

from itertools import permutations

import pytest

from crm_core.call_log.records import CallRecord, Confidence
from crm_core.call_log.timeline import record
from crm_core.events import (
    AttemptResult,
    CallDialled,
    CallEnded,
    CallStarted,
    DialClosed,
    Direction,
    Member,
    TimelineEvent,
)
from crm_core.ids import call_id
from tests.crm_core.call_log.builders import BOOT, CALLER, PBX, a_call, at

CALL = call_id(PBX, BOOT, CALLER)


def dialled(when: float = 0, nth: int = 1, phone: str | None = "PJSIP/8001") -> CallDialled:
    return CallDialled(
        at=at(when),
        pbx=PBX,
        call=CALL,
        boot=BOOT,
        unique_id=CALLER,
        nth=nth,
        caller_number="8002",
        called_number="8001",
        interface=phone,
    )


def closed(
    when: float, status: str | None = "ANSWER", talk: int | None = None, nth: int = 1
) -> DialClosed:
    return DialClosed(
        at=at(when),
        pbx=PBX,
        call=CALL,
        unique_id=CALLER,
        nth=nth,
        status=status,
        cause=16,
        talk_seconds=talk,
    )


def started() -> CallStarted:
    return CallStarted(
        at=at(0.3),
        pbx=PBX,
        call=CALL,
        boot=BOOT,
        unique_id=CALLER,
        direction=Direction.INTERNAL,
        caller_number="8002",
        called_number="8001",
    )


def folded(*facts: TimelineEvent) -> CallRecord:
    """In every order, each fact also twice: always the same."""
    found = {record(order + order[:1]) for order in permutations(facts)}
    assert len(found) == 1
    return found.pop()


def test_call_that_only_our_row_saw_has_its_seconds_and_its_phone() -> None:
    call = folded(dialled(), closed(40, talk=25))

    assert (call.direction, call.caller_number_raw, call.called_number) == (
        Direction.INTERNAL,
        "8002",
        "8001",
    )
    assert (call.started_at, call.answered_at, call.ended_at, call.cause) == (
        at(0),
        at(15),
        at(40),
        16,
    )
    assert call.confidence is Confidence.QUEUE_LOG_ONLY
    (ring,) = call.attempts
    assert (ring.member, ring.offered_at, ring.ended_at, ring.result) == (
        Member(interface="PJSIP/8001"),
        at(0),
        at(15),
        AttemptResult.ANSWERED,
    )


@pytest.mark.parametrize(
    ("status", "result"),
    [
        ("NOANSWER", AttemptResult.NO_ANSWER),
        ("BUSY", AttemptResult.REFUSED),
        ("CHANUNAVAIL", AttemptResult.REFUSED),
        ("CANCEL", AttemptResult.GONE),
    ],
)
def test_call_that_nobody_answered_says_how(status: str, result: AttemptResult) -> None:
    call = folded(dialled(), closed(20, status))

    assert (call.answered_at, call.ended_at, call.attempts[0].result) == (None, at(20), result)


def test_call_whose_end_no_row_has_told_yet_is_open() -> None:
    call = folded(dialled())

    assert (call.ended_at, call.attempts[0].result) == (None, None)


def test_call_that_asterisk_died_in_has_no_seconds() -> None:
    call = folded(dialled(), closed(0, None))

    assert (call.ended_at, call.answered_at, call.attempts[0].result) == (at(0), None, None)


def test_end_that_a_row_tells_after_all_counts() -> None:
    call = folded(dialled(), closed(0, None), closed(40, talk=25))

    assert (call.ended_at, call.answered_at) == (at(40), at(15))


def test_older_row_without_the_phone_makes_no_ring_up() -> None:
    assert folded(dialled(phone=None), closed(40, talk=25)).attempts == ()


def test_call_that_ami_saw_is_as_ami_saw_it() -> None:
    ended = CallEnded(at=at(40.7), pbx=PBX, call=CALL, cause=16)

    alone, both = (
        record([started(), ended]),
        folded(started(), ended, dialled(), closed(40, talk=25)),
    )

    assert both == record([started(), ended, dialled(), closed(40, talk=25)])
    assert (both.started_at, both.ended_at, both.confidence) == (
        alone.started_at,
        alone.ended_at,
        Confidence.COMPLETE,
    )
    assert both.attempts == alone.attempts


def test_end_that_ami_missed_is_the_rows() -> None:
    unseen = CallEnded(at=at(20), pbx=PBX, call=CALL, seen=False)

    call = folded(started(), unseen, dialled(), closed(40, talk=25))

    assert (call.ended_at, call.confidence) == (at(40), Confidence.GAP)


def test_caller_of_a_queue_who_is_put_through_stays_inbound() -> None:
    story = a_call().started().queued(1).row_entered(1)

    call = record([*story.facts, dialled(30), closed(60, talk=20)])

    assert call.direction is Direction.INBOUND
    assert call.called_number == "4001"
