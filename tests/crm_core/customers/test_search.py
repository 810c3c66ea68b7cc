"""Searching: what is found, in which order, and what a search must not tell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.customers.duplicates import duplicates_of
from crm_core.customers.edit import create_customer
from crm_core.customers.guesses import MOST_MISSES, WITHIN, Guesses
from crm_core.customers.models import CustomerField
from crm_core.customers.search import grades, is_guess, is_number, search
from crm_core.db import transaction
from crm_core.errors import TooMany
from tests.crm_core.centre.a_centre import T0, build, later, viewer

MOBILE = "+8613800138000"


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    await build(engine)
    async with transaction(engine) as connection:
        yield connection


async def add(connection: AsyncConnection, **values: Any) -> int:
    root = await viewer(connection, "root")
    return (await create_customer(connection, values, root, now=T0)).customer


async def hide(connection: AsyncConnection, key: str) -> None:
    """A built-in field that only supervisors read."""
    await connection.execute(
        insert(CustomerField).values(
            key=key,
            label_zh=key,
            label_en=key,
            kind="text",
            custom=False,
            read_roles=["supervisor"],
        )
    )


async def names(connection: AsyncConnection, text: str, who: str, **more: Any) -> list[str]:
    page = await search(connection, text, await viewer(connection, who), **more)
    return [item["name"] for item in page.items]


async def test_company_and_contact_are_searched_like_the_name(connection: AsyncConnection) -> None:
    await add(connection, name="陈静", company="Harbour Ltd", contacts=[{"name": "李经理"}])
    await add(connection, name="王强", company="Hill Ltd")
    assert await names(connection, "harbour", "limin") == ["陈静"]
    assert await names(connection, "李经", "limin") == ["陈静"]
    assert await names(connection, "ltd", "limin") == ["王强", "陈静"]


@pytest.mark.parametrize(
    ("key", "text"), [("company", "harbour"), ("contacts", "李经"), ("phones", MOBILE)]
)
async def test_text_is_not_compared_with_a_field_that_is_not_read(
    connection: AsyncConnection, key: str, text: str
) -> None:
    await add(
        connection,
        name="陈静",
        company="Harbour Ltd",
        phones=[MOBILE],
        contacts=[{"name": "李经理"}],
    )
    await hide(connection, key)
    assert await names(connection, text, "limin") == []
    assert await names(connection, text, "wangfang") == ["陈静"]


async def test_grade_narrows_and_its_choices_are_those_that_there_are(
    connection: AsyncConnection,
) -> None:
    for name, grade in (("a", "A"), ("b", "B"), ("c", ""), ("d", "A")):
        await add(connection, name=name, grade=grade)
    agent = await viewer(connection, "limin")
    assert await grades(connection, agent) == ("A", "B")
    assert await names(connection, "", "limin", grade="A") == ["a", "d"]
    assert await names(connection, "d", "limin", grade="B") == []


async def test_grade_that_is_not_read_is_no_filter_and_no_choice(
    connection: AsyncConnection,
) -> None:
    await add(connection, name="a", grade="A")
    await hide(connection, "grade")
    assert await grades(connection, await viewer(connection, "limin")) == ()
    assert await names(connection, "", "limin", grade="A") == []
    assert await names(connection, "", "wangfang", grade="A") == ["a"]


async def test_order_tells_nothing_of_names_that_are_not_read(connection: AsyncConnection) -> None:
    ids = [await add(connection, name=name, phones=["13800138000"]) for name in "cab"]
    await hide(connection, "name")
    agent, seen, cursor = await viewer(connection, "limin"), [], None
    while True:
        page = await search(connection, "", agent, limit=1, cursor=cursor)
        seen += [item["id"] for item in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert seen == ids
    assert await names(connection, "", "wangfang") == ["a", "b", "c"]


async def test_last_four_of_a_number_of_which_two_are_shown_find_nobody(
    connection: AsyncConnection,
) -> None:
    await add(connection, name="short", phones=["6234567"])
    assert await names(connection, "4567", "limin") == []
    assert await names(connection, "6234567", "limin") == ["short"]
    assert await names(connection, "4567", "wangfang") == ["short"]


@pytest.mark.parametrize(
    ("text", "number", "guess"),
    [
        ("13800138000", True, True),
        ("138 0013-8000", True, True),
        ("+86 138", True, True),
        ("8000", True, False),
        ("８０００", True, False),
        ("800", False, False),
        ("陈静", False, False),
        ("B2-4000x", False, False),
    ],
)
def test_what_counts_as_a_number_and_as_a_guess(text: str, number: bool, guess: bool) -> None:
    assert (is_number(text), is_guess(text)) == (number, guess)


# --- guesses --------------------------------------------------------------------------------------


async def test_who_sees_masks_may_miss_sixty_times_an_hour(connection: AsyncConnection) -> None:
    agent = await viewer(connection, "limin")
    guesses = Guesses()
    told = []
    for nth in range(MOST_MISSES):
        guesses.allow(agent, later(nth))
        told.append(guesses.missed(agent, later(nth)))
    assert told == [False] * (MOST_MISSES - 1) + [True]
    with pytest.raises(TooMany):
        guesses.allow(agent, later(MOST_MISSES))
    guesses.allow(await viewer(connection, "zhao"), later(MOST_MISSES))
    with pytest.raises(TooMany):
        guesses.allow(agent, T0 + WITHIN - timedelta(microseconds=1))
    guesses.allow(agent, T0 + WITHIN)
    assert guesses.missed(agent, T0 + WITHIN, numbers=5)
    with pytest.raises(TooMany):
        guesses.allow(agent, T0 + WITHIN)


async def test_who_sees_numbers_has_nothing_to_guess(connection: AsyncConnection) -> None:
    supervisor = await viewer(connection, "wangfang")
    guesses = Guesses()
    for nth in range(2 * MOST_MISSES):
        guesses.allow(supervisor, later(nth))
        assert not guesses.missed(supervisor, later(nth))


# --- duplicates -----------------------------------------------------------------------------------


async def test_same_number_and_same_name_and_company_are_duplicates(
    connection: AsyncConnection,
) -> None:
    by_number = await add(connection, name="陈静", phones=[MOBILE])
    by_name = await add(connection, name="王强", company="Hill Ltd")
    await add(connection, name="王强", company="Harbour Ltd")
    agent = await viewer(connection, "limin")
    found = await duplicates_of(
        connection, agent, numbers={MOBILE}, name="王强", company="Hill Ltd"
    )
    assert [(one.customer["id"], one.by_number) for one in found] == [
        (by_number, True),
        (by_name, False),
    ]
    assert found[0].customer["phones"][0]["number"] == "138****8000"
    assert await duplicates_of(connection, agent, numbers={MOBILE}, but=by_number) == ()
    assert await duplicates_of(connection, agent) == ()


@pytest.mark.parametrize("key", ["phones", "company", "name"])
async def test_what_is_not_read_makes_no_duplicate(connection: AsyncConnection, key: str) -> None:
    await add(connection, name="陈静", company="Harbour Ltd", phones=[MOBILE])
    await hide(connection, key)
    agent = await viewer(connection, "limin")
    asked: dict[str, Any] = {"numbers": {MOBILE}} if key == "phones" else {}
    asked |= {} if key == "phones" else {"name": "陈静", "company": "Harbour Ltd"}
    assert await duplicates_of(connection, agent, **asked) == ()
    told = await duplicates_of(connection, replace(agent, roles=frozenset({"supervisor"})), **asked)
    assert len(told) == 1
