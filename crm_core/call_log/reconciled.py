"""How the standing checks stand, and what differs: questions of the pages and the API."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.call_log.books import DifferenceRow, Reconciliation
from crm_core.call_log.models import Gap, QueuePass
from crm_core.call_log.pairing import NEAR
from crm_core.call_log.reconcile import EXCUSES, Kind, Reason
from crm_core.ids import CallId, PbxId
from crm_core.quick_dataclass import dataclass

COUNTED = timedelta(days=7)
"""So long a difference is looked at again and counted; an older one is only listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDifference:
    """What the two books do not agree about. `call_id` is ours; None where we have no such pass."""

    pbx: PbxId
    unique_id: str
    queue: str
    entered_at: datetime
    kind: Kind
    expected: str | None
    actual: str | None
    reason: Reason
    found_at: datetime
    call_id: CallId | None


async def standings(
    connection: AsyncConnection, now: datetime
) -> list[tuple[PbxId, datetime, datetime, int]]:
    """(pbx, compared until, recorded from, differences) of each PBX that was ever compared."""
    differences = await count_differences(connection, now)
    rows = await connection.execute(select(Reconciliation.__table__).order_by(Reconciliation.pbx))
    return [
        (PbxId(row.pbx), row.compared_until, row.recorded_from, differences.get(row.pbx, 0))
        for row in rows
    ]


async def count_differences(connection: AsyncConnection, now: datetime) -> dict[str, int]:
    """Those of each PBX that are not settled and that nothing excuses."""
    rows = await connection.execute(
        select(DifferenceRow.pbx, func.count().label("count"))
        .where(
            DifferenceRow.settled_at.is_(None),
            DifferenceRow.found_at >= now - COUNTED,
            DifferenceRow.reason.not_in([reason.value for reason in EXCUSES]),
        )
        .group_by(DifferenceRow.pbx)
    )
    return {row.pbx: row._mapping["count"] for row in rows}


async def gaps_since(
    connection: AsyncConnection, since: datetime
) -> list[tuple[PbxId, datetime, datetime]]:
    """(pbx, began, ended) of gaps that reach beyond that moment."""
    rows = await connection.execute(
        select(Gap.pbx, Gap.began_at, Gap.ended_at)
        .where(Gap.ended_at >= since)
        .order_by(Gap.began_at)
    )
    return [(PbxId(row.pbx), row.began_at, row.ended_at) for row in rows]


async def open_differences(
    connection: AsyncConnection,
    pbxs: Collection[PbxId],
    limit: int,
    *,
    queues: Collection[str] | None = None,
) -> tuple[tuple[OpenDifference, ...], int]:
    """Those that are not settled, the newest pass first; and how many there are, shown or not.

    `queues`: of these alone, for who does not see all. None: of all.
    """
    of_these = and_(DifferenceRow.pbx.in_(sorted(pbxs)), DifferenceRow.settled_at.is_(None))
    if queues is not None:
        of_these = and_(of_these, DifferenceRow.queue.in_(sorted(queues)))
    rows = await connection.execute(
        select(DifferenceRow.__table__)
        .where(of_these)
        .order_by(DifferenceRow.entered_at.desc(), DifferenceRow.id.desc())
        .limit(limit)
    )
    found = []
    for row in rows.all():
        call_id = await connection.scalar(
            select(QueuePass.call_id).where(
                QueuePass.pbx == row.pbx,
                QueuePass.unique_id == row.unique_id,
                QueuePass.entered_at >= row.entered_at - NEAR,
                QueuePass.entered_at <= row.entered_at + NEAR,
            )
        )
        found.append(
            OpenDifference(
                pbx=PbxId(row.pbx),
                unique_id=row.unique_id,
                queue=row.queue,
                entered_at=row.entered_at,
                kind=Kind(row.kind),
                expected=row.expected,
                actual=row.actual,
                reason=Reason(row.reason),
                found_at=row.found_at,
                call_id=CallId(call_id) if call_id else None,
            )
        )
    total = await connection.scalar(select(func.count()).where(of_these))
    return tuple(found), total or 0
