"""What the demonstration shows: people, queues, thirty customers and their calls of a week, made up."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_core.access.devices import take_seat
from crm_core.access.models import User
from crm_core.access.passwords import one_time_password
from crm_core.access.users import set_password
from crm_core.access.viewer import viewer_of_user
from crm_core.call_log.demo_history import DEMO_PAST, tell_past
from crm_core.centre.setup import import_setup
from crm_core.customers.demo_data import import_demo_customers
from crm_core.db import transaction
from crm_core.errors import Conflict
from crm_core.ids import PbxId

PBX = PbxId("demo")
PEOPLE = (
    ("limin", "agent 坐席, seat 8001"),
    ("zhangwei", "agent 坐席, seat 8002"),
    ("wangfang", "supervisor 班长"),
    ("admin", "administrator 管理员"),
)

COLLEAGUES = {"1023": "8003", "1024": "8004"}
"""Agent number → extension of those who are at work whenever the demonstration runs."""


async def prepare(engine: AsyncEngine) -> Sequence[str]:
    """Fill the database; passwords are made anew at each start. Answers the lines to be shown."""
    now = datetime.now(UTC)
    setup = (Path(__file__).parent / "centre" / "demo_setup.yaml").read_text(encoding="utf-8")
    lines = ["", f"  {'sign in as':<12}  {'password':<20}  who"]
    async with transaction(engine) as connection:
        await import_setup(connection, setup, now=now, actor="demo")
        await _seat_colleagues(connection, now)
        for name, who in PEOPLE:
            # Given, not made by `set_password`: a visitor need not choose another one first.
            password = one_time_password()
            await set_password(connection, name, password, actor="demo", now=now)
            lines.append(f"  {name:<12}  {password:<20}  {who}")
    await import_demo_customers(engine, now=now)
    await tell_past(engine, DEMO_PAST, PBX, now=now)
    return [
        *lines,
        "",
        "  Sign in as limin and take seat 8001: within ten seconds the phone on the desk rings.",
        "  What happens is kept in var/demo; `make demo-reset` forgets it.",
        "",
    ]


async def _seat_colleagues(connection: AsyncConnection, now: datetime) -> None:
    """They sit down, unless a visitor has taken the seat at an earlier start."""
    for number, extension in COLLEAGUES.items():
        user = await connection.scalar(select(User.id).where(User.agent_number == number))
        viewer = await viewer_of_user(connection, user) if user is not None else None
        if viewer is not None:
            with suppress(Conflict):
                await take_seat(connection, viewer, pbx=PBX, extension=extension, now=now)
