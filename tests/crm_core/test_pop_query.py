"""The pop's question on both databases, and that it answers as the call log's own queries do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.access.models import User
from crm_core.call_log.models import Call
from crm_core.call_log.queries import last_contacts, repeat_anchor
from crm_core.centre.models import Project
from crm_core.customers.models import Contact, Customer, PhoneNumber
from crm_core.db import reading, transaction
from crm_core.errors import Unavailable
from crm_core.events import AgentSignedIn
from crm_core.ids import CallId, UserId, call_id
from crm_core.pop_query import PopContact, PopFile, PopQuery, PostgresPopQuery, pop_query_of
from crm_core.wrap_up.models import ContactRecord, Disposition
from tests.crm_core.call_log.builders import BOOT, CALLER, PBX, at
from tests.crm_core.calls_of_a_day import abandoned_call, answered_call, as_call
from tests.crm_core.conftest import Cluster
from tests.crm_core.test_recorder import a_recorder, add

NUMBER = "13800138000"
NOON = at(7200)


@asynccontextmanager
async def the_pop_query(url: str) -> AsyncIterator[PopQuery]:
    async with closing(pop_query_of(url)) as pop:
        yield pop


@asynccontextmanager
async def closing(pop: PopQuery) -> AsyncIterator[PopQuery]:
    try:
        yield pop
    finally:
        await pop.close()


async def a_customer(engine: AsyncEngine, customer_id: int, number: str = NUMBER) -> None:
    await add(
        engine,
        Customer,
        id=customer_id,
        name=f"客户{customer_id}",
        grade="VIP",
        company="水务",
        fields={"meter": "M-7"},
        created_at=at(0),
        changed_at=at(0),
    )
    await a_number(engine, customer_id, number)


async def a_number(
    engine: AsyncEngine, customer_id: int, number: str, contact_id: int | None = None
) -> None:
    await add(
        engine,
        PhoneNumber,
        customer_id=customer_id,
        contact_id=contact_id,
        number=number,
        raw=number,
        digits_reversed=number[::-1],
    )


async def calls_of_the_number(engine: AsyncEngine, count: int = 7) -> None:
    """Every ten minutes from T0 on, the even ones answered by 王芳; a note on the last of them."""
    await add(engine, Project, id=1, name="Own", is_default=True)
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
        for number in range(count):
            story = abandoned_call() if number % 2 else answered_call()
            await running.record(as_call(story, number, begin=at(600 * number), caller=NUMBER))


def the_call(number: int) -> CallId:
    return call_id(PBX, BOOT, f"{CALLER}{number}")


async def test_a_withheld_number_has_an_empty_file(database_url: str) -> None:
    async with the_pop_query(database_url) as pop:
        assert await pop.pop_file(None, 1, NOON) == PopFile()


async def test_an_unknown_number_has_an_empty_file(database_url: str) -> None:
    async with the_pop_query(database_url) as pop:
        assert await pop.pop_file("000", 1, NOON) == PopFile()


async def test_the_file_of_a_customer_has_contacts_with_their_numbers(
    engine: AsyncEngine, database_url: str
) -> None:
    await a_customer(engine, 1)
    await add(engine, Contact, id=4, customer_id=1, name="赵", position="会计")
    await add(engine, Contact, id=5, customer_id=1, name="钱")
    await a_number(engine, 1, "111", contact_id=4)
    await a_number(engine, 1, "222", contact_id=4)
    async with the_pop_query(database_url) as pop:
        found = await pop.pop_file(NUMBER, 1, NOON)
    [customer] = found.customers
    assert (customer.id, customer.name, customer.grade) == (1, "客户1", "VIP")
    assert customer.fields == {"meter": "M-7"}
    assert customer.contacts == (
        PopContact(name="赵", position="会计", numbers=("111", "222")),
        PopContact(name="钱", position=""),
    )


async def test_of_a_shared_number_five_customers_come(
    engine: AsyncEngine, database_url: str
) -> None:
    for customer in range(1, 8):
        await a_customer(engine, customer)
    async with the_pop_query(database_url) as pop:
        found = await pop.pop_file(NUMBER, 1, NOON)
    assert [customer.id for customer in found.customers] == [1, 2, 3, 4, 5]


async def test_last_contacts_and_repeat_are_those_of_the_call_log(
    engine: AsyncEngine, database_url: str
) -> None:
    await calls_of_the_number(engine)
    await a_customer(engine, 1)
    await add(
        engine, Disposition, id=2, project_id=1, key="solved", label_zh="已解决", label_en="Solved"
    )
    await add(
        engine,
        ContactRecord,
        call_id=the_call(6),
        user_id=3,
        disposition_id=2,
        note="水表" * 150,
        submitted=True,
        saved_at=at(3700),
    )
    async with transaction(engine) as connection:  # a call from another phone of the same customer
        await connection.execute(
            update(Call)
            .where(Call.call_id == the_call(4))
            .values(customer_number="555", customer_id=1)
        )
    async with the_pop_query(database_url) as pop:
        found = await pop.pop_file(NUMBER, 1, at(3601), call=the_call(99))
    async with reading(engine) as connection:
        asked = await last_contacts(connection, before=at(3601), customer_id=1, number=NUMBER)  # type: ignore[arg-type]
        anchor = await repeat_anchor(connection, 1, NUMBER, at(3601))
    assert found.last_contacts == asked
    assert [contact.call_id for contact in asked] == [the_call(n) for n in (6, 5, 4, 3, 2)]
    first, second = asked[0], asked[1]
    assert (first.agent_name, first.agent_number, first.talk_seconds) == ("王芳", "1001", 60)
    assert first.note == "水表" * 100
    assert first.disposition is not None
    assert first.disposition.zh == "已解决"
    assert (second.answered, second.outcome) == (False, "abandoned")
    assert found.repeat == anchor
    assert anchor is not None
    assert (anchor.answered_at, anchor.agent_name) == (at(1205), "王芳")


async def test_the_call_itself_is_no_former_contact(engine: AsyncEngine, database_url: str) -> None:
    await calls_of_the_number(engine, count=3)
    async with the_pop_query(database_url) as pop:
        found = await pop.pop_file(NUMBER, 1, at(1300), call=the_call(2))
    assert [contact.call_id for contact in found.last_contacts] == [the_call(1), the_call(0)]
    assert found.repeat is not None
    assert found.repeat.call_id == the_call(0)


@pytest.mark.parametrize(
    ("after", "is_repeat"),
    [
        (timedelta(minutes=120), True),
        (timedelta(minutes=120, microseconds=1), False),
        (timedelta(microseconds=1), True),
        (timedelta(0), False),
    ],
)
async def test_a_repeat_is_within_120_minutes_of_the_answer_inclusive(
    engine: AsyncEngine, database_url: str, after: timedelta, is_repeat: bool
) -> None:
    await calls_of_the_number(engine, count=1)
    entered = at(5) + after
    async with the_pop_query(database_url) as pop:
        found = await pop.pop_file(NUMBER, 1, entered)
        other = await pop.pop_file(NUMBER, 2, entered)
    async with reading(engine) as connection:
        anchor = await repeat_anchor(connection, 1, NUMBER, entered)
    assert (found.repeat is not None, anchor is not None) == (is_repeat, is_repeat)
    assert other.repeat is None


async def test_a_missing_sqlite_file_is_unavailable_and_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    async with the_pop_query(f"sqlite:///{path}") as pop:
        with pytest.raises(Unavailable):
            await pop.pop_file(NUMBER, 1, NOON)
    assert not path.exists()


@pytest.mark.postgresql
async def test_with_postgresql_away_pops_are_unavailable_and_come_back(
    postgresql: Cluster, postgresql_url: str
) -> None:
    pop = PostgresPopQuery(postgresql_url, away_seconds=0)
    async with closing(pop):
        assert await pop.pop_file(NUMBER, 1, NOON) == PopFile()
        await asyncio.to_thread(postgresql.go_away, postgresql_url)
        try:
            for _ in range(3):
                with pytest.raises(Unavailable):
                    await pop.pop_file(NUMBER, 1, NOON)
        finally:
            await asyncio.to_thread(postgresql.come_back, postgresql_url)
        assert await pop.pop_file(NUMBER, 1, NOON) == PopFile()
