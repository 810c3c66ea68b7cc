"""Recordings of calls that moved: who sent them where, who talked, rang and waited how long."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from crm_core.call_log.records import CallRecord
from crm_core.events import AttemptResult, Direction, EndedBy, LegParty, Outcome
from tests.golden import calls_of


class Sent(NamedTuple):
    """One transfer: kind, who, the number dialled, who talked then (seat), and what became of it."""

    kind: str
    by: str
    dialled: str
    to: str | None
    result: str


SENT: dict[str, list[Sent]] = {
    "blind_by_ami": [Sent("blind", "8001", "8101", "8101", "succeeded")],
    "blind_by_refer": [Sent("blind", "8001", "8101", "8101", "succeeded")],
    "blind_by_keys": [Sent("blind", "8001", "8101", "8101", "succeeded")],
    "redirect_by_ami": [Sent("blind", "8001", "8101", "8101", "succeeded")],
    "blind_to_a_queue": [Sent("blind", "8001", "4002", "8101", "succeeded")],
    "blind_to_a_queue_abandoned": [Sent("blind", "8001", "4002", None, "abandoned")],
    "blind_to_a_busy_seat": [Sent("blind", "8001", "8101", None, "failed")],
    "blind_to_nobody": [],  # SIP says 404, AMI nothing
    "blind_abandoned": [Sent("blind", "8001", "8101", None, "abandoned")],
    "blind_twice": [
        Sent("blind", "8001", "8101", "8101", "succeeded"),
        Sent("blind", "8101", "8201", "8201", "succeeded"),
    ],
    "attended_by_ami": [Sent("attended", "8001", "8101", "8101", "succeeded")],
    "attended_by_keys": [Sent("attended", "8001", "8101", "8101", "succeeded")],
    "attended_by_keys_alone": [Sent("attended", "8001", "8101", "8101", "succeeded")],
    "attended_by_refer": [Sent("attended", "8001", "8101", "8101", "succeeded")],
    "attended_abandoned": [Sent("attended", "8001", "8101", None, "abandoned")],
    "attended_to_a_busy_seat": [Sent("attended", "8001", "8101", "8001", "returned")],
    "blonde_by_keys": [Sent("attended", "8001", "8101", "8101", "succeeded")],
    "blonde_by_refer": [Sent("attended", "8001", "8101", "8101", "succeeded")],
    "blonde_comes_back": [Sent("attended", "8001", "8101", "8001", "returned")],
    "consult_by_keys": [Sent("attended", "8001", "8101", "8001", "returned")],
    "three_way": [Sent("attended", "8001", "8101", "8101", "succeeded")],
    "pick_up": [Sent("pickup", "8001", "*8", "8101", "succeeded")],
    "pick_up_without_a_queue": [Sent("pickup", "8001", "*8", "8101", "succeeded")],
    "hold": [],
    "hang_up_on_hold": [],
    "overflow": [],
}


def seat(interface: str | None) -> str:
    return (interface or "").removeprefix("PJSIP/")


@pytest.mark.parametrize("story", SENT)
def test_every_transfer_is_told_with_what_became_of_it(story: str) -> None:
    (call,) = calls_of(story)

    assert [
        Sent(
            each.kind,
            seat(each.member.interface),
            each.to,
            seat(each.to_member.interface) if each.to_member else None,
            str(each.result),
        )
        for each in call.transfers
    ] == SENT[story]


def seconds(call: CallRecord) -> dict[str, tuple[int | None, int | None, int | None]]:
    """Seat (or `customer`) → ring, talk and hold of its first leg."""
    found: dict[str, tuple[int | None, int | None, int | None]] = {}
    for leg in call.legs:
        who = "customer" if leg.party is LegParty.CUSTOMER or leg.member is None else ""
        who = who or seat(leg.member.interface if leg.member else None)
        found.setdefault(who, (leg.ring_seconds, leg.talk_seconds, leg.hold_seconds))
    return found


SECONDS: dict[str, dict[str, tuple[int | None, int, int]]] = {
    "hold": {"customer": (None, 2, 1), "8001": (1, 2, 1)},
    "hang_up_on_hold": {"customer": (None, 1, 2), "8001": (1, 1, 2)},
    "blind_by_ami": {"customer": (None, 3, 0), "8001": (1, 1, 0), "8101": (1, 2, 0)},
    # A key of the phone keeps the caller on hold while the agent dials.
    "attended_by_ami": {"customer": (None, 4, 2), "8001": (1, 1, 2), "8101": (1, 4, 0)},
    "attended_by_refer": {"customer": (None, 1, 2), "8001": (1, 1, 2), "8101": (1, 1, 0)},
    "blonde_by_refer": {"customer": (None, 2, 1), "8001": (1, 1, 1), "8101": (3, 1, 0)},
    "consult_by_keys": {"customer": (None, 3, 4), "8001": (1, 3, 4), "8101": (1, 2, 0)},
    "three_way": {"customer": (None, 5, 4), "8001": (1, 3, 4), "8101": (1, 6, 0)},
    "pick_up": {"customer": (None, 2, 0), "8001": (1, 0, 0), "8101": (None, 2, 0)},
    "local_member": {"customer": (None, 1, 0), "Local/8001@zuoxi-seats/n": (1, 1, 0)},
    "outbound_answered": {"8001": (None, 2, 0), "customer": (1, 2, 0)},
    "outbound_not_answered": {"8001": (None, 0, 0), "customer": (3, 0, 0)},
    "internal_call_not_answered": {"8002": (None, 0, 0), "8101": (2, 0, 0)},
}


@pytest.mark.parametrize("story", SECONDS)
def test_every_leg_knows_how_long_it_rang_talked_and_was_on_hold(story: str) -> None:
    (call,) = calls_of(story)

    assert seconds(call) == SECONDS[story]


def test_who_picks_up_is_credited_and_the_rung_one_s_ring_ended_elsewhere() -> None:
    (call,) = calls_of("pick_up")
    (stay,) = call.passes
    (ring,) = stay.attempts

    assert stay.picked_up
    assert stay.member is not None
    assert (stay.member.name, stay.member.interface) == ("1002", "PJSIP/8101")
    assert (ring.member.name, ring.result) == ("1001", AttemptResult.ELSEWHERE)


def test_a_call_that_waited_too_long_goes_on_in_a_second_queue_as_the_same_call() -> None:
    (call,) = calls_of("overflow")

    assert [(one.queue, one.outcome, one.wait_seconds) for one in call.passes] == [
        ("hurried", Outcome.TIMEOUT, 2),
        ("sales", Outcome.ANSWERED, 1),
    ]


def test_a_transferred_caller_who_is_queued_again_has_two_answered_passes() -> None:
    (call,) = calls_of("blind_to_a_queue")

    assert [(one.queue, one.outcome, one.ended_by) for one in call.passes] == [
        ("support", Outcome.ANSWERED, EndedBy.TRANSFER),
        ("sales", Outcome.ANSWERED, EndedBy.CALLER),
    ]


def test_joined_calls_are_one_and_a_consultation_that_ended_is_a_call_of_its_own() -> None:
    assert len(calls_of("attended_by_refer")) == 1
    assert sorted(call.direction for call in calls_of("consult_by_second_line")) == [
        Direction.INBOUND,
        Direction.INTERNAL,
    ]


@pytest.mark.parametrize(
    "story", ["outbound_answered", "outbound_busy", "outbound_not_answered", "click_to_dial"]
)
def test_a_call_to_somebody_outside_is_outbound_and_knows_whom_it_was_placed_to(story: str) -> None:
    (call,) = calls_of(story)

    assert (call.direction, call.called_number) == (Direction.OUTBOUND, "013800138000")
    assert call.placed_by is not None
    assert call.placed_by.interface == "PJSIP/8001"
    assert (call.answered_at is not None) == (story in ("outbound_answered", "click_to_dial"))
