"""What one Asterisk must know of the centre, read from the tables."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.centre.models import DirectionRecording, Hotline, Queue, Seat
from crm_core.centre.plan import (
    DirectionPlan,
    HotlinePlan,
    QueuePlan,
    RecordingRule,
    SeatPlan,
    Strategy,
    SwitchPlan,
)
from crm_core.events import Direction
from crm_core.ids import PbxId


async def switch_plan(connection: AsyncConnection, pbx: PbxId) -> SwitchPlan:
    """What Asterisk must know of this PBX's queues, hotlines and seats."""
    queues = (
        await connection.execute(select(Queue).where(Queue.pbx == pbx).order_by(Queue.name))
    ).all()
    hotlines = await connection.execute(
        select(Hotline.number, Queue.name)
        .join(Queue, Queue.id == Hotline.queue_id)
        .where(Hotline.pbx == pbx)
        .order_by(Hotline.number)
    )
    directions = await connection.execute(
        select(DirectionRecording)
        .where(DirectionRecording.pbx == pbx)
        .order_by(DirectionRecording.direction)
    )
    seats = await connection.execute(select(Seat).where(Seat.pbx == pbx).order_by(Seat.extension))
    return SwitchPlan(
        queues=tuple(
            QueuePlan(
                name=row.name,
                title=row.title,
                strategy=Strategy(row.strategy),
                ring_seconds=row.ring_seconds,
                max_wait_seconds=row.max_wait_seconds,
                wrap_up_seconds=row.wrap_up_seconds,
                max_callers=row.max_callers,
                weight=row.weight,
                announce_position=row.announce_position,
                missed_rings=row.missed_rings,
                recording=RecordingRule(row.recording),
                announcement=row.announcement,
            )
            for row in queues
        ),
        hotlines=tuple(HotlinePlan(number=number, queue=queue) for number, queue in hotlines),
        seats=tuple(
            SeatPlan(
                extension=row.extension,
                interface=row.interface,
                secret=row.secret,
                contact=row.contact,
            )
            for row in seats
        ),
        directions=tuple(
            DirectionPlan(
                direction=Direction(row.direction),
                recording=RecordingRule(row.recording),
                announcement=row.announcement,
            )
            for row in directions
        ),
    )
