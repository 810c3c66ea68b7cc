"""Whatever is lost, doubled or late: nothing raises, nothing comes back from its end."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from crm_core.call_log.joining import whole
from crm_core.call_log.records import CallRecord
from crm_core.call_log.timeline import record
from crm_core.events import (
    CallAnswered,
    CallEnded,
    CallEvent,
    CallHeld,
    CallLeftQueue,
    CallOffered,
    CallQueued,
    CallResumed,
    CallStarted,
    ConversationEnded,
    Event,
    LegEnded,
    LegStarted,
    OfferEnded,
    TimelineEvent,
    TransferBegan,
    TransferEnded,
)
from crm_core.ids import CallId
from telephony.ami import messages as ami
from telephony.calls.tracker import CallTracker
from telephony.service import OUR_CONTEXTS
from tests.golden import messages_of, stories
from tests.telephony.calls.builders import (
    BOOT,
    PBX,
    abandons,
    an_answered_call,
    began,
    ended,
    hangup,
    joins,
    leaves,
    leg,
    of_agent,
    rings_in,
)

HISTORIES: list[list[ami.AmiMessage]] = [
    *[messages_of(story) for story in stories()],
    an_answered_call(),
    [
        *an_answered_call()[:8],
        began(16.4),
        ended(16.5),
        rings_in(17, "lab-7.0"),
        joins(17.1, "night", "lab-7.0"),
        abandons(18, "night", "lab-7.0"),
        leaves(18, "night", "lab-7.0"),
        joins(18.1, "support", "lab-7.0"),
        leg(18.2, "lab-7.1", "8002", "lab-7.0"),
        of_agent(ami.AgentCalled, 18.2, "lab-7.1", "8002", unique_id="lab-7.0"),
        began(19, "b2"),
        ended(19.1, "b2"),
        rings_in(20, "lab-7.0"),
        hangup(21, "lab-7.0"),
    ],
]


@st.composite
def disturbed(draw: st.DrawFn) -> list[ami.AmiMessage]:
    """A history with some messages dropped, doubled or moved."""
    messages = list(draw(st.sampled_from(HISTORIES)))
    for _ in range(draw(st.integers(0, 12))):
        if not messages:
            break
        place = draw(st.integers(0, len(messages) - 1))
        what = draw(st.sampled_from(["drop", "double", "move"]))
        message = messages[place]
        if what != "double":
            del messages[place]
        if what != "drop":
            messages.insert(draw(st.integers(0, len(messages))), message)
    return messages


def facts(messages: list[ami.AmiMessage]) -> list[Event]:
    tracker = CallTracker(PBX, BOOT, names=OUR_CONTEXTS)
    return [event for message in messages for event in tracker.feed(message)]


@settings(max_examples=600, deadline=None)
@given(disturbed())
def test_a_disturbed_history_is_still_a_sane_one(messages: list[ami.AmiMessage]) -> None:
    told = facts(messages)

    for call in {event.call for event in told if isinstance(event, CallEvent)}:
        of_call = [event for event in told if isinstance(event, CallEvent) and event.call == call]
        names = [type(event) for event in of_call]
        assert names[0] is CallStarted
        assert names.count(CallStarted) == 1
        assert names.count(CallEnded) <= 1
        if CallEnded in names:
            assert names[-1] is CallEnded  # nothing takes a call back from its end
        assert_rings_end_once(of_call)
        assert_passes_end_once(of_call)
        assert_legs_end_once(of_call)
        assert_holds_alternate(of_call)
        assert_transfers_end_once(of_call)
    of_calls = by_call(told)
    for whole_call in whole(of_calls).values():
        assert_seconds_are_sane(record(whole_call))


def assert_rings_end_once(of_call: list[CallEvent]) -> None:
    rung: set[int] = set()
    over: set[int] = set()
    for event in of_call:
        if isinstance(event, CallOffered):
            assert event.attempt not in rung
            rung.add(event.attempt)
        elif isinstance(event, OfferEnded):
            assert event.attempt in rung
            assert event.attempt not in over
            over.add(event.attempt)
    if of_call and isinstance(of_call[-1], CallEnded):
        answers = sum(isinstance(event, CallAnswered) for event in of_call)
        assert len(rung) - len(over) <= answers  # each ring ended, or was answered


def assert_passes_end_once(of_call: list[CallEvent]) -> None:
    entered = [event.queue_pass for event in of_call if isinstance(event, CallQueued)]
    assert len(entered) == len(set(entered))
    counts: dict[type[CallEvent], Counter[object]] = {
        kind: Counter(
            event.queue_pass
            for event in of_call
            if isinstance(event, kind) and event.queue_pass is not None
        )
        for kind in (CallAnswered, CallLeftQueue, ConversationEnded)
    }
    over = isinstance(of_call[-1], CallEnded)
    for key in entered:
        answered, left = counts[CallAnswered][key], counts[CallLeftQueue][key]
        assert answered + left <= 1
        assert counts[ConversationEnded][key] <= answered
        if over:
            assert answered + left == 1
            assert counts[ConversationEnded][key] == answered


def assert_legs_end_once(of_call: list[CallEvent]) -> None:
    started = [event.unique_id for event in of_call if isinstance(event, LegStarted)]
    gone = [event.unique_id for event in of_call if isinstance(event, LegEnded)]
    assert len(started) == len(set(started))
    assert len(gone) == len(set(gone))
    assert set(gone) <= set(started)


def assert_holds_alternate(of_call: list[CallEvent]) -> None:
    held: set[str] = set()
    for event in of_call:
        if isinstance(event, CallHeld):
            assert event.leg not in held
            held.add(event.leg)
        elif isinstance(event, CallResumed):
            held.remove(event.leg)
        elif isinstance(event, LegEnded):
            held.discard(event.unique_id)


def assert_transfers_end_once(of_call: list[CallEvent]) -> None:
    under_way: int | None = None
    begun = 0
    for event in of_call:
        if isinstance(event, TransferBegan):
            assert under_way is None  # nobody is sent to two places at once
            begun += 1
            under_way = event.nth
            assert under_way == begun
        elif isinstance(event, TransferEnded):
            assert event.nth == under_way
            under_way = None
    if isinstance(of_call[-1], CallEnded) and of_call[-1].seen:
        assert under_way is None


def by_call(told: list[Event]) -> dict[CallId, list[TimelineEvent]]:
    found: dict[CallId, list[TimelineEvent]] = {}
    for event in told:
        if isinstance(event, CallEvent):
            found.setdefault(event.call, []).append(event)  # type: ignore[arg-type]
    return found


def assert_seconds_are_sane(call: CallRecord) -> None:
    """No leg rings, talks and holds longer than it lives (a second for each figure's rounding)."""
    for one in call.legs:
        known = [one.ring_seconds or 0, one.talk_seconds or 0, one.hold_seconds or 0]
        assert min(known) >= 0
        if one.ended_at is not None and one.ended_at >= one.started_at:
            life = (one.ended_at - one.started_at).total_seconds()
            assert sum(known) <= life + len(known)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(HISTORIES), st.data())
def test_doubled_messages_tell_nothing_new(
    messages: list[ami.AmiMessage], data: st.DataObject
) -> None:
    doubled = [
        each
        for message in messages
        for each in [message] * data.draw(st.sampled_from([1, 1, 1, 2]), "times")
    ]

    assert facts(doubled) == facts(messages)
