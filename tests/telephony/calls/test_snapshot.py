"""After a start, a lost link, a restart of Asterisk: what lives is found, what is gone is ended."""

from __future__ import annotations

from typing import Any

from crm_core.commands import OpenCall
from crm_core.events import (
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
    LegEnded,
    LegParty,
    LegStarted,
    Member,
    OfferEnded,
)
from crm_core.ids import BootId, CallId, QueuePassKey, call_id
from telephony.ami import messages as ami
from tests.telephony.calls.builders import (
    BOOT,
    CALLER,
    PBX,
    a,
    a_tracker,
    abandons,
    an_answered_call,
    at,
    began,
    ended,
    hangup,
    joins,
    leaves,
    leg,
    of,
    of_agent,
    rings_in,
    told,
)

CALL = call_id(PBX, BOOT, CALLER)
LOST = a(ami.LinkLost, 50)


def lives(when: float, unique_id: str, /, **values: Any) -> ami.StatusItem:
    given = {
        "channel": "PJSIP/trunk-00000000",
        "context": "zuoxi-queue",
        "linked_id": CALLER,
        "channel_state_desc": "Up",
        "caller_id_num": "13800138000",
        "application": "Queue",
        "data": "support,tT",
        "seconds": 30,
        **values,
    }
    return a(ami.StatusItem, when, unique_id=unique_id, **given)


def agents(when: float, unique_id: str, seat: str = "8001", /, **values: Any) -> ami.StatusItem:
    given = {
        "channel": f"PJSIP/{seat}-00000001",
        "context": "zuoxi-seats",
        "application": "AppQueue",
        "data": "(Outgoing Line)",
        **values,
    }
    return lives(when, unique_id, **given)


def entry(seconds: float, wait: int = 20, unique_id: str = CALLER) -> ami.QueueEntry:
    return a(ami.QueueEntry, seconds, queue="support", unique_id=unique_id, wait=wait, position=1)


def test_a_call_that_waits_and_rings_is_opened_from_the_snapshot() -> None:
    tracker = a_tracker()
    events = told(
        tracker,
        began(100),
        agents(100, "lab-1.1", channel_state_desc="Ringing"),  # the agent's leg comes first
        lives(100, CALLER),
        a(ami.QueueMemberItem, 100, queue="support", interface="PJSIP/8001", member_name="1001"),
        entry(100),
        ended(100.1),
    )

    (started,) = of(events, CallStarted)
    assert (started.call, started.at, started.direction) == (CALL, at(70), Direction.INBOUND)
    assert started.caller_number == "13800138000"
    (queued,) = of(events, CallQueued)
    assert queued.at == at(80)  # QueueEntry came at 90, and says 10 s
    (offered,) = of(events, CallOffered)
    assert offered.member == Member(interface="PJSIP/8001", name="1001")
    assert offered.queue_pass == queued.queue_pass
    assert told(tracker, of_agent(ami.AgentCalled, 100.2, "lab-1.1")) == []
    (answered,) = of(told(tracker, of_agent(ami.AgentConnect, 101, "lab-1.1")), CallAnswered)
    assert answered.queue_pass == queued.queue_pass


def test_a_call_that_talks_is_opened_with_its_agent() -> None:
    events = told(
        a_tracker(),
        began(100),
        lives(100, CALLER, bridge_id="b"),
        agents(100, "lab-1.1", bridge_id="b"),
        ended(100.1),
    )

    (answered,) = of(events, CallAnswered)
    assert answered.queue_pass is not None
    assert (answered.queue_pass.queue, answered.member.interface) == ("support", "PJSIP/8001")
    assert of(events, CallLeftQueue) == []


def test_what_asterisk_does_not_know_any_more_ended_unseen_when_we_heard_it_last() -> None:
    """Up to the loss of the link we would have heard of its end."""
    tracker = a_tracker()
    waiting = [rings_in(0), joins(1), leg(2, "lab-1.1"), of_agent(ami.AgentCalled, 3, "lab-1.1")]
    told(tracker, *waiting)

    events = told(tracker, LOST, began(100), ended(100.1))

    (over,) = of(events, CallEnded)
    assert (over.seen, over.at, over.cause) == (False, at(50), None)
    assert [e.result for e in of(events, OfferEnded)] == [AttemptResult.GONE]
    assert len(of(events, CallLeftQueue)) == 1
    assert [e.cause for e in of(events, LegEnded)] == [None, None]
    assert tracker.live_calls() == ()


def test_a_talk_that_ended_unseen_was_ended_by_nobody_we_know() -> None:
    tracker = a_tracker()
    told(tracker, *an_answered_call()[:-3])

    events = told(tracker, LOST, began(100), ended(100.1))

    assert [(e.ended_by, e.at) for e in of(events, ConversationEnded)] == [
        (EndedBy.UNKNOWN, at(50))
    ]


def test_what_still_lives_goes_on_as_if_nothing_had_been() -> None:
    tracker = a_tracker()
    told(tracker, *an_answered_call()[:-3])

    events = told(
        tracker,
        LOST,
        began(100),
        lives(100, CALLER, bridge_id="b"),
        agents(100, "lab-1.2", "8002", bridge_id="b"),
        ended(100.1),
    )

    assert events == []
    over = told(tracker, of_agent(ami.AgentComplete, 140, "lab-1.2", "8002", reason="caller"))
    assert len(of(over, ConversationEnded)) == 1


def test_a_caller_answered_in_the_dark_talks() -> None:
    tracker = a_tracker()
    told(tracker, rings_in(0), joins(1), leg(2, "lab-1.1"), of_agent(ami.AgentCalled, 3, "lab-1.1"))

    events = told(
        tracker,
        LOST,
        began(100),
        lives(100, CALLER, bridge_id="b"),
        agents(100, "lab-1.1", bridge_id="b"),
        ended(100.1),
    )

    (answered,) = of(events, CallAnswered)
    assert answered.member.interface == "PJSIP/8001"
    assert of(events, OfferEnded) == []


def test_a_caller_who_left_the_queue_in_the_dark_has_left_it() -> None:
    tracker = a_tracker()
    told(tracker, rings_in(0), joins(1))

    events = told(
        tracker, LOST, began(100), lives(100, CALLER, application="Playback"), ended(100.1)
    )
    events += told(tracker, rings_in(102, "lab-9.0"))

    assert [e.at for e in of(events, CallLeftQueue)] == [at(100.1)]
    assert of(events, CallEnded) == []


def test_a_ring_that_ends_during_the_snapshot_does_not_hide_who_waits() -> None:
    """The caller entered in the dark; what the phone's end says of the caller moves nobody."""
    tracker = a_tracker()
    told(tracker, rings_in(0))

    events = told(
        tracker,
        LOST,
        began(100),
        lives(100, CALLER),
        agents(100, "lab-1.1", channel_state_desc="Ringing"),
        entry(100),
        of_agent(ami.AgentRingNoAnswer, 100.1, "lab-1.1"),
        hangup(100.1, "lab-1.1"),
        ended(100.2),
    )

    assert len(of(events, CallQueued)) == 1
    assert of(events, CallLeftQueue) == []


def test_one_leg_gone_in_the_dark_does_not_end_the_call() -> None:
    tracker = a_tracker()
    told(tracker, rings_in(0), joins(1), leg(2, "lab-1.1"), of_agent(ami.AgentCalled, 3, "lab-1.1"))

    events = told(tracker, LOST, began(100), lives(100, CALLER), entry(100), ended(100.1))

    assert [e.unique_id for e in of(events, LegEnded)] == ["lab-1.1"]
    assert [e.result for e in of(events, OfferEnded)] == [AttemptResult.GONE]
    assert tracker.live_calls() == (CALL,)


def test_live_events_between_the_items_are_told_after_them_and_once() -> None:
    """The wire: an item, the caller's hang-up, a new caller, the rest of the items."""
    tracker = a_tracker()
    told(tracker, rings_in(0), joins(1))
    events = told(
        tracker,
        began(100),
        lives(100, CALLER),
        entry(100),
        abandons(100.01),
        leaves(100.01),
        hangup(100.02, CALLER),
        rings_in(100.03, "lab-2.0"),
        joins(100.04, "support", "lab-2.0"),
        lives(100.05, "lab-2.0", linked_id="lab-2.0", seconds=0),
        entry(100.05, 0, "lab-2.0"),
        ended(100.1),
    )

    (over,) = of(events, CallEnded)
    assert (over.seen, over.at) == (True, at(100.02))
    assert [e.unique_id for e in of(events, CallStarted)] == ["lab-2.0"]
    assert [(e.queue_pass.unique_id, e.queue_pass.ordinal) for e in of(events, CallQueued)] == [
        ("lab-2.0", 1)
    ]


def test_events_after_a_lost_link_wait_for_the_snapshot_that_says_which_run_they_are_of() -> None:
    tracker = a_tracker()
    told(tracker, rings_in(0), LOST)
    assert told(tracker, rings_in(60, "lab-3.0"), joins(60.1, "support", "lab-3.0")) == []

    new = BootId("b1795599999")
    events = told(
        tracker, began(60.2, new), lives(60.2, "lab-3.0", linked_id="lab-3.0"), ended(60.3, new)
    )

    assert [(e.call, e.seen) for e in of(events, CallEnded)] == [(CALL, False)]
    (started,) = of(events, CallStarted)
    assert (started.boot, started.call) == (new, call_id(PBX, new, "lab-3.0"))


def test_a_new_run_of_asterisk_ends_everything_of_the_former_one() -> None:
    tracker = a_tracker()
    told(tracker, *an_answered_call()[:-3], rings_in(30, "lab-4.0"))

    events = told(tracker, began(100, "b9"), ended(100.1, "b9"))

    assert [e.seen for e in of(events, CallEnded)] == [False, False]
    again = told(tracker, rings_in(101))
    (started,) = of(again, CallStarted)
    assert started.call != CALL  # the same Uniqueid in another run


def known(**values: Any) -> OpenCall:
    given: dict[str, Any] = {
        "call": CALL,
        "boot": BOOT,
        "direction": Direction.INBOUND,
        "last_seen_at": at(10),
        "channels": ((CALLER, CALLER), ("lab-1.1", CALLER)),
        "passes": (QueuePassKey(unique_id=CALLER, queue="support", ordinal=2),),
        "open_passes": (QueuePassKey(unique_id=CALLER, queue="support", ordinal=2),),
        "attempts": 3,
        **values,
    }
    return OpenCall(**given)


def test_after_a_restart_of_ours_a_live_call_goes_on_with_its_numbers() -> None:
    tracker = a_tracker(open_calls=[known()])
    events = told(tracker, began(100), lives(100, CALLER), entry(100, wait=95), ended(100.1))
    events += told(tracker, of_agent(ami.AgentCalled, 101, "lab-1.5", "8002"))

    assert of(events, CallStarted) == []
    assert of(events, CallQueued) == []
    assert [e.unique_id for e in of(events, LegStarted)] == ["lab-1.5"]
    (offered,) = of(events, CallOffered)
    assert (offered.call, offered.attempt) == (CALL, 4)
    assert offered.queue_pass == QueuePassKey(unique_id=CALLER, queue="support", ordinal=2)
    told(tracker, abandons(110))
    (again,) = of(told(tracker, joins(120)), CallQueued)
    assert again.queue_pass.ordinal == 3


def test_after_a_restart_of_ours_a_dead_call_is_ended_unseen() -> None:
    tracker = a_tracker(open_calls=[known()])
    events = told(tracker, began(100), ended(100.1))

    assert [(e.call, e.seen, e.at) for e in of(events, CallEnded)] == [(CALL, False, at(10))]
    assert len(of(events, CallLeftQueue)) == 1


def test_after_a_restart_of_both_the_call_of_the_former_run_is_ended_unseen() -> None:
    other = CallId("f" * 32)
    tracker = a_tracker(open_calls=[known(call=other, boot=BootId("b1"))])

    events = told(tracker, began(100), ended(100.1))

    assert [(e.call, e.seen) for e in of(events, CallEnded)] == [(other, False)]


def test_a_call_that_has_ended_is_not_opened_again_by_a_late_item() -> None:
    tracker = a_tracker()
    told(tracker, *an_answered_call())

    assert told(tracker, began(100), lives(100, CALLER), entry(100), ended(100.1)) == []


def test_a_snapshot_that_was_cut_off_loses_no_event() -> None:
    tracker = a_tracker()
    events = told(tracker, began(1), rings_in(1.1), began(2), lives(2, CALLER), ended(2.1))

    assert len(of(events, CallStarted)) == 1


def test_a_leg_that_began_after_the_items_is_not_missing() -> None:
    tracker = a_tracker()
    told(tracker, rings_in(0), joins(1))
    events = told(
        tracker, began(10), lives(10, CALLER), entry(10), leg(10.1, "lab-1.1"), ended(10.2)
    )

    assert of(events, LegEnded) == []
    assert [e.unique_id for e in of(events, LegStarted)] == ["lab-1.1"]


def test_a_call_that_ends_while_the_snapshot_is_taken_is_told_whole() -> None:
    events = told(a_tracker(), began(10), lives(10, CALLER), hangup(10.1, CALLER), ended(10.2))

    assert len(of(events, CallStarted)) == 1
    assert [(e.seen, e.at) for e in of(events, CallEnded)] == [(True, at(10.1))]


def test_who_calls_is_the_channel_that_began_the_call_not_the_one_that_was_listed_first() -> None:
    """Seconds are whole ones: an agent's phone of the same second may look a moment older."""
    events = told(
        a_tracker(),
        began(100),
        agents(100, "lab-1.1", bridge_id="b", seconds=5, caller_id_num="8001"),
        lives(100.01, CALLER, bridge_id="b", seconds=5),
        ended(100.1),
    )

    (started,) = of(events, CallStarted)
    assert (started.unique_id, started.caller_number) == (CALLER, "13800138000")
    assert started.direction is Direction.INBOUND


# --- a restart of ours in the middle of a ring or a talk -------------------------------------------

AGENT = Member(interface="PJSIP/8001", name="1001")
PASS = QueuePassKey(unique_id=CALLER, queue="support", ordinal=2)

THE_LEG = LegStarted(
    at=at(8), pbx=PBX, call=CALL, unique_id="lab-1.1", linked_id=CALLER, party=LegParty.AGENT,
    member=AGENT,
)  # fmt: skip
CALLERS_LEG = LegStarted(
    at=at(0), pbx=PBX, call=CALL, unique_id=CALLER, linked_id=CALLER, party=LegParty.CUSTOMER
)
LEGS = (CALLERS_LEG, THE_LEG)
THE_RING = CallOffered(
    at=at(9), pbx=PBX, call=CALL, queue_pass=PASS, attempt=3, member=AGENT, leg="lab-1.1"
)
THE_TALK = CallAnswered(at=at(10), pbx=PBX, call=CALL, queue_pass=PASS, member=AGENT, leg="lab-1.1")


def rings_on(when: float) -> list[ami.AmiMessage]:
    """A snapshot in which the phone of the ring still rings."""
    return [
        began(when),
        lives(when, CALLER),
        agents(when, "lab-1.1", channel_state_desc="Ringing"),
        entry(when),
        ended(when + 0.1),
    ]


def test_a_phone_that_rings_through_a_restart_of_ours_rings_once_and_is_answered() -> None:
    tracker = a_tracker(open_calls=[known(legs=LEGS, rings=(THE_RING,))])

    events = told(tracker, *rings_on(100), of_agent(ami.AgentCalled, 100.2, "lab-1.1"))
    assert of(events, CallOffered) == []
    assert of(events, OfferEnded) == []
    assert of(events, LegStarted) == []

    events = told(tracker, of_agent(ami.AgentConnect, 101, "lab-1.1"))
    (answered,) = of(events, CallAnswered)
    assert (answered.queue_pass, answered.member) == (PASS, AGENT)
    assert of(events, OfferEnded) == []


def test_the_ring_after_one_that_went_through_a_restart_is_the_next_attempt() -> None:
    tracker = a_tracker(open_calls=[known(legs=LEGS, rings=(THE_RING,))])
    told(tracker, *rings_on(100))

    events = told(
        tracker,
        of_agent(ami.AgentRingNoAnswer, 110, "lab-1.1", ring_time=15000),
        hangup(110.1, "lab-1.1", 0),
        leg(111, "lab-1.2", "8002"),
        of_agent(ami.AgentCalled, 111.1, "lab-1.2", "8002"),
    )

    (over,) = of(events, OfferEnded)
    assert (over.attempt, over.result) == (3, AttemptResult.NO_ANSWER)
    assert [each.attempt for each in of(events, CallOffered)] == [4]


def test_a_ring_whose_phone_is_gone_after_a_restart_of_ours_has_ended() -> None:
    tracker = a_tracker(open_calls=[known(legs=LEGS, rings=(THE_RING,))])

    events = told(tracker, began(100), lives(100, CALLER), entry(100), ended(100.1))
    events += told(tracker, rings_in(103, "lab-9.0"))  # a second later it is settled

    assert [(e.attempt, e.result) for e in of(events, OfferEnded)] == [(3, AttemptResult.GONE)]
    assert [e.unique_id for e in of(events, LegEnded)] == ["lab-1.1"]
    assert of(events, CallEnded) == []


def test_a_ring_of_which_only_the_hang_up_was_told_before_a_restart_has_ended() -> None:
    caller_only = tuple(leg for leg in LEGS if leg.unique_id == CALLER)
    tracker = a_tracker(open_calls=[known(legs=caller_only, rings=(THE_RING,))])

    events = told(tracker, began(100), lives(100, CALLER), entry(100), ended(100.1))

    assert [(e.attempt, e.result) for e in of(events, OfferEnded)] == [(3, AttemptResult.NO_ANSWER)]
    assert of(events, CallLeftQueue) == []


def test_a_ring_that_was_answered_while_we_were_away_is_answered_once() -> None:
    tracker = a_tracker(open_calls=[known(legs=LEGS, rings=(THE_RING,))])

    events = told(
        tracker,
        began(100),
        lives(100, CALLER, bridge_id="b"),
        agents(100, "lab-1.1", bridge_id="b"),
        ended(100.1),
    )

    assert [e.member for e in of(events, CallAnswered)] == [AGENT]
    assert (of(events, OfferEnded), of(events, CallOffered)) == ([], [])


def test_a_talk_that_goes_through_a_restart_of_ours_is_one_and_ends_once() -> None:
    tracker = a_tracker(open_calls=[known(legs=LEGS, talks=(THE_TALK,))])

    events = told(
        tracker,
        began(100),
        lives(100, CALLER, bridge_id="b"),
        agents(100, "lab-1.1", bridge_id="b"),
        ended(100.1),
    )
    assert (of(events, CallAnswered), of(events, LegStarted)) == ([], [])

    events = told(
        tracker,
        of_agent(ami.AgentComplete, 140, "lab-1.1", reason="caller"),
        hangup(140.1, CALLER),
        hangup(140.2, "lab-1.1"),
    )
    assert [(e.at, e.ended_by) for e in of(events, ConversationEnded)] == [
        (at(140), EndedBy.CALLER)
    ]
    assert [e.seen for e in of(events, CallEnded)] == [True]


def test_a_talk_that_ended_while_we_were_away_ends_once_and_by_nobody_we_know() -> None:
    tracker = a_tracker(open_calls=[known(legs=LEGS, talks=(THE_TALK,))])

    events = told(tracker, began(100), ended(100.1))

    assert [(e.at, e.ended_by) for e in of(events, ConversationEnded)] == [
        (at(10), EndedBy.UNKNOWN)
    ]
    assert [(e.seen, e.at) for e in of(events, CallEnded)] == [(False, at(10))]
