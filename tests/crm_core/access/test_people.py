"""People, roles and tokens: who is added, what they may, what a program sees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.access.audit import audit
from crm_core.access.models import AuditEntry, Role, RolePermission, Token, UserRole
from crm_core.access.passwords import verify
from crm_core.access.permissions import PRESET_ROLES, DataScope, Permission
from crm_core.access.roles import role_ids, write_presets
from crm_core.access.tokens import create_token, revoke_token, viewer_of_token
from crm_core.access.users import (
    add_user,
    disable,
    enable,
    has_administrator,
    list_users,
    set_language,
    set_password,
)
from crm_core.db import transaction
from crm_core.errors import Conflict, Invalid, NotFound
from tests.crm_core.centre.a_centre import T0, build, later, viewer
from tests.crm_core.customers.hostile import HOSTILE


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    await build(engine)
    async with transaction(engine) as connection:
        yield connection


async def add(connection: AsyncConnection, **how: Any) -> Any:
    given: dict[str, Any] = {"roles": ["agent"], "actor": "test", "now": T0, **how}
    return await add_user(connection, **given)


async def token_of(connection: AsyncConnection, role: str, user: str | None = None) -> str:
    name = f"{role} of {user}"
    return await create_token(connection, name=name, role=role, user=user, actor="test", now=T0)


async def test_person_is_added_with_everything_named(connection: AsyncConnection) -> None:
    added = await add(
        connection,
        name="陈静",
        full_name="Chen Jing",
        agent_number="1009",
        roles=["agent", "supervisor"],
        team="North",
        projects=["Members"],
        pbx="main",
        extension="8002",
    )
    [row] = [row for row in await list_users(connection) if row.name == "陈静"]
    assert (row.user_id, row.agent_number, row.roles) == (
        added.user_id,
        "1009",
        ("agent", "supervisor"),
    )
    assert (row.team, row.pbx, row.extension, len(row.project_ids)) == ("North", "main", "8002", 2)
    person = await viewer(connection, "陈静")
    assert person.scope is DataScope.TEAM
    assert person.permissions == (
        PRESET_ROLES["agent"].permissions | PRESET_ROLES["supervisor"].permissions
    )
    assert person.must_change_password
    assert added.one_time_password


async def test_what_is_taken_or_unknown_is_refused(connection: AsyncConnection) -> None:
    for how in ({"name": "limin"}, {"name": "new", "agent_number": "1001"}):
        with pytest.raises(Conflict):
            await add(connection, **how)
    wrong: list[dict[str, Any]] = [
        {"name": ""},
        {"name": "two words"},
        {"name": "x" * 65},
        {"name": "new", "agent_number": "10 01"},
        {"name": "new", "roles": []},
        {"name": "new", "roles": ["king"]},
        {"name": "new", "team": "West"},
        {"name": "new", "projects": ["Nothing"]},
        {"name": "new", "pbx": "main", "extension": "9999"},
        {"name": "new", "password": "short"},
    ]
    for how in wrong:
        with pytest.raises(Invalid, match=r"\w"):
            await add(connection, **how)
    assert len(await list_users(connection)) == 4


async def test_new_password_is_a_one_time_password_unless_given(
    connection: AsyncConnection,
) -> None:
    made = await set_password(connection, "limin", actor="test", now=T0)
    assert made
    assert (await viewer(connection, "limin")).must_change_password
    given = await set_password(connection, "limin", "long enough", actor="test", now=T0)
    assert given is None
    assert not (await viewer(connection, "limin")).must_change_password
    with pytest.raises(NotFound):
        await set_password(connection, "nobody", actor="test", now=T0)


async def test_last_administrator_is_not_disabled_but_one_of_two_is(
    connection: AsyncConnection,
) -> None:
    with pytest.raises(Conflict, match="last administrator"):
        await disable(connection, "root", actor="test", now=T0)
    await add(connection, name="second", roles=["agent", "admin"])
    await disable(connection, "root", actor="test", now=T0)
    assert await has_administrator(connection)
    with pytest.raises(Conflict):
        await disable(connection, "second", actor="test", now=T0)
    await enable(connection, "root", actor="test", now=T0)
    await disable(connection, "second", actor="test", now=T0)
    # Who is disabled already keeps nobody in, and nobody out.
    with pytest.raises(Conflict):
        await disable(connection, "root", actor="test", now=T0)
    await disable(connection, "second", actor="test", now=T0)


async def test_language_is_one_of_two(connection: AsyncConnection) -> None:
    await set_language(connection, await viewer(connection, "limin"), "en")
    assert (await viewer(connection, "limin")).language == "en"
    with pytest.raises(Invalid):
        await set_language(connection, await viewer(connection, "limin"), "fr")


async def test_presets_come_once_and_an_edited_one_stays(connection: AsyncConnection) -> None:
    await connection.execute(
        update(Role).where(Role.name == "agent").values(data_scope=DataScope.TEAM)
    )
    await write_presets(connection)
    assert (await viewer(connection, "limin")).scope is DataScope.TEAM
    assert await connection.scalar(select(func.count()).select_from(Role)) == len(PRESET_ROLES)


async def test_person_without_a_role_may_nothing(connection: AsyncConnection) -> None:
    await connection.execute(UserRole.__table__.delete())
    nobody = await viewer(connection, "root")
    assert (nobody.permissions, nobody.scope) == (frozenset(), DataScope.OWN)


async def test_permission_of_a_later_version_means_nothing(connection: AsyncConnection) -> None:
    ids = await role_ids(connection, ["agent"])
    await connection.execute(
        RolePermission.__table__.insert().values(role_id=ids["agent"], permission="fly")
    )
    assert (await viewer(connection, "limin")).permissions == PRESET_ROLES["agent"].permissions


# --- tokens ---------------------------------------------------------------------------------------


async def test_token_of_nobody_sees_what_its_role_sees_everywhere(
    connection: AsyncConnection,
) -> None:
    token = await token_of(connection, "supervisor")
    program = await viewer_of_token(connection, token)
    assert program is not None
    assert (program.user_id, program.scope, program.reveals) == (None, DataScope.ALL, True)
    assert program.permissions == PRESET_ROLES["supervisor"].permissions
    assert not program.may(Permission.ADMINISTER)
    stored = (await connection.execute(select(Token))).one()
    assert token not in map(str, stored)


async def test_token_of_a_person_never_sees_more_than_the_person(
    connection: AsyncConnection,
) -> None:
    for role, user, scope in (("admin", "limin", "own"), ("agent", "root", "own")):
        token = await token_of(connection, role, user)
        program = await viewer_of_token(connection, token)
        assert program is not None
        assert program.user_id == (await viewer(connection, user)).user_id
        assert program.permissions == PRESET_ROLES["agent"].permissions
        assert (program.scope, program.reveals) == (scope, False)


async def test_token_dies_with_its_person_and_when_revoked(connection: AsyncConnection) -> None:
    mine = await token_of(connection, "agent", "limin")
    other = await token_of(connection, "agent")
    await disable(connection, "limin", actor="test", now=later(1))
    assert await viewer_of_token(connection, mine) is None
    assert await viewer_of_token(connection, other) is not None
    await revoke_token(connection, "agent of None", actor="test", now=later(2))
    assert await viewer_of_token(connection, other) is None
    with pytest.raises(NotFound):
        await revoke_token(connection, "agent of None", actor="test", now=later(3))


async def test_hostile_text_opens_nothing_and_names_nobody(connection: AsyncConnection) -> None:
    for text in HOSTILE:
        assert await viewer_of_token(connection, text) is None
        with pytest.raises((Invalid, NotFound)):
            await token_of(connection, "agent", text)
        with pytest.raises(Invalid):
            await add(connection, name="new", roles=[text])
        with pytest.raises(NotFound):
            await disable(connection, text, actor="test", now=T0)


async def test_token_name_is_used_once(connection: AsyncConnection) -> None:
    await token_of(connection, "agent")
    with pytest.raises(Conflict):
        await token_of(connection, "agent")


# --- audit ----------------------------------------------------------------------------------------


async def test_no_name_makes_a_second_line_in_the_audit(connection: AsyncConnection) -> None:
    for text in HOSTILE:
        await audit(connection, text, "test.act", text, at=T0)
    rows = await connection.execute(select(AuditEntry).where(AuditEntry.act == "test.act"))
    for row in rows:
        assert len(row.actor.splitlines()) <= 1
        assert len(row.subject.splitlines()) <= 1


async def test_given_password_is_stored_as_a_hash_only(connection: AsyncConnection) -> None:
    from crm_core.access.models import User

    await add(connection, name="new", password="long enough")
    stored = await connection.scalar(select(User.password_hash).where(User.name == "new"))
    assert stored is not None
    assert "long enough" not in stored
    assert await verify(stored, "long enough")
