"""The seats of the centre as a list: each with who holds it now."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.access.models import User
from crm_core.access.viewer import Viewer
from crm_core.centre.models import Seat, SeatHolding
from crm_core.ids import PbxId


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatInfo:
    """One place with a phone. `held_by` is somebody else's full name; None: free, or one's own."""

    pbx: PbxId
    extension: str
    usual: bool
    held_by: str | None
    held_number: str | None


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
        select(Seat.pbx, Seat.extension, User.full_name, User.agent_number)
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
        )
        for row in rows
    )
