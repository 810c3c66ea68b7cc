"""Rights behind open sockets: what is seen as unchanged is unchanged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.access.models import (
    Role,
    RolePermission,
    Session,
    Token,
    User,
    UserProject,
    UserRole,
)
from crm_core.access.standing import fingerprint, standing
from crm_core.centre.models import Project, Seat, SeatHolding, Team
from crm_core.db import reading, transaction

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
PERSON = {"full_name": "王芳", "password_hash": "-", "created_at": NOW, "language": "zh_CN"}
SESSION = {"created_at": NOW, "seen_at": NOW, "address": "-", "user_agent": "-"}


async def a_centre(engine: AsyncEngine) -> None:
    """Two people with a session and a token, one at a seat."""
    async with transaction(engine) as connection:

        async def add(table: type[Any], **values: Any) -> None:
            await connection.execute(insert(table), [values])

        await add(Project, id=1, name="Own", is_default=True)
        await add(Project, id=2, name="Water works")
        await add(Team, id=1, name="East", project_id=2)
        await add(Role, id=50, name="reader", data_scope="own")
        await add(RolePermission, role_id=50, permission="read_live")
        for user in (1, 2):
            await add(User, id=user, name=f"person {user}", agent_number=f"100{user}", **PERSON)
            await add(UserRole, user_id=user, role_id=50)
            await add(
                Session,
                token_hash=f"session {user}",
                csrf_token="-",
                user_id=user,
                expires_at=NOW + timedelta(hours=user),
                **SESSION,
            )
        await add(Token, id=1, token_hash="t", name="crm", role_id=50, user_id=1, created_at=NOW)
        await add(Seat, id=1, pbx="main", extension="8001", interface="PJSIP/8001")
        await add(SeatHolding, pbx="main", interface="PJSIP/8001", user_id=1, began_at=NOW)


CHANGES: dict[str, Any] = {
    "a person is disabled": update(User).where(User.id == 2).values(disabled_at=NOW),
    "a person joins a team": update(User).where(User.id == 2).values(team_id=1),
    "an agent number": update(User).where(User.id == 2).values(agent_number="7"),
    "a permission goes": delete(RolePermission).where(RolePermission.role_id == 50),
    "a scope widens": update(Role).where(Role.id == 50).values(data_scope="all"),
    "a role goes": delete(UserRole).where(UserRole.user_id == 2),
    "a project comes": insert(UserProject).values(user_id=1, project_id=2),
    "a session ends": delete(Session).where(Session.user_id == 2),
    "a token is revoked": update(Token).values(revoked_at=NOW),
    "a seat is given back": update(SeatHolding).values(ended_at=NOW),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_what_changes_rights_changes_the_fingerprint(
    engine: AsyncEngine, change: str
) -> None:
    await a_centre(engine)
    async with reading(engine) as connection:
        before = await fingerprint(connection, NOW), await standing(connection, NOW)
        assert await fingerprint(connection, NOW) == before[0]
    async with transaction(engine) as connection:
        await connection.execute(CHANGES[change])
    async with reading(engine) as connection:
        after = await fingerprint(connection, NOW), await standing(connection, NOW)
    assert after[1] != before[1]
    assert after[0] != before[0]


async def test_a_session_that_expires_changes_the_fingerprint(engine: AsyncEngine) -> None:
    await a_centre(engine)
    async with reading(engine) as connection:
        later = NOW + timedelta(minutes=61)
        assert await fingerprint(connection, later) != await fingerprint(connection, NOW)
        assert "session 1" not in (await standing(connection, later)).rights
