"""What the demonstration shows: people, queues, thirty customers and their calls of a week, made up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.access.passwords import one_time_password
from crm_core.access.users import set_password
from crm_core.call_log.demo_history import DEMO_PAST, tell_past
from crm_core.centre.setup import import_setup
from crm_core.customers.demo_data import import_demo_customers
from crm_core.db import transaction
from crm_core.ids import PbxId

PEOPLE = (
    ("limin", "agent 坐席, seat 8001"),
    ("zhangwei", "agent 坐席, seat 8002"),
    ("wangfang", "supervisor 班长"),
    ("admin", "administrator 管理员"),
)


async def prepare(engine: AsyncEngine) -> Sequence[str]:
    """Fill the database; passwords are made anew at each start. Answers the lines to be shown."""
    now = datetime.now(UTC)
    setup = (Path(__file__).parent / "centre" / "demo_setup.yaml").read_text(encoding="utf-8")
    lines = ["", f"  {'sign in as':<12}  {'password':<20}  who"]
    async with transaction(engine) as connection:
        await import_setup(connection, setup, now=now, actor="demo")
        for name, who in PEOPLE:
            # Given, not made by `set_password`: a visitor need not choose another one first.
            password = one_time_password()
            await set_password(connection, name, password, actor="demo", now=now)
            lines.append(f"  {name:<12}  {password:<20}  {who}")
    await import_demo_customers(engine, now=now)
    await tell_past(engine, DEMO_PAST, PbxId("demo"), now=now)
    return [
        *lines,
        "",
        "  Sign in as limin and take seat 8001: within ten seconds the phone on the desk rings.",
        "  What happens is kept in var/demo; `make demo-reset` forgets it.",
        "",
    ]
