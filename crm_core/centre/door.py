"""What the records know of a caller at a hotline: its settings, his grade, who talked with him last."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.call_log.models import Call
from crm_core.centre.models import Hotline, Queue
from crm_core.commands import CallerKnown, WhoCalls
from crm_core.customers.models import Customer, PhoneNumber
from crm_core.ids import UserId

Normalise = Callable[[str | None], str | None]

MOST_CUSTOMERS = 5
"""Of one number; a switchboard may be a hundred people's."""


async def who_calls(
    connection: AsyncConnection, asked: WhoCalls, normalise: Normalise, now: datetime
) -> CallerKnown | None:
    """None: there is no such hotline, or it leads to no queue. Three indexed questions at most."""
    line = (
        await connection.execute(
            select(Hotline, Queue.name.label("queue"), Queue.max_wait_seconds, Queue.ring_seconds)
            .join(Queue, Queue.id == Hotline.queue_id)
            .where(Hotline.pbx == asked.pbx, Hotline.number == asked.hotline)
        )
    ).one_or_none()
    if line is None:
        return None
    priorities: dict[str, Any] = line.priorities or {}
    number = normalise(asked.caller_number)
    return CallerKnown(
        queue=line.queue,
        max_wait_seconds=line.max_wait_seconds,
        ring_seconds=line.ring_seconds,
        priorities=tuple(priorities.items()),
        grades=await _grades(connection, number) if number and priorities else (),
        last_agent=await _last_agent(connection, number, now, line.last_agent_days)
        if number and line.last_agent_days
        else None,
    )


async def _grades(connection: AsyncConnection, number: str) -> tuple[str, ...]:
    asked = (
        select(Customer.grade)
        .join(PhoneNumber, PhoneNumber.customer_id == Customer.id)
        .where(PhoneNumber.number == number)
        .order_by(Customer.id)
        .limit(MOST_CUSTOMERS)
    )
    return tuple(grade for grade in await connection.scalars(asked) if grade)


async def _last_agent(
    connection: AsyncConnection, number: str, now: datetime, days: int
) -> UserId | None:
    """Who was connected last in the latest call with this number that somebody answered."""
    found = await connection.scalar(
        select(Call.user_id)
        .where(
            Call.customer_number == number,
            Call.started_at >= now - timedelta(days=days),
            Call.started_at <= now,
            Call.answered_at.is_not(None),
        )
        .order_by(Call.started_at.desc())
        .limit(1)
    )
    return UserId(found) if found is not None else None
