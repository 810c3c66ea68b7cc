"""The recorder against real databases: whatever happens to it, the rows are the same in the end."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.access.models import User
from crm_core.bus import MemoryBus
from crm_core.call_log.models import (
    Boot,
    Call,
    CallAlias,
    CallEventRow,
    FeedRow,
    Gap,
    Leg,
    OfferAttempt,
    QueuePass,
    Transfer,
)
from crm_core.centre.holders import HolderBook
from crm_core.centre.models import Hotline, Project, Queue
from crm_core.customers.models import Customer, PhoneNumber
from crm_core.db import engine_of, reading, transaction
from crm_core.events import (
    AgentSignedIn,
    BootFound,
    CallOffered,
    CallPlaced,
    CallStarted,
    Direction,
    Event,
    Feed,
    FeedAdvanced,
    FeedHeard,
    FromQueueLog,
    GapRecorded,
    Member,
    OfferEnded,
    PassEntered,
    QueueMemberSeen,
    TimelineEvent,
)
from crm_core.ids import BootId, PbxId, QueuePassKey, UserId, call_id
from crm_core.recorder import BATCH, Recorder
from tests.crm_core.call_log.builders import BOOT, PBX, at
from tests.crm_core.calls_of_a_day import (
    a_day,
    abandoned_call,
    answered_call,
    as_call,
    call_of_two_queues,
)
from tests.crm_core.conftest import Cluster

TABLES = (
    *(CallEventRow, QueuePass, OfferAttempt, Leg, Transfer, CallAlias, Call),
    *(FeedRow, Boot, Gap),
)


class Running:
    """A recorder at work on a bus of its own."""

    def __init__(self, engine: AsyncEngine, **options: Any) -> None:
        self.bus, self.holders = MemoryBus(), HolderBook()
        options.setdefault("window", 0.001)
        options.setdefault("normalised", lambda raw: raw)
        self.recorder = Recorder(self.bus, engine, self.holders, **options)
        self.task = asyncio.create_task(self.recorder.run())

    def publish(self, events: Sequence[Event]) -> None:
        for each in events:
            self.holders.feed(each)
            self.bus.publish(each)

    async def record(self, events: Sequence[Event]) -> None:
        self.publish(events)
        await self.recorder.drain()

    async def stop(self) -> None:
        self.recorder.close()
        await self.task

    async def kill(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    async def until(self, is_so: Callable[[], object], seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            while not is_so():  # noqa: ASYNC110  the recorder tells nobody
                await asyncio.sleep(0.005)

    async def trouble(self) -> str:
        await self.until(lambda: self.recorder.trouble)
        assert self.recorder.trouble is not None
        return self.recorder.trouble


@asynccontextmanager
async def a_recorder(engine: AsyncEngine, **options: Any) -> AsyncIterator[Running]:
    running = Running(engine, **options)
    try:
        yield running
        await running.stop()
    finally:
        running.task.cancel()


Rows = dict[str, list[tuple[Any, ...]]]


async def rows_in(engine: AsyncEngine) -> Rows:
    """Everything the recorder writes, comparable."""
    found: Rows = {}
    async with reading(engine) as connection:
        for table in TABLES:
            rows = await connection.execute(select(table.__table__))
            without_id = [tuple(row._mapping[k] for k in row._mapping if k != "id") for row in rows]
            found[table.__tablename__] = sorted(without_id, key=repr)
    return found


async def emptied(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        for table in TABLES:
            await connection.execute(delete(table))


async def only(engine: AsyncEngine, table: type[Any]) -> Any:
    async with reading(engine) as connection:
        return (await connection.execute(select(table.__table__))).one()


async def add(engine: AsyncEngine, table: type[Any], **values: Any) -> None:
    async with transaction(engine) as connection:
        await connection.execute(insert(table), [values])


async def add_number(engine: AsyncEngine, customer_id: int, number: str) -> None:
    await add(
        engine,
        PhoneNumber,
        customer_id=customer_id,
        number=number,
        raw=number,
        digits_reversed=number[::-1],
    )


async def a_centre(engine: AsyncEngine) -> None:
    """Two projects; a hotline and a queue of the second; an agent."""
    await add(engine, Project, id=1, name="Own", is_default=True)
    await add(engine, Project, id=2, name="Water works")
    queue = {
        "strategy": "rrmemory",
        "ring_seconds": 15,
        "max_wait_seconds": 300,
        "wrap_up_seconds": 30,
    }
    await add(engine, Queue, id=7, pbx=PBX, name="support", title="Support", project_id=2, **queue)
    await add(engine, Hotline, id=5, pbx=PBX, number="4001", name="Hotline", project_id=2)
    await add(
        engine,
        User,
        id=3,
        name="wang",
        full_name="王芳",
        agent_number="1001",
        password_hash="-",
        created_at=at(0),
    )


# --- the rows of a call ---------------------------------------------------------------------------


async def test_an_answered_call_is_one_call_one_pass_one_ring_one_leg(engine: AsyncEngine) -> None:
    await a_centre(engine)
    async with a_recorder(engine) as running:
        signed_in = AgentSignedIn(
            at=at(-60),
            pbx=PBX,
            user=UserId(3),
            agent_number="1001",
            name="王芳",
            interface="PJSIP/8001",
            queues=("support",),
        )
        await running.record([signed_in, *answered_call().facts])
    call = await only(engine, Call)
    assert (call.project_id, call.hotline_id, call.customer_number) == (2, 5, "13800138000")
    assert (call.user_id, call.agent_number, call.interface) == (3, "1001", "PJSIP/8001")
    assert (call.outcome, call.talk_seconds, call.confidence) == ("answered", 60, "complete")
    assert (call.started_at, call.answered_at, call.ended_at) == (at(0), at(5), at(66))
    stay = await only(engine, QueuePass)
    assert (stay.queue_id, stay.user_id, stay.wait_seconds, stay.talk_seconds) == (7, 3, 4, 60)
    ring = await only(engine, OfferAttempt)
    assert (ring.user_id, ring.result, ring.offered_at) == (3, "answered", at(2))
    assert (await only(engine, Leg)).party == "customer"


async def test_a_call_of_nobody_goes_to_the_default_project(engine: AsyncEngine) -> None:
    await a_centre(engine)
    lost = CallStarted(
        at=at(0),
        pbx=PBX,
        call=call_id(PBX, BOOT, "x"),
        boot=BOOT,
        unique_id="x",
        direction=Direction.INBOUND,
        caller_number=None,
        called_number="777",
    )
    async with a_recorder(engine) as running:
        await running.record([lost])
    call = await only(engine, Call)
    assert (call.project_id, call.hotline_id, call.customer_number) == (1, None, None)


async def test_an_outbound_call_belongs_to_whom_it_was_placed_to(engine: AsyncEngine) -> None:
    await a_centre(engine)
    await add(engine, Customer, id=9, name="李", created_at=at(0), changed_at=at(0))
    await add_number(engine, 9, "13900139000")
    call = call_id(PBX, BOOT, "out")
    facts: list[Event] = [
        CallStarted(
            at=at(0),
            pbx=PBX,
            call=call,
            boot=BOOT,
            unique_id="out",
            direction=Direction.OUTBOUND,
            caller_number="8001",
        ),
        CallPlaced(
            at=at(1),
            pbx=PBX,
            call=call,
            member=Member(interface="PJSIP/8001", name="1001"),
            called_number="13900139000",
        ),
    ]
    async with a_recorder(engine) as running:
        running.holders.feed(
            AgentSignedIn(
                at=at(-1),
                pbx=PBX,
                user=UserId(3),
                agent_number="1001",
                name="王芳",
                interface="PJSIP/8001",
                queues=(),
            )
        )
        await running.record(facts)
    row = await only(engine, Call)
    assert (row.customer_number, row.customer_id) == ("13900139000", 9)
    assert (row.caller_number, row.user_id) == ("8001", 3)


async def test_a_number_of_two_customers_names_neither(engine: AsyncEngine) -> None:
    for number in (1, 2):
        await add(engine, Customer, id=number, name="X", created_at=at(0), changed_at=at(0))
        await add_number(engine, number, "13800138000")
    async with a_recorder(engine) as running:
        await running.record(answered_call().facts)
    assert (await only(engine, Call)).customer_id is None


async def test_a_customer_chosen_by_a_person_is_not_taken_back(engine: AsyncEngine) -> None:
    for number in (1, 2):
        await add(engine, Customer, id=number, name="X", created_at=at(0), changed_at=at(0))
        await add_number(engine, number, "13800138000")
    facts = answered_call().facts
    async with a_recorder(engine) as running:
        await running.record(facts[:8])
        async with transaction(engine) as connection:
            await connection.execute(text("UPDATE calls SET customer_id = 2"))
        await running.record(facts[8:])
    call = await only(engine, Call)
    assert (call.customer_id, call.ended_at) == (2, at(66))


async def test_texts_of_a_hostile_caller_are_cut_to_their_columns(engine: AsyncEngine) -> None:
    long = CallStarted(
        at=at(0),
        pbx=PBX,
        call=call_id(PBX, BOOT, "x"),
        boot=BOOT,
        unique_id="x",
        direction=Direction.INBOUND,
        caller_number="9" * 500,
        caller_name="名" * 500,
    )
    async with a_recorder(engine) as running:
        await running.record([long])
        assert running.recorder.refused == 0
    call = await only(engine, Call)
    assert (len(call.caller_number_raw), len(call.caller_name)) == (128, 128)


async def test_a_fact_that_cannot_be_stored_costs_no_other_fact(engine: AsyncEngine) -> None:
    bad = CallStarted(
        at=at(0),
        pbx=PBX,
        call=call_id(PBX, BOOT, "x"),
        boot=BOOT,
        unique_id="x",
        direction=Direction.INBOUND,
        caller_number="\ud800",
    )
    facts = answered_call().facts
    async with a_recorder(engine) as running:
        await running.record([*facts[:5], bad, *facts[5:]])
        assert running.recorder.refused == 1
    assert (await only(engine, Call)).ended_at == at(66)


# --- what the feeds say about themselves ----------------------------------------------------------


async def test_a_boot_ends_when_the_next_one_begins_in_whatever_order_they_are_found(
    engine: AsyncEngine,
) -> None:
    boots = [
        BootFound(at=at(n), pbx=PbxId(pbx), boot=BootId(f"b{n}"), started_at=at(n))
        for n, pbx in [(30, "lab"), (10, "lab"), (20, "other"), (20, "lab"), (10, "lab")]
    ]
    async with a_recorder(engine) as running:
        await running.record(boots)
    async with reading(engine) as connection:
        rows = await connection.execute(
            select(Boot.started_at, Boot.ended_at).where(Boot.pbx == "lab").order_by(Boot.boot)
        )
    assert [tuple(row) for row in rows] == [
        (at(10), at(20)),
        (at(20), at(30)),
        (at(30), None),
    ]


async def test_a_feed_keeps_position_and_heard_until_apart(engine: AsyncEngine) -> None:
    async with a_recorder(engine) as running:
        await running.record(
            [
                FeedAdvanced(at=at(1), pbx=PBX, feed=Feed.QUEUE_LOG, position="10"),
                FeedHeard(at=at(2), pbx=PBX, feed=Feed.QUEUE_LOG),
                FeedAdvanced(at=at(3), pbx=PBX, feed=Feed.QUEUE_LOG, position="20"),
                FeedHeard(at=at(4), pbx=PBX, feed=Feed.AMI),
            ]
        )
    assert (await rows_in(engine))["feeds"] == sorted(
        [(PBX, "ami", None, at(4)), (PBX, "queue_log", "20", at(2))], key=repr
    )


async def test_a_gap_told_twice_is_one_gap(engine: AsyncEngine) -> None:
    gap = GapRecorded(at=at(9), pbx=PBX, began_at=at(5), boot_changed=False, reason="link lost")
    async with a_recorder(engine) as running:
        await running.record([gap])
        await running.record([gap])
    assert (await rows_in(engine))["gaps"] == [(PBX, at(5), at(9), False, 0, "link lost", "ami")]


async def test_recorded_until_follows_events_that_leave_no_row(engine: AsyncEngine) -> None:
    async with a_recorder(engine) as running:
        await running.record(
            [QueueMemberSeen(at=at(0), pbx=PBX, queue="q", member=Member(), paused=False)]
        )
        assert running.recorder.recorded_until == running.bus.seq


# --- order, doubles, batches, kills ---------------------------------------------------------------

DAY = a_day()


async def recorded(engine: AsyncEngine, batches: Sequence[Sequence[Event]]) -> Rows:
    await emptied(engine)
    async with a_recorder(engine) as running:
        for batch in batches:
            await running.record(batch)
    return await rows_in(engine)


def cut(events: Sequence[Event], places: Sequence[int]) -> list[Sequence[Event]]:
    edges = [0, *sorted({place % (len(events) + 1) for place in places}), len(events)]
    return [events[begin:end] for begin, end in pairwise(edges)]


COMMON = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@COMMON
@given(
    order=st.permutations(DAY),
    doubled=st.lists(st.sampled_from(DAY), max_size=12),
    places=st.lists(st.integers(min_value=0, max_value=200), max_size=6),
)
def test_order_doubles_and_batches_change_no_row(
    database_url: str, order: list[Event], doubled: list[Event], places: list[int]
) -> None:
    async def run() -> tuple[Rows, Rows]:
        engine = engine_of(database_url)
        try:
            calls = [fact for fact in order if isinstance(fact, TimelineEvent)]
            again = [fact for fact in doubled if isinstance(fact, TimelineEvent)]
            plain = [fact for fact in DAY if isinstance(fact, TimelineEvent)]
            return (
                await recorded(engine, cut([*calls, *again], places)),
                await recorded(engine, [plain]),
            )
        finally:
            await engine.dispose()

    mixed, plain = asyncio.run(run())
    assert mixed == plain


@COMMON
@given(
    killed_at=st.integers(min_value=0, max_value=len(DAY)),
    places=st.lists(st.integers(min_value=0, max_value=200), max_size=6),
    breaths=st.integers(min_value=0, max_value=40),
)
def test_a_recorder_killed_at_any_moment_is_made_good_by_the_next(
    database_url: str, killed_at: int, places: list[int], breaths: int
) -> None:
    async def run() -> tuple[Rows, Rows]:
        engine = engine_of(database_url)
        try:
            await emptied(engine)
            first = Running(engine, window=0)
            for batch in cut(DAY[:killed_at], places):
                first.publish(batch)
                for _ in range(breaths):  # so that the blow falls before, during or after a commit
                    await asyncio.sleep(0)
            await first.kill()
            await engine.dispose()
            await assert_position_is_covered(engine)
            async with a_recorder(engine) as second:
                await second.record(DAY)
            return await rows_in(engine), await recorded(engine, [DAY])
        finally:
            await engine.dispose()

    after_kill, plain = asyncio.run(run())
    assert after_kill == plain


async def assert_position_is_covered(engine: AsyncEngine) -> None:
    """All queue_log facts before the stored position are in the timeline."""
    async with reading(engine) as connection:
        position = await connection.scalar(
            select(FeedRow.position).where(FeedRow.feed == Feed.QUEUE_LOG)
        )
        found = await connection.execute(select(CallEventRow.call_id, CallEventRow.kind))
        stored = [tuple(row) for row in found]
    covered = [e for e in DAY[: int(position or 0)] if isinstance(e, FromQueueLog)]
    for fact in covered:
        assert (fact.call, type(fact).__name__) in stored


async def test_a_kill_never_parts_a_piece_of_queue_log_from_its_position(sqlite_url: str) -> None:
    """Rows that are stored without their position are told again by the next start: twice."""
    engine = engine_of(sqlite_url)
    told = [
        PassEntered(
            at=at(nth),
            pbx=PBX,
            call=call_id(PBX, BOOT, f"1.{nth}"),
            boot=BOOT,
            queue_pass=QueuePassKey(unique_id=f"1.{nth}", queue="support"),
            caller_number=None,
        )
        for nth in range(BATCH + 200)
    ]
    running = Running(engine)
    running.publish(
        [*told, FeedAdvanced(at=at(9_000), pbx=PBX, feed=Feed.QUEUE_LOG, position="1:2:3")]
    )
    await running.until(lambda: running.recorder.recorded_until, seconds=20)  # the first commit
    await running.kill()
    rows = await rows_in(engine)
    await engine.dispose()
    assert len(rows["call_events"]) == len(told)
    assert [row[2] for row in rows["feeds"]] == ["1:2:3"]


@pytest.mark.parametrize("restarted", [False, True], ids=["in memory", "after a restart"])
async def test_a_row_that_later_facts_make_another_one_is_not_left_behind(
    engine: AsyncEngine, *, restarted: bool
) -> None:
    """A ring that only `queue_log` had told gets its number from AMI."""
    facts = [
        replace(fact, attempt=5) if isinstance(fact, CallOffered | OfferEnded) else fact
        for fact in answered_call().facts
    ]
    told = [fact for fact in facts if isinstance(fact, FromQueueLog)]
    seen = [fact for fact in facts if not isinstance(fact, FromQueueLog)]
    async with a_recorder(engine) as running:
        await running.record(told)
        assert (await only(engine, OfferAttempt)).attempt == 1
        if not restarted:
            await running.record(seen)
    if restarted:
        async with a_recorder(engine) as running:
            await running.record(seen)
    assert (await only(engine, OfferAttempt)).attempt == 5


async def test_a_late_row_of_a_call_long_forgotten_is_folded_into_it(engine: AsyncEngine) -> None:
    facts = answered_call().facts
    closing = [fact for fact in facts if type(fact).__name__ == "PassClosed"]
    async with a_recorder(engine) as running:
        await running.record([fact for fact in facts if fact not in closing])
    assert (await only(engine, Call)).confidence == "ami_only"
    assert (await only(engine, QueuePass)).ended_by == "caller"
    async with a_recorder(engine) as another:
        await another.record(closing)
    stay = await only(engine, QueuePass)
    assert (stay.outcome, stay.talk_seconds, stay.answered_at) == ("answered", 60, at(5))
    call = await only(engine, Call)
    assert (call.ended_at, call.confidence) == (at(66), "complete")


async def test_a_fact_told_again_at_another_moment_of_receipt_is_no_news(
    engine: AsyncEngine,
) -> None:
    facts = answered_call().facts
    later = [replace(fact, at=fact.at + timedelta(milliseconds=30)) for fact in facts]
    async with a_recorder(engine) as running:
        await running.record(facts)
        once = await rows_in(engine)
        await running.record(later)
    assert await rows_in(engine) == once


# --- trouble --------------------------------------------------------------------------------------


async def test_a_commit_that_fails_once_leaves_no_row_out(engine: AsyncEngine) -> None:
    fails = [OSError("the wire is cut")]

    @event.listens_for(engine.sync_engine, "commit")
    def cut(_: Any) -> None:
        if fails:
            raise fails.pop()

    async with a_recorder(engine) as running:
        await running.record(answered_call().facts)
    rows = await rows_in(engine)
    assert [len(rows[table]) for table in ("calls", "queue_passes", "offer_attempts", "legs")] == [
        1,
        1,
        1,
        1,
    ]


async def test_a_recorder_cancelled_within_a_transaction_leaves_no_lock(sqlite_url: str) -> None:
    engine = engine_of(sqlite_url)
    reached, loop = asyncio.Event(), asyncio.get_running_loop()

    def tell(statement: str) -> None:
        if statement.startswith("INSERT INTO call_events"):
            loop.call_soon_threadsafe(reached.set)

    heard_by(engine, tell)
    killed = Running(engine)  # and kept, with the traceback of its end
    killed.publish(answered_call().facts)
    await reached.wait()
    await killed.kill()
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None, timeout=5)
    other.execute("BEGIN IMMEDIATE")
    other.close()
    await engine.dispose()


@pytest.mark.postgresql
async def test_while_postgresql_is_away_nothing_is_lost_and_the_bus_does_not_wait(
    postgresql: Cluster, postgresql_url: str
) -> None:
    engine = engine_of(postgresql_url)
    async with a_recorder(engine) as running:
        await running.record(as_call(answered_call(), 1))
        await asyncio.to_thread(postgresql.go_away, postgresql_url)
        try:
            running.publish(as_call(abandoned_call(), 2))
            said = await running.trouble()
            assert "database" in said
            running.publish(as_call(call_of_two_queues(), 3))
            assert running.recorder.waiting > 0
        finally:
            await asyncio.to_thread(postgresql.come_back, postgresql_url)
        await asyncio.wait_for(running.recorder.drain(), 20)
        assert running.recorder.trouble is None
    rows = await rows_in(engine)
    await engine.dispose()
    assert [len(rows[table]) for table in ("calls", "queue_passes", "gaps")] == [3, 4, 0]


async def test_a_full_disk_is_an_alarm_and_no_crash(sqlite_url: str) -> None:
    engine, room = engine_of(sqlite_url), {"pages": 1}

    @event.listens_for(engine.sync_engine, "begin")
    def little_room(connection: Any) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count={room['pages']}")

    async with a_recorder(engine) as running:
        running.publish([each for n in range(40) for each in as_call(answered_call(), n)])
        assert "is full" in await running.trouble()
        room["pages"] = 1_000_000
        await asyncio.wait_for(running.recorder.drain(), 10)
        assert running.recorder.trouble is None
    assert len((await rows_in(engine))["calls"]) == 40
    await engine.dispose()


async def test_what_does_not_fit_in_memory_is_one_gap_and_its_position_stays(
    sqlite_url: str,
) -> None:
    engine = engine_of(sqlite_url)
    lock = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)

    @event.listens_for(engine.sync_engine, "connect")
    def impatient(connection: Any, _record: Any) -> None:
        connection.cursor().execute("PRAGMA busy_timeout=20")

    lost = as_call(abandoned_call(), 2)
    async with a_recorder(engine, keep=30) as running:
        lock.execute("BEGIN IMMEDIATE")
        running.publish(as_call(answered_call(), 1))
        await running.trouble()
        running.publish(
            [QueueMemberSeen(at=at(0), pbx=PBX, queue="q", member=Member(), paused=False)] * 30
        )
        running.publish(lost)
        running.publish(
            [FeedAdvanced(at=at(400), pbx=PBX, feed=Feed.QUEUE_LOG, position="after the loss")]
        )
        await running.until(lambda: running.recorder.waiting == 30)
        lock.execute("ROLLBACK")
        await asyncio.wait_for(running.recorder.drain(), 10)
        await running.record(
            [
                *as_call(call_of_two_queues(), 3),
                FeedAdvanced(at=at(500), pbx=PBX, feed=Feed.QUEUE_LOG, position="later"),
            ]
        )
    rows = await rows_in(engine)
    lock.close()
    await engine.dispose()
    assert len(rows["calls"]) == 2
    [gap] = rows["gaps"]
    assert gap[1:3] == (lost[0].at, at(400))
    assert rows["feeds"] == []


async def test_facts_of_one_call_do_not_cost_more_when_a_thousand_are_stored(
    engine: AsyncEngine,
) -> None:
    """Counted in statements about calls, as the database hears them; not in time."""
    said: list[str] = []

    async def statements_for(number: int) -> int:
        said.clear()
        await running.record(as_call(answered_call(), number))
        return sum("call" in statement for statement in said)

    heard_by(engine, said.append)
    async with a_recorder(engine) as running:
        first = await statements_for(0)
        await running.record([e for n in range(1, 1000) for e in as_call(abandoned_call(), n)])
        assert await statements_for(1000) == first
        assert first > 5


def heard_by(engine: AsyncEngine, hear: Callable[[str], None]) -> None:
    """Every statement that the database is told from now on, on SQLite in the driver's thread."""
    if engine.dialect.name == "sqlite":  # where the recorder speaks to the driver itself

        def connected(connection: Any, _record: object) -> None:
            connection.driver_connection._conn.set_trace_callback(hear)

        event.listen(engine.sync_engine, "connect", connected)
    else:
        event.listen(
            engine.sync_engine,
            "before_cursor_execute",
            lambda conn, cursor, statement, *_: hear(statement),
        )
