"""The demonstration's past: rows as real calls leave them, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

import crm_core
from crm_core.call_log.demo_history import DEMO_PAST, tell_past
from crm_core.call_log.models import Call, QueuePass
from crm_core.centre.setup import import_setup
from crm_core.customers.demo_data import import_demo_customers
from crm_core.db import reading, transaction
from crm_core.events import Outcome
from crm_core.ids import PbxId
from crm_core.wrap_up.models import ContactRecord

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
DEMO = PbxId("demo")
SETUP = Path(crm_core.__file__).parent / "centre" / "demo_setup.yaml"


async def _a_centre(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await import_setup(connection, SETUP.read_text(encoding="utf-8"), now=NOW, actor="demo")
    await import_demo_customers(engine, now=NOW)


async def test_the_past_is_told_whole_and_only_once(engine: AsyncEngine) -> None:
    await _a_centre(engine)
    assert await tell_past(engine, DEMO_PAST, DEMO, now=NOW) == len(DEMO_PAST)
    assert await tell_past(engine, DEMO_PAST, DEMO, now=NOW + timedelta(hours=1)) == 0
    async with reading(engine) as connection:
        passes = (await connection.execute(select(QueuePass))).all()
        notes = (await connection.execute(select(ContactRecord.call_id))).all()
    taken = [past for past in DEMO_PAST if past.taken_by]
    assert len(passes) == len(DEMO_PAST)
    assert sum(row.outcome == Outcome.ANSWERED for row in passes) == len(taken)
    assert all(row.user_id is not None for row in passes if row.outcome == Outcome.ANSWERED)
    assert len(notes) == len(taken)


async def test_who_rings_first_has_talked_with_somebody_within_two_hours(
    engine: AsyncEngine,
) -> None:
    await _a_centre(engine)
    await tell_past(engine, DEMO_PAST, DEMO, now=NOW)
    async with reading(engine) as connection:
        answered = await connection.scalars(
            select(Call.answered_at).where(
                Call.caller_number == "+8613800000101", Call.answered_at.is_not(None)
            )
        )
        latest = max(at for at in answered if at is not None)
    assert timedelta(0) < NOW - latest < timedelta(minutes=120)
