"""Rows of `agent_states`, on both databases: each state from–to, whatever is written twice."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.access.devices import give_back, take_seat
from crm_core.access.viewer import viewer_of_user
from crm_core.agents.models import AgentStateRow
from crm_core.agents.queries import (
    known_agents,
    pause_reasons,
    seconds_per_state,
    states_between,
)
from crm_core.agents.records import StateWriter, fold
from crm_core.bus import MemoryBus
from crm_core.call_log.writer import CallWriter
from crm_core.centre.holders import HolderBook
from crm_core.centre.setup import import_setup
from crm_core.db import reading, transaction
from crm_core.events import AgentState, Event
from crm_core.ids import PbxId, UserId
from crm_core.recorder import Recorder
from tests.crm_core.agents.a_floor import (
    LI,
    T0,
    a_floor,
    answered,
    at,
    call,
    choose,
    offered,
    signed_out,
    talk_ended,
    tick,
)
from tests.crm_core.agents.test_any_order import shifts, work

S = AgentState

SETUP = """
pbx: lab
projects: [{name: 华东售后, default: true}]
queues: [{name: sales}]
seats: [{extension: "8001", secret: a-secret-of-8001}]
people:
  - {name: limin, full_name: 李敏, agent_number: "1001", roles: [agent], queues: [sales],
     password: korrekt-pferd-7}
"""

SHIFT = a_floor(
    offered(3),
    answered(5),
    (10, choose(S.PAUSED, "meal")),
    talk_ended(20),
    tick(50),
    (60, choose(S.READY)),
    signed_out(70),
)
"""Ready, ringing, talking, wrap-up, the meal chosen before, ready, gone."""


@pytest.fixture
async def furnished(engine: AsyncEngine) -> AsyncEngine:
    async with transaction(engine) as connection:
        await import_setup(connection, SETUP, now=T0)
    return engine


def events_of(told: Sequence[object]) -> list[Event]:
    return [one for one in told if isinstance(one, Event)]


async def rows_of(engine: AsyncEngine) -> list[tuple[object, ...]]:
    async with reading(engine) as connection:
        found = await connection.execute(select(AgentStateRow).order_by(AgentStateRow.began_at))
        return [tuple(row) for row in found]


async def test_shift_is_recorded_with_the_group_commits(furnished: AsyncEngine) -> None:
    bus = MemoryBus()
    recorder = Recorder(bus, furnished, HolderBook())
    for event in events_of(SHIFT.told):
        bus.publish(event)
    recorder.close()
    await recorder.run()
    async with reading(furnished) as connection:
        spans = await states_between(connection, [LI], at(0), at(1000))
    assert [(span.state, span.reason, span.began_at, span.ended_at) for span in spans] == [
        (S.READY, None, at(0), at(3)),
        (S.RINGING, None, at(3), at(5)),
        (S.TALKING, None, at(5), at(20)),
        (S.WRAP_UP, None, at(20), at(50)),
        (S.PAUSED, "meal", at(50), at(60)),
        (S.READY, None, at(60), at(70)),
        (S.OFFLINE, None, at(70), None),
    ]
    assert {span.call for span in spans[1:4]} == {call(1)}


async def test_batch_that_is_written_again_changes_nothing(furnished: AsyncEngine) -> None:
    events = events_of(SHIFT.told)
    async with transaction(furnished) as connection:
        await StateWriter().write(connection, events)
    once = await rows_of(furnished)
    for begin in range(len(events)):
        async with transaction(furnished) as connection:
            await StateWriter().write(connection, events[begin:])
        assert await rows_of(furnished) == once


async def test_batches_cut_anywhere_make_the_same_rows(furnished: AsyncEngine) -> None:
    events = events_of(SHIFT.told)
    async with transaction(furnished) as connection:
        await StateWriter().write(connection, events)
    once = await rows_of(furnished)
    async with transaction(furnished) as connection:
        await connection.execute(AgentStateRow.__table__.delete())
    for event in events:
        async with transaction(furnished) as connection:
            await StateWriter().write(connection, [event])
    assert await rows_of(furnished) == once


async def test_writer_that_remembers_writes_what_one_that_reads_does(
    furnished: AsyncEngine,
) -> None:
    events, writer = events_of(SHIFT.told), StateWriter()
    async with transaction(furnished) as connection:
        await StateWriter().write(connection, events)
    once = await rows_of(furnished)
    async with transaction(furnished) as connection:
        await connection.execute(AgentStateRow.__table__.delete())
    for event in events:
        async with transaction(furnished) as connection:
            await writer.write(connection, [event])
    assert await rows_of(furnished) == once


async def test_writer_whose_transaction_failed_reads_what_is_stored(
    furnished: AsyncEngine,
) -> None:
    (ready, *others), writer = events_of(SHIFT.told), CallWriter(HolderBook(), str)
    async with transaction(furnished) as connection:
        await writer.write(connection, [ready])
    with suppress(InterruptedError):
        async with transaction(furnished) as connection:
            await writer.write(connection, others)
            raise InterruptedError
    writer.forget()
    async with transaction(furnished) as connection:
        await writer.write(connection, others)
    found = [(row[1], row[2]) for row in await rows_of(furnished)]
    assert [end for _, end in found] == [*(begin for begin, _ in found[1:]), None]
    assert len(found) == 7


async def test_restart_is_told_who_is_there_and_what_was_chosen(furnished: AsyncEngine) -> None:
    async with transaction(furnished) as connection:
        viewer = await viewer_of_user(connection, LI)
        assert viewer is not None
        await take_seat(connection, viewer, pbx=PbxId("lab"), extension="8001", now=T0)
        until = next(n for n, one in enumerate(SHIFT.told) if getattr(one, "due_at", None)) + 1
        await StateWriter().write(connection, events_of(SHIFT.told[:until]))
    async with reading(furnished) as connection:
        (known,) = await known_agents(connection, PbxId("lab"))
    assert known.signed_in is not None
    assert (known.signed_in.at, known.signed_in.interface) == (T0, "PJSIP/8001")
    assert known.left_in is not None
    assert (known.left_in.state, known.left_in.due_at) == (S.WRAP_UP, at(50))
    assert (known.next_state, known.next_reason) == (S.PAUSED, "meal")
    async with transaction(furnished) as connection:
        await give_back(connection, viewer, now=at(30))
    async with reading(furnished) as connection:
        (known,) = await known_agents(connection, PbxId("lab"))
        assert await known_agents(connection, PbxId("elsewhere")) == ()
    assert known.signed_in is None


async def test_four_reasons_ship_and_their_words_are_the_glossarys(engine: AsyncEngine) -> None:
    async with reading(engine) as connection:
        found = await pause_reasons(connection)
    assert [(one.code, one.label_zh, one.label_en) for one in found] == [
        ("break", "小休", "Break"),
        ("meal", "用餐", "Meal"),
        ("training", "培训", "Training"),
        ("meeting", "会议", "Meeting"),
    ]


async def test_seconds_per_state_of_a_day_are_cut_at_its_edges(furnished: AsyncEngine) -> None:
    async with transaction(furnished) as connection:
        await StateWriter().write(connection, events_of(SHIFT.told))
    async with reading(furnished) as connection:
        spans = await states_between(connection, [LI], at(10), at(55))
    found = seconds_per_state(spans, at(10), at(55), now=at(1000))[UserId(1)]
    assert found == {
        (S.TALKING, None): 10,
        (S.WRAP_UP, None): 30,
        (S.PAUSED, "meal"): 5,
    }


@given(shifts(), st.data())
def test_rows_follow_each_other_without_a_gap_and_one_is_open(
    shift: list[object], data: st.DataObject
) -> None:
    floor = a_floor()
    work(floor, shift)  # type: ignore[arg-type]
    events = events_of(floor.told)
    rows = fold(events, {})  # type: ignore[arg-type]
    for row, following in itertools.pairwise(rows):
        assert row["ended_at"] == following["began_at"]
        assert row["began_at"] < following["began_at"]
    assert [row["ended_at"] for row in rows[-1:]] == [None]
    total = sum((row["ended_at"] - row["began_at"] for row in rows[:-1]), timedelta())
    assert total == rows[-1]["began_at"] - rows[0]["began_at"]
