"""Data scope: which calls a viewer's rows are, and whose frames."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.access.models import User
from crm_core.access.permissions import DataScope, Permission
from crm_core.access.scope import calls_in_scope, customers_in_scope, sees_agent
from crm_core.access.viewer import Viewer
from crm_core.call_log.models import Call, Leg, OfferAttempt, QueuePass
from crm_core.centre.models import Project, Queue
from crm_core.customers.models import Customer
from crm_core.db import transaction
from tests.crm_core.centre.a_centre import PBX, T0, build, later, viewer


async def add_call(
    connection: AsyncConnection,
    name: str,
    *,
    project: str = "Appliances",
    queue: str = "support",
    talked: str | None = None,
    rung: str | None = None,
) -> None:
    """A call of ours is named after what happened in it."""
    users = {row.name: row.id for row in await connection.execute(select(User.name, User.id))}
    queue_id = await connection.scalar(select(Queue.id).where(Queue.name == queue))
    project_id = await connection.scalar(select(Project.id).where(Project.name == project))
    await connection.execute(
        insert(Call).values(
            call_id=name,
            pbx=PBX,
            boot="b1",
            direction="inbound",
            project_id=project_id,
            started_at=T0,
            answered_at=later(5) if talked else None,
            confidence="complete",
        )
    )
    await connection.execute(
        insert(QueuePass).values(
            call_id=name,
            unique_id="1.0",
            queue=queue,
            ordinal=1,
            pbx=PBX,
            queue_id=queue_id,
            entered_at=T0,
            user_id=users.get(talked or ""),
        )
    )
    if rung:
        await connection.execute(
            insert(OfferAttempt).values(call_id=name, attempt=1, user_id=users[rung], offered_at=T0)
        )


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Li Min and supervisor Wang Fang are team North (support); Zhao is team South (both queues)."""
    await build(engine)
    async with transaction(engine) as connection:
        await add_call(connection, "li talked", talked="limin")
        await add_call(connection, "li missed, zhao talked", rung="limin", talked="zhao")
        await add_call(connection, "zhao talked", talked="zhao")
        await add_call(
            connection, "members, zhao", project="Members", queue="members", talked="zhao"
        )
        await add_call(connection, "support, nobody")
        await add_call(connection, "members, nobody", project="Members", queue="members")
        yield connection


async def seen_by(connection: AsyncConnection, who: Viewer) -> set[str]:
    return set(await connection.scalars(select(Call.call_id).where(calls_in_scope(who))))


LI = {"li talked", "li missed, zhao talked"}
MEMBERS = {"members, zhao", "members, nobody"}


async def test_agent_sees_calls_that_rang_or_talked_there(connection: AsyncConnection) -> None:
    assert await seen_by(connection, await viewer(connection, "limin")) == LI


async def test_leg_alone_makes_a_call_the_agents_own(connection: AsyncConnection) -> None:
    limin = await viewer(connection, "limin")
    await connection.execute(
        insert(Leg).values(
            call_id="members, zhao",
            unique_id="2.0",
            linked_id="1.0",
            party="agent",
            user_id=limin.user_id,
            started_at=T0,
        )
    )
    assert await seen_by(connection, limin) == LI | {"members, zhao"}


async def test_supervisor_sees_the_teams_calls_and_whom_its_queues_lost(
    connection: AsyncConnection,
) -> None:
    wang = await viewer(connection, "wangfang")
    assert await seen_by(connection, wang) == LI | {"support, nobody"}


async def test_project_scope_sees_the_projects_calls(connection: AsyncConnection) -> None:
    zhao = replace(await viewer(connection, "zhao"), scope=DataScope.PROJECT, user_id=None)
    assert await seen_by(connection, zhao) == MEMBERS


async def test_admin_sees_all_and_who_may_not_read_sees_none(connection: AsyncConnection) -> None:
    root = await viewer(connection, "root")
    assert len(await seen_by(connection, root)) == 6
    blind = replace(root, permissions=root.permissions - {Permission.READ_CALLS})
    assert await seen_by(connection, blind) == set()


async def test_nobody_with_a_narrow_scope_sees_nothing(connection: AsyncConnection) -> None:
    limin = await viewer(connection, "limin")
    for scope in (DataScope.OWN, DataScope.TEAM, DataScope.PROJECT):
        nobody = replace(limin, user_id=None, team_id=None, project_ids=frozenset(), scope=scope)
        assert await seen_by(connection, nobody) == set()
        assert not sees_agent(nobody, None, None, ())


async def test_customers_are_the_sites_but_not_for_who_may_not_read(
    connection: AsyncConnection,
) -> None:
    limin = await viewer(connection, "limin")
    await connection.execute(insert(Customer).values(name="x", created_at=T0, changed_at=T0))
    assert len(list(await connection.scalars(select(Customer.id).where(customers_in_scope(limin)))))
    blind = replace(limin, permissions=frozenset())
    assert not list(await connection.scalars(select(Customer.id).where(customers_in_scope(blind))))


async def test_frames_of_an_agent_go_to_who_may_see_that_agent(
    connection: AsyncConnection,
) -> None:
    people = {
        name: await viewer(connection, name) for name in ("limin", "zhao", "wangfang", "root")
    }
    for watched in ("limin", "zhao"):
        one = people[watched]
        seen = {
            name
            for name, who in people.items()
            if sees_agent(who, one.user_id, one.team_id, one.project_ids)
        }
        assert seen == {watched, "root"} | ({"wangfang"} if watched == "limin" else set())
    projectwide = replace(people["wangfang"], scope=DataScope.PROJECT)
    assert sees_agent(projectwide, people["limin"].user_id, None, people["limin"].project_ids)
    assert not sees_agent(projectwide, people["zhao"].user_id, None, people["zhao"].project_ids)
