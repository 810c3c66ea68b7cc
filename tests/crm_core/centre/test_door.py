"""What the records tell the door: the hotline's settings, the caller's grade, who talked with him last."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.access.models import User
from crm_core.call_log.models import Call
from crm_core.centre.door import who_calls
from crm_core.centre.setup import import_setup
from crm_core.commands import CallerKnown, WhoCalls
from crm_core.customers.models import Customer, PhoneNumber
from crm_core.customers.phone_numbers import normalise
from crm_core.db import reading, transaction
from crm_core.events import Direction
from tests.crm_core.centre.a_centre import PBX, T0, build

LINE = """\
queues: [{name: support, max_wait_seconds: 90, ring_seconds: 12}]
hotlines:
  - {number: "4008001234", name: x, queue: support, priorities: {A: 20, B: 10}, last_agent_days: 7}
  - {number: "4008005678", name: plain, queue: support}
  - {number: "4008009999", name: nowhere, project: Members}
"""
NUMBER = "+8613800138000"
TYPED = "013800138000"


@pytest.fixture
async def centre(engine: AsyncEngine) -> AsyncEngine:
    await build(engine)
    async with transaction(engine) as connection:
        await import_setup(connection, f"pbx: {PBX}\n{LINE}", now=T0)
    return engine


async def known(
    engine: AsyncEngine, hotline: str = "4008001234", number: str | None = TYPED
) -> CallerKnown | None:
    asked = WhoCalls(pbx=PBX, hotline=hotline, caller_number=number)
    async with reading(engine) as connection:
        return await who_calls(connection, asked, lambda raw: normalise(raw).number, T0)


async def a_customer(connection: AsyncConnection, name: str, grade: str) -> None:
    made = {"name": name, "grade": grade, "created_at": T0, "changed_at": T0, "fields": {}}
    id_ = await connection.scalar(insert(Customer).values(made).returning(Customer.id))
    number = {"customer_id": id_, "number": NUMBER, "raw": NUMBER, "digits_reversed": "0"}
    await connection.execute(insert(PhoneNumber).values(number))


async def a_call(
    connection: AsyncConnection, call: str, at: datetime, user: int | None, *, answered: bool = True
) -> None:
    await connection.execute(
        insert(Call).values(
            call_id=call,
            pbx=PBX,
            direction=Direction.INBOUND,
            customer_number=NUMBER,
            started_at=at,
            answered_at=at if answered else None,
            user_id=user,
            confidence="complete",
        )
    )


async def ids(connection: AsyncConnection) -> dict[str, int]:
    return {row.name: row.id for row in await connection.execute(select(User.name, User.id))}


async def test_a_hotline_says_where_it_leads_and_what_grades_are_worth(
    centre: AsyncEngine,
) -> None:
    assert await known(centre) == CallerKnown(
        queue="support",
        max_wait_seconds=90,
        ring_seconds=12,
        priorities=(("A", 20), ("B", 10)),
    )


async def test_a_caller_has_the_grades_of_all_who_share_the_number(centre: AsyncEngine) -> None:
    async with transaction(centre) as connection:
        for name, grade in (("one", "B"), ("two", ""), ("three", "A")):
            await a_customer(connection, name, grade)
    found = await known(centre)
    assert found is not None
    assert found.grades == ("B", "A")
    assert (await known(centre, "4008005678")) == CallerKnown(
        queue="support", max_wait_seconds=90, ring_seconds=12
    )


async def test_the_last_agent_is_who_answered_last_within_the_days_of_the_hotline(
    centre: AsyncEngine,
) -> None:
    day = timedelta(days=1)
    async with transaction(centre) as connection:
        people = await ids(connection)
        await a_call(connection, "a" * 32, T0 - 3 * day, people["limin"])
        await a_call(connection, "b" * 32, T0 - 2 * day, people["zhao"])
        await a_call(connection, "c" * 32, T0 - day, None, answered=False)
    found = await known(centre)
    assert found is not None
    assert found.last_agent == people["zhao"]
    plain = await known(centre, "4008005678")
    assert plain is not None
    assert plain.last_agent is None


async def test_who_answered_longer_ago_is_nobody(centre: AsyncEngine) -> None:
    async with transaction(centre) as connection:
        people = await ids(connection)
        await a_call(connection, "a" * 32, T0 - timedelta(days=7, seconds=1), people["limin"])
    found = await known(centre)
    assert found is not None
    assert found.last_agent is None


@pytest.mark.parametrize("number", [None, "", "anonymous"])
async def test_a_caller_without_a_number_is_nobody(centre: AsyncEngine, number: str | None) -> None:
    found = await known(centre, number=number)
    assert found is not None
    assert (found.queue, found.grades, found.last_agent) == ("support", (), None)


@pytest.mark.parametrize("hotline", ["", "1", "4008009999", "x' OR 1=1"])
async def test_a_number_that_leads_to_no_queue_is_not_known(
    centre: AsyncEngine, hotline: str
) -> None:
    assert await known(centre, hotline) is None
