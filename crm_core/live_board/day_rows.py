"""The rows that a queue's day begins with (`queue_day.QueueDay.begin`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.call_log.models import QueuePass
from crm_core.events import Outcome
from crm_core.ids import PbxId, QueuePassKey
from crm_core.live_board.queue_day import PassRow

STILL_OPEN = timedelta(hours=12)
"""How long before midnight a pass may have been entered that closes today and is not of today."""


async def passes_since(connection: AsyncConnection, midnight: datetime) -> Sequence[PassRow]:
    """The passes entered since `midnight`, and those entered shortly before that have no outcome."""
    rows = await connection.execute(
        select(
            QueuePass.pbx,
            QueuePass.unique_id,
            QueuePass.queue,
            QueuePass.ordinal,
            QueuePass.entered_at,
            QueuePass.answered_at,
            QueuePass.outcome,
            QueuePass.wait_seconds,
        ).where(
            or_(
                QueuePass.entered_at >= midnight,
                and_(QueuePass.entered_at >= midnight - STILL_OPEN, QueuePass.outcome.is_(None)),
            )
        )
    )
    return [
        PassRow(
            pbx=PbxId(row.pbx),
            queue_pass=QueuePassKey(unique_id=row.unique_id, queue=row.queue, ordinal=row.ordinal),
            entered_at=row.entered_at,
            answered_at=row.answered_at,
            outcome=Outcome(row.outcome) if row.outcome else None,
            wait_seconds=row.wait_seconds,
        )
        for row in rows
    ]
