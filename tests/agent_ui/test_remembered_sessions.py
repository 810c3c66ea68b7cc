"""What a session is worth while the database is away: a minute, and never more than was last seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agent_ui.auth import TRUSTED_WHILE_AWAY, Identities
from crm_core.access.standing import standing
from crm_core.access.users import disable
from crm_core.db import reading, transaction
from crm_core.errors import Unavailable
from tests.agent_ui.test_commands import the_database_away
from tests.agent_ui.world import World


class Clock:
    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.at

    def passes(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def identities(world: World, clock: Clock) -> Identities:
    return Identities(world.engine, world.settings, clock)


async def watch(world: World, identities: Identities, clock: Clock) -> None:
    """One look of the watch over rights."""
    async with reading(world.engine) as connection:
        identities.saw(await standing(connection, clock()), clock())


async def token_of(world: World, name: str) -> str:
    return (await world.signed_in(name)).cookies["__Host-zuoxi"]


async def test_known_session_is_trusted_for_a_minute_and_an_unknown_one_never(
    world: World, identities: Identities, clock: Clock
) -> None:
    token, never_asked = await token_of(world, "limin"), await token_of(world, "zhaolei")
    assert await identities.session(token) is not None
    async with the_database_away(world):
        clock.passes(59)
        session = await identities.session(token)
        assert session is not None
        assert session.viewer.name == "limin"
        with pytest.raises(Unavailable):
            await identities.session(never_asked)
        clock.passes(2)
        with pytest.raises(Unavailable):
            await identities.session(token)
    assert timedelta(minutes=1) == TRUSTED_WHILE_AWAY
    assert await identities.session(token) is not None


async def test_minute_begins_when_the_watch_last_saw_the_person_not_at_the_last_click(
    world: World, identities: Identities, clock: Clock
) -> None:
    token = await token_of(world, "limin")
    await identities.session(token)
    clock.passes(600)  # a long call: nothing was clicked
    await watch(world, identities, clock)
    async with the_database_away(world):
        clock.passes(59)
        assert await identities.session(token) is not None
        clock.passes(2)
        with pytest.raises(Unavailable):
            await identities.session(token)


async def test_disabled_person_is_out_though_the_database_went_away_right_after(
    world: World, identities: Identities, clock: Clock
) -> None:
    token = await token_of(world, "limin")
    await identities.session(token)
    clock.passes(1)
    async with transaction(world.engine) as connection:
        await disable(connection, "limin", actor="test", now=clock())
    await watch(world, identities, clock)
    async with the_database_away(world):
        with pytest.raises(Unavailable):
            await identities.session(token)


async def test_rights_that_changed_are_not_those_that_are_remembered(
    world: World, identities: Identities, clock: Clock
) -> None:
    token = await token_of(world, "wangfang")
    await identities.session(token)
    clock.passes(1)
    async with transaction(world.engine) as connection:
        from sqlalchemy import text

        await connection.execute(text("UPDATE users SET team_id = NULL WHERE name = 'wangfang'"))
    await watch(world, identities, clock)
    async with the_database_away(world):
        with pytest.raises(Unavailable):
            await identities.session(token)


async def test_session_that_was_confirmed_after_the_last_look_is_known(
    world: World, identities: Identities, clock: Clock
) -> None:
    await watch(world, identities, clock)
    clock.passes(0.1)
    token = await token_of(world, "limin")
    await identities.session(token)
    async with the_database_away(world):
        assert await identities.session(token) is not None


async def test_sessions_that_this_process_ended_are_forgotten(
    world: World, identities: Identities, clock: Clock
) -> None:
    tokens = [await token_of(world, "limin") for _ in range(2)]
    sessions = [await identities.session(token) for token in tokens]
    assert sessions[0] is not None
    assert sessions[0].viewer.user_id is not None
    identities.forget_person(sessions[0].viewer.user_id, but=tokens[1])
    async with the_database_away(world):
        with pytest.raises(Unavailable):
            await identities.session(tokens[0])
        assert await identities.session(tokens[1]) is not None
