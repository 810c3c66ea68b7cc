"""The figures of `by_hand`, from the call table: one database without any other calls."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_core.call_log.models import Call, OfferAttempt, QueuePass
from crm_core.db import reading
from crm_core.events import AttemptResult, Outcome
from tests.telephony.queue_log.by_hand import Figures


async def in_the_table(engine: AsyncEngine) -> Figures:
    """Figures over all calls that there are."""
    how_many = func.count()
    passes = select(QueuePass.queue, QueuePass.outcome, how_many)
    waited = select(QueuePass.queue, func.sum(QueuePass.wait_seconds))
    talked = select(QueuePass.member_name, func.sum(QueuePass.talk_seconds))
    rings = select(OfferAttempt.member_name, how_many)
    told = QueuePass.outcome != Outcome.UNKNOWN_END
    answered = QueuePass.outcome == Outcome.ANSWERED
    missed = OfferAttempt.result == AttemptResult.NO_ANSWER
    async with reading(engine) as connection:
        found = Figures(calls=await connection.scalar(select(how_many).select_from(Call)) or 0)
        asked = passes.group_by(QueuePass.queue, QueuePass.outcome)
        for queue, outcome, number in await connection.execute(asked):
            found.passes[queue, outcome or "open"] = number
        for counter, question in (
            (found.waited, waited.where(told).group_by(QueuePass.queue)),
            (found.talked, talked.where(answered).group_by(QueuePass.member_name)),
            (found.rings, rings.where(missed).group_by(OfferAttempt.member_name)),
        ):
            rows = await connection.execute(question)
            counter += Counter({name or "": int(number or 0) for name, number in rows})
    return found
