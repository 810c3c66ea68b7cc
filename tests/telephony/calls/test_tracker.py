"""What the tracker makes of histories that are hard to record: odd sites, lost keys, pick-ups."""

from __future__ import annotations

from typing import Any

import pytest

from crm_core.call_log.facts import Facts
from crm_core.commands import OpenCall
from crm_core.events import (
    AttemptResult,
    CallAnswered,
    CallEnded,
    CallHeld,
    CallJoined,
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
    LegParty,
    LegStarted,
    Member,
    OfferEnded,
    TransferBegan,
    TransferEnded,
    TransferResult,
)
from crm_core.ids import call_id
from telephony.ami import messages as ami
from telephony.calls.tracker import CallTracker
from tests.telephony.calls.builders import (
    BOOT,
    CALLER,
    PBX,
    a,
    a_tracker,
    abandons,
    an_answered_call,
    at,
    dial_end,
    hangup,
    joins,
    leaves,
    leg,
    of,
    of_agent,
    rings_in,
    told,
)


def test_a_call_is_named_after_its_oldest_channel_and_knows_its_live_channels() -> None:
    tracker = a_tracker()
    events = told(tracker, rings_in(0), joins(1), leg(1.1, "lab-1.1"))

    call = call_id(PBX, BOOT, CALLER)
    assert {getattr(event, "call", None) for event in events} == {call}
    assert tracker.live_calls() == (call,)
    assert tracker.call_of("lab-1.1") == call
    assert tracker.leg_channels(call)["lab-1.1"] == "PJSIP/8001-00000001"
    assert len(tracker.channels_of(call)) == 2


def test_an_answered_call_is_told_once_and_then_forgotten() -> None:
    tracker = a_tracker()
    events = told(tracker, *an_answered_call())

    assert [(e.attempt, e.result) for e in of(events, OfferEnded)] == [(1, AttemptResult.NO_ANSWER)]
    (answered,) = of(events, CallAnswered)
    assert (answered.member, answered.leg) == (
        Member(interface="PJSIP/8002", name="1002"),
        "lab-1.2",
    )
    (over,) = of(events, ConversationEnded)
    assert (over.ended_by, over.at) == (EndedBy.CALLER, at(40.0))
    (ended,) = of(events, CallEnded)
    assert (ended.cause, ended.seen, ended.at) == (16, True, at(40.2))
    assert of(events, CallLeftQueue) == []
    assert tracker.live_calls() == ()
    assert told(tracker, *an_answered_call()) == []  # late messages open no new call


def test_a_leave_that_no_connect_follows_is_told_once_the_time_has_passed() -> None:
    """Before 22 not every exit was an Abandon."""
    tracker = a_tracker()
    events = told(tracker, rings_in(0), joins(1), leaves(9))
    assert of(events, CallLeftQueue) == []

    events = told(tracker, rings_in(10.5, "lab-7.0"))

    assert [event.at for event in of(events, CallLeftQueue)] == [at(9)]


def test_a_leave_is_explained_in_its_own_time_whoever_else_waits() -> None:
    tracker, another = a_tracker(), "lab-2.0"
    told(tracker, rings_in(0), joins(1), rings_in(0, another), joins(1, "support", another))
    told(tracker, leaves(9), leaves(9.9, "support", another))

    (first,) = of(told(tracker, rings_in(10.5, "lab-7.0")), CallLeftQueue)
    (second,) = of(told(tracker, rings_in(11, "lab-8.0")), CallLeftQueue)

    assert (first.at, second.at) == (at(9), at(9.9))


def test_an_abandon_and_its_leave_are_one_end() -> None:
    events = told(a_tracker(), rings_in(0), joins(1), abandons(9), leaves(9.1), hangup(9.2, CALLER))

    assert len(of(events, CallLeftQueue)) == 1


def test_a_caller_who_goes_on_to_another_queue_makes_two_passes() -> None:
    events = told(
        a_tracker(),
        rings_in(0),
        joins(1),
        abandons(9),
        joins(10, "night"),
        abandons(20, "night"),
        joins(21),
    )

    assert [(e.queue_pass.queue, e.queue_pass.ordinal) for e in of(events, CallQueued)] == [
        ("support", 1),
        ("night", 1),
        ("support", 2),
    ]


@pytest.mark.parametrize(
    ("ending", "result"),
    [
        ([dial_end(3, "lab-1.1", "BUSY"), hangup(3, "lab-1.1", 17)], AttemptResult.REFUSED),
        ([dial_end(3, "lab-1.1", "CONGESTION")], AttemptResult.REFUSED),
        (
            [
                dial_end(3, "lab-1.1", "NOANSWER"),
                of_agent(ami.AgentRingNoAnswer, 3, "lab-1.1"),
                hangup(3, "lab-1.1", 21),
            ],
            AttemptResult.REFUSED,
        ),
        (
            [of_agent(ami.AgentRingNoAnswer, 3, "lab-1.1"), hangup(3, "lab-1.1", 0)],
            AttemptResult.NO_ANSWER,
        ),
        (
            [of_agent(ami.AgentRingNoAnswer, 3, None), hangup(3, "lab-1.1", 0)],
            AttemptResult.NO_ANSWER,
        ),
        ([hangup(3, "lab-1.1", 26)], AttemptResult.ELSEWHERE),
        ([dial_end(3, "lab-1.1", "CANCEL"), abandons(3)], AttemptResult.GONE),
        ([hangup(3, CALLER)], AttemptResult.GONE),
        ([dial_end(3, "lab-1.1", "CANCEL"), rings_in(5, "lab-9.0")], AttemptResult.NO_ANSWER),
        ([of_agent(ami.AgentDump, 3, "lab-1.1")], AttemptResult.REFUSED),
    ],
)
def test_each_way_a_ring_can_end(ending: list[ami.AmiMessage], result: AttemptResult) -> None:
    events = told(
        a_tracker(),
        rings_in(0),
        joins(1),
        leg(1.1, "lab-1.1"),
        of_agent(ami.AgentCalled, 1.2, "lab-1.1"),
        *ending,
    )

    assert [(e.attempt, e.result) for e in of(events, OfferEnded)] == [(1, result)]


def test_once_a_phone_is_lifted_the_others_have_lost_the_call_before_agent_connect_says_so() -> (
    None
):
    tracker = a_tracker()
    told(
        tracker,
        rings_in(0),
        joins(1),
        leg(1.1, "lab-1.1"),
        of_agent(ami.AgentCalled, 1.2, "lab-1.1"),
        leg(1.1, "lab-1.2", "8002"),
        of_agent(ami.AgentCalled, 1.2, "lab-1.2", "8002"),
        dial_end(3, "lab-1.2", "ANSWER"),
    )

    (over,) = of(told(tracker, dial_end(3, "lab-1.1", "CANCEL")), OfferEnded)

    assert (over.member.name, over.result) == ("1001", AttemptResult.ELSEWHERE)


def test_a_join_told_again_after_the_abandon_is_no_second_pass() -> None:
    events = told(a_tracker(), rings_in(0), joins(1), abandons(9), joins(1))

    assert len(of(events, CallQueued)) == 1


def test_a_caller_in_another_queue_is_no_longer_in_the_first() -> None:
    tracker = a_tracker()
    told(tracker, rings_in(0), joins(1))

    left, queued = told(tracker, joins(10, "night"))

    assert isinstance(left, CallLeftQueue)
    assert left.queue_pass.queue == "support"
    assert isinstance(queued, CallQueued)


def test_a_late_message_of_a_leg_that_names_no_call_opens_none() -> None:
    tracker = a_tracker()
    told(tracker, *an_answered_call())
    late = a(ami.Newchannel, 41, channel="PJSIP/8002-00000001", unique_id="lab-1.2")

    assert told(tracker, late) == []
    assert tracker.live_calls() == ()


def test_who_picks_up_the_call_is_the_one_who_talks() -> None:
    """The queue names the member that rang; DestChannel is the phone that was lifted."""
    events = told(
        a_tracker(),
        a(ami.QueueMemberAdded, 0, queue="support", interface="PJSIP/8003", member_name="1003"),
        rings_in(0),
        joins(1),
        leg(1.1, "lab-1.1"),
        of_agent(ami.AgentCalled, 1.2, "lab-1.1"),
        leaves(5),
        of_agent(ami.AgentConnect, 5, "lab-1.9", dest_channel="PJSIP/8003-00000009"),
        of_agent(ami.AgentComplete, 9, "lab-1.9", reason="agent"),
    )

    (answered,) = of(events, CallAnswered)
    assert answered.member == Member(interface="PJSIP/8003", name="1003")
    assert [(e.member.name, e.result) for e in of(events, OfferEnded)] == [
        ("1001", AttemptResult.ELSEWHERE)
    ]
    assert [e.member.name for e in of(events, ConversationEnded)] == ["1003"]


@pytest.mark.parametrize("also", [{}, {"dest_linked_id": None}])
def test_agent_complete_without_the_callers_uniqueid_still_ends_the_talk(
    also: dict[str, None],
) -> None:
    nothing = {"unique_id": None, "linked_id": None}
    messages = an_answered_call()[:-3]
    complete = of_agent(
        ami.AgentComplete, 40, "lab-1.2", "8002", reason="agent", **{**nothing, **also}
    )
    (over,) = of(told(a_tracker(), *messages, complete), ConversationEnded)

    assert (over.ended_by, over.member.name) == (EndedBy.AGENT, "1002")


def test_without_agent_complete_the_first_hangup_ends_the_talk() -> None:
    messages = an_answered_call()[:-3]
    events = told(a_tracker(), *messages, hangup(40, "lab-1.2"), hangup(40.1, CALLER))

    (over,) = of(events, ConversationEnded)
    assert (over.ended_by, over.at) == (EndedBy.AGENT, at(40))


def test_a_pass_whose_join_was_not_seen_is_entered_by_the_ring() -> None:
    events = told(a_tracker(), rings_in(0), of_agent(ami.AgentCalled, 5, "lab-1.1"))

    assert [event.at for event in of(events, CallQueued)] == [at(5)]
    assert len(of(events, CallOffered)) == 1


def foreign() -> CallTracker:
    """A FreePBX: contexts are not ours, members are Local channels."""
    tracker = CallTracker(PBX, BOOT)
    tracker.feed(
        a(
            ami.QueueMemberStatus,
            0,
            queue="400",
            interface="Local/100@from-queue/n",
            member_name="张三",
            state_interface="hint:100@ext-local",
        )
    )
    return tracker


def local(seconds: float, half: int) -> ami.Newchannel:
    return a(
        ami.Newchannel,
        seconds,
        channel=f"Local/100@from-queue-00000001;{half}",
        context="from-queue",
        unique_id=f"1.{half}",
        linked_id="1.0",
    )


def test_halves_of_local_channels_are_no_legs_and_their_phone_is_the_members() -> None:
    through = {
        "interface": "Local/100@from-queue/n",
        "member_name": "张三",
        "dest_channel": "Local/100@from-queue-00000001;1",
        "dest_context": "from-queue",
        "unique_id": "1.0",
        "linked_id": "1.0",
        "queue": "400",
    }
    caller = {"unique_id": "1.0", "linked_id": "1.0", "queue": "400"}
    phone: dict[str, Any] = {
        "dest_channel": "PJSIP/100-00000002",
        "dest_unique_id": "1.3",
        "dest_linked_id": "1.0",
    }
    events = told(
        foreign(),
        a(ami.Newchannel, 1, channel="PJSIP/t-00000000", unique_id="1.0", linked_id="1.0",
          context="from-trunk", exten="02088", caller_id_num="13800138000"),
        a(ami.QueueCallerJoin, 2, channel="PJSIP/t-00000000", **caller),
        local(2.1, 1),
        local(2.1, 2),
        of_agent(ami.AgentCalled, 2.2, "1.1", **through),
        a(ami.Newchannel, 2.3, channel="PJSIP/100-00000002", unique_id="1.3", linked_id="1.0"),
        a(ami.DialBegin, 2.4, channel="Local/100@from-queue-00000001;2", unique_id="1.2",
          linked_id="1.0", **phone),
        a(ami.QueueCallerLeave, 5, **caller),
        of_agent(ami.AgentConnect, 5, "1.1", **through),
        of_agent(ami.AgentComplete, 9, "1.1", reason="caller", **through),
        a(ami.Hangup, 9.1, unique_id="1.0", linked_id="1.0", cause=16),
        a(ami.Hangup, 9.1, unique_id="1.1", linked_id="1.0", cause=16),
        a(ami.Hangup, 9.1, unique_id="1.2", linked_id="1.0", cause=16),
        a(ami.Hangup, 9.2, unique_id="1.3", linked_id="1.0", cause=16),
    )  # fmt: skip

    member = Member(interface="Local/100@from-queue/n", name="张三")
    assert [e.member for e in of(events, CallOffered)] == [member]
    assert [e.member for e in of(events, CallAnswered)] == [member]
    assert [(e.unique_id, e.party, e.member) for e in of(events, LegStarted)] == [
        ("1.0", LegParty.CUSTOMER, None),
        ("1.3", LegParty.AGENT, member),
    ]
    assert [e.unique_id for e in of(events, LegEnded)] == ["1.0", "1.3"]
    assert [e.at for e in of(events, CallEnded)] == [at(9.2)]


def test_an_agents_phone_that_dials_out_places_a_call() -> None:
    events = told(
        a_tracker(),
        a(ami.Newchannel, 0, channel="PJSIP/8001-00000001", context="zuoxi-seats",
          exten="13900139000", unique_id="2.0", linked_id="2.0", caller_id_num="8001"),
        a(ami.Newchannel, 0.1, channel="PJSIP/trunk-00000002", context="zuoxi-inbound", exten="s",
          unique_id="2.1", linked_id="2.0"),
        a(ami.DialBegin, 0.2, channel="PJSIP/8001-00000001", unique_id="2.0", linked_id="2.0",
          exten="s", dest_channel="PJSIP/trunk-00000002", dest_unique_id="2.1",
          dest_linked_id="2.0", dest_context="zuoxi-inbound"),
        dial_end(4, "2.1", "ANSWER", "2.0"),
        hangup(9, "2.1"),
        hangup(9.1, "2.0"),
    )  # fmt: skip

    (started,) = of(events, CallStarted)
    assert (started.direction, started.called_number, started.at) == (
        Direction.OUTBOUND,
        "13900139000",
        at(0),
    )
    (placed,) = of(events, CallPlaced)
    assert (placed.member.interface, placed.called_number) == ("PJSIP/8001", "13900139000")
    assert [(e.unique_id, e.party) for e in of(events, LegStarted)] == [
        ("2.0", LegParty.AGENT),
        ("2.1", LegParty.CUSTOMER),
    ]
    (answered,) = of(events, CallAnswered)
    assert (answered.queue_pass, answered.member.interface) == (None, "PJSIP/8001")
    (over,) = of(events, ConversationEnded)
    assert over.ended_by is EndedBy.CALLER  # the other side


@pytest.mark.parametrize(
    ("status", "result"),
    [
        ("NOANSWER", AttemptResult.NO_ANSWER),
        ("BUSY", AttemptResult.REFUSED),
        ("CANCEL", AttemptResult.GONE),
    ],
)
def test_a_direct_ring_ends_as_the_dial_did(status: str, result: AttemptResult) -> None:
    events = told(
        a_tracker(),
        rings_in(0),
        leg(0.1, "lab-1.1"),
        a(ami.DialBegin, 0.2, channel="PJSIP/trunk-00000000", unique_id=CALLER, linked_id=CALLER,
          dest_channel="PJSIP/8001-00000001", dest_unique_id="lab-1.1", dest_context="zuoxi-seats"),
        dial_end(9, "lab-1.1", status),
        hangup(9, "lab-1.1", 0),
        hangup(9.1, CALLER),
    )  # fmt: skip

    (offered,) = of(events, CallOffered)
    assert offered.queue_pass is None
    assert [e.result for e in of(events, OfferEnded)] == [result]


def test_a_channel_that_joins_an_older_call_talks_in_that_call() -> None:
    """An attended transfer: the consulted agent's channel gets the Linkedid of the caller's call."""
    consult = [
        a(ami.Newchannel, 30, channel="PJSIP/8002-00000005", context="zuoxi-seats", exten="8003",
          unique_id="5.0", linked_id="5.0"),
        leg(30.1, "5.1", "8003", "5.0"),
        a(ami.DialBegin, 30.2, channel="PJSIP/8002-00000005", unique_id="5.0", linked_id="5.0",
          dest_channel="PJSIP/8003-00000001", dest_unique_id="5.1", dest_context="zuoxi-seats"),
        dial_end(33, "5.1", "ANSWER", "5.0"),
    ]  # fmt: skip
    tracker = a_tracker()
    events = told(
        tracker,
        *an_answered_call()[:-3],
        *consult,
        a(ami.BridgeEnter, 39, channel="PJSIP/8003-00000001", unique_id="5.1", linked_id=CALLER,
          bridge_unique_id="x"),
        hangup(39.1, "5.0"),
        of_agent(ami.AgentComplete, 39.1, "lab-1.2", "8002", reason="transfer"),
        hangup(39.1, "lab-1.2"),
        hangup(60, "5.1"),
        hangup(60, CALLER),
    )  # fmt: skip

    answers = of(events, CallAnswered)
    caller, own = call_id(PBX, BOOT, CALLER), call_id(PBX, BOOT, "5.0")
    assert [(e.member.interface, e.call, e.other) for e in answers] == [
        ("PJSIP/8002", caller, CALLER),
        ("PJSIP/8003", own, "5.0"),
        ("PJSIP/8003", caller, CALLER),
    ]
    assert [(e.call, e.other) for e in of(events, CallJoined)] == [(caller, own)]
    assert [e.call for e in of(events, CallEnded)] == [own, caller]
    assert tracker.live_calls() == ()


def test_a_masquerade_changes_a_name_and_not_who_it_is() -> None:
    tracker = a_tracker()
    told(tracker, rings_in(0))
    told(tracker, a(ami.Rename, 1, unique_id=CALLER, channel="x", new_name="PJSIP/other-00000009"))

    assert tracker.channels_of(call_id(PBX, BOOT, CALLER)) == ("PJSIP/other-00000009",)


@pytest.mark.parametrize(
    "kind",
    [
        k
        for k in vars(ami).values()
        if isinstance(k, type)
        and issubclass(k, ami.AmiMessage)
        and k.__name__[0] != "_"
        and k is not ami.AmiMessage
    ],
)
def test_a_message_without_any_value_tells_nothing_and_hurts_nobody(kind: Any) -> None:
    tracker = a_tracker()
    given = {"boot": BOOT} if "boot" in kind.__slots__ else {}

    assert told(tracker, a(kind, 0, **given)) == []
    assert told(tracker, *an_answered_call()[:1]) != [] or kind in (ami.SnapshotBegan, ami.LinkLost)


def test_two_thousand_calls_leave_nothing_behind() -> None:
    tracker = a_tracker()
    for n in range(2000):
        unique_id = f"lab-{n}.0"
        told(tracker, rings_in(n, unique_id), joins(n, "support", unique_id), hangup(n, unique_id))

    book = tracker._book
    assert book.calls == {}
    assert book._by_channel == {}
    assert len(tracker._settling) == 0
    assert len(book._ended) <= 20_000


# --- calls that move, over a restart of ours --------------------------------------------------------


def held_and_sent() -> list[ami.AmiMessage]:
    """1002 holds the caller, talks on, and sends him to 8003, where it rings."""
    return [
        *an_answered_call()[:-3],
        a(ami.Hold, 22, unique_id="lab-1.2", linked_id=CALLER),
        a(ami.Unhold, 25, unique_id="lab-1.2", linked_id=CALLER),
        a(ami.BlindTransfer, 30, result="Success", transferer_unique_id="lab-1.2",
          transferee_unique_id=CALLER, context="zuoxi-seats", extension="8003"),
        of_agent(ami.AgentComplete, 30, "lab-1.2", "8002", reason="transfer"),
        hangup(30.1, "lab-1.2"),
        leg(30.2, "lab-1.3", "8003"),
        a(ami.DialBegin, 30.3, channel="PJSIP/trunk-00000000", unique_id=CALLER, linked_id=CALLER,
          dest_channel="PJSIP/8003-00000001", dest_unique_id="lab-1.3", dest_context="zuoxi-seats"),
        dial_end(33, "lab-1.3", "ANSWER"),
        hangup(60, CALLER),
        hangup(60, "lab-1.3"),
    ]  # fmt: skip


def as_open(events: list[Event]) -> OpenCall:
    """The call as the records have it after these facts."""
    facts = Facts(events)  # type: ignore[arg-type]
    passes = tuple(dict.fromkeys(each.queue_pass for each in facts.of(CallQueued)))
    over = {each.queue_pass for each in facts.of(ConversationEnded)}
    gone = {each.unique_id for each in facts.of(LegEnded)}
    rung = {each.attempt for each in facts.of(OfferEnded)}
    answered = {each.leg for each in facts.of(CallAnswered)}
    talked = {each.leg for each in facts.of(ConversationEnded)}
    return OpenCall(
        call=facts.all[0].call,
        boot=BOOT,
        direction=Direction.INBOUND,
        last_seen_at=facts.all[-1].at,
        channels=tuple((each.unique_id, each.linked_id) for each in facts.of(LegStarted)),
        passes=passes,
        open_passes=tuple(each for each in passes if each not in over),
        attempts=max(each.attempt for each in facts.of(CallOffered)),
        legs=tuple(each for each in facts.of(LegStarted) if each.unique_id not in gone),
        rings=tuple(
            each
            for each in facts.of(CallOffered)
            if each.attempt not in rung and each.leg not in answered
        ),
        talks=tuple(each for each in facts.of(CallAnswered) if each.leg not in talked),
        facts=tuple(facts.all),
    )


@pytest.mark.parametrize("after", range(14, 22))
def test_a_restart_of_ours_neither_forgets_nor_doubles_a_hold_or_a_transfer(after: int) -> None:
    messages = held_and_sent()
    whole_story = told(a_tracker(), *messages)
    before = told(a_tracker(), *messages[:after])
    rest = told(a_tracker(open_calls=[as_open(before)]), *messages[after:])

    for kind in (CallHeld, CallResumed, TransferBegan, TransferEnded, CallAnswered):
        assert of([*before, *rest], kind) == of(whole_story, kind), kind
    (ended,) = of(whole_story, TransferEnded)
    assert (ended.nth, ended.result) == (1, TransferResult.SUCCEEDED)


def test_a_customer_s_own_hold_and_an_unhold_without_a_hold_tell_nothing() -> None:
    tracker = a_tracker()
    events = told(
        tracker,
        *an_answered_call()[:-3],
        a(ami.Hold, 22, unique_id=CALLER, linked_id=CALLER),
        a(ami.Unhold, 23, unique_id=CALLER, linked_id=CALLER),
        a(ami.Unhold, 24, unique_id="lab-1.2", linked_id=CALLER),
        a(ami.Hold, 25, unique_id="lab-9.9", linked_id="lab-9.9"),
    )

    assert (of(events, CallHeld), of(events, CallResumed)) == ([], [])


@pytest.mark.parametrize("result", ["Fail", "Invalid", "Not Permitted"])
def test_a_transfer_that_asterisk_does_not_do_has_failed_and_they_talk_on(result: str) -> None:
    events = told(
        a_tracker(),
        *an_answered_call()[:-3],
        a(ami.BlindTransfer, 30, result=result, transferer_unique_id="lab-1.2",
          transferee_unique_id=CALLER, extension="9999"),
    )  # fmt: skip

    (ended,) = of(events, TransferEnded)
    assert (ended.at, ended.result, ended.to_member) == (at(30), TransferResult.FAILED, None)
    assert of(events, ConversationEnded) == []
