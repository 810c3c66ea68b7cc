"""The day of a queue, folded from facts, is what its rows say: at every moment, in any order told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.bus import MemoryBus
from crm_core.call_log.timeline import CallRecord, record
from crm_core.centre.holders import HolderBook
from crm_core.db import reading
from crm_core.events import Event, Outcome, TimelineEvent
from crm_core.ids import QueuePassKey
from crm_core.live_board.day_rows import passes_since
from crm_core.live_board.queue_day import (
    KINDS,
    NOTHING_YET,
    PassKind,
    PassRow,
    QueueCounts,
    QueueDay,
    added,
)
from crm_core.recorder import Recorder
from tests.crm_core.call_log.builders import CALLER, PBX, T0, Story, a_call, at

ENDS = (*Outcome, None, *(Outcome.ANSWERED for _ in Outcome))
"""Answered as often as all others together: it has most to get wrong."""


def key(queue: str, ordinal: int) -> QueuePassKey:
    return QueuePassKey(unique_id=CALLER, queue=queue, ordinal=ordinal)


@st.composite
def calls(draw: st.DrawFn) -> Story:
    """A caller who goes through one to three queues; either feed may have been deaf all the while."""
    ami = draw(st.booleans())
    log = draw(st.booleans()) if ami else True
    story, now, entries = a_call().started(), 0.4, {"support": 0, "vip": 0}
    for _ in range(draw(st.integers(1, 3))):
        queue = draw(st.sampled_from(("support", "vip")))
        entries[queue] += 1
        outcome = draw(st.sampled_from(ENDS))
        # Around the 20 s of the service level, where the feeds' seconds differ.
        waits = draw(st.sampled_from((3, 19, 20, 21, 45))) + draw(st.sampled_from((0.1, 0.9)))
        now = _a_pass(story, key(queue, entries[queue]), now, waits, outcome, ami, log)
        if outcome is None:
            break
    return story


def _a_pass(
    story: Story,
    pass_key: QueuePassKey,
    entered: float,
    waits: float,
    outcome: Outcome | None,
    ami: bool,
    log: bool,
) -> float:
    over = entered + waits
    if ami:
        story.queued(entered, pass_key)
    if log:
        story.row_entered(int(entered), pass_key)
    if outcome is Outcome.ANSWERED:
        if ami:
            story.answered(over, "1001", pass_key)
            story.talked_until(over + 30, "1001", key=pass_key)
        if log:
            wait = int(over) - int(entered)
            # The closing row's figure is the one that counts, should the two ever differ.
            story.row_connected(int(over), "1001", wait + 1, pass_key)
            story.row_closed(int(over) + 30, outcome, wait, 30, "1001", pass_key)
        return over + 60
    if ami and outcome is not None:
        story.left(over, pass_key)
    if log and outcome is not None:
        told = int(waits) if outcome is not Outcome.UNKNOWN_END else None
        story.row_closed(int(over), outcome, told, key=pass_key)
    return over + 60


def by_rows(found: Iterable[CallRecord], queue: str) -> QueueCounts:
    """Counted the plain way, pass by pass, as an auditor would."""
    days = []
    for each in found:
        for one in each.passes:
            if one.queue != queue:
                continue
            answered = one.outcome is None and one.answered_at is not None
            kind = PassKind.ANSWERED if answered else PassKind.OPEN
            if one.outcome is not None:
                kind = KINDS[one.outcome]
            in_time = one.wait_seconds is not None and one.wait_seconds <= 20
            within = int(kind is PassKind.ANSWERED and in_time)
            days.append(QueueCounts(offered=1, within=within, **{kind.value: 1}))
    return added(days)


def folded(facts: Sequence[Event]) -> QueueDay:
    day = QueueDay(began_at=T0 - timedelta(hours=10))
    for fact in facts:
        day.feed(fact)
    return day


@given(calls(), st.data())
def test_at_every_moment_the_fold_is_what_the_rows_would_say(
    story: Story, data: st.DataObject
) -> None:
    told = story.facts[: data.draw(st.integers(2, len(story.facts)))]
    for queue in ("support", "vip"):
        assert folded(told).of(PBX, queue) == by_rows([record(told)], queue)


@given(calls(), st.data())
def test_what_is_told_twice_or_late_changes_nothing(story: Story, data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(story.facts), max_size=5))
    once, twice = folded(story.facts), folded([*story.facts, *again])
    for queue in ("support", "vip"):
        assert once.of(PBX, queue) == twice.of(PBX, queue)


@given(calls(), st.integers(0, 30))
def test_beginning_with_rows_and_going_on_with_facts_is_the_same_as_facts_alone(
    story: Story, cut: int
) -> None:
    """Some of the facts are told again: whoever reads rows cannot know which are in them."""
    cut = max(2, min(cut, len(story.facts)))
    day = QueueDay(began_at=T0)
    day.begin(T0, rows_of(story.facts[:cut]))
    for fact in story.facts[max(0, cut - 3) :]:
        day.feed(fact)
    for queue in ("support", "vip"):
        assert day.of(PBX, queue) == by_rows([record(story.facts)], queue)


@given(calls())
def test_offered_is_the_sum_of_how_it_ended(story: Story) -> None:
    for queue in ("support", "vip"):
        day = folded(story.facts).of(PBX, queue)
        parts = (
            day.answered,
            day.abandoned,
            day.overflowed,
            day.withdrawn,
            day.otherwise,
            day.open,
        )
        assert day.offered == sum(parts)
        assert 0 <= day.within <= day.answered


def rows_of(facts: Sequence[TimelineEvent]) -> list[PassRow]:
    return [
        PassRow(
            pbx=PBX,
            queue_pass=key(one.queue, one.ordinal),
            entered_at=one.entered_at,
            answered_at=one.answered_at,
            outcome=one.outcome,
            wait_seconds=one.wait_seconds,
        )
        for one in record(facts).passes
    ]


def test_a_caller_who_gave_up_is_abandoned_only_once_queue_log_says_so() -> None:
    story = a_call().started().queued(0.1).left(9.0)
    assert folded(story.facts).of(PBX, "support") == QueueCounts(offered=1, open=1)
    story.row_closed(9, Outcome.TIMEOUT, 9)
    assert folded(story.facts).of(PBX, "support") == QueueCounts(offered=1, overflowed=1)


def test_service_level_is_answered_in_time_of_all_offered() -> None:
    day = QueueCounts(offered=4, answered=3, within=2, abandoned=1)
    assert (day.service_level, day.answer_rate, day.abandon_rate) == (0.5, 0.75, 0.25)
    assert (NOTHING_YET.service_level, NOTHING_YET.answer_rate) == (None, None)


def test_a_pass_of_yesterday_that_closes_today_counts_for_neither() -> None:
    story = a_call().started().queued(1.0).answered(30.0, "1001")
    day = QueueDay(began_at=T0)
    day.begin(at(10), rows_of(story.facts))
    day.feed(story.row_closed(60, Outcome.ANSWERED, 29, 30, "1001").facts[-1])
    assert day.of(PBX, "support") == NOTHING_YET


async def test_the_rows_that_a_day_begins_with_are_those_the_recorder_wrote(
    engine: AsyncEngine,
) -> None:
    bus = MemoryBus()
    recorder = Recorder(bus, engine, HolderBook())
    story = (
        a_call()
        .started()
        .queued(0.4)
        .row_entered(0)
        .row_closed(9, Outcome.ABANDONED, 9)
        .queued(60.0, key("vip", 1))
        .row_entered(60, key("vip", 1))
        .answered(65.0, "1001", key("vip", 1))
    )
    for fact in story.facts:
        bus.publish(fact)
    recorder.close()
    await recorder.run()
    async with reading(engine) as connection:
        today, later = await passes_since(connection, T0), await passes_since(connection, at(50))
        next_day = await passes_since(connection, at(100))
    day = QueueDay(began_at=T0)
    day.begin(T0, today)
    assert day.of(PBX, "support") == QueueCounts(offered=1, abandoned=1)
    assert day.of(PBX, "vip") == QueueCounts(offered=1, answered=1, within=1)
    # The one that has an outcome is done with; the open one may still close.
    assert {row.queue_pass.queue for row in later} == {"vip"}
    assert [row.outcome for row in next_day] == [None]


def test_the_closing_row_says_how_long_it_waited_whatever_a_row_made_of_ami_alone_said() -> None:
    story = a_call().started().queued(0.1).answered(21.3, "1001").talked_until(51.0, "1001")
    day = QueueDay(began_at=T0)
    day.begin(T0, rows_of(story.facts))
    assert day.of(PBX, "support").within == 0
    for fact in story.row_closed(51, Outcome.ANSWERED, 20, 30, "1001").facts:
        day.feed(fact)
    assert day.of(PBX, "support").within == 1
