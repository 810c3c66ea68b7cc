"""Questions about the centre: hotlines, queues, people, and who held what."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.models import User, UserQueue
from crm_core.centre.holders import Holding, Person
from crm_core.centre.models import Hotline, Project, Queue, Seat, SeatHolding
from crm_core.customers.phone_numbers import normalise
from crm_core.ids import PbxId, UserId
from crm_core.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HotlineInfo:
    """The number a caller dialled: what the card opens with."""

    id: int
    pbx: PbxId
    number: str
    name: str
    greeting: str
    project_id: int
    project: str
    queue: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueInfo:
    """A queue as boards and frames need it."""

    id: int
    pbx: PbxId
    name: str
    title: str
    project_id: int
    project: str
    wrap_up_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectInfo:
    """A project. Calls of numbers and queues that are nobody's go to the default one."""

    id: int
    name: str
    client: str
    is_default: bool


async def hotline_of(
    connection: AsyncConnection, pbx: PbxId, called_number: str | None
) -> HotlineInfo | None:
    """The hotline with this number: as written, else however the trunk writes it (+86, 0 …)."""
    if not called_number:
        return None
    mine = await _hotlines(connection, Hotline.pbx == pbx)
    for hotline in mine:
        if hotline.number == called_number:
            return hotline
    wanted = normalise(called_number).number
    if wanted is None:
        return None
    return next((one for one in mine if normalise(one.number).number == wanted), None)


async def hotlines(connection: AsyncConnection) -> tuple[HotlineInfo, ...]:
    """All of them, by PBX and number."""
    return await _hotlines(connection)


async def queues(connection: AsyncConnection) -> tuple[QueueInfo, ...]:
    """All of them, by PBX and name."""
    rows = await connection.execute(
        select(Queue, Project.name.label("project"))
        .join(Project, Project.id == Queue.project_id)
        .order_by(Queue.pbx, Queue.name)
    )
    return tuple(
        QueueInfo(
            id=row.id,
            pbx=PbxId(row.pbx),
            name=row.name,
            title=row.title,
            project_id=row.project_id,
            project=row.project,
            wrap_up_seconds=row.wrap_up_seconds,
        )
        for row in rows
    )


async def extensions(connection: AsyncConnection) -> frozenset[tuple[PbxId, str]]:
    """Every seat: (PBX, extension)."""
    rows = await connection.execute(select(Seat.pbx, Seat.extension))
    return frozenset((PbxId(row.pbx), row.extension) for row in rows)


async def queue_titles(connection: AsyncConnection, pbx: PbxId) -> dict[str, str]:
    """Name → title."""
    rows = await connection.execute(select(Queue.name, Queue.title).where(Queue.pbx == pbx))
    return {row.name: row.title for row in rows}


async def projects(connection: AsyncConnection) -> tuple[ProjectInfo, ...]:
    """All of them, the default one first, then by name."""
    rows = await connection.execute(
        select(Project).order_by(Project.is_default.desc(), Project.name)
    )
    return tuple(
        ProjectInfo(id=row.id, name=row.name, client=row.client, is_default=row.is_default)
        for row in rows
    )


async def queues_of_user(
    connection: AsyncConnection, user_id: int, pbx: PbxId
) -> tuple[tuple[str, int], ...]:
    """(queue name, penalty) of the queues this person takes calls of, by name."""
    rows = await connection.execute(
        select(Queue.name, UserQueue.penalty)
        .join(Queue, Queue.id == UserQueue.queue_id)
        .where(UserQueue.user_id == user_id, Queue.pbx == pbx)
        .order_by(Queue.name)
    )
    return tuple((row.name, row.penalty) for row in rows)


async def people(connection: AsyncConnection) -> tuple[Person, ...]:
    """Everybody, for `HolderBook.know`: disabled ones too, for their past calls are theirs, but
    these have no usual extension any more."""
    rows = await connection.execute(select(User).order_by(User.id))
    return tuple(
        Person(
            user_id=UserId(row.id),
            name=row.full_name,
            agent_number=row.agent_number,
            pbx=PbxId(row.pbx) if row.pbx else None,
            extension=row.extension if row.disabled_at is None else None,
        )
        for row in rows
    )


async def holdings(
    connection: AsyncConnection, since: datetime | None = None
) -> tuple[tuple[PbxId, str, Holding], ...]:
    """(pbx, interface, holding) that lasted beyond `since`, for `HolderBook.hold`."""
    asked = select(SeatHolding).order_by(SeatHolding.began_at, SeatHolding.id)
    if since is not None:
        asked = asked.where(or_(SeatHolding.ended_at.is_(None), SeatHolding.ended_at > since))
    return tuple(
        (
            PbxId(row.pbx),
            row.interface,
            Holding(began_at=row.began_at, user_id=UserId(row.user_id), ended_at=row.ended_at),
        )
        for row in await connection.execute(asked)
    )


async def _hotlines(
    connection: AsyncConnection, *conditions: ColumnElement[bool]
) -> tuple[HotlineInfo, ...]:
    rows = await connection.execute(
        select(Hotline, Project.name.label("project"), Queue.name.label("queue"))
        .join(Project, Project.id == Hotline.project_id)
        .outerjoin(Queue, Queue.id == Hotline.queue_id)
        .where(*conditions)
        .order_by(Hotline.pbx, Hotline.number)
    )
    return tuple(
        HotlineInfo(
            id=row.id,
            pbx=PbxId(row.pbx),
            number=row.number,
            name=row.name,
            greeting=row.greeting,
            project_id=row.project_id,
            project=row.project,
            queue=row.queue,
        )
        for row in rows
    )
