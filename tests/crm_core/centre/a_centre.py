"""A small centre for tests: two projects, two teams, four people, a field agents may not read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.access.models import User
from crm_core.access.viewer import Viewer, viewer_of_user
from crm_core.centre.setup import import_setup
from crm_core.db import reading, transaction
from crm_core.ids import PbxId

PBX = PbxId("main")
T0 = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"

CENTRE = f"""\
projects:
  - {{name: Appliances, client: Sea Star, default: true}}
  - {{name: Members, client: Blue Whale}}
queues:
  - {{name: support, title: 报修, project: Appliances}}
  - {{name: members, title: 会员, project: Members}}
hotlines:
  - {{number: "4008001234", name: 售后热线, greeting: 您好, queue: support}}
teams:
  - {{name: North, project: Appliances}}
  - {{name: South, project: Members}}
seats:
  - {{extension: "8001"}}
  - {{extension: "8002"}}
people:
  - {{name: limin, full_name: 李敏, agent_number: "1001", roles: [agent], team: North,
     queues: [support], extension: "8001", password: {PASSWORD}}}
  - {{name: zhao, full_name: 赵强, agent_number: "1002", roles: [agent], team: South,
     queues: [members, support], password: {PASSWORD}}}
  - {{name: wangfang, full_name: 王芳, agent_number: "2001", roles: [supervisor], team: North,
     password: {PASSWORD}}}
  - {{name: root, full_name: 管理员, roles: [admin], password: {PASSWORD}}}
customer_fields:
  - {{key: contract, zh: 合同号, en: Contract}}
  - {{key: secret, zh: 内部评级, en: Internal rating, read_roles: [supervisor, admin]}}
"""


def later(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


async def build(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await import_setup(connection, CENTRE, now=T0)


async def viewer(connection: AsyncConnection, name: str) -> Viewer:
    user_id = await connection.scalar(select(User.id).where(User.name == name))
    assert user_id is not None
    found = await viewer_of_user(connection, user_id)
    assert found is not None
    return found


async def viewer_named(engine: AsyncEngine, name: str) -> Viewer:
    async with reading(engine) as connection:
        return await viewer(connection, name)
