"""The gap book: intervals whose AMI facts did not reach the timeline, and the calls they touch."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_core.call_log.models import Call, Gap
from crm_core.errors import Invalid
from crm_core.ids import PbxId
from crm_core.quick_dataclass import dataclass

LONGEST_CALL = timedelta(days=1)
"""A call that began longer before a gap is not looked for in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRow:
    """One interval of the gap book."""

    id: int
    pbx: PbxId
    began_at: datetime
    ended_at: datetime
    boot_changed: bool
    """Another run of Asterisk was there afterwards: what was up then has ended with it."""
    reason: str
    calls: int
    """Calls that lived in it, as far as the viewer may read them."""

    @property
    def seconds(self) -> float:
        return (self.ended_at - self.began_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class GapPage:
    """The newest first. `next_cursor` is None on the last page."""

    items: tuple[GapRow, ...]
    next_cursor: str | None


async def gaps(
    connection: AsyncConnection,
    *,
    pbxs: Collection[PbxId] | None,
    scope: ColumnElement[bool],
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> GapPage:
    """One page of the gaps of these PBXs (None: of all) that touch [since, until).

    `scope` is the condition on `calls` for who asks. Raises `Invalid` for a cursor that is not ours.
    """
    asked = select(Gap.__table__).order_by(Gap.began_at.desc(), Gap.id.desc()).limit(limit + 1)
    if pbxs is not None:
        asked = asked.where(Gap.pbx.in_(sorted(pbxs)))
    if since is not None:
        asked = asked.where(Gap.ended_at >= since)
    if until is not None:
        asked = asked.where(Gap.began_at < until)
    if cursor is not None:
        at, place = _read_cursor(cursor)
        asked = asked.where(or_(Gap.began_at < at, and_(Gap.began_at == at, Gap.id < place)))
    rows = (await connection.execute(asked)).all()
    items = tuple([await _gap(connection, row, scope) for row in rows[:limit]])
    last = items[-1] if len(rows) > limit else None
    return GapPage(items=items, next_cursor=_cursor(last) if last else None)


async def gap(
    connection: AsyncConnection,
    gap_id: int,
    *,
    pbxs: Collection[PbxId] | None,
    scope: ColumnElement[bool],
) -> GapRow | None:
    """One gap; None: there is none, or not of these PBXs."""
    row = (await connection.execute(select(Gap.__table__).where(Gap.id == gap_id))).one_or_none()
    if row is None or (pbxs is not None and row.pbx not in pbxs):
        return None
    return await _gap(connection, row, scope)


async def _gap(connection: AsyncConnection, row: Row[Any], scope: ColumnElement[bool]) -> GapRow:
    touched = calls_touched(row.pbx, row.began_at, row.ended_at)
    count = await connection.scalar(select(func.count()).select_from(Call).where(touched, scope))
    return GapRow(
        id=row.id,
        pbx=PbxId(row.pbx),
        began_at=row.began_at,
        ended_at=row.ended_at,
        boot_changed=row.boot_changed,
        reason=row.reason,
        calls=count or 0,
    )


def calls_touched(pbx: str, began_at: datetime, ended_at: datetime) -> ColumnElement[bool]:
    """The condition on `calls`: those of this PBX that lived in the interval."""
    return and_(
        Call.pbx == pbx,
        Call.started_at >= began_at - LONGEST_CALL,
        Call.started_at <= ended_at,
        or_(Call.ended_at.is_(None), Call.ended_at >= began_at),
    )


async def gap_intervals(
    connection: AsyncConnection, pbx: PbxId, since: datetime, until: datetime | None
) -> Sequence[tuple[datetime, datetime]]:
    """The gaps of this PBX that touch the interval (until None: to the end of time), oldest first."""
    asked = (
        select(Gap.began_at, Gap.ended_at)
        .where(Gap.pbx == pbx, Gap.ended_at >= since)
        .order_by(Gap.began_at)
    )
    if until is not None:
        asked = asked.where(Gap.began_at < until)
    return [(row.began_at, row.ended_at) for row in await connection.execute(asked)]


def _cursor(last: GapRow) -> str:
    text = f"{last.began_at.isoformat()} {last.id}"
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, int]:
    wrong = Invalid("cursor: not one that a former page gave")
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        at, _, place = text.partition(" ")
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise wrong from None
    if moment.tzinfo is None or not place.isdecimal() or len(place) > 12:
        raise wrong
    return moment, int(place)
