"""The one-time set-up link: once, fifteen minutes, as long as nobody may administer."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.access.models import AuditEntry, Session, SetupLink
from crm_core.access.sessions import SignedIn
from crm_core.access.setup_links import GOOD_FOR, first_administrator, new_link, require_good
from crm_core.access.users import add_user, list_users
from crm_core.db import reading, transaction
from crm_core.errors import Conflict, Invalid, NotFound
from tests.crm_core.centre.a_centre import T0, later

PASSWORD = "a long enough one"


async def link(engine: AsyncEngine, at: float = 0) -> str:
    token = await new_link(engine, now=later(at))
    assert token is not None
    return token


async def use(
    engine: AsyncEngine,
    token: str,
    name: str = "boss",
    password: str = PASSWORD,
    at: float = 1,
) -> SignedIn:
    return await first_administrator(
        engine,
        token=token,
        name=name,
        password=password,
        address="192.0.2.7",
        user_agent="Firefox",
        now=later(at),
    )


async def good(engine: AsyncEngine, token: str, at: float) -> bool:
    async with reading(engine) as connection:
        try:
            await require_good(connection, token, later(at))
        except NotFound:
            return False
        return True


async def test_link_makes_one_administrator_and_signs_in(engine: AsyncEngine) -> None:
    token = await link(engine)
    signed_in = await use(engine, token)
    assert signed_in.viewer.roles == {"admin"}
    assert not signed_in.viewer.must_change_password
    async with reading(engine) as connection:
        acts = list(await connection.scalars(select(AuditEntry.act)))
        assert (await connection.execute(select(Session))).one().user_id
        assert (await connection.execute(select(SetupLink))).all() == []
    assert {"user.add", "session.begin"} <= set(acts)
    with pytest.raises(NotFound):
        await use(engine, token, "second")


async def test_table_does_not_hold_the_secret(engine: AsyncEngine) -> None:
    token = await link(engine)
    async with reading(engine) as connection:
        assert token not in repr((await connection.execute(select(SetupLink))).one())


async def test_link_dies_after_fifteen_minutes_and_with_the_next_start(
    engine: AsyncEngine,
) -> None:
    first = await link(engine)
    end = GOOD_FOR.total_seconds()
    assert end == 15 * 60
    assert await good(engine, first, end - 1)
    assert not await good(engine, first, end)
    with pytest.raises(NotFound):
        await use(engine, first, at=end)
    second = await link(engine, 60)
    assert not await good(engine, first, 61)
    assert await good(engine, second, 61)
    assert not await good(engine, "guessed", 61)


async def test_no_link_where_somebody_administers_and_none_lives_on(engine: AsyncEngine) -> None:
    token = await link(engine)
    async with transaction(engine) as connection:
        await add_user(
            connection, name="root", roles=["admin"], password=PASSWORD, actor="test", now=T0
        )
    assert not await good(engine, token, 1)
    with pytest.raises(NotFound):
        await use(engine, token)
    assert await new_link(engine, now=later(2)) is None


async def test_what_is_refused_leaves_the_link_good(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await add_user(connection, name="li", roles=["agent"], actor="test", now=T0)
    token = await link(engine)
    for name, password, refusal in (
        ("boss", "short", Invalid),
        ("boss", "password", Invalid),
        ("two words", PASSWORD, Invalid),
        ("li", PASSWORD, Conflict),
    ):
        with pytest.raises(refusal):
            await use(engine, token, name, password)
    assert (await use(engine, token)).viewer.name == "boss"


async def test_of_two_at_once_one_gets_in(engine: AsyncEngine) -> None:
    token = await link(engine)
    both = await asyncio.gather(
        use(engine, token, "one"), use(engine, token, "two"), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in both) == ["NotFound", "SignedIn"]
    async with reading(engine) as connection:
        assert len(await list_users(connection)) == 1
