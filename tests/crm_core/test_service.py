"""The records as a service: what telephony is told when it comes back, and the lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.access.models import User
from crm_core.bus import MemoryBus
from crm_core.centre.models import SeatHolding
from crm_core.commands import FeedPosition, FeedState, KnownBoot, KnownBoots, OpenCall, OpenCalls
from crm_core.db import engine_of, transaction
from crm_core.errors import SettingError
from crm_core.events import (
    AgentSignedIn,
    AttemptResult,
    BootFound,
    Direction,
    Feed,
    FeedAdvanced,
    FeedHeard,
    Member,
    Outcome,
)
from crm_core.ids import BootId, UserId
from crm_core.service import CrmCore
from crm_core.settings import Settings
from tests.crm_core.call_log.builders import BOOT, PBX, a_call, at, support
from tests.crm_core.calls_of_a_day import answered_call, as_call
from tests.crm_core.conftest import Cluster


@asynccontextmanager
async def a_running_core(engine: AsyncEngine) -> AsyncIterator[tuple[CrmCore, MemoryBus]]:
    bus = MemoryBus()
    core = CrmCore(bus, engine, Settings())
    await core.start()
    try:
        yield core, bus
    finally:
        await core.stop()


async def test_questions_are_answered_with_all_that_was_told_before(engine: AsyncEngine) -> None:
    async with a_running_core(engine) as (_, bus):
        bus.publish(BootFound(at=at(0), pbx=PBX, boot=BOOT, started_at=at(-9)))
        bus.publish(FeedAdvanced(at=at(1), pbx=PBX, feed=Feed.QUEUE_LOG, position="17"))
        bus.publish(FeedHeard(at=at(2), pbx=PBX, feed=Feed.QUEUE_LOG))
        assert await bus.ask(KnownBoots(pbx=PBX), 5) == (KnownBoot(boot=BOOT, started_at=at(-9)),)
        state = await bus.ask(FeedPosition(pbx=PBX, feed=Feed.QUEUE_LOG), 5)
        assert state == FeedState(position="17", heard_until=at(2))
        assert await bus.ask(FeedPosition(pbx=PBX, feed=Feed.AMI), 5) is None


async def test_boots_come_newest_last(engine: AsyncEngine) -> None:
    async with a_running_core(engine) as (_, bus):
        for began in (30, 10, 20):
            boot = BootId(f"b{began}")
            bus.publish(BootFound(at=at(40), pbx=PBX, boot=boot, started_at=at(began)))
        boots = await bus.ask(KnownBoots(pbx=PBX), 5) or ()
        assert [boot.boot for boot in boots] == ["b10", "b20", "b30"]


async def test_an_open_call_is_told_with_all_that_the_tracker_needs(engine: AsyncEngine) -> None:
    second = support(ordinal=2)
    story = (
        a_call()
        .started()
        .queued(1)
        .offered(2, "1001")
        .left(30)
        .queued(31, second)
        .offered(32, "1001", second)
        .offered(40, "1002", second)
    )
    async with a_running_core(engine) as (_, bus):
        for fact in (*story.facts, *as_call(answered_call(), 5)):
            bus.publish(fact)
        unique_id = support().unique_id
        calls: list[OpenCall] = list(await bus.ask(OpenCalls(pbx=PBX), 5) or [])
        [known] = calls
        assert (known.call, known.boot, known.direction) == (story.call, BOOT, Direction.INBOUND)
        assert known.last_seen_at == at(40)
        assert known.channels == ((unique_id, unique_id),)
        assert (known.passes, known.open_passes) == ((support(), second), (second,))
        assert known.attempts == 3
        assert [leg.unique_id for leg in known.legs] == [unique_id]
        assert [ring.attempt for ring in known.rings] == [1, 2, 3]
        assert known.talks == ()
        assert list(known.facts) == sorted(story.facts, key=lambda fact: fact.at)


async def test_of_an_open_call_only_what_goes_on_is_open(engine: AsyncEngine) -> None:
    missed = a_call().started().queued(1).offered(2, "1001")
    missed = missed.offer_ended(9, 1, "1001", AttemptResult.NO_ANSWER)
    talking = missed.offered(10, "1002").answered(12, "1002")
    async with a_running_core(engine) as (_, bus):
        for fact in talking.facts:
            bus.publish(fact)
        calls: list[OpenCall] = list(await bus.ask(OpenCalls(pbx=PBX), 5) or [])
        [known] = calls
        assert known.rings == ()
        assert [talk.member.name for talk in known.talks] == ["1002"]


async def test_a_pass_that_queue_log_closed_is_not_open(engine: AsyncEngine) -> None:
    story = a_call().started().queued(1).row_entered(1).row_closed(31, Outcome.TIMEOUT, 30)
    async with a_running_core(engine) as (_, bus):
        for fact in story.facts:
            bus.publish(fact)
        calls: list[OpenCall] = list(await bus.ask(OpenCalls(pbx=PBX), 5) or [])
        [call] = calls
        assert (call.passes, call.open_passes) == ((support(),), ())


async def test_who_held_what_is_known_from_the_tables_and_from_the_bus(
    engine: AsyncEngine,
) -> None:
    async with transaction(engine) as connection:
        await connection.execute(
            insert(User),
            [
                {
                    "id": 3,
                    "name": "wang",
                    "full_name": "王芳",
                    "agent_number": "1001",
                    "password_hash": "-",
                    "created_at": at(0),
                }
            ],
        )
        await connection.execute(
            insert(SeatHolding),
            [{"pbx": PBX, "interface": "PJSIP/8001", "user_id": 3, "began_at": at(0)}],
        )
    async with a_running_core(engine) as (core, bus):
        held = core.holders.holder(PBX, Member(interface="PJSIP/8001"), at(1))
        assert (held.user_id, held.name) == (3, "王芳")
        bus.publish(
            AgentSignedIn(
                at=at(10),
                pbx=PBX,
                user=UserId(4),
                agent_number="1004",
                name="赵",
                interface="PJSIP/8001",
                queues=(),
            )
        )
        assert core.holders.holder(PBX, Member(interface="PJSIP/8001"), at(11)).user_id == 4


async def test_stopping_writes_what_was_published_last(engine: AsyncEngine) -> None:
    async with a_running_core(engine) as (_, bus):
        for fact in answered_call().facts:
            bus.publish(fact)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM calls")) == 1


async def test_a_second_one_on_the_same_database_is_refused_with_what_to_do(
    engine: AsyncEngine, database_url: str
) -> None:
    second_engine = engine_of(database_url)
    async with a_running_core(engine) as (first, _):
        assert first.lease.held
        second = CrmCore(MemoryBus(), second_engine, Settings())
        with pytest.raises(SettingError, match=r"Another Zuoxi .*Stop that one first"):
            await second.start()
        await second.stop()
        assert first.lease.held
    async with a_running_core(second_engine) as (third, _):
        assert third.lease.held
    await second_engine.dispose()


async def test_a_late_fact_of_a_closed_call_does_not_open_it_again(engine: AsyncEngine) -> None:
    facts = answered_call().facts
    async with a_running_core(engine) as (_, bus):
        for fact in (*facts, replace(facts[2], at=at(2000))):
            bus.publish(fact)
        assert await bus.ask(OpenCalls(pbx=PBX), 5) == ()


@pytest.mark.postgresql
async def test_a_question_asked_while_the_database_is_away_is_answered_when_it_is_back(
    postgresql: Cluster, postgresql_url: str
) -> None:
    engine = engine_of(postgresql_url)
    async with a_running_core(engine) as (_, bus):
        await asyncio.to_thread(postgresql.go_away, postgresql_url)
        try:
            bus.publish(BootFound(at=at(0), pbx=PBX, boot=BOOT, started_at=at(0)))
            assert await bus.ask(KnownBoots(pbx=PBX), 0.3) is None
            asked = asyncio.create_task(bus.ask(KnownBoots(pbx=PBX), 20))
        finally:
            await asyncio.to_thread(postgresql.come_back, postgresql_url)
        assert await asked == (KnownBoot(boot=BOOT, started_at=at(0)),)
    await engine.dispose()
