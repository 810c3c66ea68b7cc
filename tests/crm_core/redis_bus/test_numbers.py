"""Numbers of tellers: heard once and in order, kept until safe; places of events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_core.beats import GONE_SECONDS, Beat, Beats
from crm_core.events import FeedHeard, Tick
from crm_core.ids import PbxId
from crm_core.redis_bus.kept import Kept
from crm_core.redis_bus.order import Order, Verdict
from crm_core.redis_bus.places import Places
from crm_core.redis_bus.wire import Told

PBX = PbxId("lab")


def a_tick(second: int = 0) -> Tick:
    return Tick(at=datetime(2026, 11, 24, tzinfo=UTC) + timedelta(seconds=second), pbx=PBX)


def told(number: int, kept_from: int = 1) -> Told:
    return Told(event=a_tick(number), number=number, kept_from=kept_from)


@given(st.data())
def test_the_records_hear_everything_once_in_order_whatever_is_lost_and_doubled(
    data: st.DataObject,
) -> None:
    kept, order, heard = Kept({Tick}), Order(whole=True), list[int]()

    def hear(one: Told) -> None:
        sent = Told(event=one.event, number=one.number, kept_from=min(kept.first, one.number))
        if order.judge("a", sent) is Verdict.HEAR:
            heard.append(one.number)

    for step in data.draw(st.lists(st.sampled_from(["tell", "lose", "again", "safe"]))):
        match step:
            case "tell":
                hear(kept.take(a_tick()))
            case "lose":
                kept.take(a_tick())
            case "again":
                for one in kept.again():
                    hear(one)
            case "safe":
                if heard:
                    kept.safe(heard[-1])
    for one in kept.again():
        hear(one)
    assert heard == list(range(1, kept.last + 1))


def test_everybody_else_goes_on_and_knows_that_something_was_missed() -> None:
    order = Order(whole=False)
    verdicts = [order.judge("a", told(number)) for number in (4, 5, 5, 9, 6, 10)]
    assert verdicts == [
        Verdict.HEAR, Verdict.HEAR, Verdict.KNOWN, Verdict.MISSED, Verdict.KNOWN, Verdict.HEAR,
    ]  # fmt: skip


def test_tellers_are_told_apart() -> None:
    order = Order(whole=True)
    assert [order.judge(by, told(1)) for by in "abab"] == [Verdict.HEAR] * 2 + [Verdict.KNOWN] * 2


def test_records_that_begin_anew_go_on_behind_what_is_safe() -> None:
    order = Order(whole=True)
    order.begin({"a": 7})
    assert order.judge("a", told(7)) is Verdict.KNOWN
    assert order.judge("a", told(9)) is Verdict.REFUSE
    assert order.judge("a", told(8)) is Verdict.HEAR


def test_only_what_the_records_write_is_a_loss() -> None:
    kept = Kept({FeedHeard}, keep=1)
    kept.take(a_tick(1))
    assert [kept.take(a_tick(second)).number for second in (2, 3)] == [0, 0]
    kept.safe(1)
    assert kept.confessions() == []


def test_what_an_event_missed_is_found_at_its_own_place_and_at_another_process() -> None:
    here = Places("here", "e")
    here.heard(1)
    first = here.put(a_tick(1))
    own = here.put_own(a_tick(2), number=1)
    here.heard(2)
    second = here.put(a_tick(3))
    here.heard(3)
    here.echoed(1)
    assert (first.seq, own.seq, second.seq) == ("e-1", "e-1.here.1", "e-2")
    assert here.since(own.seq) == [second]
    # Who comes from a process that had heard two entries has not heard ours, which came third there.
    assert here.since("e-2") == [own]
    assert here.since("e-1.there.5") == [own, second]
    assert here.since("e-3") == []


@pytest.mark.parametrize(
    "seq", ["e-4", "f-1", "e--1", "e-1e9", "e-٣", "e-1.", "e-99999999999999999999"]
)
def test_a_place_that_is_none_is_not_known(seq: str) -> None:
    here = Places("here", "e")
    here.begin("e", 2)
    here.heard(3)
    assert here.since(seq) is None


def test_a_service_that_misses_its_beats_does_not_serve() -> None:
    now = 0.0
    beats = Beats(lambda: now)
    beats.heard("one", Beat(service="routing"))
    beats.heard("two", Beat(service="routing", leads=False))
    leader = beats.leader("routing")
    assert leader is not None
    assert leader.process == "one"
    now = GONE_SECONDS
    assert beats.leader("routing") is None
    beats.heard("two", Beat(service="routing", leads=True))
    leader = beats.leader("routing")
    assert leader is not None
    assert leader.process == "two"
