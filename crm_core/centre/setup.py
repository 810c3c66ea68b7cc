"""A whole centre from one YAML file: `zuoxi import setup`.

`setup_file` reads it, this file makes the tables say the same. Only what the file names is written;
importing it again changes nothing; one mistake anywhere and nothing was imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.audit import COMMAND_LINE, audit
from crm_core.access.roles import write_presets
from crm_core.centre.models import Hotline, Queue, Seat
from crm_core.centre.plan import HotlinePlan, QueuePlan, SeatPlan, Strategy, SwitchPlan
from crm_core.centre.setup_example import EXAMPLE as EXAMPLE
from crm_core.centre.setup_file import SetupInvalid as SetupInvalid
from crm_core.centre.setup_file import read_setup
from crm_core.centre.setup_import import write_sections
from crm_core.centre.setup_rows import Rows
from crm_core.ids import PbxId


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupReport:
    """`added`, `changed`: what, e.g. "queue support"; `passwords`: (sign-in name, one-time)."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: int
    passwords: tuple[tuple[str, str], ...]


async def import_setup(
    connection: AsyncConnection,
    text: str,
    *,
    now: datetime,
    actor: str = COMMAND_LINE,
    pbx: str = "main",
) -> SetupReport:
    """`pbx` is that of entries and a file that name none.

    Raises `SetupInvalid` (its detail: one line per mistake) and has changed nothing then.
    """
    file = read_setup(text)
    async with connection.begin_nested():
        await write_presets(connection)
        work = Rows(connection=connection, file=file, pbx=file.pbx or pbx)
        await write_sections(work, now=now)
        if file.mistakes:
            raise SetupInvalid(tuple(file.mistakes))
    if work.added or work.changed:
        detail = {"added": work.added, "changed": work.changed}
        await audit(connection, actor, "setup.import", work.pbx, detail, at=now)
    return SetupReport(
        added=tuple(work.added),
        changed=tuple(work.changed),
        unchanged=work.unchanged,
        passwords=tuple(work.passwords),
    )


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
    )
