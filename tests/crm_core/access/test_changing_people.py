"""One person's file: what may stand in it, what a change reaches, and nobody locked out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.access.devices import give_back, take_seat
from crm_core.access.models import AuditEntry, User, UserQueue
from crm_core.access.people import (
    PersonFile,
    Wish,
    WrongFields,
    add_person,
    change_person,
    next_agent_number,
    person,
    problems,
)
from crm_core.access.person_problems import PersonProblem
from crm_core.access.users import add_user, disable, has_administrator
from crm_core.centre.models import Queue
from crm_core.db import transaction
from crm_core.errors import Conflict, NotFound
from tests.crm_core.centre.a_centre import PBX, T0, build, later, viewer
from tests.crm_core.customers.hostile import HOSTILE


@pytest.fixture
async def centre(engine: AsyncEngine) -> AsyncEngine:
    await build(engine)
    return engine


@pytest.fixture
async def connection(centre: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with transaction(centre) as connection:
        yield connection


async def id_of(connection: AsyncConnection, name: str) -> int:
    found = await connection.scalar(select(User.id).where(User.name == name))
    assert found is not None
    return found


async def queue(connection: AsyncConnection, name: str) -> int:
    found = await connection.scalar(select(Queue.id).where(Queue.name == name))
    assert found is not None
    return found


def as_it_is(one: PersonFile) -> Wish:
    return Wish(
        full_name=one.full_name,
        agent_number=one.agent_number,
        roles=one.roles,
        team=one.team,
        queues=one.queues,
        pbx=one.pbx,
        extension=one.extension,
    )


async def kinds(
    connection: AsyncConnection, wish: Wish, present: PersonFile | None = None
) -> dict[str, PersonProblem]:
    return {field: one.kind for field, one in (await problems(connection, wish, present)).items()}


NEW = Wish(
    name="chen",
    full_name="陈静",
    agent_number="1003",
    roles=frozenset({"agent"}),
    team="North",
    queues=frozenset(),
)


# --- a new person ---------------------------------------------------------------------------------


async def test_new_person_has_everything_that_was_wished(connection: AsyncConnection) -> None:
    support = await queue(connection, "support")
    wish = replace(NEW, queues=frozenset({support}), pbx="main", extension="8002")
    user_id = await add_person(connection, wish, "hash", actor="root", now=T0)
    found = await person(connection, user_id)
    assert as_it_is(found) == replace(wish, name="")
    assert found.must_change_password
    assert (found.seat, found.seen_at, found.disabled_at) == (None, None, None)


P = PersonProblem

WRONG: list[tuple[dict[str, Any], str, PersonProblem]] = [
    ({"name": "two words"}, "name", P.NAME_FORM),
    ({"name": ""}, "name", P.NAME_FORM),
    ({"name": "limin"}, "name", P.NAME_TAKEN),
    ({"full_name": "  "}, "full_name", P.FULL_NAME_EMPTY),
    ({"full_name": "a\nb"}, "full_name", P.FULL_NAME_EMPTY),
    ({"full_name": "长" * 129}, "full_name", P.FULL_NAME_LONG),
    ({"agent_number": "10 01"}, "agent_number", P.NUMBER_FORM),
    ({"agent_number": "1001"}, "agent_number", P.NUMBER_TAKEN),
    ({"agent_number": None, "queues": frozenset({1})}, "agent_number", P.NUMBER_NEEDED),
    ({"roles": frozenset()}, "roles", P.ROLE_NEEDED),
    ({"roles": frozenset({"king"})}, "roles", P.ROLE_UNKNOWN),
    ({"team": "West"}, "team", P.TEAM_UNKNOWN),
    ({"queues": frozenset({0})}, "queues", P.QUEUE_UNKNOWN),
    ({"queues": frozenset({10**9})}, "queues", P.QUEUE_UNKNOWN),
    ({"pbx": "main", "extension": "9999"}, "extension", P.SEAT_UNKNOWN),
    ({"pbx": "other", "extension": "8001"}, "extension", P.SEAT_UNKNOWN),
]


@pytest.mark.parametrize(("how", "field", "kind"), WRONG)
async def test_what_is_wrong_is_told_at_its_field_and_nobody_is_added(
    connection: AsyncConnection, how: dict[str, Any], field: str, kind: PersonProblem
) -> None:
    wish = replace(NEW, **how)
    assert await kinds(connection, wish) == {field: kind}
    with pytest.raises(WrongFields) as refused:
        await add_person(connection, wish, "hash", actor="root", now=T0)
    assert set(refused.value.fields) == {field}
    assert await connection.scalar(select(User.id).where(User.name == "chen")) is None


async def test_everything_wrong_is_told_at_once(connection: AsyncConnection) -> None:
    wish = Wish(
        name="",
        full_name="",
        agent_number="?",
        roles=frozenset(),
        team="West",
        queues=frozenset({0}),
        extension="1",
    )
    assert set(await kinds(connection, wish)) == {
        "name",
        "full_name",
        "agent_number",
        "roles",
        "team",
        "queues",
        "extension",
    }


async def test_hostile_text_is_a_problem_or_a_name_and_never_an_error(
    connection: AsyncConnection,
) -> None:
    for text in HOSTILE:
        wish = Wish(
            name=text,
            full_name=text,
            agent_number=text or None,
            roles=frozenset({text}),
            team=text,
            queues=frozenset(),
            pbx=text,
            extension=text,
        )
        assert "roles" in await kinds(connection, wish), text


# --- agent numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("taken", "proposed"),
    [
        ([], "1001"),
        (["1001", "1002", "2001"], "2002"),
        (["0099"], "0100"),
        (["999"], "1000"),
        (["1001", "1002", "00000000000001", "A7"], "1003"),
        (["A7", "B8"], "1001"),
    ],
)
async def test_proposed_agent_number_goes_on_in_the_style_of_the_centre(
    engine: AsyncEngine, taken: list[str], proposed: str
) -> None:
    async with transaction(engine) as connection:
        for number in taken:
            await add_user(
                connection,
                name=f"x{number}",
                agent_number=number,
                roles=["agent"],
                password="long enough",
                actor="test",
                now=T0,
            )
        assert await next_agent_number(connection) == proposed


async def test_proposed_agent_number_is_that_of_the_agents_and_free(
    connection: AsyncConnection,
) -> None:
    """1001 and 1002 are agents', 2001 the supervisor's."""
    assert await next_agent_number(connection) == "1003"
    await add_person(
        connection, replace(NEW, roles=frozenset({"supervisor"})), "hash", actor="x", now=T0
    )
    assert await next_agent_number(connection) == "1004"


async def test_agent_number_stays_once_somebody_has_worked_under_it(
    connection: AsyncConnection,
) -> None:
    limin = await person(connection, await id_of(connection, "limin"))
    wish = replace(as_it_is(limin), agent_number="1009")
    assert await kinds(connection, wish, limin) == {}  # a mistyped one may be mended
    who = await viewer(connection, "limin")
    await take_seat(connection, who, pbx=PBX, extension="8001", now=T0)
    await give_back(connection, who, now=later(60))
    limin = await person(connection, limin.user_id)
    assert await kinds(connection, wish, limin) == {"agent_number": P.NUMBER_FIXED}
    assert await kinds(connection, replace(wish, agent_number=None), limin) == {
        "agent_number": P.NUMBER_FIXED
    }


# --- changes --------------------------------------------------------------------------------------


async def test_change_is_audited_with_old_and_new_and_nothing_else(
    connection: AsyncConnection,
) -> None:
    limin = await person(connection, await id_of(connection, "limin"))
    wish = replace(as_it_is(limin), full_name="李敏敏", roles=frozenset({"agent", "supervisor"}))
    assert await change_person(connection, limin.user_id, wish, actor="root", now=T0) is None
    entry = (
        await connection.execute(select(AuditEntry).where(AuditEntry.act == "user.change"))
    ).one()
    assert (entry.actor, entry.subject) == ("root", "limin")
    assert entry.detail == {
        "full_name": ["李敏", "李敏敏"],
        "roles": [["agent"], ["agent", "supervisor"]],
    }
    await change_person(connection, limin.user_id, wish, actor="root", now=T0)
    acts = list(await connection.scalars(select(AuditEntry.act)))
    assert acts.count("user.change") == 1, "nothing changed, and the audit says something did"


async def test_queues_of_somebody_at_work_are_told_again_with_the_moment_of_the_sign_in(
    connection: AsyncConnection,
) -> None:
    who = await viewer(connection, "limin")
    await take_seat(connection, who, pbx=PBX, extension="8001", now=later(10))
    limin = await person(connection, who.user_id or 0)
    members = await queue(connection, "members")
    wish = replace(as_it_is(limin), queues=limin.queues | {members})
    told = await change_person(connection, limin.user_id, wish, actor="root", now=later(60))
    assert told is not None
    assert (told.at, told.interface, told.queues) == (
        later(10),
        "PJSIP/8001",
        ("members", "support"),
    )
    unchanged = await change_person(connection, limin.user_id, wish, actor="root", now=later(70))
    assert unchanged is None


async def test_queue_that_stays_keeps_its_penalty(connection: AsyncConnection) -> None:
    zhao = await person(connection, await id_of(connection, "zhao"))
    support = await queue(connection, "support")
    await connection.execute(
        update(UserQueue)
        .where(UserQueue.user_id == zhao.user_id, UserQueue.queue_id == support)
        .values(penalty=3)
    )
    wish = replace(as_it_is(zhao), queues=frozenset({support}))
    await change_person(connection, zhao.user_id, wish, actor="root", now=T0)
    rows = await connection.execute(
        select(UserQueue.queue_id, UserQueue.penalty).where(UserQueue.user_id == zhao.user_id)
    )
    assert [tuple(row) for row in rows] == [(support, 3)]


async def test_usual_device_from_a_site_without_seats_may_stay(connection: AsyncConnection) -> None:
    zhao_id = await id_of(connection, "zhao")
    await connection.execute(
        update(User).where(User.id == zhao_id).values(pbx=None, extension="4711")
    )
    zhao = await person(connection, zhao_id)
    assert await kinds(connection, as_it_is(zhao), zhao) == {}


async def test_nobody_there_is_not_found(connection: AsyncConnection) -> None:
    with pytest.raises(NotFound):
        await person(connection, 999_999)


# --- the last administrator -----------------------------------------------------------------------


async def test_last_administrator_stays_one(connection: AsyncConnection) -> None:
    root = await person(connection, await id_of(connection, "root"))
    wish = replace(as_it_is(root), roles=frozenset({"agent"}))
    assert await kinds(connection, wish, root) == {"roles": P.LAST_ADMINISTRATOR}
    both = replace(as_it_is(root), roles=frozenset({"agent", "admin"}))
    assert await kinds(connection, both, root) == {}
    await add_person(
        connection, replace(NEW, roles=frozenset({"admin"})), "hash", actor="root", now=T0
    )
    assert await kinds(connection, wish, root) == {}


async def test_two_administrators_who_disable_each_other_at_once_leave_one(
    centre: AsyncEngine,
) -> None:
    async with transaction(centre) as connection:
        await add_person(
            connection, replace(NEW, roles=frozenset({"admin"})), "hash", actor="root", now=T0
        )

    async def let_go(name: str) -> str:
        try:
            async with transaction(centre) as connection:
                await disable(connection, name, actor="test", now=later(1))
        except Conflict:
            return "refused"
        return "disabled"

    for _ in range(5):
        done = await asyncio.gather(let_go("root"), let_go("chen"))
        assert sorted(done) == ["disabled", "refused"]
        async with transaction(centre) as connection:
            assert await has_administrator(connection)
            await connection.execute(update(User).values(disabled_at=None))
