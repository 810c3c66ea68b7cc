"""A customer's calls: which are his, in which order, with whose words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.access.models import User
from crm_core.call_log.models import Call, OfferAttempt
from crm_core.customers.edit import create_customer
from crm_core.customers.history import history
from crm_core.db import transaction
from crm_core.errors import Invalid
from crm_core.ids import CallId, CustomerId
from crm_core.wrap_up.queries import save_note
from tests.crm_core.centre.a_centre import PBX, T0, build, later, viewer
from tests.crm_core.customers.hostile import HOSTILE

MOBILE, OTHER = "+8613800138000", "+8613900001111"


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    await build(engine)
    async with transaction(engine) as connection:
        yield connection


async def add_customer(connection: AsyncConnection, name: str, *phones: str) -> CustomerId:
    root = await viewer(connection, "root")
    values = {"name": name, "phones": list(phones)}
    return (await create_customer(connection, values, root, now=T0)).customer


async def add_call(
    connection: AsyncConnection, nth: int, number: str | None = MOBILE, **more: Any
) -> CallId:
    """A call that rang at Li Min, who answered it."""
    limin = await connection.scalar(select(User.id).where(User.name == "limin"))
    call = CallId(f"{nth:032x}")
    values = {
        "call_id": call,
        "pbx": PBX,
        "direction": "inbound",
        "customer_number": number,
        "started_at": later(nth),
        "answered_at": later(nth + 1),
        "ended_at": later(nth + 61),
        "talk_seconds": 60,
        "user_id": limin,
        "confidence": "complete",
    }
    await connection.execute(insert(Call).values(values | more))
    await connection.execute(
        insert(OfferAttempt).values(call_id=call, attempt=1, user_id=limin, offered_at=later(nth))
    )
    return call


async def note(
    connection: AsyncConnection, call: CallId, text: str, customer: CustomerId | None = None
) -> None:
    await save_note(
        connection,
        call_id=call,
        viewer=await viewer(connection, "limin"),
        note=text,
        disposition_key="resolved",
        customer_id=customer,
        revision=1,
        submitted=True,
        now=later(500),
    )


async def calls_of(
    connection: AsyncConnection, customer: CustomerId, who: str = "limin"
) -> list[Any]:
    return [
        one.call_id
        for one in (await history(connection, customer, await viewer(connection, who))).calls
    ]


async def test_calls_by_number_and_by_the_row_and_by_the_note_newest_first(
    connection: AsyncConnection,
) -> None:
    chen = await add_customer(connection, "陈静", MOBILE)
    by_number = await add_call(connection, 1)
    by_row = await add_call(connection, 2, number=None, customer_id=chen)
    by_note = await add_call(connection, 3, number=OTHER)
    await note(connection, by_note, "from a neighbour's phone", chen)
    await add_call(connection, 4, number=OTHER)
    assert await calls_of(connection, chen) == [by_note, by_row, by_number]


async def test_shared_number_follows_who_the_agent_said_it_was(connection: AsyncConnection) -> None:
    chen = await add_customer(connection, "陈静", MOBILE)
    wang = await add_customer(connection, "王强", MOBILE)
    nobodys = await add_call(connection, 1)
    wangs = await add_call(connection, 2, customer_id=chen)  # the row takes the older file
    await note(connection, wangs, "it was Wang", wang)
    assert await calls_of(connection, chen) == [nobodys]
    assert await calls_of(connection, wang) == [wangs, nobodys]


async def test_pages_meet_without_gap_or_double(connection: AsyncConnection) -> None:
    chen = await add_customer(connection, "陈静", MOBILE)
    calls = [await add_call(connection, nth, started_at=later(nth // 2)) for nth in range(7)]
    agent, seen, cursor = await viewer(connection, "limin"), [], None
    while True:
        page = await history(connection, chen, agent, limit=2, cursor=cursor)
        seen += [one.call_id for one in page.calls]
        if (cursor := page.next_cursor) is None:
            break
    assert seen == sorted(calls, reverse=True)


async def test_each_call_has_what_people_wrote_about_it(connection: AsyncConnection) -> None:
    chen = await add_customer(connection, "陈静", MOBILE)
    call = await add_call(connection, 1)
    await note(connection, call, "asked for the engineer")
    [one] = (await history(connection, chen, await viewer(connection, "limin"))).calls
    [record] = one.records
    assert (record.agent, record.note) == ("李敏", "asked for the engineer")
    assert record.disposition is not None
    assert record.disposition.key == "resolved"
    assert (one.agent, one.talk_seconds, one.answered) == ("李敏", 60, True)


async def test_a_colleagues_call_is_told_and_does_not_open(connection: AsyncConnection) -> None:
    chen = await add_customer(connection, "陈静", MOBILE)
    await add_call(connection, 1)
    for who, opens in (("limin", True), ("zhao", False), ("wangfang", True), ("root", True)):
        [one] = (await history(connection, chen, await viewer(connection, who))).calls
        assert one.may_open is opens, who


async def test_who_reads_no_customers_is_told_nothing(connection: AsyncConnection) -> None:
    chen = await add_customer(connection, "陈静", MOBILE)
    await add_call(connection, 1)
    nobody = replace(await viewer(connection, "root"), permissions=frozenset())
    assert (await history(connection, chen, nobody)).calls == ()


async def test_foreign_cursor_is_refused(connection: AsyncConnection) -> None:
    chen = await add_customer(connection, "陈静", MOBILE)
    agent = await viewer(connection, "limin")
    for cursor in ("x", "!!!!", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OSBh", *HOSTILE):
        with pytest.raises(Invalid):
            await history(connection, chen, agent, cursor=cursor)
