"""The seats of the centre: each with who holds it now, and what its phone registers with."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.audit import audit
from crm_core.access.models import User
from crm_core.access.viewer import Viewer
from crm_core.centre.models import Seat, SeatHolding
from crm_core.errors import NotFound
from crm_core.ids import PbxId, UserId
from crm_core.quick_dataclass import dataclass
from crm_core.text import storable


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatInfo:
    """One place with a phone. `held_by` is somebody else's full name; None: free, or one's own."""

    pbx: PbxId
    extension: str
    usual: bool
    held_by: str | None
    held_number: str | None
    holder: UserId | None = None
    """That person: whom a sign-in there may take the seat over from."""


async def seats_of(connection: AsyncConnection, viewer: Viewer) -> tuple[SeatInfo, ...]:
    """All seats of all PBXs, by PBX and extension, as this person finds them."""
    usual = (
        await connection.execute(select(User.pbx, User.extension).where(User.id == viewer.user_id))
    ).one_or_none()
    held = and_(
        SeatHolding.pbx == Seat.pbx,
        SeatHolding.interface == Seat.interface,
        SeatHolding.ended_at.is_(None),
        SeatHolding.user_id.is_distinct_from(viewer.user_id),
    )
    rows = await connection.execute(
        select(Seat.pbx, Seat.extension, User.id, User.full_name, User.agent_number)
        .outerjoin(SeatHolding, held)
        .outerjoin(User, User.id == SeatHolding.user_id)
        .order_by(Seat.pbx, Seat.extension)
    )
    return tuple(
        SeatInfo(
            pbx=PbxId(row.pbx),
            extension=row.extension,
            usual=usual is not None
            and usual.extension == row.extension
            and usual.pbx in (None, row.pbx),
            held_by=row.full_name,
            held_number=row.agent_number,
            holder=UserId(row.id) if row.id is not None else None,
        )
        for row in rows
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatFile:
    """A seat as an administrator keeps it, without its secret."""

    pbx: PbxId
    extension: str
    interface: str
    registers: bool
    """Its phone registers, with a secret; else it has the fixed address `contact`, or neither."""
    contact: str | None
    held_by: str | None = None
    held_number: str | None = None
    held_since: datetime | None = None

    @property
    def user_name(self) -> str:
        """What the phone registers as: the endpoint's name in `zuoxi-seats.conf`."""
        return self.interface.partition("/")[2]


async def seat_files(connection: AsyncConnection) -> tuple[SeatFile, ...]:
    """All of them, by PBX and extension: 900 before 8001."""
    found = [_file(row) for row in await connection.execute(_files())]
    return tuple(sorted(found, key=lambda one: (one.pbx, len(one.extension), one.extension)))


async def seat_file(connection: AsyncConnection, pbx: str, extension: str) -> SeatFile:
    """Raises `NotFound`."""
    row = (await connection.execute(_files().where(*_is(pbx, extension)))).one_or_none()
    if row is None:
        raise NotFound(f"There is no seat with the extension {extension[:32]}.")
    return _file(row)


async def reveal_secret(
    connection: AsyncConnection, pbx: str, extension: str, *, actor: str, now: datetime
) -> str | None:
    """The password that the seat's phone registers with; who looked is in the audit. None: it does
    not register. Raises `NotFound`."""
    seat = await seat_file(connection, pbx, extension)
    if seat.registers:
        await audit(connection, actor, "seat.reveal", f"{seat.pbx}/{seat.extension}", at=now)
    found: str | None = await connection.scalar(select(Seat.secret).where(*_is(pbx, extension)))
    return found


async def new_secret(
    connection: AsyncConnection, pbx: str, extension: str, *, actor: str, now: datetime
) -> str:
    """A new password for the seat's phone, which has to be told it. Raises `NotFound`."""
    seat = await seat_file(connection, pbx, extension)
    secret = secrets.token_urlsafe(15)
    await connection.execute(
        update(Seat).where(*_is(pbx, extension)).values(secret=secret, contact=None)
    )
    await audit(connection, actor, "seat.secret", f"{seat.pbx}/{seat.extension}", at=now)
    return secret


def _is(pbx: str, extension: str) -> tuple[ColumnElement[bool], ...]:
    return Seat.pbx == storable(pbx), Seat.extension == storable(extension)


def _files() -> Select[*tuple[Any, ...]]:
    held = and_(
        SeatHolding.pbx == Seat.pbx,
        SeatHolding.interface == Seat.interface,
        SeatHolding.ended_at.is_(None),
    )
    return (
        select(
            Seat.pbx,
            Seat.extension,
            Seat.interface,
            Seat.contact,
            Seat.secret.is_not(None).label("has_secret"),
            User.full_name,
            User.agent_number,
            SeatHolding.began_at,
        )
        .outerjoin(SeatHolding, held)
        .outerjoin(User, User.id == SeatHolding.user_id)
    )


def _file(row: Row[*tuple[Any, ...]]) -> SeatFile:
    return SeatFile(
        pbx=PbxId(row.pbx),
        extension=row.extension,
        interface=row.interface,
        registers=bool(row.has_secret),
        contact=row.contact,
        held_by=row.full_name,
        held_number=row.agent_number,
        held_since=row.began_at,
    )
