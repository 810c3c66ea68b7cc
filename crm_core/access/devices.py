"""Which phone a person holds: taking a seat (签入) and giving it back (签出).

Rows of `seat_holdings` are what every figure is credited by; two unique indexes promise that an
interface has one holder and a person one interface. The events are answered, not published: they
leave after the commit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.audit import audit
from crm_core.access.models import User
from crm_core.access.permissions import Permission
from crm_core.access.viewer import Viewer
from crm_core.centre.models import Seat, SeatHolding
from crm_core.centre.queries import queues_of_user
from crm_core.errors import Conflict, Invalid, NotFound
from crm_core.events import AgentSignedIn, AgentSignedOut
from crm_core.ids import PbxId, UserId
from crm_core.quick_dataclass import dataclass
from crm_core.text import storable


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeSeat:
    """A seat that nobody else holds. `usual`: it is the person's usual one."""

    extension: str
    interface: str
    usual: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSeat:
    """The seat a person holds now."""

    pbx: PbxId
    interface: str
    extension: str | None
    """None where the seat is no longer one of the centre's."""
    began_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenSeat:
    """`left` are the sign-outs that made it possible (an older holding elsewhere, the former holder
    who forgot to give the seat back): publish them before `taken`."""

    taken: AgentSignedIn
    left: tuple[AgentSignedOut, ...] = ()


async def free_seats(
    connection: AsyncConnection, viewer: Viewer, pbx: PbxId
) -> tuple[FreeSeat, ...]:
    """Seats that the person may take now, the own one included: the usual one first, then by
    extension."""
    usual = (
        await connection.execute(select(User.pbx, User.extension).where(User.id == viewer.user_id))
    ).one_or_none()
    rows = await connection.execute(
        select(Seat.extension, Seat.interface, SeatHolding.user_id)
        .outerjoin(
            SeatHolding,
            and_(
                SeatHolding.pbx == Seat.pbx,
                SeatHolding.interface == Seat.interface,
                SeatHolding.ended_at.is_(None),
            ),
        )
        .where(Seat.pbx == pbx)
    )
    seats = [
        FreeSeat(
            extension=row.extension,
            interface=row.interface,
            usual=usual is not None
            and usual.extension == row.extension
            and usual.pbx in (None, pbx),
        )
        for row in rows
        if row.user_id is None or row.user_id == viewer.user_id
    ]
    return tuple(
        sorted(seats, key=lambda seat: (not seat.usual, len(seat.extension), seat.extension))
    )


async def take_seat(
    connection: AsyncConnection,
    viewer: Viewer,
    *,
    pbx: PbxId,
    extension: str,
    now: datetime,
    from_user: int | None = None,
) -> TakenSeat:
    """Taking the one that is held already is taken once.

    `from_user` holds it and went home without signing out: that person is signed out there, and what
    rings from now on is credited to the new holder. Named, not a mere "by force": whoever sits down
    there in between is not thrown out.

    Raises `Conflict` when somebody else holds it, `NotFound` for no such seat, `Invalid` for a
    person without an agent number, `NotAllowed` without `TAKE_CALLS`.
    """
    viewer.require(Permission.TAKE_CALLS)
    if viewer.user_id is None or viewer.agent_number is None:
        raise Invalid("Only a person with an agent number can take calls.")
    interface = await connection.scalar(
        select(Seat.interface).where(Seat.pbx == pbx, Seat.extension == storable(extension))
    )
    if interface is None:
        raise NotFound(f"There is no seat with the extension {extension}.")
    holder = await _holder(connection, pbx, interface)
    left: list[AgentSignedOut | None] = []
    if holder is not None and holder.user_id not in (viewer.user_id, from_user):
        raise Conflict(
            f"Extension {extension} is taken: {holder.full_name} "
            f"({holder.agent_number}) is signed in there since {holder.began_at:%Y-%m-%d %H:%M} UTC."
        )
    if holder is not None and holder.user_id == from_user:
        left.append(await end_holding(connection, holder.user_id, now=now))
        detail = {"from": holder.full_name, "since": holder.began_at.isoformat()}
        await audit(connection, viewer.name, "seat.take_over", interface, detail, at=now)
        holder = None
    if holder is None:
        left.append(await end_holding(connection, viewer.user_id, now=now))
        await _hold(connection, viewer.user_id, pbx, interface, now)
    queues = await queues_of_user(connection, viewer.user_id, pbx)
    taken = AgentSignedIn(
        at=now if holder is None else holder.began_at,
        pbx=pbx,
        user=viewer.user_id,
        agent_number=viewer.agent_number,
        name=viewer.full_name,
        interface=interface,
        queues=tuple(name for name, _penalty in queues),
    )
    return TakenSeat(taken=taken, left=tuple(one for one in left if one is not None))


async def give_back(
    connection: AsyncConnection, viewer: Viewer, *, now: datetime
) -> AgentSignedOut | None:
    """None: the person held nothing."""
    if viewer.user_id is None:
        return None
    return await end_holding(connection, viewer.user_id, now=now)


async def end_holding(
    connection: AsyncConnection, user_id: int, *, now: datetime
) -> AgentSignedOut | None:
    """Whatever this person holds is given back; None: nothing was held."""
    row = (
        await connection.execute(
            update(SeatHolding)
            .where(SeatHolding.user_id == user_id, SeatHolding.ended_at.is_(None))
            .values(ended_at=now)
            .returning(SeatHolding.pbx, SeatHolding.interface)
        )
    ).one_or_none()
    if row is None:
        return None
    agent_number = await connection.scalar(select(User.agent_number).where(User.id == user_id))
    queues = await queues_of_user(connection, user_id, PbxId(row.pbx))
    return AgentSignedOut(
        at=now,
        pbx=PbxId(row.pbx),
        user=UserId(user_id),
        agent_number=agent_number or "",
        interface=row.interface,
        queues=tuple(name for name, _penalty in queues),
    )


async def holding_of(connection: AsyncConnection, user_id: int) -> HeldSeat | None:
    """What this person holds now."""
    row = (
        await connection.execute(
            select(SeatHolding.pbx, SeatHolding.interface, SeatHolding.began_at, Seat.extension)
            .outerjoin(
                Seat, and_(Seat.pbx == SeatHolding.pbx, Seat.interface == SeatHolding.interface)
            )
            .where(SeatHolding.user_id == user_id, SeatHolding.ended_at.is_(None))
        )
    ).one_or_none()
    if row is None:
        return None
    return HeldSeat(
        pbx=PbxId(row.pbx),
        interface=row.interface,
        extension=row.extension,
        began_at=row.began_at,
    )


async def signed_in(connection: AsyncConnection, *, at: datetime) -> tuple[AgentSignedIn, ...]:
    """Everybody who holds a seat now, as the events they would be if they signed in `at`: what a
    start tells the board and the queues."""
    rows = await connection.execute(
        select(
            SeatHolding.pbx,
            SeatHolding.interface,
            User.id,
            User.agent_number,
            User.full_name,
        )
        .join(User, User.id == SeatHolding.user_id)
        .where(SeatHolding.ended_at.is_(None))
        .order_by(SeatHolding.id)
    )
    found = []
    for row in rows.all():
        queues = await queues_of_user(connection, row.id, PbxId(row.pbx))
        found.append(
            AgentSignedIn(
                at=at,
                pbx=PbxId(row.pbx),
                user=UserId(row.id),
                agent_number=row.agent_number or "",
                name=row.full_name,
                interface=row.interface,
                queues=tuple(name for name, _penalty in queues),
            )
        )
    return tuple(found)


async def _holder(
    connection: AsyncConnection, pbx: PbxId, interface: str
) -> Row[*tuple[Any, ...]] | None:
    return (
        await connection.execute(
            select(
                SeatHolding.user_id,
                SeatHolding.began_at,
                User.full_name,
                User.agent_number,
            )
            .join(User, User.id == SeatHolding.user_id)
            .where(
                SeatHolding.pbx == pbx,
                SeatHolding.interface == interface,
                SeatHolding.ended_at.is_(None),
            )
        )
    ).one_or_none()


async def _hold(
    connection: AsyncConnection, user_id: int, pbx: PbxId, interface: str, now: datetime
) -> None:
    try:
        async with connection.begin_nested():
            await connection.execute(
                insert(SeatHolding).values(
                    pbx=pbx, interface=interface, user_id=user_id, began_at=now
                )
            )
    except IntegrityError:
        # On PostgreSQL somebody signed in between the question and here; the index decided.
        raise Conflict("Somebody else has just signed in there. Choose another seat.") from None
