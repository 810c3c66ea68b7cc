"""A small centre for tests: two projects, two teams, four people, a field agents may not read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.access.models import User, UserQueue, UserRole
from crm_core.access.roles import role_ids
from crm_core.access.viewer import Viewer, viewer_of_user
from crm_core.centre.models import Queue, Team
from crm_core.centre.setup import import_setup
from crm_core.db import reading, transaction
from crm_core.ids import PbxId

PBX = PbxId("main")
T0 = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"

CENTRE = """\
projects:
  - {name: Appliances, client: Sea Star, default: true}
  - {name: Members, client: Blue Whale}
queues:
  - {name: support, title: 报修, project: Appliances}
  - {name: members, title: 会员, project: Members}
hotlines:
  - {number: "4008001234", name: 售后热线, greeting: 您好, queue: support}
teams:
  - {name: North, project: Appliances}
  - {name: South, project: Members}
seats:
  - {extension: "8001"}
  - {extension: "8002"}
customer_fields:
  - {key: contract, zh: 合同号, en: Contract}
  - {key: secret, zh: 内部评级, en: Internal rating, read_roles: [supervisor, admin]}
"""


def later(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


async def build(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await import_setup(connection, CENTRE, now=T0)
        for person in PEOPLE:
            await _add(connection, person)


@dataclass(frozen=True, slots=True)
class _Person:
    name: str
    full_name: str
    role: str
    agent_number: str | None = None
    team: str | None = None
    queues: tuple[str, ...] = ()
    extension: str | None = None


PEOPLE = (
    _Person("limin", "李敏", "agent", "1001", "North", ("support",), "8001"),
    _Person("zhao", "赵强", "agent", "1002", "South", ("members", "support")),
    _Person("wangfang", "王芳", "supervisor", "2001", "North"),
    _Person("root", "管理员", "admin"),
)


@cache
def _password_hash() -> str:
    """One for everybody and the whole run: each costs a tenth of a second."""
    return PasswordHasher().hash(PASSWORD)


async def _add(connection: AsyncConnection, person: _Person) -> None:
    """Past `add_user`, whose hash of a password is too slow for every test."""
    user_id = await connection.scalar(
        insert(User)
        .values(
            name=person.name,
            full_name=person.full_name,
            agent_number=person.agent_number,
            password_hash=_password_hash(),
            team_id=select(Team.id).where(Team.name == person.team).scalar_subquery(),
            pbx=PBX if person.extension else None,
            extension=person.extension,
            created_at=T0,
        )
        .returning(User.id)
    )
    roles = await role_ids(connection, [person.role])
    await connection.execute(insert(UserRole).values(user_id=user_id, role_id=roles[person.role]))
    for queue in person.queues:
        queue_id = await connection.scalar(select(Queue.id).where(Queue.name == queue))
        await connection.execute(insert(UserQueue).values(user_id=user_id, queue_id=queue_id))


async def viewer(connection: AsyncConnection, name: str) -> Viewer:
    user_id = await connection.scalar(select(User.id).where(User.name == name))
    assert user_id is not None
    found = await viewer_of_user(connection, user_id)
    assert found is not None
    return found


async def viewer_named(engine: AsyncEngine, name: str) -> Viewer:
    async with reading(engine) as connection:
        return await viewer(connection, name)
