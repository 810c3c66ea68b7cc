"""The call log's questions, on rows that the recorder wrote."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.access.models import User
from crm_core.call_log import queries
from crm_core.call_log.models import Call, QueuePass
from crm_core.call_log.queries import CallFilter
from crm_core.centre.holders import AgentRef
from crm_core.centre.models import Project, Queue
from crm_core.customers.models import Customer
from crm_core.db import reading, transaction
from crm_core.errors import Invalid
from crm_core.events import (
    AgentSignedIn,
    AttemptResult,
    CallAnswered,
    CallOffered,
    Event,
    LegParty,
    Outcome,
)
from crm_core.ids import CallId, UserId, call_id
from crm_core.wrap_up.models import ContactRecord, Disposition
from tests.crm_core.call_log.builders import BOOT, CALLER, PBX, a_call, agent, at
from tests.crm_core.calls_of_a_day import (
    abandoned_call,
    answered_call,
    as_call,
    call_of_two_queues,
    open_call,
)
from tests.crm_core.test_recorder import a_recorder, add

WANG = AgentRef(user_id=UserId(3), agent_number="1001", name="王芳", interface="PJSIP/8001")
QUEUE = {"strategy": "rrmemory", "ring_seconds": 15, "max_wait_seconds": 300, "wrap_up_seconds": 30}


def the_call(number: int) -> CallId:
    return call_id(PBX, BOOT, f"{CALLER}{number}")


async def a_log(engine: AsyncEngine, *stories: Any) -> None:
    """A call each minute: `stories[n]` is call n. Queue `support` is Water works', `sales` Own's."""
    await add(engine, Project, id=1, name="Own", is_default=True)
    await add(engine, Project, id=2, name="Water works")
    for queue, (name, project) in enumerate([("support", 2), ("sales", 1)], start=1):
        await add(
            engine, Queue, id=queue, pbx=PBX, name=name, title=name, project_id=project, **QUEUE
        )
    for user, name, number in [(3, "王芳", "1001"), (4, "李雷", "1002")]:
        await add(
            engine,
            User,
            id=user,
            name=number,
            full_name=name,
            agent_number=number,
            password_hash="-",
            created_at=at(0),
        )
    async with a_recorder(engine) as running:
        for user, name, number in [(3, "王芳", "1001"), (4, "李雷", "1002")]:
            running.holders.feed(
                AgentSignedIn(
                    at=at(-1),
                    pbx=PBX,
                    user=UserId(user),
                    agent_number=number,
                    name=name,
                    interface=f"PJSIP/8{number[1:]}",
                    queues=(),
                )
            )
        for place, story in enumerate(stories):
            await running.record(as_call(story, place))


async def found(engine: AsyncEngine, wanted: CallFilter, **options: Any) -> list[int]:
    """The numbers of the calls, in the order of the answer."""
    numbers = {the_call(number): number for number in range(100)}
    async with reading(engine) as connection:
        page = await queries.calls(connection, wanted, **options)
    return [numbers[each.call_id] for each in page.items]


async def test_a_call_comes_with_its_passes_their_rings_and_its_legs(engine: AsyncEngine) -> None:
    await a_log(engine, answered_call())
    async with reading(engine) as connection:
        call = await queries.call(connection, the_call(0))
    assert call is not None
    assert (call.project, call.agent, call.talk_seconds) == ("Water works", WANG, 60)
    [stay] = call.passes
    assert (stay.queue, stay.outcome, stay.agent) == ("support", Outcome.ANSWERED, WANG)
    assert (stay.wait_seconds, stay.talk_seconds) == (4, 60)
    [ring] = stay.attempts
    assert (ring.agent, ring.result, ring.offered_at) == (WANG, AttemptResult.ANSWERED, at(2))
    assert [leg.party for leg in call.legs] == [LegParty.CUSTOMER]
    assert (call.attempts, call.aliases, call.disposition) == ((), (), None)


async def test_rings_of_two_passes_are_not_mixed_up(engine: AsyncEngine) -> None:
    await a_log(engine, call_of_two_queues())
    async with reading(engine) as connection:
        call = await queries.call(connection, the_call(0))
    assert call is not None
    first, second = call.passes
    assert (first.queue, first.outcome, first.agent) == ("support", Outcome.TIMEOUT, None)
    assert (second.queue, second.outcome) == ("sales", Outcome.ANSWERED)
    assert [len(first.attempts), len(second.attempts)] == [0, 1]


async def test_a_ring_without_a_queue_belongs_to_the_call(engine: AsyncEngine) -> None:
    story = a_call().started()
    direct: list[Event] = [
        CallOffered(
            at=at(1), pbx=PBX, call=story.call, queue_pass=None, attempt=1, member=agent("1001")
        ),
        CallAnswered(at=at(4), pbx=PBX, call=story.call, queue_pass=None, member=agent("1001")),
    ]
    story.facts += direct  # type: ignore[arg-type]
    story.ended(34)
    await a_log(engine, story)
    async with reading(engine) as connection:
        call = await queries.call(connection, the_call(0))
    assert call is not None
    assert (call.passes, call.agent, call.talk_seconds) == ((), WANG, 30)
    assert [ring.result for ring in call.attempts] == [AttemptResult.ANSWERED]


async def test_the_disposition_is_the_one_submitted_last(engine: AsyncEngine) -> None:
    await a_log(engine, answered_call())
    for key, disposition in [("first", 1), ("last", 2), ("draft", 3)]:
        await add(
            engine,
            Disposition,
            id=disposition,
            project_id=2,
            key=key,
            label_zh=f"{key} zh",
            label_en=f"{key} en",
        )
    for user, disposition, submitted, when in [(3, 1, True, 100), (4, 2, True, 200)]:
        await add(
            engine,
            ContactRecord,
            call_id=the_call(0),
            user_id=user,
            disposition_id=disposition,
            submitted=submitted,
            saved_at=at(when),
        )
    async with reading(engine) as connection:
        call = await queries.call(connection, the_call(0))
    assert call is not None
    assert call.disposition is not None
    assert (call.disposition.key, call.disposition.zh) == ("last", "last zh")


async def test_newest_come_first_and_pages_follow_without_hole_or_double(
    engine: AsyncEngine,
) -> None:
    await a_log(engine, *[abandoned_call()] * 7)
    async with transaction(engine) as connection:  # three that began at the same moment
        same = {"at": await connection.scalar(select(Call.started_at).limit(1))}
        three = [the_call(n) for n in (2, 3, 4)]
        await connection.execute(
            update(Call).where(Call.call_id.in_(three)).values(started_at=same["at"])
        )
    async with reading(engine) as connection:
        whole = await queries.calls(connection, CallFilter(), limit=100)
        pages, cursor = [], None
        while True:
            page = await queries.calls(connection, CallFilter(), limit=2, cursor=cursor)
            pages.append(len(page.items))
            assert list(page.items) == list(whole.items[len(whole.items[: sum(pages[:-1])]) :][:2])
            cursor = page.next_cursor
            if cursor is None:
                break
    assert pages == [2, 2, 2, 1]
    assert whole.next_cursor is None
    keys = [(call.started_at, call.call_id) for call in whole.items]
    assert keys == sorted(keys, reverse=True)


async def test_a_page_that_is_just_full_has_no_next(engine: AsyncEngine) -> None:
    await a_log(engine, abandoned_call(), abandoned_call())
    async with reading(engine) as connection:
        assert (await queries.calls(connection, CallFilter(), limit=2)).next_cursor is None


@pytest.mark.parametrize("cursor", ["", "nonsense", "äöü", "MjAyNi0xMS0yNCAx", "IA"])
async def test_a_cursor_of_somebody_else_is_refused(engine: AsyncEngine, cursor: str) -> None:
    async with reading(engine) as connection:
        with pytest.raises(Invalid, match="cursor"):
            await queries.calls(connection, CallFilter(), cursor=cursor)


async def test_filters_take_the_calls_they_name(engine: AsyncEngine) -> None:
    await a_log(engine, answered_call("1001"), abandoned_call(), call_of_two_queues(), open_call())
    assert await found(engine, CallFilter()) == [3, 2, 1, 0]
    assert await found(engine, CallFilter(began_from=at(60), began_to=at(180))) == [2, 1]
    assert await found(engine, CallFilter(queue="sales")) == [2]
    assert await found(engine, CallFilter(queue="support")) == [3, 2, 1, 0]
    assert await found(engine, CallFilter(agent="1001")) == [3, 0]
    # 1002 was only rung by call 1, and answered call 2
    assert await found(engine, CallFilter(agent="1002")) == [2]
    assert await found(engine, CallFilter(project="Water works")) == [3, 2, 1, 0]
    assert await found(engine, CallFilter(project="Own")) == []
    assert await found(engine, CallFilter(project="no such")) == []
    assert await found(engine, CallFilter(phone="13800138000", agent="1002")) == [2]
    assert await found(engine, CallFilter(phone="1")) == []


async def test_outside_the_scope_there_is_nothing(engine: AsyncEngine) -> None:
    await a_log(engine, answered_call("1001"), answered_call("1002"))
    own = Call.user_id == 3
    assert await found(engine, CallFilter(), scope=own) == [0]
    async with reading(engine) as connection:
        assert await queries.call(connection, the_call(1), own) is None
        assert await queries.call(connection, the_call(0), own) is not None


async def test_an_agents_day_has_the_calls_that_agent_talked_in(engine: AsyncEngine) -> None:
    await a_log(engine, answered_call("1001"), answered_call("1002"), answered_call("1001"))
    async with reading(engine) as connection:
        day = await queries.calls_today_of(connection, UserId(3), at(0))
        later = await queries.calls_today_of(connection, UserId(3), at(60))
    assert [call.call_id for call in day] == [the_call(2), the_call(0)]
    assert [call.call_id for call in later] == [the_call(2)]


async def test_last_contacts_end_before_the_moment(engine: AsyncEngine) -> None:
    await a_log(engine, *[answered_call()] * 8)
    async with reading(engine) as connection:
        last = await queries.last_contacts(connection, before=at(360), number="13800138000")
        two = await queries.last_contacts(connection, before=at(360), number="13800138000", limit=2)
        none = await queries.last_contacts(connection, before=at(360))
    assert [contact.call_id for contact in last] == [the_call(n) for n in (5, 4, 3, 2, 1)]
    assert [contact.call_id for contact in two] == [the_call(5), the_call(4)]
    assert none == ()


async def test_a_timeline_is_told_in_order(engine: AsyncEngine) -> None:
    story = answered_call()
    await a_log(engine, story)
    async with reading(engine) as connection:
        told = await queries.timeline_of(connection, the_call(0))
    assert set(told) == set(as_call(story, 0))
    assert [fact.at for fact in told] == sorted(fact.at for fact in told)


async def test_reconcile_gets_every_pass_of_the_interval(engine: AsyncEngine) -> None:
    picked_up = answered_call("1001")
    picked_up.facts = [
        replace(fact, member=agent("1002")) if isinstance(fact, CallAnswered) else fact
        for fact in picked_up.facts
    ]
    await a_log(engine, abandoned_call(), picked_up, call_of_two_queues())
    async with reading(engine) as connection:
        passes = await queries.passes_between(connection, PBX, at(61), at(152))
        assert await queries.passes_between(connection, PBX, at(0), at(1)) == []
    assert [(each.queue, each.outcome) for each in passes] == [
        ("support", Outcome.ANSWERED),
        ("support", Outcome.TIMEOUT),
    ]
    assert (passes[0].agent, passes[0].rung) == ("1002", frozenset({"1001"}))
    assert (passes[1].agent, passes[1].wait_seconds) == (None, 30)


async def test_who_served_the_earlier_call_last_is_charged_with_the_repeat(
    engine: AsyncEngine,
) -> None:
    await a_log(engine, call_of_two_queues())
    async with reading(engine) as connection:
        repeat = await queries.repeat_anchor(connection, 2, "13800138000", at(600))
        assert await queries.repeat_anchor(connection, 2, "13800138000", at(40)) is None
        assert await queries.repeat_anchor(connection, 1, "13800138000", at(600)) is None
    assert repeat is not None
    assert (repeat.answered_at, repeat.agent_number, repeat.agent_name) == (at(40), "1002", "李雷")


# --- what the databases do ------------------------------------------------------------------------


async def test_a_page_costs_the_same_number_of_statements_however_long(
    engine: AsyncEngine,
) -> None:
    await a_log(engine, *[answered_call()] * 9)
    said: list[str] = []
    event.listen(
        engine.sync_engine,
        "before_cursor_execute",
        lambda conn, cursor, statement, *_: said.append(statement),
    )
    counts = []
    for limit in (1, 9):
        said.clear()
        await found(engine, CallFilter(), limit=limit)
        counts.append(len([each for each in said if each.startswith("SELECT")]))
    assert counts == [7, 7]


WANTED = [
    (CallFilter(), "ix_calls_started_at"),
    (CallFilter(began_from=at(0), began_to=at(60)), "ix_calls_started_at"),
    (CallFilter(queue="q1"), "ix_calls_started_at"),
    (CallFilter(phone="3"), "ix_calls_customer_number_started_at"),
    (CallFilter(customer_id=1), "ix_calls_customer_id_started_at"),  # type: ignore[arg-type]
]


async def test_pages_and_probes_are_read_along_an_index_and_not_sorted(
    engine: AsyncEngine,
) -> None:
    await many_calls(engine)
    async with reading(engine) as connection:
        for wanted, index in WANTED:
            asked = queries._calls(None).where(*queries._conditions(wanted)).limit(51)
            plan = await plan_of(connection, asked)
            assert index in plan
            assert not re.search(r"Seq Scan on calls|SCAN calls(?! USING)", plan)
            # PostgreSQL may sort those of the same instant ("Incremental"), never the whole.
            assert not re.search(r"(?<!Incremental )Sort  \(cost|TEMP B-TREE FOR ORDER BY", plan)
        asked = queries._calls(None).where(
            Call.project_id == 1,
            Call.customer_number == "3",
            Call.answered_at < at(600),
            Call.answered_at >= at(600) - timedelta(minutes=120),
        )
        plan = await plan_of(connection, asked)
    assert "ix_calls_project_id_customer_number_answered_at" in plan


async def plan_of(connection: AsyncConnection, asked: Any) -> str:
    dialect = connection.dialect
    literal = asked.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN QUERY PLAN" if dialect.name == "sqlite" else "EXPLAIN"
    rows = await connection.exec_driver_sql(f"{explain} {literal}")
    return "\n".join(str(row[-1]) for row in rows)


async def many_calls(engine: AsyncEngine) -> None:
    """Enough of each number, customer and queue that reading them all would show in a plan."""
    called = [
        {
            "call_id": f"{number:032}",
            "pbx": PBX,
            "direction": "inbound",
            "project_id": 1,
            "customer_number": str(number % 5),
            "customer_id": number % 5 + 1,
            "started_at": at(number),
            "answered_at": at(number + 5),
            "at_is_receipt": False,
            "confidence": "complete",
        }
        for number in range(5000)
    ]
    stays = [
        {
            "call_id": f"{number:032}",
            "unique_id": str(number),
            "queue": f"q{number % 5}",
            "ordinal": 1,
            "pbx": PBX,
            "entered_at": at(number),
            "picked_up": False,
        }
        for number in range(5000)
    ]
    await add(engine, Project, id=1, name="Own", is_default=True)
    for customer in range(1, 6):
        await add(engine, Customer, id=customer, name="X", created_at=at(0), changed_at=at(0))
    async with transaction(engine) as connection:
        await connection.execute(insert(Call), called)
        await connection.execute(insert(QueuePass), stays)
        await connection.execute(text("ANALYZE"))
